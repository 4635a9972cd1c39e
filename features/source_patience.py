"""How long a database is waited for.

PostgreSQL stops a statement that takes too long by itself. Where it cannot, because the machine or
the network hangs, the connection is hung up on from this end, which wakes whoever waits for it.
"""

import math
import os
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa

BATCH_ROWS = 100_000
GRACE_SECONDS = 2.0
"""The server gets so much longer to say itself that it was too slow."""


class Patience:
    """Waits for as long as it takes, and remembers what went wrong while rows were copied.

    Attributes:
        failure: what the source said. The copy itself only tells that its rows stopped coming.
    """

    failure: Exception | None = None

    def options(self, url: str) -> dict[str, Any]:
        """Return what a connection to `url` is asked for."""
        del url
        return {}

    def begin(self, source: Any) -> None:
        """Prepare a connection that was just made."""

    def for_answer(self, source: Any) -> AbstractContextManager[None]:
        """Limit how long what is done within may wait."""
        del source
        return nullcontext()

    def waited_in_vain(self, error: Exception) -> float | None:
        """Return how many seconds were waited, if it is that which ended in `error`."""
        del error
        return None

    def batches(
        self, source: Any, rows: Any
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch, None, None]]:
        """Return the schema and the batches of an Ibis table of the connection."""
        reader = rows.to_pyarrow_batches(chunk_size=BATCH_ROWS)
        return reader.schema, self._watched(source, iter(reader))

    def _watched(self, source: Any, batches: Iterator[Any]) -> Generator[Any, None, None]:
        """Yield the batches, each waited for in turn."""
        try:
            while True:
                with self.for_answer(source):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch
        except Exception as error:
            self.failure = error
            raise
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()


class PostgresPatience(Patience):
    """Waits `seconds` for a connection and for each batch; all is read in one transaction."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._hung_up = False

    def options(self, url: str) -> dict[str, Any]:
        """Return how long connecting may take, unless `url` says it."""
        if "connect_timeout" in urlparse(url).query:
            return {}
        return {"connect_timeout": max(2, math.ceil(self._seconds))}  # the driver's least is 2

    def begin(self, source: Any) -> None:
        """Start a transaction that sees the database as it is now, to the end."""
        milliseconds = math.ceil(self._seconds * 1000)
        with self.for_answer(source):
            for statement in (
                f"SET statement_timeout = {milliseconds}",
                "SET idle_in_transaction_session_timeout = 0",  # rows are typed between tables
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            ):
                source.con.execute(statement)

    def batches(
        self, source: Any, rows: Any
    ) -> tuple[pa.Schema, Generator[pa.RecordBatch, None, None]]:
        """Return the schema and the batches, read through a cursor that is closed for certain."""
        schema = rows.schema().to_pyarrow()
        return schema, self._watched(source, _through_cursor(source, source.compile(rows), schema))

    @contextmanager
    def for_answer(self, source: Any) -> Iterator[None]:
        """Hang up when what is done within waits for too long."""
        timer = threading.Timer(self._seconds + GRACE_SECONDS, self._hang_up, [source.con.fileno()])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def waited_in_vain(self, error: Exception) -> float | None:
        """Return how many seconds were waited, if the server or we gave up waiting."""
        names = {type(error).__name__, type(error.__cause__).__name__}
        gave_up = self._hung_up or names & {"QueryCanceled", "ConnectionTimeout"}
        return self._seconds if gave_up else None

    def _hang_up(self, descriptor: int) -> None:
        self._hung_up = True
        with socket.socket(fileno=os.dup(descriptor)) as line:
            line.shutdown(socket.SHUT_RDWR)


def _through_cursor(
    source: Any, query: str, schema: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    kind = pa.struct(list(schema))
    with source.con.cursor(name="bellwether") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield pa.RecordBatch.from_struct_array(pa.array(rows, kind))  # type: ignore[arg-type]
