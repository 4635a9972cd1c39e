"""A made-up shop in DuckDB, built and published, to push rows to."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.catalogue import feature_columns
from features.contracts.as_of import AsOf
from features.contracts.layout import Layout
from features.contracts.settings import Settings, validate_settings
from features.contracts.tables import TABLES
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.customer_history import column_types
from features.definitions import FEATURES_VIEW
from features.history_building import keep_history
from features.online_store.opening import open_rows
from features.online_store.packing import pack
from features.online_store.published import PublishedFeatures
from features.online_store.refresh_names import refresh_name
from features.online_store.schema import RowSchema, ValueType
from features.snapshots import write_snapshots
from features.sources import open_connection

AS_OF = AsOf.parse("2026-03-01")
MAPPED = {name: frozenset(c.name for c in table.columns) for name, table in TABLES.items()}
SAMPLED = 300
"""Customers of the snapshot from which the features of the whole base are taken."""

BATCH = 5_000

_START = "TIMESTAMPTZ '2024-03-01'"
_SPAN = 729 * 86_400

_ROWS: dict[str, tuple[float, dict[str, str]]] = {
    "customers": (1, {"country": "['GB', 'FR', 'DE'][1 + i % 3]"}),
    "orders": (
        10,
        {
            "order_id": "'o' || i",
            "amount": "(i % 100) + 0.5",
            "channel": "['web', 'shop'][1 + i % 2]",
            "status": "'completed'",
        },
    ),
    "order_lines": (
        20,
        {
            "order_id": "'o' || (i // 2)",
            "product_id": "'p' || (i % 500)",
            "category": "'c' || (i % 12)",
            "quantity": "1",
            "amount": "(i % 100) + 0.25",
        },
    ),
    "events": (
        20,
        {
            "event_id": "'e' || i",
            "type": "['visit', 'view', 'search', 'add_to_cart'][1 + i % 4]",
            "product_id": "'p' || (i % 500)",
        },
    ),
    "messages": (5, {"message_id": "'m' || i", "channel": "'email'"}),
    "tickets": (0.2, {"ticket_id": "'t' || i"}),
    "subscriptions": (0.1, {"subscription_id": "'s' || i", "plan": "'basic'"}),
}
"""Rows per customer of each table, and what is in their columns."""


@dataclass(frozen=True)
class Shop:
    """A shop that rows can be pushed to."""

    layout: Layout
    online: PublishedFeatures
    customers: tuple[str, ...]
    columns: tuple[str, ...]


def make_shop(folder: Path, customers: int) -> Shop:
    """Return a shop of so many customers, its history kept and a row of each online."""
    layout = Layout(folder)
    names = tuple(f"customer-{number:08d}" for number in range(customers))
    connection = open_connection()
    for table in _ROWS:
        _fill(connection, table, customers)
    sample = {
        table: connection.table(table).filter(
            connection.table(table).customer_id < names[min(SAMPLED, customers - 1)]
        )
        for table in _ROWS
    }
    for _ in write_snapshots(connection, sample, MAPPED, [AS_OF], layout.snapshots):
        pass
    keep_history(
        connection.con,
        MAPPED,
        as_of=AS_OF,
        snapshots=layout.snapshots,
        pushed_until=0,
        path=layout.history,
    )
    connection.disconnect()
    columns = feature_columns(MAPPED)
    settings = _settings()
    _publish(settings, layout, names, columns)
    return Shop(layout, PublishedFeatures(settings, layout), names, columns)


def _fill(connection: Any, table: str, customers: int) -> None:
    per_customer, said = _ROWS[table]
    types = column_types(table, MAPPED)
    time = f"{_START} + to_seconds((hash(i, '{table}') % {_SPAN})::BIGINT)"
    given = {
        **said,
        TABLES[table].event_time: time,
        "known_at": time,
        "customer_id": f"'customer-' || lpad((i % {customers})::VARCHAR, 8, '0')",
    }
    listed = ", ".join(
        f'CAST({given.get(name, "NULL")} AS {kind}) AS "{name}"' for name, kind in types.items()
    )
    rows = int(customers * per_customer)
    connection.raw_sql(f"CREATE TABLE {table} AS SELECT {listed} FROM range({rows}) r(i)")


def _publish(
    settings: Settings, layout: Layout, names: tuple[str, ...], columns: tuple[str, ...]
) -> None:
    rows = open_rows(settings, layout)
    stored = (*columns, SNAPSHOT_EPOCH)
    schema = RowSchema(stored, (ValueType.FLOAT64,) * len(stored))
    refresh = refresh_name(AS_OF.moment, "benchmark")
    rows.register(FEATURES_VIEW, schema)
    rows.begin_refresh(FEATURES_VIEW, refresh)
    values = np.random.default_rng(7).random((BATCH, len(columns)))
    seconds = AS_OF.moment.timestamp()
    for start in range(0, len(names), BATCH):
        own = names[start : start + BATCH]
        filled = [pa.array(column[: len(own)]) for column in values.T]
        filled.append(pa.array(np.full(len(own), seconds)))
        packed = pack(schema, filled, np.full(len(own), int(seconds) * 1_000_000))
        keys = [name.encode() for name in own]
        rows.write_rows(FEATURES_VIEW, keys, packed, refresh=refresh, progress=start)
    rows.publish_refresh(FEATURES_VIEW, refresh)
    rows.close()


def _settings() -> Settings:
    orders = {"path": "o.csv", "columns": {"customer_id": "c", "ordered_at": "t"}}
    return validate_settings(
        {
            "version": 1,
            "timezone": "UTC",
            "data": {"tables": {"orders": orders}},
            "goals": {"churn": {"horizon_days": 28}},
        },
        "benchmark",
    )


def now() -> datetime:
    """Return the present of the shop."""
    return AS_OF.plus_days(0.25).moment
