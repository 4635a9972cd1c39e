"""Packed rows in a SQLite file: the embedded default.

A table of rows per view, and another one beside it while a refresh is under way. To publish the
refresh, its table takes the name of the live one in one transaction, so that readers need not ask
which table is live, and whoever reads at that moment sees the old rows to the end of the statement.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from features.online_store.packing import time_from_row, time_in_row
from features.online_store.row_store import Rows, ViewStatus, displaced, unregistered
from features.online_store.schema import RowSchema
from features.online_store.sqlite_connections import Connections, sqlite_at_work, sqlite_failed
from features.online_store.sqlite_tables import CATALOGUE, ViewTables

KEYS_PER_QUERY = (1, 16, 128, 1024)
"""Sizes of the queries that are prepared; the smallest that fits is filled up with nulls."""


class SqliteRows:
    """A `RowStore` in one SQLite file. Threads may share one.

    Args:
        path: the file; made, with its folder, when the first schema is registered.
        project: views of different projects may have one name.
        wait_seconds: how long to wait for another writer.
    """

    def __init__(self, path: Path, project: str, *, wait_seconds: float = 30.0) -> None:
        self._path = path
        self._project = project
        self._connections = Connections(path, wait_seconds)
        self._queries: dict[tuple[str, int], str] = {}

    def register(self, view: str, schema: RowSchema) -> None:
        """Remember a schema of a view; see `RowStore`, here and below."""
        with sqlite_at_work("registering a view", self._path):
            self._connections.make_file()
        with self._writing("registering a view") as database:
            for statement in CATALOGUE:
                database.execute(statement)
            tables = self._tables(view)
            database.execute(
                "INSERT OR IGNORE INTO row_schemas VALUES (?, ?, ?)",
                [tables.view, schema.fingerprint, schema.to_json()],
            )
            database.execute("INSERT OR IGNORE INTO row_views (view) VALUES (?)", [tables.view])
            database.execute(tables.live.create)

    def schemas(self, view: str) -> Mapping[int, RowSchema]:
        """Return every schema of a view."""
        with self._reading("reading the schemas") as database:
            found = database.execute(
                "SELECT fields FROM row_schemas WHERE view = ?", [self._tables(view).view]
            ).fetchall()
        schemas = [RowSchema.from_json(fields) for (fields,) in found]
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
        tables = self._tables(view)
        with self._writing("writing rows") as database:
            live, under_way = _refreshes(database, tables, view)
            if refresh is None:
                written = [tables.live] + [tables.beside] * (under_way is not None)
            elif refresh == under_way:
                written = [tables.beside]
            elif refresh == live:
                written = [tables.live]
            else:
                raise displaced(view, refresh, under_way)
            for table in written:
                database.executemany(table.write, zip(keys, rows, strict=True))
            if progress is not None and refresh == under_way:
                database.execute(
                    "UPDATE row_views SET progress = ? WHERE view = ?", [progress, tables.view]
                )

    def read_rows(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return rows per view, in the order of the keys."""
        try:  # as _reading does, but at half the price of a single customer
            database = self._connections.take()
            try:
                if len(views) == 1 and len(keys) <= KEYS_PER_QUERY[-1]:
                    return [self._find(database, views[0], keys)]
                return self._find_in_all(database, views, keys)
            finally:
                self._connections.give_back(database)
        except (sqlite3.Error, OSError) as error:
            raise sqlite_failed("reading rows", self._path, error) from error

    async def read_rows_async(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return what `read_rows` returns, read by another thread."""
        return await asyncio.to_thread(self.read_rows, views, keys)

    def delete_rows(self, view: str, keys: Sequence[bytes]) -> int:
        """Forget customers."""
        tables, one_each = self._tables(view), [(key,) for key in keys]
        with self._writing("deleting rows") as database:
            _, under_way = _refreshes(database, tables, view)
            if under_way is not None:
                database.executemany(tables.beside.delete, one_each)
            return database.executemany(tables.live.delete, one_each).rowcount

    def begin_refresh(self, view: str, refresh: str) -> int:
        """Start or resume a full refresh."""
        tables = self._tables(view)
        with self._writing("beginning a refresh") as database:
            _, under_way = _refreshes(database, tables, view)
            if under_way == refresh:
                return _number(
                    database, "SELECT progress FROM row_views WHERE view = ?", tables.view
                )
            database.execute(tables.beside.drop)
            database.execute(tables.beside.create)
            database.execute(
                "UPDATE row_views SET refresh = ?, progress = 0 WHERE view = ?",
                [refresh, tables.view],
            )
        return 0

    def publish_refresh(self, view: str, refresh: str, *, keep_after_us: int | None = None) -> int:
        """Make the rows of a refresh the live ones."""
        tables = self._tables(view)
        with self._writing("publishing a refresh") as database:
            live, under_way = _refreshes(database, tables, view)
            if refresh not in (live, under_way):
                raise displaced(view, refresh, under_way)
            if refresh == under_way:
                if keep_after_us is not None:
                    keep = tables.beside.take_over(tables.live)
                    database.execute(keep, [time_in_row(keep_after_us)])
                database.execute(tables.live.drop)
                database.execute(tables.beside.rename(tables.live))
                database.execute(
                    "UPDATE row_views SET live = refresh, refresh = NULL, progress = 0"
                    " WHERE view = ?",
                    [tables.view],
                )
            return _number(database, tables.live.count)

    def abandon_refresh(self, view: str, refresh: str) -> None:
        """Remove what a refresh has written."""
        tables = self._tables(view)
        with self._writing("abandoning a refresh") as database:
            if _refreshes(database, tables, view)[1] == refresh:
                database.execute(tables.beside.drop)
                database.execute(
                    "UPDATE row_views SET refresh = NULL, progress = 0 WHERE view = ?",
                    [tables.view],
                )

    def live_refresh(self, view: str) -> str | None:
        """Return the name of the refresh that was published last."""
        with self._reading("asking what is live") as database:
            return _refreshes(database, self._tables(view), view)[0]

    def drop_view(self, view: str) -> None:
        """Remove a view."""
        tables = self._tables(view)
        with self._writing("dropping a view") as database:
            database.execute(tables.live.drop)
            database.execute(tables.beside.drop)
            database.execute("DELETE FROM row_views WHERE view = ?", [tables.view])
            database.execute("DELETE FROM row_schemas WHERE view = ?", [tables.view])

    def views(self) -> tuple[str, ...]:
        """Return the names of the views."""
        start = self._tables("").view
        with self._reading("listing the views") as database:
            names = database.execute("SELECT view FROM row_views ORDER BY view").fetchall()
        return tuple(name[len(start) :] for (name,) in names if name.startswith(start))

    def status(self, view: str) -> ViewStatus:
        """Return what the live generation of a view holds; every row is looked at."""
        tables = self._tables(view)
        with self._reading("looking through the rows") as database:
            live, under_way = _refreshes(database, tables, view)
            found = database.execute(tables.live.summary).fetchall()
        rows = sum(count for _, count, _, _ in found)
        times = [time_from_row(time) for *_, old, new in found for time in (old, new) if time]
        return ViewStatus(
            live=live,
            rows=rows,
            oldest_event_us=min(times, default=None),
            newest_event_us=max(times, default=None),
            rows_by_fingerprint={
                int.from_bytes(head or b"", "little"): count for head, count, _, _ in found
            },
            looked_at=rows,
            refreshing=under_way,
        )

    def close(self) -> None:
        """Close the connections that nobody uses just now."""
        self._connections.close()

    async def close_async(self) -> None:
        """Do nothing: no connection belongs to an event loop."""

    def _tables(self, view: str) -> ViewTables:
        return ViewTables(f"{self._project}/{view}")

    def _find_in_all(
        self, database: sqlite3.Connection, views: Sequence[str], keys: Sequence[bytes]
    ) -> list[Rows]:
        database.execute("BEGIN")  # so that every query sees one state of the store
        try:
            return [
                [
                    row
                    for start in range(0, len(keys), KEYS_PER_QUERY[-1])
                    for row in self._find(database, view, keys[start : start + KEYS_PER_QUERY[-1]])
                ]
                for view in views
            ]
        finally:
            database.execute("COMMIT")

    def _find(self, database: sqlite3.Connection, view: str, keys: Sequence[bytes]) -> Rows:
        n = len(keys)
        size = 1 if n == 1 else next(size for size in KEYS_PER_QUERY if size >= n)
        asked = keys if n == size else [*keys, *[None] * (size - n)]
        try:
            answer = database.execute(self._query(view, size), asked)
            if n == 1:
                found = answer.fetchone()
                return [found and found[1]]
            by_key = dict(answer.fetchall())
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return [None] * n  # nobody has registered the view
        return list(map(by_key.get, keys))

    def _query(self, view: str, keys: int) -> str:
        query = self._queries.get((view, keys))
        if query is None:
            query = self._queries[view, keys] = self._tables(view).live.find(keys)
        return query

    @contextmanager
    def _reading(self, doing: str) -> Iterator[sqlite3.Connection]:
        with sqlite_at_work(doing, self._path):
            database = self._connections.take()
            try:
                yield database
            finally:
                self._connections.give_back(database)

    @contextmanager
    def _writing(self, doing: str) -> Iterator[sqlite3.Connection]:
        with self._reading(doing) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")


def _refreshes(
    database: sqlite3.Connection, tables: ViewTables, view: str
) -> tuple[str | None, str | None]:
    """Return the names of the refresh that is live and of the one under way.

    Raises:
        FeatureStoreError: if the view was never registered.
    """
    found = database.execute(
        "SELECT live, refresh FROM row_views WHERE view = ?", [tables.view]
    ).fetchone()
    if found is None:
        raise unregistered(view)
    live, under_way = found
    return live, under_way


def _number(database: sqlite3.Connection, query: str, *parameters: str) -> int:
    return int(database.execute(query, parameters).fetchone()[0])
