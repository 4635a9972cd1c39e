"""The limit of the machine: ready-made bytes in and out of the same stores, and nothing else.

No newest wins, no generations, no check of what is read, no masks: as little as one can do.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import redis

from benchmarks.online_store.contest import Place
from benchmarks.online_store.customers import AS_OF_US, FEATURES, SCHEMA
from features.contracts.vectors import FloatMatrix
from features.online_store.layout import HEADER_BYTES
from features.online_store.packing import pack
from features.online_store.sqlite_connections import Connections

PAIRS_PER_COMMAND = 500


def ready_made(batch: pa.RecordBatch) -> tuple[list[bytes], list[bytes]]:
    """Return keys and packed rows."""
    keys: Any = batch.column(0).cast(pa.binary()).to_pylist()
    return keys, pack(SCHEMA, batch.columns[1:], np.full(batch.num_rows, AS_OF_US))


def as_matrix(rows: Sequence[bytes]) -> FloatMatrix:
    """Return the values of rows that are all there."""
    joined = b"".join(rows)
    strides = (len(rows[0]), 8)
    matrix = np.ndarray((len(rows), len(FEATURES)), "<f8", joined, HEADER_BYTES, strides)
    return matrix.astype(np.float64, order="C")


class SqliteLimit:
    """`INSERT` and `SELECT ... IN`, in a file set up as ours is."""

    name = "SQLite, packed limit"

    def __init__(self, place: Place) -> None:
        connections = Connections(place.folder / "limit.db", 30.0)
        connections.make_file()
        self._database: sqlite3.Connection = connections.take()
        self._database.execute(
            "CREATE TABLE limit_rows (key BLOB NOT NULL PRIMARY KEY, row BLOB NOT NULL)"
        )

    def prepare(self, batch: pa.RecordBatch) -> object:
        """Pack the rows."""
        return ready_made(batch)

    def write(self, prepared: Any) -> None:
        """Write them in one transaction."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "INSERT INTO limit_rows VALUES (?, ?)", zip(*prepared, strict=True)
        )
        self._database.execute("COMMIT")

    def finish(self) -> None:
        """Do nothing."""

    def read(self, customer_ids: Sequence[str]) -> FloatMatrix:
        """Read them in one query."""
        keys = [name.encode() for name in customer_ids]
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, row FROM limit_rows WHERE key IN ({marks})"
        rows = dict(self._database.execute(query, keys).fetchall())
        return as_matrix([rows[key] for key in keys])


class RedisLimit:
    """`MSET` and `MGET`, a key per customer."""

    name = "Redis, packed limit"

    def __init__(self, place: Place) -> None:
        self._client = redis.Redis.from_url(place.redis_url)

    def prepare(self, batch: pa.RecordBatch) -> object:
        """Pack the rows."""
        return ready_made(batch)

    def write(self, prepared: Any) -> None:
        """Write them in one pipeline."""
        keys, rows = prepared
        pipeline = self._client.pipeline(transaction=False)
        for start in range(0, len(keys), PAIRS_PER_COMMAND):
            end = start + PAIRS_PER_COMMAND
            pipeline.mset(dict(zip(keys[start:end], rows[start:end], strict=True)))
        pipeline.execute()

    def finish(self) -> None:
        """Do nothing."""

    def read(self, customer_ids: Sequence[str]) -> FloatMatrix:
        """Read them in one command."""
        rows: Any = self._client.mget([name.encode() for name in customer_ids])
        return as_matrix(rows)
