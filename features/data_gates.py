"""What may be wrong with the user's rows, and what is done about it: each policy, in one place.

The page `docs/reference/data-gates.md` is made of this, and a test plants each fault and looks
whether its policy holds.
"""

from dataclasses import dataclass
from enum import StrEnum

from features.contracts.tables import TABLES

FIRST_YEAR = 1990
"""Older dates are what computers write for "none": 1970, 1900, year 1."""

SAMPLES = 3
"""So many of the values that are wrong are shown."""

IDS = {
    "orders": "order_id",
    "events": "event_id",
    "messages": "message_id",
    "tickets": "ticket_id",
    "subscriptions": "subscription_id",
}
"""What one row is called, by table. `order_lines` have no such id; customers, their own gate."""

ENDS = {"tickets": "closed_at", "subscriptions": "ended_at"}
"""What cannot come before the event time, by table."""

RESPONSES = ("opened_at", "clicked_at", "unsubscribed_at", "redeemed_at")
"""What may come of a message, and not before it was sent."""

EVERY_TABLE = tuple(TABLES)
TIMED_TABLES = tuple(name for name in TABLES if name != "customers")


class Action(StrEnum):
    """What is done about a row."""

    QUARANTINED = "quarantined"
    CORRECTED = "corrected and counted"
    NOTED = "kept and counted"
    STOPPED = "loading stops"


@dataclass(frozen=True)
class Gate:
    """One fault and its policy.

    Attributes:
        name: short name; also the reason in the quarantine of those that are put aside.
        tables: where it is looked for.
        action: what is done about it.
        words: what such a row has, as in "12 rows with ...".
        policy: what is done and why, in a sentence or two.
    """

    name: str
    tables: tuple[str, ...]
    action: Action
    words: str
    policy: str


def _quarantined(name: str, tables: tuple[str, ...], words: str, policy: str) -> Gate:
    return Gate(name, tables, Action.QUARANTINED, words, policy)


_MONEYED = ("orders", "order_lines")

