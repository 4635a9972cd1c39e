from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.tables import TABLES
from features.customer_history import (
    FEW,
    CustomerHistory,
    HistoryFacts,
    column_types,
    insert_pushed,
    touched_since,
    write_history,
)
from features.push_log import PushLog
from features.pushed_rows import check_rows

T = AsOf.parse("2026-03-01")
MAPPED = {
    "orders": frozenset(column.name for column in TABLES["orders"].columns),
    "order_lines": frozenset(column.name for column in TABLES["order_lines"].columns),
    "events": frozenset({"event_id", "customer_id", "occurred_at", "type"}),
    "customers": frozenset({"customer_id", "attribute_age"}),
}
CUSTOMERS = tuple(f"customer {number}" for number in range(60))


def facts(pushed_until: int = 0) -> HistoryFacts:
    return HistoryFacts(
        mapped=MAPPED,
        pushed_until=pushed_until,
        columns=("orders_total",),
        plan={},
        base={"base_customers": 60.0},
        base_as_of=str(T),
        request_time="",
        shares={"country_share": {"GB": 0.5}},
        read_as_of=str(T),
        lookback_days=3,
    )


@pytest.fixture
def tables() -> Iterator[Any]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for table in MAPPED:
            kinds = ", ".join(f'"{n}" {k}' for n, k in column_types(table, MAPPED).items())
            database.execute(f"CREATE TABLE {table} ({kinds})")
        for number, customer in enumerate(CUSTOMERS):
            for order in range(2):
                database.execute(
                    "INSERT INTO orders (order_id, customer_id, ordered_at, amount, known_at)"
                    " VALUES (?, ?, ?, 5, ?)",
                    [f"{number}-{order}", customer, T.moment, T.moment],
                )
        database.execute(
            "INSERT INTO customers (customer_id, attribute_age) VALUES ('customer 1', 3)"
        )
        yield database


@pytest.fixture
def log(tmp_path: Path) -> PushLog:
    return PushLog(tmp_path / "pushed.db")


@pytest.fixture
def history(tables: Any, tmp_path: Path, log: PushLog) -> Iterator[CustomerHistory]:
    path = tmp_path / "history" / "customers.duckdb"
    write_history(tables, facts(), path)
    opened = CustomerHistory(path, log)
    yield opened
    opened.close()


def push(log: PushLog, table: str, **row: Any) -> None:
    now = T.moment + timedelta(hours=1)
    log.append(check_rows(table, [row], mapped=MAPPED, timezone="UTC", now=now))


def order(order_id: str | None, customer: str = CUSTOMERS[1], **changed: Any) -> dict[str, Any]:
    return {"order_id": order_id, "customer_id": customer, "ordered_at": T.moment, **changed}


def amounts(history: CustomerHistory, *customers: str) -> list[tuple[str, float]]:
    history.gather(customers)
    found = history.database.execute("SELECT order_id, amount FROM orders ORDER BY order_id")
    return [(order_id, float(amount)) for order_id, amount in found.fetchall()]


def test_facts_survive_the_file(history: CustomerHistory) -> None:
    assert history.facts() == facts()


@pytest.mark.parametrize("many", [1, FEW, FEW + 1, len(CUSTOMERS)])
def test_the_rows_of_customers_are_found_and_no_others(history: CustomerHistory, many: int) -> None:
    history.gather(CUSTOMERS[:many])

    found = history.database.execute("SELECT customer_id, count(*) FROM orders GROUP BY ALL")

    assert sorted(found.fetchall()) == sorted((customer, 2) for customer in CUSTOMERS[:many])


def test_every_column_comes_back(history: CustomerHistory) -> None:
    history.gather(CUSTOMERS[:2])

    (row,) = history.database.execute("FROM customers").fetchall()
    names = [column[0] for column in history.database.description or ()]

    assert dict(zip(names, row, strict=True))["attribute_age"] == 3.0
    assert "customer_key" not in names


def test_pushed_rows_are_added_and_newer_versions_replace(
    history: CustomerHistory, log: PushLog
) -> None:
    push(log, "orders", **order("new", amount="7"))
    push(log, "orders", **order("1-0", amount="6"))

    assert amounts(history, CUSTOMERS[1]) == [("1-0", 6.0), ("1-1", 5.0), ("new", 7.0)]


