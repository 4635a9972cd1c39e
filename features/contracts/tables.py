"""The canonical tables: what Bellwether needs to know, whatever the user's columns are called.

Types are Ibis type names. Times are UTC, amounts exact decimals (so that a sum does not depend on
the order of rows or on the engine), identifiers strings.
"""

from dataclasses import dataclass
from enum import StrEnum

TIME = "timestamp('UTC', 6)"
MONEY = "decimal(18, 4)"
YES_NO = "boolean"


@dataclass(frozen=True)
class Column:
    """One canonical column: its name, Ibis type, whether it must be mapped, and its meaning."""

    name: str
    type: str
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class TableContract:
    """One canonical table. `event_time` is the column that says when a row happened."""

    name: str
    event_time: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)


KNOWN_AT = Column("known_at", TIME, "when the row was learnt; the event time where absent")

COMPLETED, CANCELLED, RETURNED = "completed", "cancelled", "returned"


class EventType(StrEnum):
    """The kinds of events that features know; rows of any other kind are kept and counted too."""

    VISIT = "visit"
    VIEW = "view"
    SEARCH = "search"
    ADD_TO_CART = "add_to_cart"
    SIGN_UP = "sign_up"
    DOWNLOAD = "download"
    APP_OPEN = "app_open"
    QUOTE_REQUEST = "quote_request"
    HELP_VIEW = "help_view"


CONSENT_CHANNELS = ("email", "sms", "push")
"""The channels of contact a customer may have agreed to."""

CUSTOMERS = TableContract(
    "customers",
    "created_at",
    (
        Column("customer_id", "string", "who", required=True),
        Column("created_at", TIME, "when the customer was first known; null where not recorded"),
        Column("country", "string", "where the customer lives"),
        Column("acquisition_channel", "string", "what brought the customer"),
        *(
            Column(f"{channel}_consent", YES_NO, f"whether the customer agreed to {channel}")
            for channel in CONSENT_CHANNELS
        ),
        KNOWN_AT,
    ),
)

ORDERS = TableContract(
    "orders",
    "ordered_at",
    (
        Column("order_id", "string", "one purchase; every row is one where absent"),
        Column("customer_id", "string", "who bought", required=True),
        Column("ordered_at", TIME, "when it was bought", required=True),
        Column("amount", MONEY, "what was paid, in the project's currency; clv needs it"),
        Column("discount", MONEY, "what was taken off the price, zero or more"),
        Column("margin", MONEY, "what was earned: the amount less the cost of the goods"),
        Column("currency", "string", "currency of the amount; all in one where absent"),
        Column("channel", "string", "where it was bought"),
        Column("device", "string", "what it was bought on"),
        Column("status", "string", "completed, cancelled or returned"),
        Column("returns_order_id", "string", "for a return: the order it takes value back from"),
        KNOWN_AT,
    ),
)

ORDER_LINES = TableContract(
    "order_lines",
    "ordered_at",
    (
        Column("order_id", "string", "the purchase it belongs to", required=True),
        Column("customer_id", "string", "who bought", required=True),
        Column("ordered_at", TIME, "when it was bought", required=True),
        Column("product_id", "string", "what was bought", required=True),
        Column("category", "string", "the product's category"),
        Column("quantity", "float64", "how many; negative when taken back"),
        Column("amount", MONEY, "what was paid for the line"),
        KNOWN_AT,
    ),
)

EVENTS = TableContract(
    "events",
    "occurred_at",
    (
        Column("event_id", "string", "one event; repeated ids are one event"),
        Column("customer_id", "string", "who did it", required=True),
        Column("occurred_at", TIME, "when it happened", required=True),
        Column("type", "string", f"what was done: {', '.join(EventType)}", required=True),
        Column("product_id", "string", "the product it was about"),
        Column("channel", "string", "where it happened"),
        Column("device", "string", "what it was done on"),
        KNOWN_AT,
    ),
)

MESSAGES = TableContract(
    "messages",
    "sent_at",
    (
        Column("message_id", "string", "one contact"),
        Column("customer_id", "string", "who was contacted", required=True),
        Column("campaign_id", "string", "the campaign it belongs to"),
        Column("channel", "string", "how it was sent"),
        Column("sent_at", TIME, "when it was sent", required=True),
        Column("opened_at", TIME, "when it was first opened; null when never"),
        Column("clicked_at", TIME, "when it was first clicked; null when never"),
        Column("unsubscribed_at", TIME, "when it led to unsubscribing; null when never"),
        Column("redeemed_at", TIME, "when its offer was used; null when never"),
        Column("is_held_out", YES_NO, "whether it was withheld, to measure what messages do"),
        KNOWN_AT,
    ),
)

TICKETS = TableContract(
    "tickets",
    "opened_at",
    (
        Column("ticket_id", "string", "one request for help"),
        Column("customer_id", "string", "who asked", required=True),
        Column("opened_at", TIME, "when it was opened", required=True),
        Column("closed_at", TIME, "when it was closed; null while it is open"),
        Column("topic", "string", "what it was about"),
        Column("satisfaction", "float64", "how satisfied the customer was, higher is better"),
        KNOWN_AT,
    ),
)

SUBSCRIPTIONS = TableContract(
    "subscriptions",
    "started_at",
    (
        Column("subscription_id", "string", "one contract"),
        Column("customer_id", "string", "whose it is", required=True),
        Column("started_at", TIME, "when it began", required=True),
        Column("ended_at", TIME, "when it ended; null while it runs"),
        Column("plan", "string", "what was subscribed to"),
        Column("price", MONEY, "price of 30 days"),
        KNOWN_AT,
    ),
)

TABLES: dict[str, TableContract] = {
    table.name: table
    for table in (CUSTOMERS, ORDERS, ORDER_LINES, EVENTS, MESSAGES, TICKETS, SUBSCRIPTIONS)
}
