"""One snapshot file, written batch by batch and put in its place at the end."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.as_of import AsOf
from features.contracts.vectors import SNAPSHOT_EPOCH

TIMESTAMP = pa.timestamp("us", tz="UTC")


def snapshot_schema(columns: Sequence[str]) -> pa.Schema:
    """Return the schema of a snapshot with these features."""
    fields: dict[str, Any] = {
        "customer_id": pa.string(),
        "as_of": TIMESTAMP,
        "known_at": TIMESTAMP,
        **dict.fromkeys((SNAPSHOT_EPOCH, *columns), pa.float64()),
    }
    return pa.schema(fields)


class SnapshotWriter(AbstractContextManager["SnapshotWriter"]):
    """Writes the snapshot of a moment; without `finish`, nothing is left of it.

    Attributes:
        path: where the snapshot will be.
        rows: customers written so far.
    """

    def __init__(
        self, as_of: AsOf, path: Path, columns: Sequence[str], thread: ThreadPoolExecutor
    ) -> None:
        self.path = path
        self.rows = 0
        self._as_of = as_of
        self._schema = snapshot_schema(columns)
        self._partial = path.with_suffix(".partial")
        self._thread = thread
        self._pending: Future[None] | None = None
        self._writer = pq.ParquetWriter(
            self._partial,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
        )

    def write(self, part: pa.Table) -> None:
        """Write the features of some customers, with `customer_id`, in their order."""
        self._wait()
        self.rows += part.num_rows
        moment = pa.repeat(pa.scalar(self._as_of.moment, TIMESTAMP), part.num_rows)
        times: dict[str, Any] = {
            "as_of": moment,
            # Only rows known by the moment went in, so the features were knowable at the moment.
            "known_at": moment,
            SNAPSHOT_EPOCH: pa.repeat(self._as_of.moment.timestamp(), part.num_rows),
        }
        part = part.drop_columns([name for name in times if name in part.column_names])
        for name, values in times.items():
            part = part.append_column(name, values)
        whole = part.select(self._schema.names).cast(self._schema)
        self._pending = self._thread.submit(self._writer.write_table, whole, whole.num_rows or 1)

    def finish(self) -> None:
        """Put the snapshot in its place."""
        self._wait()
        self._writer.close()
        self._partial.replace(self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._wait()
        finally:
            self._writer.close()
            self._partial.unlink(missing_ok=True)

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
