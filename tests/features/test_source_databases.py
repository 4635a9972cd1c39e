"""Tables of a real PostgreSQL server, also when it is slow, hung, or written to meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from features.contracts.errors import SourceError
from features.contracts.settings import DataSettings
from features.source_databases import Database
from features.sources import CanonicalTables, load_tables, open_connection
from tests.postgres_server import PostgresServer, running_postgres

pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
    pytest.mark.integration,
]

ORDERS = {
    "table": "sales",
    "columns": {"customer_id": "who", "order_id": "id", "ordered_at": "at", "amount": "paid"},
}
EVENTS = {
    "table": "web.clicks",
    "columns": {"event_id": "id", "customer_id": "who", "occurred_at": "at", "type": "what"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        server.execute(
            "CREATE TABLE sales (id uuid DEFAULT gen_random_uuid(), who int, at timestamptz, "
            "paid numeric(30, 10))",
            "INSERT INTO sales (who, at, paid) SELECT n, "
            "timestamptz '2026-01-01 00:00+02' + n * interval '1 hour', n / 4.0 "
            "FROM generate_series(1, 200) n",
            "CREATE SCHEMA web",
            "CREATE TABLE web.clicks AS SELECT n::text AS id, n AS who, "
            "timestamp '2026-01-02' AS at, 'View' AS what FROM generate_series(1, 50) n",
        )
        yield server


def settings(server: PostgresServer, **tables: Any) -> DataSettings:
    return DataSettings.model_validate(
        {"url": server.url, "timeout_seconds": 30, "tables": {"orders": ORDERS} | tables}
    )


def load(data: DataSettings, tmp_path: Path) -> CanonicalTables:
    return load_tables(
        data, timezone="Europe/Berlin", root=tmp_path, now=datetime(2026, 6, 1, tzinfo=UTC)
    )


def test_tables_of_postgres_are_read_exactly(server: PostgresServer, tmp_path: Path) -> None:
    with closing(load(settings(server, events=EVENTS), tmp_path)) as tables:
        orders = tables.tables["orders"].to_pyarrow().to_pylist()
        events = tables.tables["events"].to_pyarrow().to_pylist()

    assert [order["amount"] for order in orders] == [Decimal(n) / 4 for n in range(1, 201)]
    assert orders[0]["ordered_at"] == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert len(orders[0]["order_id"]) == len("01234567-89ab-cdef-0123-456789abcdef")
    assert {event["type"] for event in events} == {"view"}
    assert events[0]["occurred_at"] == datetime(2026, 1, 1, 23, tzinfo=UTC)  # midnight in Berlin


def copied(data: DataSettings, *names: str, between: str) -> list[int]:
    """Copy tables through one connection with a statement of others in between; count rows."""
    connection = open_connection()
    counts = []
    with closing(Database(data, Path())) as database:
        for name in names:
            raw = database.copy(connection, name, data.tables[name])
            counts.append(raw.table.count().to_pyarrow().as_py())
            with psycopg.connect(str(data.url), autocommit=True) as other:
                other.execute(between.encode())
    connection.disconnect()
    return counts


def test_all_tables_are_read_as_of_one_moment(server: PostgresServer) -> None:
    data = settings(server, events=EVENTS)
    written = "INSERT INTO web.clicks VALUES ('late', 1, '2026-01-02', 'View')"

    counts = copied(data, "orders", "events", between=written)
    afterwards = copied(data, "events", between="DELETE FROM web.clicks WHERE id = 'late'")

    assert counts == [200, 50]
    assert afterwards == [52]


def test_table_that_is_not_there_is_told_with_close_matches(
    server: PostgresServer, tmp_path: Path
) -> None:
    data = settings(server, events=EVENTS | {"table": "web.click"})

    with pytest.raises(SourceError, match=r"no table web\.click at postgresql://127\.0\.0\.1/.*did "
                       "you mean `clicks`"):  # fmt: skip
        load(data, tmp_path)


def test_query_that_takes_too_long_is_given_up(server: PostgresServer, tmp_path: Path) -> None:
    data = DataSettings.model_validate(
        {
            "url": server.url,
            "timeout_seconds": 0.2,
            "tables": {"orders": ORDERS | {"table": "slow_sales"}},
        }
    )
    server.execute(
        "CREATE OR REPLACE VIEW slow_sales AS "
        "SELECT id, who, at, paid FROM sales WHERE pg_sleep(0.5) IS NOT NULL"
    )

    with pytest.raises(SourceError, match=r"slow_sales at .* did not answer within 0\.2 seconds"):
        load(data, tmp_path)


def test_server_that_hangs_is_given_up(server: PostgresServer) -> None:
    data = DataSettings.model_validate(
        {"url": server.url, "timeout_seconds": 0.2, "tables": {"orders": ORDERS, "events": EVENTS}}
    )
    connection = open_connection()
    with closing(Database(data, Path())) as database:
        database.copy(connection, "orders", data.tables["orders"])

        with server.frozen(), pytest.raises(SourceError) as raised:
            database.copy(connection, "events", data.tables["events"])
    connection.disconnect()

    assert "did not answer within 0.2 seconds" in str(raised.value)
    assert "data.timeout_seconds" in str(raised.value)


def test_server_that_never_greets_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        data = DataSettings.model_validate(
            {
                "url": f"postgresql://me:secret@127.0.0.1:{port}/shop",
                "timeout_seconds": 1,
                "tables": {"orders": ORDERS},
            }
        )

        with pytest.raises(SourceError, match="did not answer within 1 seconds") as raised:
            load(data, tmp_path)

    assert "secret" not in str(raised.value)


def test_server_that_dies_while_rows_come_is_named(server: PostgresServer) -> None:
    data = settings(server, events=EVENTS)
    connection = open_connection()
    with closing(Database(data, Path())) as database:
        database.copy(connection, "orders", data.tables["orders"])
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

        with pytest.raises(
            SourceError, match=r"events: web\.clicks at .* cannot be read: .*"
        ) as raised:
            database.copy(connection, "events", data.tables["events"])
    connection.disconnect()

    assert "\n" not in str(raised.value)
