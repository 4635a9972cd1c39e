from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from features import customer_batches
from features.catalogue import feature_columns, subjects
from features.contracts.as_of import AsOf
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from features.customer_batches import CustomerBatch, cut_batches
from features.snapshot_expression import snapshot_expression
from features.snapshots import snapshot_path, write_snapshots
from features.sources import open_connection
from tests.features.hand_made import (
    COLUMNS,
    DAY,
    MAPPED,
    Bench,
    Features,
    Row,
    T,
    ago,
    canonical,
    order,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

ORDERS = {"orders": MAPPED["orders"]}
MOMENTS = (T.plus_days(-60), T.plus_days(-21.5), T)


@pytest.mark.parametrize(
    ("rows", "batches"),
    [
        ([], []),
        ([3], [(0, 0)]),
        ([1, 2, 3, 4, 5], [(0, 2), (3, 3), (4, 4)]),
        ([6, 1], [(0, 0), (1, 1)]),
        ([99, 99, 1], [(0, 0), (1, 1), (2, 2)]),
        ([0, 0, 1, 0], [(0, 2), (3, 3)]),
    ],
)
def test_batches_hold_as_many_rows_as_fit_and_one_customer_at_least(
    rows: list[int], batches: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_batches, "ROWS_PER_BATCH", 6)
    monkeypatch.setattr(customer_batches, "CUSTOMERS_PER_BATCH", 3)

    assert list(cut_batches(np.array(rows, np.int64))) == [CustomerBatch(*b) for b in batches]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def built(
    bench: Bench, rows: Sequence[Row], moments: Sequence[AsOf], folder: Path
) -> dict[tuple[str, AsOf], Features]:
    """Return the features from snapshots of all moments built together."""
    bench.fill(rows, moments)
    list(write_snapshots(bench.connection, bench.tables, ORDERS, moments, folder))
    return {
        (row["customer_id"], as_of): {name: row[name] for name in feature_columns(ORDERS)}
        for as_of in moments
        for row in pq.read_table(snapshot_path(folder, as_of)).to_pylist()
    }


@pytest.fixture(scope="module")
def query(bench: Bench) -> str:
    """The features of orders as one expression, compiled."""
    moments = bench.connection.table("moments")
    expression = snapshot_expression(bench.tables, subjects(ORDERS), moments)
    return str(bench.connection.compile(expression))


def alone(
    bench: Bench, query: str, rows: Sequence[Row], moments: Sequence[AsOf]
) -> dict[tuple[str, AsOf], Features]:
    """Return the features from one expression, asked for each moment alone."""
    found = {}
    for as_of in moments:
        bench.fill(rows, [as_of])
        for row in bench.connection.con.sql(query).to_arrow_table().to_pylist():
            found[row["customer_id"], as_of] = {n: row[n] for n in feature_columns(ORDERS)}
    return found


def some_orders(number: int, customers: int) -> list[Row]:
    """Return orders, some learnt late, some at the same time, some before no moment at all."""
    made_up = Random(11)
    rows = []
    for place in range(number):
        at = ago(days=made_up.choice([made_up.random() * 400, made_up.randrange(-5, 90)]))
        late = made_up.choice([0.0] * 6 + [made_up.random() * 60])
        rows.append(
            order(
                at,
                f"{made_up.random() * 90:.2f}",
                customer=f"customer {made_up.randrange(customers)}",
                order_id=str(place),
                status=made_up.choice([COMPLETED] * 4 + [CANCELLED, RETURNED]),
                channel=made_up.choice(["web", "shop", None]),
                discount=made_up.choice([None, "1"]),
                known_at=at + timedelta(days=late),
            )
        )
    return rows


def test_moments_together_agree_with_each_alone_where_rows_are_late(
    bench: Bench, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some_orders(900, 150)
    monkeypatch.setattr(customer_batches, "ROWS_PER_BATCH", 500)

    assert built(bench, rows, MOMENTS, tmp_path) == alone(bench, query, rows, MOMENTS)


AGES_DAYS = (0.5, 20, 21.5, 22, 60, 61)
DELAYS_DAYS = (0, 0.5, 3, 38.5, 45, 300)


def pairs_of_orders() -> list[Row]:
    """Return two orders for each of many customers: every age and delay beside every other."""
    kinds = list(product(AGES_DAYS, DELAYS_DAYS))
    return [
        order(
            T.moment - age * DAY,
            customer=f"{first} then {second}",
            order_id=f"{first} {second} {place}",
            known_at=T.moment - age * DAY + delay * DAY,
        )
        for first, second in product(range(len(kinds)), repeat=2)
        for place, (age, delay) in enumerate((kinds[first], kinds[second]))
    ]


def test_lateness_at_the_edge_of_a_moment_is_seen(bench: Bench, query: str, tmp_path: Path) -> None:
    rows = [order(ago(days=500), customer="there all along"), *pairs_of_orders()]

    assert built(bench, rows, MOMENTS, tmp_path) == alone(bench, query, rows, MOMENTS)


def many_orders(number: int) -> Any:
    """Return a connection with little memory that holds so many orders."""
    connection = open_connection()
    content = canonical([order(ago(days=1))])["orders"]
    connection.con.register("one", content)
    connection.raw_sql(
        "CREATE TABLE orders AS SELECT one.* REPLACE (n::VARCHAR AS order_id, "
        "'customer ' || (n % 15000) AS customer_id, one.ordered_at - to_hours(n) AS ordered_at) "
        f"FROM one, range({number}) numbers(n)"
    )
    connection.con.unregister("one")
    connection.raw_sql("SET threads = 1")
    connection.raw_sql("SET memory_limit = '60MB'")
    return connection


FEW = {"orders": frozenset({"customer_id", "ordered_at"})}


def test_what_does_not_fit_into_memory_is_spilled_to_disk(tmp_path: Path) -> None:
    connection = many_orders(200_000)

    (snapshot,) = write_snapshots(
        connection, {"orders": connection.table("orders")}, FEW, [T], tmp_path
    )

    assert snapshot.customers == 15_000
    assert set(COLUMNS["orders"]) == set(connection.table("orders").columns)


def test_without_a_disk_to_spill_to_the_same_does_not_fit(tmp_path: Path) -> None:
    connection = many_orders(200_000)
    connection.raw_sql("SET max_temp_directory_size = '0KB'")

    with pytest.raises(duckdb.OutOfMemoryException):
        list(
            write_snapshots(connection, {"orders": connection.table("orders")}, FEW, [T], tmp_path)
        )

    assert list(tmp_path.iterdir()) == []
