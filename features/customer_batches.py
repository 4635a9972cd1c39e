# ruff: noqa: S608 - every name in these queries is ours
"""The canonical tables cut into batches of customers, in DuckDB, for the building of snapshots.

What does not depend on the moment is done once. Customers become numbers in the order of their
names, each table is narrowed to what the features read and sorted by customer, and a batch is a
range of numbers. A batch fits the processor's caches, so that the time grows with the rows and no
faster, and memory stays bounded however long the history is: DuckDB spills what does not fit.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.contracts.as_of import AsOf
from features.contracts.tables import TABLES

ROWS_PER_BATCH = 1_000_000
"""Rows of all tables together that a batch should have."""

CUSTOMERS_PER_BATCH = 65_536

CODES = "batch_customer_codes"

Arrange = Callable[[ir.Table, Sequence[str]], ir.Table]
"""From rows and keys to the rows with what each says of those before it in its group of keys."""


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
    """Canonical tables with customers as numbers, and views of one batch of each.

    Attributes:
        customers: identifiers of the customers, in order: a customer's number is its place.
        views: per canonical table the view of the current batch, as an Ibis table.
        arranged: the same for tables that are arranged once for all moments, without the rows of
            `late`.
        late: the rows of customers with one that was learnt too late for some moment, so that what
            the rows say of each other depends on the moment. No table of it when nobody has one.
    """

    def __init__(
        self,
        connection: Any,
        tables: Mapping[str, ir.Table],
        read: Sequence[str],
        moments: Sequence[AsOf],
        arrangements: Mapping[str, Arrange],
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._moments = [f"TIMESTAMPTZ '{as_of.moment.isoformat()}'" for as_of in sorted(moments)]
        self.customers, has_late = self._number_customers()
        self.views = {name: self._view(f"batch_{name}", self._schema(name)) for name in read}
        arranged = {
            name: arrange(self.views[name], ["customer_id"])
            for name, arrange in arrangements.items()
            if name in read
        }
        self._arrangements = {name: self._compile(table) for name, table in arranged.items()}
        self.arranged = {
            name: self._view(f"batch_arranged_{name}", table.schema())
            for name, table in arranged.items()
        }
        self.late = {
            name: self._view(f"batch_late_{name}", self._schema(name))
            for name in (arranged if has_late else ())
        }
        self._shown: dict[str, str] = {}

    def bring_in(self, sql: str) -> None:
        """Bring in the columns of each table that a query over the views reads."""
        for name in self.views:
            everything = f"SELECT * REPLACE (0::INTEGER AS customer_id) FROM {self._source(name)}"
            self._run(f"CREATE OR REPLACE TEMP VIEW batch_{name} AS {everything}")
            self._run(f"CREATE OR REPLACE TEMP VIEW batch_late_{name} AS {everything}")
        for name, arranged in self._arrangements.items():
            self._run(f"CREATE OR REPLACE TEMP VIEW batch_arranged_{name} AS {arranged}")
        words = set(re.findall(r"\w+", self._plan(sql)))
        for name in self.views:
            columns = [column for column in self._schema(name) if column in words]
            if name in self.arranged:
                self._arrange(name, columns, words)
            else:
                self._create(f"all_{name}", self._known(name, columns))
                self._show(f"batch_{name}", self._schema(name), f"all_{name}", columns)

    def _plan(self, sql: str) -> str:
        # Statistics would drop a condition that all rows meet, and the column it reads with it.
        before = self._run("SELECT current_setting('disabled_optimizers')").fetchone()[0]
        self._run("SET disabled_optimizers = 'statistics_propagation'")
        try:
            # As text, DuckDB would cut long lists of columns short.
            found = self._run(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        finally:
            self._run(f"SET disabled_optimizers = '{before}'")
        return "\n".join(text for _, text in found)

    def batches(self) -> Iterator[CustomerBatch]:
        """Yield the batches in the order of customers, each while the views show it."""
        for batch in self._cut():
            for view, sql in self._shown.items():
                where = f"WHERE {batch.condition}"
                self._run(f"CREATE OR REPLACE TEMP VIEW {view} AS {sql} {where}")
            yield batch

    def close(self) -> None:
        """Let go of all that was made."""
        for name in self.views:
            for kind in ("", "arranged_", "late_"):
                self._run(f"DROP VIEW IF EXISTS batch_{kind}{name}")
            if name in self.arranged:
                self._run(f"DROP VIEW IF EXISTS all_{name}")
                self._run(f"DROP TABLE IF EXISTS all_arranged_{name}")
                self._run(f"DROP TABLE IF EXISTS all_late_{name}")
            else:
                self._run(f"DROP TABLE IF EXISTS all_{name}")
        self._run(f"DROP TABLE IF EXISTS {CODES}")

    def _number_customers(self) -> tuple[pa.StringArray, bool]:
        missed = " OR ".join(f"(ordered_at < {t} AND known_at > {t})" for t in self._moments)
        self._run(
            f"CREATE OR REPLACE TEMP TABLE {CODES} AS SELECT customer_id, is_late, "
            "(row_number() OVER (ORDER BY customer_id) - 1)::INTEGER AS code FROM "
            f"(SELECT customer_id, bool_or(known_at > ordered_at AND ({missed})) AS is_late "
            f"FROM {self._source('orders')} WHERE {self._is_known('orders')} GROUP BY ALL)"
        )
        sql = f"SELECT customer_id, is_late FROM {CODES} ORDER BY code"
        found = self._connection.con.sql(sql).to_arrow_table()
        return found["customer_id"].combine_chunks(), bool(pc.any(found["is_late"]).as_py())

    def _is_known(self, name: str) -> str:
        newest = self._moments[-1]
        happened, known = f'"{TABLES[name].event_time}"', "known_at"
        return (
            f"({happened} IS NULL OR {happened} < {newest}) "
            f"AND ({known} IS NULL OR {known} <= {newest})"
        )

    def _schema(self, name: str) -> dict[str, Any]:
        return {**dict(self._tables[name].schema().items()), "customer_id": dt.int32}

    def _view(self, view: str, schema: Mapping[str, Any]) -> ir.Table:
        return ibis.table(ibis.schema(dict(schema)), name=view)

    def _known(self, name: str, columns: Sequence[str], which: str = "TRUE") -> str:
        """Return the query for the rows that were known by the newest moment."""
        listed = ", ".join(
            "c.code AS customer_id" if column == "customer_id" else f"t.{_quoted(column)}"
            for column in dict.fromkeys(["customer_id", *columns])
        )
        return (
            f"SELECT {listed} FROM (SELECT * FROM {self._source(name)} "
            f"WHERE {self._is_known(name)}) t JOIN {CODES} c USING (customer_id) WHERE {which}"
        )

    def _arrange(self, name: str, columns: Sequence[str], words: set[str]) -> None:
        """Bring in a table arranged, but for the rows of customers with a late one."""
        self._show(
            "", self._schema(name), f"({self._known(name, columns, 'NOT is_late')})", columns
        )
        self._run(f"CREATE OR REPLACE TEMP VIEW batch_{name} AS {self._shown.pop('')}")
        schema = dict(self.arranged[name].schema().items())
        kept = [column for column in schema if column in {*words, *columns}]
        listed = ", ".join(map(_quoted, dict.fromkeys(["customer_id", *kept])))
        rows = f"SELECT {listed} FROM ({self._arrangements[name]})"
        self._create(f"all_arranged_{name}", rows)
        self._create(f"all_late_{name}", self._known(name, columns, "is_late"))
        self._show(f"batch_arranged_{name}", schema, f"all_arranged_{name}", kept)
        self._show(f"batch_late_{name}", self._schema(name), f"all_late_{name}", columns)
        listed = ", ".join(map(_quoted, dict.fromkeys(["customer_id", *columns])))
        self._run(
            f"CREATE OR REPLACE TEMP VIEW all_{name} AS SELECT {listed} FROM all_arranged_{name} "
            f"UNION ALL SELECT {listed} FROM all_late_{name}"
        )
        self._show(f"batch_{name}", self._schema(name), f"all_{name}", columns)

    def _create(self, table: str, rows: str) -> None:
        self._run(f"CREATE OR REPLACE TEMP TABLE {table} AS {rows} ORDER BY customer_id")

    def _show(
        self, view: str, schema: Mapping[str, Any], source: str, columns: Sequence[str]
    ) -> None:
        """Let a view show a table; columns that were not brought in are null."""
        sql_type = self._connection.compiler.type_mapper.to_string
        present = {"customer_id", *columns}
        shown = (
            _quoted(column) if column in present else f"NULL::{sql_type(kind)} AS {_quoted(column)}"
            for column, kind in schema.items()
        )
        self._shown[view] = f"SELECT {', '.join(shown)} FROM {source}"

    def _cut(self) -> Iterator[CustomerBatch]:
        counted = " UNION ALL ".join(
            f"SELECT customer_id, count(*) AS n FROM all_{name} GROUP BY ALL" for name in self.views
        )
        sql = f"SELECT customer_id, sum(n)::BIGINT AS n FROM ({counted}) GROUP BY ALL"
        found = self._connection.con.sql(sql).fetchnumpy()
        rows = np.zeros(len(self.customers), np.int64)
        rows[np.asarray(found["customer_id"])] = np.asarray(found["n"])
        return cut_batches(rows)

    def _source(self, name: str) -> str:
        return f"({self._compile(self._tables[name])})"

    def _compile(self, expression: ir.Table) -> str:
        return str(self._connection.compile(expression))

    def _run(self, sql: str) -> Any:
        return self._connection.raw_sql(sql)


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
