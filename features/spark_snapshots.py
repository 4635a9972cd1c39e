"""Writes snapshots with Spark: the same expressions, and files with the same content.

What customers' own rows say is computed once and kept for the rest of the pass, since the whole
base and everybody's standing read it again. Spark sorts and writes; the driver then only streams
rows into one file per moment, so it needs memory for a batch, not for a snapshot.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import dataset

from features.catalogue import feature_columns, subjects
from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.snapshots import (
    TIMESTAMP,
    SnapshotFile,
    own_expression,
    snapshot_path,
    whole_expression,
)
from features.transforms.known import moments_table

MOMENTS_PER_PASS = 12
"""Moments computed together: each multiplies the rows that Spark shuffles."""

BATCH_ROWS = 50_000


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder for tables on their way, and remove it afterwards."""
    folder = parent / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_spark_snapshots(
    spark: Any,
    tables: Mapping[str, Any],
    mapped: Mapping[str, frozenset[str]],
    moments: Sequence[AsOf],
    directory: Path,
    staging: Path,
) -> Iterator[SnapshotFile]:
    """Write the snapshot of each moment, atomically, and yield it once it is there.

    Args:
        spark: Ibis connection to Spark.
        tables: canonical tables of that connection by name.
        mapped: canonical columns that the user mapped, by table.
        moments: the as-of moments.
        directory: folder of the snapshots.
        staging: empty folder that the driver and all executors see.

    Raises:
        EmptyCohortError: if nobody had ordered before a moment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    columns = feature_columns(mapped)
    for start in range(0, len(moments), MOMENTS_PER_PASS):
        together = moments[start : start + MOMENTS_PER_PASS]
        with staging_folder(staging) as folder:
            computed = _compute(spark, tables, mapped, together, folder)
            for as_of in together:
                yield _write_moment(computed, columns, as_of, directory)


def _compute(
    spark: Any,
    tables: Mapping[str, Any],
    mapped: Mapping[str, frozenset[str]],
    moments: Sequence[AsOf],
    folder: Path,
) -> tuple[Path, ...]:
    """Return the files of the features: one after the other, in order of moments and customers."""
    carried, times = subjects(mapped), moments_table(moments)
    spark.to_parquet_dir(own_expression(tables, carried, times), folder / "own")
    own = spark.read_parquet(folder / "own")
    whole = whole_expression(own, carried, times).order_by("as_of", "customer_id")
    spark.to_parquet_dir(whole, folder / "whole")
    return tuple(sorted((folder / "whole").glob("*.parquet")))  # a sort's files are in its order


def _write_moment(
    files: Sequence[Path], columns: Sequence[str], as_of: AsOf, directory: Path
) -> SnapshotFile:
    path = snapshot_path(directory, as_of)
    partial = path.with_suffix(".partial")
    names = ("customer_id", "as_of", "known_at", SNAPSHOT_EPOCH, *columns)
    kinds = (pa.string(), TIMESTAMP, TIMESTAMP, pa.float64(), *([pa.float64()] * len(columns)))
    schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=True)])
    customers = 0
    try:
        with pq.ParquetWriter(partial, schema) as writer:
            for batch in _rows_of(files, as_of):
                writer.write_table(_snapshot(batch, as_of, schema))
                customers += batch.num_rows
        if not customers:
            raise EmptyCohortError(f"nobody had ordered before {as_of}; choose a later moment")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return SnapshotFile(as_of, path, customers)


def _rows_of(files: Sequence[Path], as_of: AsOf) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a moment; what the files say of their row groups spares the others."""
    is_own = pc.field("as_of") == pa.scalar(as_of.moment, TIMESTAMP)
    for file in files:
        for batch in dataset.dataset(file).to_batches(filter=is_own, batch_size=BATCH_ROWS):
            if batch.num_rows:
                yield batch


def _snapshot(batch: pa.RecordBatch, as_of: AsOf, schema: pa.Schema) -> pa.Table:
    moment = pa.repeat(pa.scalar(as_of.moment, TIMESTAMP), batch.num_rows)
    seconds = pa.repeat(as_of.moment.timestamp(), batch.num_rows)
    # Only rows known by the moment went in, so the features were knowable at the moment.
    own = {"as_of": moment, "known_at": moment, SNAPSHOT_EPOCH: seconds}
    columns: list[Any] = [own[name] if name in own else batch.column(name) for name in schema.names]
    return pa.table(columns, schema=schema)
