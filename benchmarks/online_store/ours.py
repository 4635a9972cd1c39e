"""Our stores of rows and the scorer's reader, as they are used."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.online_store.contest import Place
from benchmarks.online_store.customers import AS_OF_US, SCHEMA, VIEW
from features.online_store.packing import pack
from features.online_store.redis_rows import RedisRows
from features.online_store.row_store import RowStore
from features.online_store.sqlite_rows import SqliteRows
from features.online_store.unpacking import RowMatrix
from features.online_store.vector_reader import VectorReader

REFRESH = "benchmark"


class _Ours:
    """A full refresh from Arrow batches, published at the end."""

    name = ""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self._reader = VectorReader(store, VIEW)
        self._written = 0
        store.register(VIEW, SCHEMA)
        store.begin_refresh(VIEW, REFRESH)

    def prepare(self, batch: pa.RecordBatch) -> object:
        """Leave the batch as it is."""
        return batch

    def write(self, prepared: Any) -> None:
        """Pack the batch and write it."""
        keys = prepared.column(0).cast(pa.binary()).to_pylist()
        rows = pack(SCHEMA, prepared.columns[1:], np.full(len(keys), AS_OF_US))
        self._written += len(keys)
        self._store.write_rows(VIEW, keys, rows, refresh=REFRESH, progress=self._written)

    def finish(self) -> None:
        """Publish the refresh."""
        self._store.publish_refresh(VIEW, REFRESH, keep_after_us=AS_OF_US)

    def read(self, customer_ids: Sequence[str]) -> RowMatrix:
        """Read numbers and masks."""
        return self._reader.read(customer_ids, SCHEMA)


class OursOnSqlite(_Ours):
    """Rows in a file."""

    name = "SQLite, ours"

    def __init__(self, place: Place) -> None:
        super().__init__(SqliteRows(place.folder / "online.db", "benchmark"))


class OursOnRedis(_Ours):
    """Rows in Redis."""

    name = "Redis, ours"

    def __init__(self, place: Place) -> None:
        super().__init__(RedisRows(place.redis_url, "benchmark"))
