# ruff: noqa: S608 - every name in these queries is ours
"""The canonical tables cut into batches of customers, in DuckDB, for the building of snapshots.

What does not depend on the moment is done once. Customers become numbers in the order of their
names, each table is narrowed to what the features read and sorted by customer, and a batch is a
range of numbers. A batch fits the processor's caches, so that the time grows with the rows and no
faster, and memory stays bounded however long the history is: DuckDB spills what does not fit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.tables import TABLES

ROWS_PER_BATCH = 1_000_000
"""Rows of all tables together that a batch should have."""

CUSTOMERS_PER_BATCH = 65_536

CODES = "batch_customer_codes"


@dataclass(frozen=True)
class CustomerBatch:
    """Customers with numbers from `first` to `last`."""

    first: int
    last: int

    @property
    def condition(self) -> str:
        """What holds for the rows of the batch, in SQL."""
        return f"customer_id BETWEEN {self.first} AND {self.last}"


class CustomerBatches:
    """Canonical tables with customers as numbers, and a view of one batch of each.

    Attributes:
        customers: identifiers of the customers, in order: a customer's number is its place.
        views: per canonical table the view of the current batch, as an Ibis table.
    """

    def __init__(
        self, connection: Any, tables: Mapping[str, ir.Table], read: Sequence[str], newest: AsOf
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._newest = f"TIMESTAMPTZ '{newest.moment.isoformat()}'"
        self.customers = self._number_customers()
        self.views = {name: self._view(name) for name in read}
        self._made: dict[str, tuple[str, ...]] = {}

    def bring_in(self, sql: str) -> None:
        """Bring in the columns of each table that the query over the views reads."""
        for name in self.views:
            self._create_view(name, (), f"SELECT * FROM {self._source(name)}")
        plan = "\n".join(text for _, text in self._run(f"EXPLAIN {sql}").fetchall())
        words = set(re.findall(r"\w+", plan))
        for name, table in self._tables.items():
            if name in self.views:
                columns = tuple(c for c in table.columns if c in words and c != "customer_id")
                self._make(name, columns)

    def batches(self) -> Iterator[CustomerBatch]:
        """Yield the batches in the order of customers, each while the views show it."""
        for batch in self._cut():
            for name, columns in self._made.items():
                sql = f"SELECT * FROM batch_all_{name} WHERE {batch.condition}"
                self._create_view(name, columns, sql)
            yield batch

    def close(self) -> None:
        """Let go of all that was made."""
        for name in self.views:
            self._run(f"DROP VIEW IF EXISTS batch_{name}")
            self._run(f"DROP TABLE IF EXISTS batch_all_{name}")
        self._run(f"DROP TABLE IF EXISTS {CODES}")

    def _source(self, name: str) -> str:
        return f"({self._connection.compile(self._tables[name])})"

    def _run(self, sql: str) -> Any:
        return self._connection.raw_sql(sql)

    def _number_customers(self) -> pa.Array:
        known = f"ordered_at < {self._newest} AND known_at <= {self._newest}"
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {CODES} AS SELECT customer_id, "
            "(row_number() OVER (ORDER BY customer_id) - 1)::INTEGER AS code FROM "
            f"(SELECT DISTINCT customer_id FROM {self._source('orders')} WHERE {known})"
        )
        sql = f"SELECT customer_id FROM {CODES} ORDER BY code"
        return self._connection.con.sql(sql).to_arrow_table()["customer_id"].combine_chunks()

    def _view(self, name: str) -> ir.Table:
        schema = dict(self._tables[name].schema().items())
        return ibis.table(ibis.schema({**schema, "customer_id": "int32"}), name=f"batch_{name}")

    def _make(self, name: str, columns: Sequence[str]) -> None:
        event_time = TABLES[name].event_time
        listed = "".join(f", t.{_quoted(column)}" for column in columns)
        known = (
            f"(t.{column} IS NULL OR t.{column} {sign} {self._newest})"
            for column, sign in ((event_time, "<"), ("known_at", "<="))
        )
        self._run(
            f"CREATE OR REPLACE TEMP TABLE batch_all_{name} AS "
            f"SELECT c.code AS customer_id{listed} "
            f"FROM {self._source(name)} t JOIN {CODES} c USING (customer_id) "
            f"WHERE {' AND '.join(known)} ORDER BY c.code, t.{event_time}"
        )
        self._made[name] = ("customer_id", *columns)

    def _create_view(self, name: str, columns: Sequence[str], sql: str) -> None:
        """Show what the query finds; columns that were not brought in are null."""
        schema = self._tables[name].schema().items()
        types = {column: self._connection.compiler.type_mapper.to_string(t) for column, t in schema}
        shown = ", ".join(
            _quoted(column)
            if not columns or column in columns
            else f"NULL::{sql_type} AS {_quoted(column)}"
            for column, sql_type in types.items()
        )
        self._run(f"CREATE OR REPLACE TEMP VIEW batch_{name} AS SELECT {shown} FROM ({sql})")

    def _cut(self) -> Iterator[CustomerBatch]:
        counted = " UNION ALL ".join(
            f"SELECT customer_id, count(*) AS n FROM batch_all_{name} GROUP BY ALL"
            for name in self._made
        )
        sql = f"SELECT customer_id, sum(n)::BIGINT AS n FROM ({counted}) GROUP BY ALL"
        found = self._connection.con.sql(sql).fetchnumpy()
        rows = np.zeros(len(self.customers), np.int64)
        rows[np.asarray(found["customer_id"])] = np.asarray(found["n"])
        return cut_batches(rows)


def cut_batches(rows: "np.typing.NDArray[np.int64]") -> Iterator[CustomerBatch]:
    """Yield ranges of customers with about `ROWS_PER_BATCH` rows; `rows` are those of each."""
    until = np.cumsum(rows)
    first = 0
    while first < len(rows):
        before = until[first - 1] if first else 0
        fits = int(np.searchsorted(until, before + ROWS_PER_BATCH, side="right"))
        end = min(max(fits, first + 1), first + CUSTOMERS_PER_BATCH)
        yield CustomerBatch(first, end - 1)
        first = end


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
