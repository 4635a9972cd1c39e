"""Snapshots: the features of every customer as of a moment, one Parquet file per moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.catalogue import (
    Stage,
    Subject,
    aggregate_features,
    derive_features,
    feature_columns,
    of_stage,
    subjects,
)
from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError, FeatureStoreError
from features.contracts.features import Feature
from features.contracts.tables import TABLES
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.transforms.known import moments_table, rows_known_at

KEYS = ("customer_id", "as_of")

ROWS_PER_PASS = 20_000_000
"""Rows of the largest table times moments computed together: fewer needs less memory."""

TIMESTAMP = pa.timestamp("us", tz="UTC")


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


def snapshot_expression(
    tables: Mapping[str, ir.Table],
    carried: Sequence[Subject],
    moments: ir.Table,
    base: ir.Table | None = None,
) -> ir.Table:
    """Return the features of everyone with an order known at each moment, as one expression.

    One row per customer and moment: `customer_id`, `as_of`, then the features as float64.

    Args:
        tables: canonical tables by name.
        carried: the subjects whose features are wanted.
        moments: table of moments as `moments_table` makes it.
        base: features of the whole base, a row per moment with `as_of`; computed from everyone in
            `tables` when None. Give it when `tables` hold a part of the customers only.
    """
    own = own_expression(tables, carried, moments)
    return whole_expression(own, carried, moments, base)


def own_expression(
    tables: Mapping[str, ir.Table], carried: Sequence[Subject], moments: ir.Table
) -> ir.Table:
    """Return what each customer's own rows say as of each moment, as float64."""
    known = rows_known_at(tables["orders"], moments, event_time=TABLES["orders"].event_time)
    parts = [
        aggregate_features(
            subject.features,
            subject.prepare(
                tables[subject.table], moments, *(tables[name] for name in subject.reads)
            ),
            KEYS,
        )
        for subject in carried
        if subject.prepare is not None
    ]
    joined = reduce(
        lambda left, right: left.left_join(right, KEYS).drop(*(f"{key}_right" for key in KEYS)),
        parts,
        known.select(*KEYS).distinct(),
    )
    return _as_floats(joined, KEYS, of_stage(carried, Stage.ROWS))


def base_expression(own: ir.Table, carried: Sequence[Subject]) -> ir.Table:
    """Return the features of the whole base, one row per moment, as float64."""
    features = of_stage(carried, Stage.BASE)
    return _as_floats(aggregate_features(features, own, ["as_of"]), ["as_of"], features)


def whole_expression(
    own: ir.Table, carried: Sequence[Subject], moments: ir.Table, base: ir.Table | None = None
) -> ir.Table:
    """Return a customer's own features joined with the moment's, and what is derived from both."""
    joined = own.join(moments, "as_of")
    if of_stage(carried, Stage.BASE):
        everyone = base_expression(own, carried) if base is None else base
        joined = joined.left_join(everyone, "as_of").drop("as_of_right")
    joined = derive_features(of_stage(carried, Stage.STANDING), joined)
    return _as_floats(joined, KEYS, [f for subject in carried for f in subject.features])


def _as_floats(table: ir.Table, keys: Sequence[str], features: Sequence[Feature]) -> ir.Table:
    return table.select(*keys, **{f.name: table[f.name].cast("float64") for f in features})


def write_snapshots(
    connection: ibis.BaseBackend,
    tables: Mapping[str, ir.Table],
    mapped: Mapping[str, frozenset[str]],
    moments: Sequence[AsOf],
    directory: Path,
) -> Iterator[SnapshotFile]:
    """Write the snapshot of each moment, atomically, and yield it once it is there.

    Raises:
        EmptyCohortError: if nobody had ordered before a moment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    carried = subjects(mapped)
    columns = feature_columns(mapped)
    read = {"orders", *(subject.table for subject in carried)}
    rows = max(int(tables[name].count().to_pyarrow().as_py()) for name in read)
    per_pass = max(1, ROWS_PER_PASS // max(rows, 1))
    for start in range(0, len(moments), per_pass):
        together = moments[start : start + per_pass]
        expression = snapshot_expression(tables, carried, moments_table(together))
        features = connection.to_pyarrow(expression)
        for as_of in together:
            yield _write_moment(features, columns, as_of, directory)


def _write_moment(
    features: pa.Table, columns: Sequence[str], as_of: AsOf, directory: Path
) -> SnapshotFile:
    own = features.filter(pc.equal(features["as_of"], pa.scalar(as_of.moment, TIMESTAMP)))
    own = own.sort_by("customer_id")
    if own.num_rows == 0:
        raise EmptyCohortError(f"nobody had ordered before {as_of}; choose a later moment")
    moment = pa.repeat(pa.scalar(as_of.moment, TIMESTAMP), own.num_rows)
    seconds = pa.repeat(as_of.moment.timestamp(), own.num_rows)
    snapshot = own.select(["customer_id"]).append_column("as_of", moment)
    # Only rows known by the moment went in, so the features were knowable at the moment.
    snapshot = snapshot.append_column("known_at", moment)
    snapshot = snapshot.append_column(SNAPSHOT_EPOCH, seconds)
    for name in columns:
        snapshot = snapshot.append_column(name, own.column(name))
    path = snapshot_path(directory, as_of)
    _write_atomically(snapshot, path)
    return SnapshotFile(as_of, path, own.num_rows)


def _write_atomically(snapshot: pa.Table, path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        pq.write_table(snapshot, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
