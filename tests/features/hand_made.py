"""Rows made by hand, and their features: `features_of(order(ago(days=3)))["orders_7d"]` is 1."""

import atexit
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import ibis
import pyarrow as pa

from features.catalogue import subjects
from features.contracts.as_of import AsOf
from features.contracts.tables import COMPLETED, CONSENT_CHANNELS, TABLES
from features.snapshot_expression import snapshot_expression
from features.sources import open_connection
from features.transforms.calendar import calendar_values
from features.transforms.known import CALENDAR

T = AsOf.parse("2026-03-01")
"""The moment of knowledge of most tests."""

ANN = "ann"
"""The customer of most tests."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)

COLUMNS = {
    name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()
}
COLUMNS["customers"]["attribute_age"] = "float64"

MAPPED = {name: frozenset(columns) for name, columns in COLUMNS.items()}
"""Everything is mapped, and customers have one attribute."""

CATALOGUE = {feature.name: feature for subject in subjects(MAPPED) for feature in subject.features}
"""Every feature there is, with the attribute for an example."""

Features = dict[str, float | None]


class Row(NamedTuple):
    """A row of a canonical table."""

    table: str
    values: Mapping[str, Any]


def ago(days: float = 0, **more: float) -> datetime:
    """Return the time so long before the moment of knowledge; after it when negative."""
    return T.moment - timedelta(days=days, **more)


def order(
    at: datetime,
    amount: str = "10",
    *,
    customer: str = ANN,
    status: str = COMPLETED,
    known_at: datetime | None = None,
    order_id: str | None = None,
    discount: str | None = None,
    margin: str | None = None,
    channel: str | None = None,
    device: str | None = None,
) -> Row:
    values = {
        "order_id": order_id or f"{at:%Y%m%d%H%M%S%f}",
        "customer_id": customer,
        "ordered_at": at,
        "amount": Decimal(amount),
        "discount": None if discount is None else Decimal(discount),
        "margin": None if margin is None else Decimal(margin),
        "channel": channel,
        "device": device,
        "status": status,
        "known_at": known_at or at,
    }
    return Row("orders", values)


def line(
    at: datetime,
    product: str = "tea",
    *,
    customer: str = ANN,
    order_id: str = "first",
    category: str | None = None,
    quantity: float | None = 1.0,
    amount: str | None = "10",
    known_at: datetime | None = None,
) -> Row:
    values = {
        "order_id": order_id,
        "customer_id": customer,
        "ordered_at": at,
        "product_id": product,
        "category": category,
        "quantity": quantity,
        "amount": None if amount is None else Decimal(amount),
        "known_at": known_at or at,
    }
    return Row("order_lines", values)


def event(
    at: datetime,
    kind: str = "visit",
    *,
    customer: str = ANN,
    product: str | None = None,
    channel: str | None = None,
    device: str | None = None,
    known_at: datetime | None = None,
) -> Row:
    values = {
        "event_id": None,
        "customer_id": customer,
        "occurred_at": at,
        "type": kind,
        "product_id": product,
        "channel": channel,
        "device": device,
        "known_at": known_at or at,
    }
    return Row("events", values)


def message(
    at: datetime,
    *,
    customer: str = ANN,
    campaign: str | None = None,
    channel: str | None = "email",
    opened_at: datetime | None = None,
    clicked_at: datetime | None = None,
    unsubscribed_at: datetime | None = None,
    redeemed_at: datetime | None = None,
    is_held_out: bool | None = None,
    known_at: datetime | None = None,
) -> Row:
    values = {
        "message_id": None,
        "customer_id": customer,
        "campaign_id": campaign,
        "channel": channel,
        "sent_at": at,
        "opened_at": opened_at,
        "clicked_at": clicked_at,
        "unsubscribed_at": unsubscribed_at,
        "redeemed_at": redeemed_at,
        "is_held_out": is_held_out,
        "known_at": known_at or at,
    }
    return Row("messages", values)


def ticket(
    at: datetime,
    *,
    customer: str = ANN,
    closed_at: datetime | None = None,
    topic: str | None = None,
    satisfaction: float | None = None,
    known_at: datetime | None = None,
) -> Row:
    values = {
        "ticket_id": None,
        "customer_id": customer,
        "opened_at": at,
        "closed_at": closed_at,
        "topic": topic,
        "satisfaction": satisfaction,
        "known_at": known_at or at,
    }
    return Row("tickets", values)


def subscription(
    at: datetime,
    *,
    customer: str = ANN,
    ended_at: datetime | None = None,
    plan: str | None = None,
    price: str | None = "10",
    known_at: datetime | None = None,
) -> Row:
    values = {
        "subscription_id": None,
        "customer_id": customer,
        "started_at": at,
        "ended_at": ended_at,
        "plan": plan,
        "price": None if price is None else Decimal(price),
        "known_at": known_at or at,
    }
    return Row("subscriptions", values)


def profile(
    created_at: datetime | None,
    *,
    customer: str = ANN,
    age: float | None = None,
    country: str | None = None,
    acquisition: str | None = None,
    consents: Mapping[str, bool | None] | None = None,
    known_at: datetime | None = None,
) -> Row:
    agreed = consents or {}
    values = {
        "customer_id": customer,
        "created_at": created_at,
        "country": country,
        "acquisition_channel": acquisition,
        **{f"{channel}_consent": agreed.get(channel) for channel in CONSENT_CHANNELS},
        "known_at": known_at or created_at,
        "attribute_age": age,
    }
    return Row("customers", values)


def features_of(*rows: Row, as_of: AsOf = T) -> Features:
    """Return Ann's features; where no order is given, she has a single one of long ago."""
    if not any(row.table == "orders" for row in rows):
        rows = (*rows, order(ago(days=2000)))
    return features_at(rows, [as_of])[ANN, as_of]


