"""Writes snapshots with Spark: the same expressions, and files with the same content.

What customers' own rows say is computed once and kept for the rest of the pass, since the whole
base and everybody's standing read it again. Spark sorts and writes; the driver then only streams
rows into one file per moment, so it needs memory for a batch, not for a snapshot.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset

from features.catalogue import feature_columns, subjects
from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError
from features.snapshot_expression import own_expression, whole_expression
from features.snapshot_writing import TIMESTAMP, SnapshotWriter
from features.snapshots import SnapshotFile, snapshot_path
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
    *,
    staging: Path,
) -> Iterator[SnapshotFile]:
    """Write the snapshot of each moment, atomically, and yield it once it is there.

    Args:
        spark: Ibis connection to Spark.
        tables: canonical tables of that connection by name.
        mapped: canonical columns that the user mapped, by table.
        moments: the as-of moments.
        directory: folder of the snapshots.
        staging: folder that the driver and all executors see.

    Raises:
        EmptyCohortError: if nobody had ordered before a moment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    columns, distinct = feature_columns(mapped), tuple(dict.fromkeys(moments))
    for start in range(0, len(distinct), MOMENTS_PER_PASS):
        together = distinct[start : start + MOMENTS_PER_PASS]
        with staging_folder(staging) as folder:
            files = _compute(spark, tables, mapped, together, folder)
            for as_of in together:
                yield _write_moment(files, columns, as_of, directory)


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
    with ThreadPoolExecutor(1) as thread, SnapshotWriter(as_of, path, columns, thread) as writer:
        for part in _parts(files, as_of):
            writer.write(part)
        if not writer.rows:
            raise EmptyCohortError(f"nobody had ordered before {as_of}; choose a later moment")
        writer.finish()
        return SnapshotFile(as_of, path, writer.rows)


def _parts(files: Sequence[Path], as_of: AsOf) -> Iterator[pa.Table]:
    """Yield the rows of a moment; what the files say of their row groups spares the others."""
    is_own = pc.field("as_of") == pa.scalar(as_of.moment, TIMESTAMP)
    for file in files:
        for batch in dataset.dataset(file).to_batches(filter=is_own, batch_size=BATCH_ROWS):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])
