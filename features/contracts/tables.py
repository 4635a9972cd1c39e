"""The canonical tables: what Bellwether needs to know, whatever the user's columns are called.

Types are Ibis type names. Times are UTC, amounts exact decimals (so that a sum does not depend on
the order of rows or on the engine), identifiers strings.
"""

from dataclasses import dataclass

TIME = "timestamp('UTC', 6)"
MONEY = "decimal(18, 4)"


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

CUSTOMERS = TableContract(
    "customers",
    "created_at",
    (
        Column("customer_id", "string", "who", required=True),
        Column("created_at", TIME, "when the customer was first known; null where not recorded"),
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
        Column("channel", "string", "where it was bought"),
        Column("status", "string", "completed, cancelled or returned"),
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

MESSAGES = TableContract(
    "messages",
    "sent_at",
    (
        Column("message_id", "string", "one contact"),
        Column("customer_id", "string", "who was contacted", required=True),
        Column("campaign_id", "string", "the campaign it belongs to"),
        Column("channel", "string", "how it was sent"),
        Column("sent_at", TIME, "when it was sent", required=True),
        Column("redeemed_at", TIME, "when its offer was used; null when never"),
        KNOWN_AT,
    ),
)

TABLES: dict[str, TableContract] = {
    table.name: table for table in (CUSTOMERS, ORDERS, ORDER_LINES, MESSAGES)
}
