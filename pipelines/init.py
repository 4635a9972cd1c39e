"""Makes a project of a file of orders: guesses what its columns hold, and says why."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from features.atomic_text import write_atomically
from features.contracts.errors import ConfigurationError
from features.contracts.settings import PROJECT_FILE, load_settings, validate_settings
from features.source_files import find_files
from pipelines.column_evidence import ColumnEvidence
from pipelines.column_guess import Guess, guess_columns, guess_status
from pipelines.goal_guess import guess_goals
from pipelines.project_file import render_project

ORDER_COLUMNS = (
    "customer_id", "order_id", "ordered_at", "amount", "discount", "margin", "currency", "channel",
    "device", "returns_order_id",
)  # fmt: skip
LINE_COLUMNS = (
    "order_id", "customer_id", "ordered_at", "product_id", "category", "quantity", "amount"
)  # fmt: skip

COMMENTS = {
    ("timezone",): "of times that carry none",
    ("data", "currency"): "what amounts are counted in",
    ("data", "day_first"): "whether 1/2/2026 is the first of February",
    ("data", "tables", "orders", "grain"): "order: a row is an order; line: rows are added up",
    ("data", "tables", "orders", "columns"): "ours: yours",
    ("data", "tables", "orders", "status_values"): "what is not listed counts as completed",
    ("data", "tables", "order_lines"): "optional: says what was bought",
    ("goals", "churn", "horizon_days"): "gone: no order in so many days",
    ("goals", "churn", "active_within_days"): "asked of customers who ordered in so many days",
    ("goals", "purchase_propensity", "horizon_days"): "buys: an order in so many days",
    ("goals", "clv", "horizon_days"): "worth: what is spent in so many days",
    ("serving", "clock"): "stands still, since the orders are of the past; remove it for live data",
}


@dataclass(frozen=True)
class InitResult:
    """The project file that was written, and what was guessed in it, each guess with its reason."""

    project_file: Path
    guesses: list[str]


@dataclass
class _Draft:
    """A project file in the making."""

    content: dict[str, Any]
    guesses: list[str] = field(default_factory=list)

    @property
    def orders(self) -> dict[str, Any]:
        orders: dict[str, Any] = self.content["data"]["tables"]["orders"]
        return orders


def init_project(
    directory: Path, *, orders: Path, timezone: str | None, overwrite: bool = False
) -> InitResult:
    """Write `bellwether.yaml` in `directory` for the user's `orders`, a file or glob.

    The data are read once with what was guessed, so that a project that is written can be loaded.

    Raises:
        ConfigurationError: if there is a project file already, the time zone is unknown, or no
            column looks like the customer or like the time of an order.
        SourceError: if the orders cannot be read.
    """
    project_file = directory.resolve() / PROJECT_FILE
    if project_file.exists() and not overwrite:
        raise ConfigurationError(
            f"{project_file} exists already and is left as it is; "
            "name another folder, or move the file away"
        )
    draft = _draft_tables(project_file.parent, orders, timezone)
    guess_goals(draft.content, draft.guesses, root=project_file.parent)
    text = render_project(draft.content, COMMENTS)
    validate_settings(yaml.safe_load(text), str(project_file))
    write_atomically(project_file, text)
    load_settings(project_file)
    return InitResult(project_file, draft.guesses)


def _draft_tables(root: Path, orders: Path, timezone: str | None) -> _Draft:
    files = find_files(str(orders.expanduser().absolute()), Path.cwd(), "orders")
    evidence = ColumnEvidence(files)
    try:
        found = guess_columns(evidence, str(orders))
        status = guess_status(evidence)
        draft = _Draft(_skeleton(root, orders, found, timezone))
        draft.guesses += [str(found[name]) for name in ORDER_COLUMNS if name in found]
        if status is not None:
            guess, meanings = status
            draft.orders["columns"]["status"] = guess.column
            draft.orders["status_values"] = meanings
            draft.guesses.append(str(guess))
        _guess_currency(draft, evidence)
        _guess_grain(draft, found, evidence)
        _guess_day_first(draft, found["ordered_at"].column, evidence)
        _tell_zone(draft, found["ordered_at"].column, evidence, given=timezone is not None)
    finally:
        evidence.close()
    return draft


def _skeleton(
    root: Path, orders: Path, found: dict[str, Guess], timezone: str | None
) -> dict[str, Any]:
    columns = {name: found[name].column for name in ORDER_COLUMNS if name in found}
    table = {"path": _path_for(root, orders), "grain": "order", "columns": columns}
    return {
        "version": 1,
        "name": _project_name(root),
        "timezone": timezone or "UTC",
        "data": {"day_first": False, "tables": {"orders": table}},
    }


def _guess_currency(draft: _Draft, evidence: ColumnEvidence) -> None:
    """Count in the currency that most rows name; rows of the others are then put aside."""
    column = draft.orders["columns"].get("currency")
    if column is None:
        return
    words = evidence.words(column)
    if not words:
        del draft.orders["columns"]["currency"]
        draft.guesses.append(f"currency: left out ({column} has too many values)")
        return
    draft.content["data"] = {"currency": words[0].upper()} | draft.content["data"]
    draft.guesses.append(
        f"data.currency: {words[0].upper()} (most rows of {column} name it; rows of the others are "
        "put aside unless data.exchange_rates converts them)"
    )


def _guess_grain(draft: _Draft, found: dict[str, Guess], evidence: ColumnEvidence) -> None:
    """Decide whether a row is an order or a line of one, and add `order_lines` where it is one."""
    if "order_id" not in found:
        lines, why = "product_id" in found, "there is no order id, but a product"
    else:
        columns = [
            part
            for written in draft.orders["columns"].values()
            for part in ([written] if written in evidence.columns else written.split(" * "))
        ]
        key = [found["order_id"].column, found["customer_id"].column]
        rows, orders, different = evidence.repetitions(key, columns)
        lines, why = orders < different, f"{rows:,} rows name {orders:,} orders"
    if not lines:
        draft.guesses.append("grain: order (no order has two rows that differ)")
        return
    draft.orders["grain"] = "line"
    draft.guesses.append(f"grain: line ({why}; amounts are added up)")
    if {"order_id", "product_id"} <= found.keys():
        draft.content["data"]["tables"]["order_lines"] = {
            "path": draft.orders["path"],
            "columns": {name: found[name].column for name in LINE_COLUMNS if name in found},
        }
        draft.guesses += [
            f"order_lines: {found[name]}"
            for name in ("product_id", "category", "quantity")
            if name in found
        ]


def _guess_day_first(draft: _Draft, column: str, evidence: ColumnEvidence) -> None:
    numeric, month_first_fails, day_first_fails = evidence.unreadable_dates(column)
    if not numeric:
        return
    draft.content["data"]["day_first"] = day_first_fails < month_first_fails
    if day_first_fails == month_first_fails:
        draft.guesses.append(
            f"day_first: false (a guess: {column} can be read both ways; look whether it is right)"
        )
        return
    chosen, other, fails = "true", "month", month_first_fails
    if month_first_fails < day_first_fails:
        chosen, other, fails = "false", "day", day_first_fails
    draft.guesses.append(
        f"day_first: {chosen} ({fails:,} of {numeric:,} dates of {column} are impossible "
        f"with the {other} first)"
    )


def _tell_zone(draft: _Draft, column: str, evidence: ColumnEvidence, *, given: bool) -> None:
    zone = draft.content["timezone"]
    if evidence.carries_zone(column):
        why = f"the times of {column} carry their own"
    elif given:
        why = "as you said"
    else:
        why = f"the times of {column} carry none; if they are local times, change it"
    draft.guesses.append(f"timezone: {zone} ({why})")


def _path_for(root: Path, orders: Path) -> str:
    """Return the path as written in the project: relative where it lies within, else absolute."""
    absolute = orders.expanduser().absolute()
    place = absolute.parent.resolve() / absolute.name
    return str(place.relative_to(root) if place.is_relative_to(root) else place)


def _project_name(root: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_")[:40].strip("_")
    return name if re.match(r"[a-z]", name) else "bellwether"
