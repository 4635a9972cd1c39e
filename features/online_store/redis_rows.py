"""Packed rows in Redis.

A hash per view, with a field per customer, and another one beside it while a refresh is under way.
To publish the refresh, its hash takes the name of the live one, so that readers need not ask which
is live. In one hash a row costs Redis less than as a key of its own, old generations go in one
step, and the rows of a view are counted without a scan.

Of one project everything lies in one slot of a Redis cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from time import monotonic
from typing import Any, cast

import redis

from features.online_store import redis_scripts as scripts
from features.online_store.packing import time_in_row
from features.online_store.redis_connection import RedisConnection
from features.online_store.redis_names import ViewNames
from features.online_store.redis_running import ROWS_PER_STEP, run, set_rows, state_of
from features.online_store.row_store import (
    Rows,
    ViewStatus,
    displaced,
    newest_of_each,
    status_of,
    unregistered,
)
from features.online_store.schema import RowSchema

KEYS_PER_QUERY = 5_000
SAMPLED_ROWS = 1_000
NOTHING = b"0"


class RedisRows:
    """A `RowStore` in Redis. Threads and event loops may share one.

    Args:
        url: such as `redis://localhost:6379/0`; a password in it never shows up in a message.
        project: views of different projects may have one name.
        timeout_seconds: how long to wait for one answer to a read, and for a connection.
        write_timeout_seconds: the same for everything else.
        clock: seconds that only ever grow, for the circuit breaker.

    Raises:
        ConfigurationError: if the URL is not one of Redis.
    """

    def __init__(
        self,
        url: str,
        project: str,
        *,
        timeout_seconds: float = 1.0,
        write_timeout_seconds: float = 10.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._project = project
        self._server = RedisConnection(
            url,
            timeout_seconds=timeout_seconds,
            write_timeout_seconds=write_timeout_seconds,
            clock=clock,
        )

    def register(self, view: str, schema: RowSchema) -> None:
        """Remember a schema of a view; see `RowStore`, here and below."""
        self._server.write(
            "registering a view",
            lambda client: (
                client.hset(self._names(view).schemas, str(schema.fingerprint), schema.to_json()),
                client.sadd(self._views, view),
            ),
        )

    def schemas(self, view: str) -> Mapping[int, RowSchema]:
        """Return every schema of a view."""
        name = self._names(view).schemas
        found = self._server.read("reading the schemas", lambda client: client.hvals(name))
        schemas = [RowSchema.from_json(fields) for fields in found]
        return {schema.fingerprint: schema for schema in schemas}

    def write_rows(
        self,
        view: str,
        keys: Sequence[bytes],
        rows: Sequence[bytes],
        *,
        refresh: str | None = None,
        progress: int | None = None,
    ) -> None:
        """Write rows; of rows of one customer the newest stays."""
        keys, rows = newest_of_each(keys, rows)
        if refresh is None or not self._write_beside(view, keys, rows, refresh):
            calls = [
                (*keys[start : start + ROWS_PER_STEP], *rows[start : start + ROWS_PER_STEP])
                for start in range(0, max(len(keys), 1), ROWS_PER_STEP)
            ]
            self._run("writing rows", view, refresh, scripts.PUSH, *calls)
        elif progress is not None:
            # Not in one step with the rows: a failed step would not stop the one behind it.
            self._run("writing rows", view, refresh, scripts.NOTE_PROGRESS, (refresh, progress))

    def read_rows(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return rows per view, in the order of the keys."""
        if not keys:
            return [[] for _ in views]
        parts = _in_parts(keys)
        if len(views) == 1 and len(parts) == 1:
            name = self._names(views[0]).live
            return [self._server.read("reading rows", lambda client: _hmget(client, name, keys))]

        def ask(client: redis.Redis) -> list[Rows]:
            pipeline = client.pipeline(transaction=False)
            self._queue(pipeline, views, parts)
            return pipeline.execute()

        return _stitched(self._server.read("reading rows", ask), len(parts))

    async def read_rows_async(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return what `read_rows` returns, without blocking the event loop."""
        if not keys:
            return [[] for _ in views]
        parts = _in_parts(keys)

        async def ask(client: redis.asyncio.Redis) -> list[Rows]:
            pipeline = client.pipeline(transaction=False)
            self._queue(pipeline, views, parts)
            return await pipeline.execute()

        return _stitched(await self._server.read_async("reading rows", ask), len(parts))

    def delete_rows(self, view: str, keys: Sequence[bytes]) -> int:
        """Forget customers."""
        calls = [
            tuple(keys[start : start + ROWS_PER_STEP])
            for start in range(0, len(keys), ROWS_PER_STEP)
        ]
        return sum(self._run("deleting rows", view, None, scripts.DELETE, *calls))

    def begin_refresh(self, view: str, refresh: str) -> int:
        """Start or resume a full refresh."""
        (progress,) = self._run("beginning a refresh", view, refresh, scripts.BEGIN, (refresh,))
        return int(progress)

    def publish_refresh(self, view: str, refresh: str, *, keep_after_us: int | None = None) -> int:
        """Make the rows of a refresh the live ones."""
        if keep_after_us is not None:
            self._keep(view, refresh, time_in_row(keep_after_us))
        (rows,) = self._run("publishing a refresh", view, refresh, scripts.PUBLISH, (refresh,))
        return int(rows)

    def abandon_refresh(self, view: str, refresh: str) -> None:
        """Remove what a refresh has written."""
        self._run("abandoning a refresh", view, refresh, scripts.ABANDON, (refresh,))

    def live_refresh(self, view: str) -> str | None:
        """Return the name of the refresh that was published last."""
        name = self._names(view).state
        live = self._server.read("asking what is live", lambda client: client.hget(name, "live"))
        return None if live is None else _text(live)

    def drop_view(self, view: str) -> None:
        """Remove a view."""
        self._run("dropping a view", view, None, scripts.DROP, ())
        self._server.write("dropping a view", lambda client: client.srem(self._views, view))

    def views(self) -> tuple[str, ...]:
        """Return the names of the views."""
        found = self._server.read("listing the views", lambda client: client.smembers(self._views))
        return tuple(sorted(map(_text, found)))

    def status(self, view: str) -> ViewStatus:
        """Return what the live generation of a view holds; of many rows a sample is looked at."""
        names = self._names(view)

        def ask(client: redis.Redis) -> list[Any]:
            pipeline = client.pipeline(transaction=True)
            pipeline.hmget(names.state, "live", "refresh")
            pipeline.hlen(names.live)
            pipeline.hrandfield(names.live, SAMPLED_ROWS, withvalues=True)
            return pipeline.execute()

        (live, refreshing), rows, sample = self._server.write("looking through the rows", ask)
        return status_of(
            sample[1::2],
            rows=rows,
            live=None if live is None else _text(live),
            refreshing=None if refreshing is None else _text(refreshing),
        )

    def close(self) -> None:
        """Close every connection but those of event loops, which `close_async` closes."""
        self._server.close()

    async def close_async(self) -> None:
        """Close the connections of the running event loop."""
        await self._server.close_async()

    @property
    def _views(self) -> str:
        return f"bellwether:{{{self._project}}}:views"

    def _names(self, view: str) -> ViewNames:
        return ViewNames(f"bellwether:{{{self._project}}}:{view}")

    def _queue(self, pipeline: Any, views: Sequence[str], parts: Sequence[Sequence[bytes]]) -> None:
        for view in views:
            for part in parts:
                pipeline.hmget(self._names(view).live, part)

    def _write_beside(
        self, view: str, keys: Sequence[bytes], rows: Sequence[bytes], refresh: str
    ) -> bool:
        """Write rows of a refresh under way; return False if it is the live one already.

        A script would be half as fast, and is not needed where one refresh alone writes. Should it
        end meanwhile, its writers clear up behind themselves.
        """
        names = self._names(view)
        state = self._server.write("writing rows", lambda client: state_of(client, names))
        if not state.is_registered:
            raise unregistered(view)
        if state.refresh == refresh:
            beside = names.beside(state.stage)
            after = self._server.write(
                "writing rows", lambda client: set_rows(client, names, beside, keys, rows)
            )
            if after == state:
                return True
            self._server.write("clearing up", lambda client: client.unlink(beside))
            state = after
        if state.live != refresh:
            raise displaced(view, refresh, state.refresh)
        return False

    def _keep(self, view: str, refresh: str, after: bytes) -> None:
        cursor = NOTHING
        while True:
            call = (refresh, cursor, after)
            (cursor,) = self._run("publishing a refresh", view, refresh, scripts.KEEP, call)
            if cursor == NOTHING:
                return

    def _run(
        self, doing: str, view: str, refresh: str | None, script: str, *calls: Sequence[Any]
    ) -> list[Any]:
        """Run a script once per call, in one round trip, and return what each answers first."""
        names = self._names(view).all
        answers = self._server.write(doing, lambda client: run(client, script, names, calls))
        for code, *details in answers:
            if code == scripts.UNREGISTERED:
                raise unregistered(view)
            if code == scripts.DISPLACED:
                raise displaced(view, str(refresh), details[0] and _text(details[0]))
        return [answer[0] for answer in answers]


def _hmget(client: redis.Redis, name: str, keys: Sequence[bytes]) -> Rows:
    return cast("Rows", client.hmget(name, keys))  # bytes: the client decodes nothing


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _in_parts(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [keys[start : start + KEYS_PER_QUERY] for start in range(0, len(keys), KEYS_PER_QUERY)]


def _stitched(answers: Sequence[Rows], parts: int) -> list[Rows]:
    """Return one list of rows per view from the answers about its parts."""
    return [
        list(chain.from_iterable(answers[start : start + parts]))
        for start in range(0, len(answers), parts)
    ]
