"""Orders of a made-up shop, the same for the same number of them, and where they lie."""

from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.tables import ORDERS
from features.sources import open_connection

START_SECONDS = 1_685_577_600
"""2023-06-01 in seconds since 1970."""
HISTORY_DAYS = 913
ORDERS_PER_CUSTOMER = 20
AS_OF = AsOf.parse("2025-11-30")
MONTH_DAYS = 30
MAPPED = {"orders": frozenset({"customer_id", "ordered_at", "amount", "status"})}
SEED = 20_251_130


def months(number: int) -> list[AsOf]:
    """Return the newest moments, a month apart, oldest first."""
    return [AS_OF.plus_days(-MONTH_DAYS * back) for back in reversed(range(number))]


def make_orders(number: int, path: Path) -> None:
    """Write so many orders, of customers who come over time and buy each at a rate of their own."""
    draw = np.random.default_rng(SEED)
    customers = max(number // ORDERS_PER_CUSTOMER, 1)
    joined = draw.random(customers) * 0.95
    weight = draw.gamma(1.2, 1.0, customers) * (1 - joined)
    more = draw.choice(customers, number - customers, p=weight / weight.sum())
    who = np.concatenate([np.arange(customers), more])
    share = joined[who] + draw.random(number) * (1 - joined[who])
    columns: dict[str, Any] = {
        "who": who,
        "seconds": START_SECONDS + (share * HISTORY_DAYS * 86_400).astype(np.int64),
        "cents": (draw.gamma(2.0, 2_000.0, number)).astype(np.int64) + 1,
        "kind": draw.choice(3, number, p=(0.94, 0.03, 0.03)).astype(np.int8),
    }
    content = pa.table(columns)
    with duckdb.connect() as connection:
        connection.register("content", content)
        connection.sql("SET TimeZone = 'UTC'")
        connection.sql(
            "COPY (SELECT printf('c%09d', who) AS customer_id, to_timestamp(seconds) AS ordered_at,"
            " (CASE kind WHEN 2 THEN -cents ELSE cents END / 100)::DECIMAL(18, 4) AS amount,"
            " ['completed', 'cancelled', 'returned'][kind + 1] AS status FROM content)"
            f" TO '{path}' (FORMAT parquet)"
        )


def open_shop(path: Path, memory: str) -> Any:
    """Return a connection that holds the orders as the canonical table and keeps to the memory."""
    connection = open_connection()
    connection.raw_sql(f"SET memory_limit = '{memory}'")
    connection.raw_sql("SET threads = 2")
    kind = connection.compiler.type_mapper.to_string
    given = {"customer_id", "ordered_at", "amount", "status"}
    columns = (
        f"{'ordered_at' if c.name == 'known_at' else c.name if c.name in given else 'NULL'}"
        f'::{kind(ibis.dtype(c.type))} AS "{c.name}"'
        for c in ORDERS.columns
    )
    connection.raw_sql(f"CREATE TABLE orders AS SELECT {', '.join(columns)} FROM '{path}'")
    return connection
