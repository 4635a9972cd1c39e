"""Asks the slow, obvious twins of the features: plain SQL, in a database of their own.

A twin is the text of one SQL query for one number: that of the customer `asked.customer_id` as of
`asked.as_of`. It reads its rows through `known`, says again what the meaning of its feature in the
catalogue says, and takes the shortest way there, however slow. To add one, put it under the
feature's name into the `TWINS` of a module `*_sql.py` that `tests/oracle/twins.py` gathers:

    TWINS = {"orders_7d": f"SELECT count(*) FROM {COMPLETED} WHERE age <= 7 * 86400"}

It must agree to the last bit. Where it takes another way to the same number, and both round on
theirs, the name also goes into the module's `NEARLY`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.tables import TABLES
from tests.features.hand_made import COLUMNS, Features, Row, canonical

TOGETHER = 4
"""Twins asked in one query: more take DuckDB ever longer to plan."""


def known(table: str, condition: str = "true") -> str:
    """Return the asked customer's rows of a table that were known at the asked moment.

    They carry all columns of the table, `as_of`, and `age`: the whole seconds from the row to the
    moment. A column of another time is compared by hand: what lies at or after `as_of` is unknown.
    """
    return (
        f"(SELECT * FROM known_{table} AS k WHERE k.customer_id = asked.customer_id "
        f"AND k.as_of = asked.as_of AND ({condition}))"
    )


def everyones(table: str, condition: str = "true") -> str:
    """Return the rows of a table, of whichever customer, that were known at the asked moment."""
    return f"(SELECT * FROM known_{table} AS k WHERE k.as_of = asked.as_of AND ({condition}))"


class Oracle:
    """Canonical tables that are filled again and again, and what was known of them."""

    def __init__(self, twins: Mapping[str, str]) -> None:
        self._twins = twins
        self._database: Any = duckdb.connect(config={"threads": 1})
        self._database.execute("SET timezone = 'UTC'")
        for name, columns in COLUMNS.items():
            self._create(name, ibis.schema(columns).to_pyarrow())
        self._create("moments", pa.schema({"as_of": pa.timestamp("us", "UTC")}))
        for name, table in TABLES.items():
            self._database.execute(f"CREATE TABLE known_{name} AS {_known(name, table.event_time)}")
        self._database.execute(f"CREATE TABLE asked AS {_ASKED}")

    def _create(self, name: str, schema: pa.Schema) -> None:
        self._database.register("empty", schema.empty_table())
        self._database.execute(f"CREATE TABLE {name} AS FROM empty")
        self._database.unregister("empty")

    def fill(self, rows: Iterable[Row], moments: Sequence[AsOf]) -> None:
        """Put these rows in the place of those that were there."""
        as_of = pa.array([moment.moment for moment in moments], pa.timestamp("us", "UTC"))
        for name, content in {**canonical(rows), "moments": pa.table({"as_of": as_of})}.items():
            self._database.register("new_rows", content)
            self._refill(name, "FROM new_rows")
            self._database.unregister("new_rows")
        for name, table in TABLES.items():
            self._refill(f"known_{name}", _known(name, table.event_time))
        self._refill("asked", _ASKED)

    def _refill(self, table: str, query: str) -> None:
        self._database.execute(f"DELETE FROM {table}")
        self._database.execute(f"INSERT INTO {table} BY NAME {query}")

    def answers(self, names: Iterable[str]) -> dict[tuple[str, AsOf], Features]:
        """Return what the twins of these names say of each customer with a known order."""
        found: dict[tuple[str, AsOf], Features] = {}
        asked = list(names)
        for start in range(0, len(asked), TOGETHER):
            together = asked[start : start + TOGETHER]
            numbers = ", ".join(f"CAST(({self._twins[name]}) AS DOUBLE)" for name in together)
            query = f"SELECT customer_id, as_of, {numbers} FROM asked"
            for customer, as_of, *values in self._database.execute(query).fetchall():
                own = found.setdefault((customer, AsOf(as_of)), {})
                own.update(zip(together, values, strict=True))
        return found


def _known(table: str, time: str) -> str:
    # A customer's record has no event time of its own where `created_at` was not recorded.
    is_timeless, is_always = "false", "false"
    if table == "customers":
        is_timeless, is_always = f"{time} IS NULL", "known_at IS NULL"
    return f"""
        SELECT r.*, as_of, date_diff('second', {time}, as_of) AS age FROM {table} AS r, moments
        WHERE ({time} < as_of OR {is_timeless}) AND (known_at <= as_of OR {is_always})
    """


_ASKED = "SELECT DISTINCT customer_id, as_of FROM known_orders"