def features_at(rows: Iterable[Row], moments: Sequence[AsOf]) -> dict[tuple[str, AsOf], Features]:
    """Return the features of each customer and moment."""
    bench = _bench()
    bench.fill(rows, moments)
    return {
        (found.pop("customer_id"), AsOf(found.pop("as_of"))): found
        for found in bench.snapshot().to_pylist()
    }


def orders_of(*rows: Row) -> Any:
    """Return the table of orders, until it is filled with others."""
    bench = _bench()
    bench.fill(rows)
    return bench.tables["orders"]


def canonical(rows: Iterable[Row]) -> dict[str, pa.Table]:
    """Return the rows as canonical tables, in the order they are given."""
    content: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TABLES}
    for row in rows:
        content[row.table].append(row.values)
    return {
        name: pa.Table.from_pylist(list(values), schema=ibis.schema(COLUMNS[name]).to_pyarrow())
        for name, values in content.items()
    }


class Bench:
    """Canonical tables that are filled again and again; the query is put together once."""

    def __init__(self) -> None:
        self.connection: Any = open_connection()
        self.tables = {
            name: self.connection.create_table(name, schema=ibis.schema(columns))
            for name, columns in COLUMNS.items()
        }
        columns = {"as_of": "timestamp('UTC', 6)", **dict.fromkeys(CALENDAR, "float64")}
        moments = self.connection.create_table("moments", schema=ibis.schema(columns))
        query = self.connection.compile(snapshot_expression(self.tables, subjects(MAPPED), moments))
        self.connection.raw_sql(f"PREPARE snapshot AS {query}")

    def fill(self, rows: Iterable[Row], moments: Sequence[AsOf] = (T,)) -> None:
        """Put these rows in the place of those that were there."""
        times = pa.table(
            {
                "as_of": pa.array([moment.moment for moment in moments], pa.timestamp("us", "UTC")),
                **{name: [calendar_values(m)[name] for m in moments] for name in CALENDAR},
            }
        )
        for name, content in {**canonical(rows), "moments": times}.items():
            self.connection.raw_sql(f"DELETE FROM {name}")
            self.connection.con.register("new_rows", content)
            self.connection.raw_sql(f"INSERT INTO {name} BY NAME SELECT * FROM new_rows")
            self.connection.con.unregister("new_rows")

    def snapshot(self) -> pa.Table:
        """Return the features of every customer and moment, in order."""
        found: pa.Table = self.connection.con.sql("EXECUTE snapshot").to_arrow_table()
        return found.sort_by([("as_of", "ascending"), ("customer_id", "ascending")])


@cache
def _bench() -> Bench:
    atexit.register(_bench.cache_clear)  # DuckDB complains of what is still open after that
    return Bench()
