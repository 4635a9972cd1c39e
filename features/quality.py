"""What came of the user's rows, and whether they can carry the goals.

No row disappears: it is kept, merged with other lines into an order, dropped as an exact repetition
of another row, or quarantined for a reason that is counted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from features.contracts.as_of import AsOf
from features.contracts.errors import DataContractError
from features.contracts.goals import GoalName
from features.contracts.settings import GoalSettings, TrainingSettings

MIN_CUSTOMERS = 100
"""Fewer customers than this teach a model nothing that would hold for the next ones."""

REASONS = {
    "guest": "no customer id",
    "missing_time": "no time",
    "unreadable_time": "a time that cannot be read",
    "impossible_date": "a date before 1990 or in the future",
    "missing_amount": "no amount",
    "unreadable_amount": "an amount that cannot be read",
    "missing_order_id": "no order id",
    "missing_product_id": "no product id",
    "repeated_customer": "another row of the same customer, an older one",
    "unreadable_line": "a line that does not fit the header of its CSV file",
}
"""Why rows are quarantined, in words."""


@dataclass(frozen=True)
class Quarantined:
    """Rows that were put aside for one reason, with up to three of the offending values."""

    reason: str
    rows: int
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableQuality:
    """What came of the rows of one table.

    Attributes:
        table: the canonical table.
        origin: the user's file or table.
        rows_read: rows and unreadable lines there were.
        rows_kept: rows of the canonical table.
        quarantined: rows put aside, by reason.
        merged: lines that were added to another line of their order.
        duplicates: exact repetitions that were dropped.
        notes: what is odd but was kept.
        first_event: moment of the earliest row kept; None if none has a time.
        last_event: moment of the latest row kept.
        customers: how many customers the rows kept are about.

    Raises:
        DataContractError: if a row is unaccounted for.
    """

    table: str
    origin: str
    rows_read: int
    rows_kept: int
    quarantined: tuple[Quarantined, ...]
    merged: int
    duplicates: int
    notes: tuple[str, ...]
    first_event: AsOf | None
    last_event: AsOf | None
    customers: int

    def __post_init__(self) -> None:
        accounted = self.rows_kept + self.rows_quarantined + self.merged + self.duplicates
        if accounted != self.rows_read:
            raise DataContractError(
                f"{self.table}: {self.rows_read} rows were read but {accounted} are accounted for; "
                "the source may have changed while it was read: load it again"
            )

    @property
    def rows_quarantined(self) -> int:
        """How many rows were put aside."""
        return sum(part.rows for part in self.quarantined)

    @property
    def guest_share(self) -> float:
        """Share of the rows read that name no customer, 0..1."""
        guests = sum(part.rows for part in self.quarantined if part.reason == "guest")
        return guests / self.rows_read if self.rows_read else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values for JSON; moments in ISO 8601."""
        return {
            "table": self.table,
            "origin": self.origin,
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "quarantined": [
                {"reason": part.reason, "rows": part.rows, "samples": list(part.samples)}
                for part in self.quarantined
            ],
            "merged": self.merged,
            "duplicates": self.duplicates,
            "notes": list(self.notes),
            "first_event": str(self.first_event) if self.first_event else None,
            "last_event": str(self.last_event) if self.last_event else None,
            "customers": self.customers,
            "guest_share": self.guest_share,
        }

    def lines(self) -> list[str]:
        """Return the facts as lines for people, the first one a summary."""
        fates = [f"{self.rows_kept:,} kept"]
        fates += [f"{self.merged:,} merged into orders"] if self.merged else []
        fates += [f"{self.duplicates:,} exact repetitions dropped"] if self.duplicates else []
        fates += [f"{self.rows_quarantined:,} quarantined"] if self.quarantined else []
        lines = [f"{self.table} ({self.origin}): {self.rows_read:,} rows read: {', '.join(fates)}"]
        if self.first_event and self.last_event:
            lines.append(
                f"  {self.customers:,} customers from {self.first_event} to {self.last_event}"
            )
        lines += [f"  quarantined: {_quarantine_line(part)}" for part in self.quarantined]
        return lines + [f"  note: {note}" for note in self.notes]


@dataclass(frozen=True)
class QualityReport:
    """What came of the rows of every table."""

    tables: tuple[TableQuality, ...]

    def table(self, name: str) -> TableQuality:
        """Return the facts about the canonical table of that name."""
        return next(table for table in self.tables if table.table == name)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {"tables": [table.to_dict() for table in self.tables]}

    def lines(self) -> list[str]:
        """Return the report as lines for people."""
        return [line for table in self.tables for line in table.lines()]


class GoalReadiness(NamedTuple):
    """Whether the data can carry a goal, and why not."""

    goal: GoalName
    carried: bool
    reason: str


def goal_readiness(
    goals: Mapping[GoalName, GoalSettings],
    orders: TableQuality,
    *,
    training: TrainingSettings,
    has_amounts: bool,
) -> list[GoalReadiness]:
    """Return for each goal whether the orders can carry it, with what is short if they cannot.

    A goal needs `training.min_history_days` before its first training moment, one horizon after it
    so that the outcome is known, and one more to test on; at least 100 customers with an order; and
    amounts if it is about value.
    """
    readiness = []
    for name, goal in goals.items():
        short = _shortages(name, goal, orders, training, has_amounts=has_amounts)
        readiness.append(GoalReadiness(name, not short, "; ".join(short) or _enough(goal, orders)))
    return readiness


def _shortages(
    name: GoalName,
    goal: GoalSettings,
    orders: TableQuality,
    training: TrainingSettings,
    *,
    has_amounts: bool,
) -> list[str]:
    short = []
    if name is GoalName.CLV and not has_amounts:
        short.append("orders have no amount: map `amount` under data.tables.orders.columns")
    if orders.customers < MIN_CUSTOMERS:
        short.append(f"{orders.customers} customers have an order, {MIN_CUSTOMERS} are needed")
    if orders.first_event is None or orders.last_event is None:
        return [*short, "there are no orders"]
    needed = training.min_history_days + 2 * goal.horizon_days
    days = orders.last_event.days_since(orders.first_event)
    if days < needed:
        short.append(
            f"{needed} days of orders are needed ({training.min_history_days} before the first "
            f"training moment, {goal.horizon_days} until its outcome is known, "
            f"{goal.horizon_days} to test on), there are {days:.0f}; data up to "
            f"{orders.first_event.plus_days(needed)} will do"
            + _shorter_horizon(name, days, training)
        )
    return short


def _shorter_horizon(name: GoalName, days: float, training: TrainingSettings) -> str:
    longest = int((days - training.min_history_days) // 2)
    if longest < 1:
        return ""
    return f", or goals.{name.value}.horizon_days of {longest} at most"


def _enough(goal: GoalSettings, orders: TableQuality) -> str:
    return (
        f"{orders.customers:,} customers from {orders.first_event} to {orders.last_event} "
        f"carry a horizon of {goal.horizon_days} days"
    )


def _quarantine_line(part: Quarantined) -> str:
    samples = ", ".join(repr(sample) for sample in part.samples)
    text = f"{part.rows:,} with {REASONS.get(part.reason, part.reason)}"
    return f"{text}, such as {samples}" if samples else text
