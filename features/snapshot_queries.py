# ruff: noqa: S608 - every name in these queries is ours
"""The queries that build snapshots in DuckDB: compiled once, asked for each batch and moment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from features.catalogue import ARRANGED, Stage, Subject, feature_columns_of, of_stage
from features.contracts.as_of import AsOf
from features.contracts.tables import TIME
from features.customer_batches import CODES, CustomerBatches
from features.snapshot_expression import (
    base_expression,
    customers_known,
    of_rows,
    part_expression,
    whole_expression,
)
from features.transforms.known import moments_table

MOMENT = "bellwether_as_of"
MOMENTS = "batch_moments"
OWN = "batch_own"
BASE_ROWS = "batch_base_rows"
BASE = "batch_base"


@ibis.udf.scalar.builtin(name="getvariable", signature=(("string",), TIME))  # type: ignore[untyped-decorator] # Ibis has no types
def _variable(key: str) -> datetime:  # type: ignore[empty-body]
    """Return a variable of DuckDB, which it takes for a constant."""


class SnapshotQueries(AbstractContextManager["SnapshotQueries"]):
    """What is asked of DuckDB to build the snapshots of some moments.

    Attributes:
        columns: names of the features, in catalogue order.
    """

    def __init__(
        self,
        connection: Any,
        tables: Mapping[str, ir.Table],
        carried: Sequence[Subject],
        moments: Sequence[AsOf],
    ) -> None:
        self.columns = feature_columns_of(carried)
        self._connection = connection
        self._tables = tables
        self._carried = carried
        self._moments = moments
        self._whole = {
            f"batch_whole_{place}": subject
            for place, subject in enumerate(carried)
            if subject.is_whole
        }
        read = [
            "orders",
            *(name for s in carried if not s.is_whole for name in (s.table, *s.reads)),
        ]
        self._batches = CustomerBatches(
            connection, tables, list(dict.fromkeys(read)), moments, ARRANGED
        )

    def parts(self) -> Iterator[tuple[AsOf, pa.Table]]:
        """Yield the features of each batch and moment, customers in their order."""
        self._add_up_whole_tables()
        self._set_moment(0)
        own = self._own_sql(self._carried)
        self._batches.bring_in(own)
        moments = self._create(MOMENTS, moments_table(self._moments))
        base = self._base() if of_stage(self._carried, Stage.BASE) else None
        floats = {f.name: "float64" for f in of_stage(self._carried, Stage.ROWS)}
        table = ibis.table({"customer_id": "int32", "as_of": TIME, **floats}, name=OWN)
        whole = self._compile(whole_expression(table, self._carried, moments, base))
        sql = f"WITH {OWN} AS ({own}) SELECT * FROM ({whole})"
        for as_of in self._each_batch_and_moment():
            found = self._connection.con.sql(sql).to_arrow_table().sort_by("customer_id")
            names = self._batches.customers.take(found["customer_id"])
            yield as_of, found.set_column(0, "customer_id", names)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._batches.close()
        for name in (MOMENTS, BASE_ROWS, BASE):
            self._run(f"DROP TABLE IF EXISTS {name}")
        for name in self._whole:
            self._run(f"DROP VIEW IF EXISTS {name}")
            for place in range(len(self._moments)):
                self._run(f"DROP TABLE IF EXISTS {name}_{place}")

    def _own_sql(self, carried: Sequence[Subject]) -> str:
        """Return the query for the customers' own features: as `own_expression`, but part by part.

        Ibis takes much longer for all parts together than for each alone.
        """
        whole = {id(subject): name for name, subject in self._whole.items()}
        joins, columns = [], []
        for place, subject in enumerate(of_rows(carried)):
            if subject.is_whole:
                part = whole[id(subject)]
            else:
                part = f"({self._compile(self._part(subject))})"
            joins.append(f"LEFT JOIN {part} p{place} ON p{place}.customer_id = k.customer_id")
            columns += [f'p{place}."{f.name}"::DOUBLE AS "{f.name}"' for f in subject.features]
        everyone = self._compile(customers_known(self._batches.views, _variable(MOMENT)))
        return f"SELECT k.*, {', '.join(columns)} FROM ({everyone}) k {' '.join(joins)}"

    def _part(self, subject: Subject) -> ir.Table:
        """Return the features of one subject, from rows that were arranged where that may be."""
        batches, as_of = self._batches, _variable(MOMENT)
        if subject.table not in batches.arranged:
            return part_expression(subject, batches.views, as_of)
        tables = {**batches.views, **batches.arranged}
        part = part_expression(subject, tables, as_of)
        if not batches.late:
            return part
        # No customer is in both.
        return part.union(part_expression(subject, {**tables, **batches.late}, as_of))

    def _base(self) -> ir.Table:
        """Return the table of the whole base, from a first pass for the features that it reads."""
        needed = {name for f in of_stage(self._carried, Stage.BASE) for name in f.needs_features}
        carried = [s for s in of_rows(self._carried) if any(f.name in needed for f in s.features)]
        names = [f.name for f in of_stage(carried, Stage.ROWS) if f.name in needed]
        schema = {"as_of": TIME, **dict.fromkeys(names, "float64")}
        rows = self._connection.create_table(BASE_ROWS, schema=ibis.schema(schema), temp=True)
        sql = f"SELECT {', '.join(schema)} FROM ({self._own_sql(carried)})"
        for _ in self._each_batch_and_moment():
            self._run(f"INSERT INTO {BASE_ROWS} {sql}")
        return self._create(BASE, base_expression(rows, self._carried))

    def _add_up_whole_tables(self) -> None:
        """Aggregate what no batch can say, for every moment."""
        for name, subject in self._whole.items():
            part = part_expression(subject, self._tables, _variable(MOMENT))
            floats = [f'p."{f.name}"::DOUBLE AS "{f.name}"' for f in subject.features]
            for place, as_of in enumerate(self._moments):
                self._run(_set_variable(as_of))
                self._run(
                    f"CREATE OR REPLACE TEMP TABLE {name}_{place} AS "
                    f"SELECT c.code AS customer_id, {', '.join(floats)} "
                    f"FROM ({self._compile(part)}) p JOIN {CODES} c USING (customer_id) ORDER BY 1"
                )

    def _each_batch_and_moment(self) -> Iterator[AsOf]:
        for batch in self._batches.batches():
            for place, as_of in enumerate(self._moments):
                self._set_moment(place, f"WHERE {batch.condition}")
                yield as_of

    def _set_moment(self, place: int, where: str = "") -> None:
        self._run(_set_variable(self._moments[place]))
        for name in self._whole:
            self._run(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {name}_{place} {where}")

    def _create(self, name: str, expression: ir.Table) -> ir.Table:
        return self._connection.create_table(name, expression, temp=True)

    def _compile(self, expression: ir.Table) -> str:
        return str(self._connection.compile(expression))

    def _run(self, sql: str) -> None:
        self._connection.raw_sql(sql)


def _set_variable(as_of: AsOf) -> str:
    return f"SET VARIABLE {MOMENT} = TIMESTAMPTZ '{as_of.moment.isoformat()}'"