GATES: tuple[Gate, ...] = (
    _quarantined(
        "guest", EVERY_TABLE, "no customer id",
        "Nothing can be learnt about a customer from a row that names none.",
    ),
    _quarantined(
        "test_customer", EVERY_TABLE, "the id of a test customer",
        "Ids that match a pattern of `data.test_customers`. The default holds only what no real "
        "customer is called; set it to `[]` to keep all.",
    ),
    _quarantined(
        "missing_time", TIMED_TABLES, "no time",
        "What happened at no known time cannot be told from the future.",
    ),
    _quarantined(
        "unreadable_time", TIMED_TABLES, "a time that cannot be read",
        "A time is read as it is written, never guessed.",
    ),
    _quarantined(
        "ancient_date", TIMED_TABLES, f"a date before {FIRST_YEAR}",
        "Such dates are what computers write for none: 1970-01-01, 1900-01-01.",
    ),
    _quarantined(
        "future_date", TIMED_TABLES, "a date in the future",
        "More than a day ahead of the clock: a day is left for other time zones.",
    ),
    _quarantined(
        "missing_amount", _MONEYED, "no amount",
        "Where `amount` is mapped, a row without one would count as a purchase for nothing.",
    ),
    _quarantined(
        "unreadable_amount", _MONEYED, "an amount that cannot be read",
        "Thousands marks, currency signs, brackets and a decimal comma are understood; "
        "anything else is not guessed at.",
    ),
    _quarantined(
        "absurd_amount", _MONEYED, "an amount beyond data.max_amount",
        "Only where `data.max_amount` is set; without it such rows are kept, see `odd_amount`.",
    ),
    _quarantined(
        "foreign_currency", ("orders",), "an amount in another currency",
        "Rows of a currency that is neither `data.currency` nor in `data.exchange_rates`.",
    ),
    _quarantined(
        "negative_price", ("subscriptions",), "a price below zero",
        "A contract that pays the customer is a slip of the pen.",
    ),
    _quarantined(
        "ends_before_start", tuple(ENDS), "an end before its start",
        "A ticket that was closed before it was opened, a contract that ended before it began.",
    ),
    _quarantined(
        "missing_order_id", ("order_lines",), "no order id",
        "A line has to belong to an order. Orders without an id are orders of their own.",
    ),
    _quarantined(
        "missing_product_id", ("order_lines",), "no product id",
        "A line without a product says nothing that its order does not say.",
    ),
    _quarantined(
        "missing_type", ("events",), "no type",
        "An event of no kind counts for nothing.",
    ),
    _quarantined(
        "repeated_row", tuple(IDS), "another row that is equal in all mapped columns",
        "The one that was learnt first is kept (`known_at` is not compared: an export of "
        "everything every day makes nothing new). Only rows with an id are compared, and ids are "
        "told apart by customer; equal lines of an order all count, because one may buy the same "
        "thing twice.",
    ),
    _quarantined(
        "repeated_id", tuple(IDS), "another row of the same id",
        "The version that was learnt last is kept (by `known_at`, else the last row); of an "
        "event the first. Where more than one order in a hundred is described by rows that "
        "differ, loading stops: the rows are lines of orders then.",
    ),
    _quarantined(
        "repeated_customer", ("customers",), "another row of the same customer, a newer one",
        "The version that was learnt last is kept, else the one created last.",
    ),
    _quarantined(
        "unreadable_line", EVERY_TABLE, "a line that does not fit the header of its CSV file",
        "The line is kept as text in the quarantine.",
    ),
    Gate(
        "naive_time", EVERY_TABLE, Action.NOTED, "a time without a zone",
        "It is read on the wall clock of the project's `timezone`; of an hour that is there twice "
        "in autumn, the later one.",
    ),
    Gate(
        "mixed_formats", EVERY_TABLE, Action.NOTED, "times that are written in several ways",
        "Each is read by its own looks; `data.day_first` says what 1/2/2026 means.",
    ),
    Gate(
        "swapped_dates", TIMED_TABLES, Action.STOPPED, "day and month the wrong way round",
        "Over a third of the dates are impossible as `data.day_first` has it, and none the other "
        "way.",
    ),
    Gate(
        "mixed_currencies", ("orders",), Action.STOPPED, "several currencies",
        "Where `data.currency` does not say which one counts.",
    ),
    Gate(
        "converted_amount", ("orders",), Action.CORRECTED, "an amount in another currency",
        "Multiplied by its `data.exchange_rates` exactly, as a decimal; amounts without a "
        "currency are in the project's own.",
    ),
    Gate(
        "negative_amount", ("orders",), Action.NOTED, "an amount below zero",
        "It takes value back: the order counts as returned, and is set against what was spent.",
    ),
    Gate(
        "matched_return", ("orders",), Action.CORRECTED, "a return whose order is found",
        "The order that `returns_order_id` names, else the newest earlier completed order of the "
        "customer of at least that amount; `returns_order_id` is filled in.",
    ),
    Gate(
        "unmatched_return", ("orders",), Action.NOTED, "a return without its order",
        "Often the order is older than the data. The return counts all the same.",
    ),
    Gate(
        "odd_amount", _MONEYED, Action.NOTED, "an amount over 1000 times the usual",
        "It may be a wholesale order or a slip of the pen: look, and set `data.max_amount`.",
    ),
    Gate(
        "negative_discount", ("orders",), Action.CORRECTED, "a discount below zero",
        "Shops write what was taken off with either sign; it counts as positive.",
    ),
    Gate(
        "late_row", TIMED_TABLES, Action.NOTED, "a row learnt later than it happened",
        "It counts from when it was learnt. The report shows how late rows are.",
    ),
    Gate(
        "known_before", TIMED_TABLES, Action.CORRECTED, "a row learnt before it happened",
        "Nothing is known before it happens: it counts as learnt when it happened.",
    ),
    Gate(
        "early_response", ("messages",), Action.CORRECTED, "a response before the message was sent",
        "The clocks of two machines differ: an opening, click, unsubscription or redemption counts "
        "from when the message was sent.",
    ),
    Gate(
        "line_currency", ("order_lines",), Action.NOTED, "no currency of its own",
        "Lines carry none, so their amounts are taken as they are, although orders name several.",
    ),
    Gate(
        "unreadable_value", EVERY_TABLE, Action.CORRECTED, "an optional value that cannot be read",
        "The value becomes null, the row stays. Where twenty are given and none can be read, "
        "loading stops: it is another column.",
    ),
    Gate(
        "unknown_type", ("events",), Action.NOTED, "a type that no feature knows",
        "Kept as it is; `type_values` says what it means.",
    ),
    Gate(
        "stranger", TIMED_TABLES[1:], Action.NOTED, "customers without an order",
        "Told when they are more than half: the ids may be of another kind.",
    ),
    Gate(
        "changed_source", EVERY_TABLE, Action.STOPPED, "a file that changed while it was read",
        "What was read may be half of one and half of another version.",
    ),
)  # fmt: skip
"""Every fault that is looked for, those that put rows aside first."""

REASONS = {gate.name: gate.words for gate in GATES if gate.action is Action.QUARANTINED}
"""Why rows are quarantined, in words."""


def offending_column(table: str, reason: str) -> str | None:
    """Return the canonical column whose value is the reason; None where it is the whole row."""
    if reason in ("unreadable_time", "ancient_date", "future_date"):
        return TABLES[table].event_time
    return {
        "guest": "customer_id",
        "test_customer": "customer_id",
        "repeated_customer": "customer_id",
        "unreadable_amount": "amount",
        "absurd_amount": "amount",
        "foreign_currency": "currency",
        "negative_price": "price",
        "ends_before_start": ENDS.get(table),
        "repeated_id": IDS.get(table),
        "repeated_row": IDS.get(table),
    }.get(reason)