def test_rows_that_the_build_has_seen_are_not_added_again(
    tables: Any, tmp_path: Path, log: PushLog
) -> None:
    push(log, "orders", **order("1-0", amount="6"))
    path = tmp_path / "customers.duckdb"
    write_history(tables, facts(pushed_until=log.last()), path)

    assert amounts(CustomerHistory(path, log), CUSTOMERS[1]) == [("1-0", 5.0), ("1-1", 5.0)]


def test_of_an_event_the_version_of_the_build_stays(
    tables: Any, tmp_path: Path, log: PushLog
) -> None:
    tables.execute(
        "INSERT INTO events (event_id, customer_id, occurred_at, type) VALUES ('e', ?, ?, 'visit')",
        [CUSTOMERS[1], T.moment],
    )
    path = tmp_path / "customers.duckdb"
    write_history(tables, facts(), path)
    event = {"event_id": "e", "customer_id": CUSTOMERS[1], "occurred_at": T.moment}
    push(log, "events", **event, type="view")
    history = CustomerHistory(path, log)

    history.gather([CUSTOMERS[1]])

    assert history.database.execute("SELECT type FROM events").fetchall() == [("visit",)]


def test_lines_of_an_order_that_the_build_has_are_left_out(
    tables: Any, tmp_path: Path, log: PushLog
) -> None:
    line = {"customer_id": CUSTOMERS[1], "ordered_at": T.moment, "product_id": "p"}
    tables.execute(
        "INSERT INTO order_lines (order_id, customer_id, ordered_at, product_id)"
        " VALUES ('1-0', ?, ?, 'p')",
        [CUSTOMERS[1], T.moment],
    )
    path = tmp_path / "customers.duckdb"
    write_history(tables, facts(), path)
    push(log, "order_lines", **line, order_id="1-0")
    push(log, "order_lines", **line, order_id="new")
    history = CustomerHistory(path, log)

    history.gather([CUSTOMERS[1]])

    found = history.database.execute("SELECT order_id FROM order_lines ORDER BY 1").fetchall()
    assert found == [("1-0",), ("new",)]


def test_a_new_build_is_noticed(history: CustomerHistory, tables: Any, tmp_path: Path) -> None:
    assert len(amounts(history, CUSTOMERS[1])) == 2
    tables.execute("DELETE FROM orders WHERE order_id = '1-1'")

    write_history(tables, facts(), tmp_path / "history" / "customers.duckdb")

    assert amounts(history, CUSTOMERS[1]) == [("1-0", 5.0)]


def test_a_history_that_cannot_be_written_leaves_the_old_one(
    history: CustomerHistory, tables: Any, tmp_path: Path
) -> None:
    tables.execute("DROP TABLE customers")

    with pytest.raises(FeatureStoreError, match="cannot be written"):
        write_history(tables, facts(), tmp_path / "history" / "customers.duckdb")

    assert len(amounts(history, CUSTOMERS[1])) == 2
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["customers.duckdb"]


@pytest.mark.parametrize("content", [None, b"not a database" * 400], ids=["missing", "damaged"])
def test_a_history_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, log: PushLog, content: bytes | None
) -> None:
    path = tmp_path / "customers.duckdb"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(FeatureStoreError, match="bellwether features build"):
        CustomerHistory(path, log).facts()


def test_rows_without_mapped_ids_are_told_apart_by_customer_and_time(tables: Any) -> None:
    mapped = {**MAPPED, "orders": MAPPED["orders"] - {"order_id"}}
    later = (T.moment + timedelta(seconds=1)).isoformat()
    rows = [
        {"order_id": "row-a", "customer_id": CUSTOMERS[1], "ordered_at": T.moment.isoformat()},
        {"order_id": "row-b", "customer_id": CUSTOMERS[1], "ordered_at": later},
    ]

    assert insert_pushed(tables, "orders", rows, mapped, newer=False) == 1


def test_customers_with_new_or_late_rows_are_touched(tables: Any) -> None:
    def add(customer: str, at: datetime, known_at: datetime) -> None:
        tables.execute(
            "INSERT INTO events (customer_id, occurred_at, known_at) VALUES (?, ?, ?)",
            [customer, at, known_at],
        )

    since, day = T.plus_days(5), timedelta(days=1)
    add("new", since.moment, since.moment)
    add("late", since.moment - day, since.moment)
    add("old", since.moment - day, since.moment - day)

    assert touched_since(tables, MAPPED, since) == ("late", "new")
