"""Snapshots: the features of every customer as of a moment, one Parquet file per moment."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq

from features.catalogue import Subject, subjects
from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError, FeatureStoreError
from features.contracts.tables import TIME
from features.snapshot_queries import SnapshotQueries
from features.snapshot_writing import SnapshotWriter


@dataclass(frozen=True)
class SnapshotFile:
    """A written snapshot."""

    as_of: AsOf
    path: Path
    customers: int


def snapshot_path(directory: Path, as_of: AsOf) -> Path:
    """Return where the snapshot of a moment lies."""
    return directory / f"{as_of.moment:%Y%m%dT%H%M%SZ}.parquet"


def customers_at(directory: Path, as_of: AsOf) -> tuple[str, ...]:
    """Return the customers of the snapshot of a moment, in order.

    Raises:
        FeatureStoreError: if there is no snapshot of that moment.
    """
    path = snapshot_path(directory, as_of)
    if not path.exists():
        raise FeatureStoreError(
            f"there is no snapshot as of {as_of}; build it with `bellwether features build`"
        )
    ids = pq.read_table(path, columns=["customer_id"]).column("customer_id")
    return tuple(str(customer_id) for customer_id in ids.to_pylist())


def write_snapshots(
    connection: Any,
    tables: Mapping[str, ir.Table],
    mapped: Mapping[str, frozenset[str]],
    moments: Sequence[AsOf],
    directory: Path,
) -> Iterator[SnapshotFile]:
    """Write the snapshots of all moments, each atomically, and yield them once they are there.

    All are computed together, a batch of customers at a time; `connection` is DuckDB's.

    Raises:
        EmptyCohortError: if nobody had ordered before a moment.
    """
    yield from write_features(connection, tables, subjects(mapped), moments, directory)


def write_features(
    connection: Any,
    tables: Mapping[str, ir.Table],
    carried: Sequence[Subject],
    moments: Sequence[AsOf],
    directory: Path,
) -> Iterator[SnapshotFile]:
    """Write snapshots with the features of these subjects alone; else as `write_snapshots`."""
    distinct = tuple(dict.fromkeys(moments))
    _require_customers(tables["orders"], distinct)
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))
        queries = stack.enter_context(SnapshotQueries(connection, tables, carried, distinct))
        writers = {
            as_of: stack.enter_context(
                SnapshotWriter(as_of, snapshot_path(directory, as_of), queries.columns, thread)
            )
            for as_of in distinct
        }
        for as_of, part in queries.parts():
            writers[as_of].write(part)
        for as_of, writer in writers.items():
            writer.finish()
            yield SnapshotFile(as_of, writer.path, writer.rows)


def _require_customers(orders: ir.Table, moments: Sequence[AsOf]) -> None:
    for as_of in sorted(moments):
        when = ibis.literal(as_of.moment, TIME)
        known = orders.filter(orders.ordered_at < when, orders.known_at <= when)
        if not known.limit(1).count().to_pyarrow().as_py():
            raise EmptyCohortError(f"nobody had ordered before {as_of}; choose a later moment")
