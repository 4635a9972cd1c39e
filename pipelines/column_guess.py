"""Guesses which of the user's columns hold what: by their names, checked against what they hold.

A guess always says why, because the user is asked to check it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.contracts.errors import ConfigurationError
from features.contracts.suggestions import quoted
from features.contracts.tables import CANCELLED, RETURNED
from pipelines.column_evidence import ColumnEvidence
from pipelines.column_names import COLUMN_NAMES

READABLE_SHARE = 0.9
"""A column whose values are readable to a smaller share is not what its name says."""

_CUSTOMER_PARTS = r"(customer|client|member|household|user|buyer|shopper|kunde)"
_ORDER_PARTS = r"(order|invoice|basket|transaction|receipt|purchase)"
_ID_ENDING = r"(id|no|nr|number|key|code)$"
_NOT_ORDERED_AT = r"(birth|dob|updat|modif|deliver|ship|signup|regist|due|expir|estimat)"
_STATUS_WORDS = {
    RETURNED: r"return|refund|chargeback|retour",
    CANCELLED: r"cancel|void|fail|declin|unpaid|expired|abandon|storn",
}
_YES, _NO = {"1", "y", "yes", "t"}, {"0", "n", "no", "f"}

StatusValues = dict[str, list[str | bool]]


@dataclass(frozen=True)
class Guess:
    """The user's column, or product of two, behind a canonical one, and why."""

    canonical: str
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.canonical} <- {self.column} ({self.reason})"


def guess_columns(evidence: ColumnEvidence, origin: str) -> dict[str, Guess]:
    """Return what is guessed, by canonical column; also `product_id`, `category`, `quantity`.

    Raises:
        ConfigurationError: if no column looks like the customer or like the time of an order.
    """
    found: dict[str, Guess] = {}
    order = _by_name("order_id", evidence, _is_identifier, part=_ORDER_PARTS)
    for guess in (
        _customer(evidence, taken=order.column if order else None),
        order,
        _time(evidence),
        _amount(evidence),
        _discount(evidence),
        _by_name("channel", evidence, _is_identifier),
        _by_name("product_id", evidence, _is_identifier),
        _by_name("category", evidence, _is_identifier),
        _by_name("quantity", evidence, _is_number),
    ):
        if guess is not None:
            found[guess.canonical] = guess
    for canonical, meaning in (("customer_id", "a customer id"), ("ordered_at", "an order's time")):
        if canonical not in found:
            raise ConfigurationError(
                f"no column of {origin} looks like {meaning}; its columns are "
                f"{quoted(evidence.columns)}; rename one to {canonical}, or write the project file "
                f"by hand and map {canonical} under data.tables.orders.columns"
            )
    return found


def guess_status(evidence: ColumnEvidence) -> tuple[Guess, StatusValues] | None:
    """Return the status column and which of its values mean cancelled or returned, if any does."""
    for column in _named("status", evidence.columns):
        meanings = _flag(column, evidence) or _words(column, evidence)
        if meanings:
            listed = "; ".join(
                f"{', '.join(str(value).lower() for value in values)} means {kind}"
                for kind, values in meanings.items()
            )
            return Guess("status", column, f"name; {listed}"), meanings
    return None


def plain(name: str) -> str:
    """Return a column's name in lower case without anything between words."""
    return re.sub(r"[\W_]+", "", name.lower())


def _flag(column: str, evidence: ColumnEvidence) -> StatusValues:
    """Return what a yes of a column such as `is_cancelled` means, if it says yes or no."""
    kind = next(
        (kind for kind, pattern in _STATUS_WORDS.items() if re.search(pattern, plain(column))), None
    )
    words = evidence.spelling(column)
    if kind is None or not words or not set(words) <= _YES | _NO:
        return {}
    return {kind: [True if word == "1" else word for word in words if word in _YES] or [True]}


def _words(column: str, evidence: ColumnEvidence) -> StatusValues:
    """Return which words of a status column speak of cancelling or returning."""
    words = evidence.words(column)
    meanings: StatusValues = {
        kind: [word for word in words if re.search(pattern, word.lower())]
        for kind, pattern in _STATUS_WORDS.items()
    }
    return {kind: values for kind, values in meanings.items() if values}


def _by_name(
    canonical: str,
    evidence: ColumnEvidence,
    fits: Callable[[ColumnEvidence, str], bool],
    part: str | None = None,
) -> Guess | None:
    candidates = [(column, "name") for column in _named(canonical, evidence.columns)]
    if part is not None:
        candidates += [
            (column, "part of the name")
            for column in evidence.columns
            if re.search(part, plain(column)) and re.search(_ID_ENDING, plain(column))
        ]
    return next(
        (Guess(canonical, column, why) for column, why in candidates if fits(evidence, column)),
        None,
    )


def _customer(evidence: ColumnEvidence, taken: str | None) -> Guess | None:
    named = _by_name("customer_id", evidence, _is_identifier, part=_CUSTOMER_PARTS)
    if named is not None:
        return named
    others = ("order_id", "product_id", "category", "channel")
    known = {name for other in others for name in COLUMN_NAMES[other].split()}
    rest = [
        column
        for column in evidence.columns
        if column != taken
        and re.search(r"(id|key)$", plain(column))
        and plain(column) not in known
        and _is_identifier(evidence, column)
    ]
    return Guess("customer_id", rest[0], "the only other id") if len(rest) == 1 else None


def _time(evidence: ColumnEvidence) -> Guess | None:
    for column in _named("ordered_at", evidence.columns):
        if (share := evidence.time_share(column)) >= READABLE_SHARE:
            return Guess("ordered_at", column, f"name; {share:.0%} of its values are times")
    for column in evidence.columns:
        if re.search(_NOT_ORDERED_AT, plain(column)) or _is_number(evidence, column):
            continue
        if (share := evidence.time_share(column)) >= READABLE_SHARE:
            return Guess("ordered_at", column, f"{share:.0%} of its values are times")
    return None


def _amount(evidence: ColumnEvidence) -> Guess | None:
    if (total := _by_name("amount", evidence, _is_number)) is not None:
        return total
    price = _by_name("unit_price", evidence, _is_number)
    quantity = _by_name("quantity", evidence, _is_number)
    if price is None:
        return None
    if quantity is None:
        return Guess("amount", price.column, price.reason)
    return Guess("amount", f"{quantity.column} * {price.column}", "names; there is no total")


def _discount(evidence: ColumnEvidence) -> Guess | None:
    guess = _by_name("discount", evidence, _is_number)
    if guess is None or evidence.is_fraction(guess.column):  # a rate is no amount
        return None
    return guess


def _named(canonical: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that are called what people call it, the likeliest first."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(plain(column), column)
    return [by_name[name] for name in COLUMN_NAMES[canonical].split() if name in by_name]


def _is_identifier(evidence: ColumnEvidence, column: str) -> bool:
    return evidence.distinct(column) > 1


def _is_number(evidence: ColumnEvidence, column: str) -> bool:
    return evidence.number_share(column) >= READABLE_SHARE
