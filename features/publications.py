"""Which moments were published to the SQLite online store: a record beside the features.

The online table of Feast keeps an event time of its own, but in the local time of whoever wrote it,
and finding the newest means reading every row. One row per published moment answers both.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError

WAIT_SECONDS = 30.0
"""How long a writer waits for another writer."""


@dataclass(frozen=True)
class Publication:
    """A published moment; `customers` is None while it is under way, or when it was cut short."""

    as_of: AsOf
    customers: int | None


class Publications:
    """The record of published moments in the online store at `path`.

    Args:
        path: the SQLite file.
        table: name of Feast's table of features in it.
    """

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._table = table

    def prepare(self) -> None:
        """Make the record, and let readers read while a publication is written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            # Without the write-ahead log a large publication locks readers out until it commits.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS bellwether_publications"
                " (as_of_seconds INTEGER PRIMARY KEY, customers INTEGER)"
            )

    def newest(self, *, finished: bool) -> Publication | None:
        """Return the newest publication, of the finished ones or of all that were begun."""
        if not self._path.exists():
            return None
        with self._open() as database:
            row = database.execute(
                "SELECT as_of_seconds, customers FROM bellwether_publications"
                " WHERE customers IS NOT NULL OR NOT ? ORDER BY as_of_seconds DESC LIMIT 1",
                [finished],
            ).fetchone()
        return (
            None if row is None else Publication(AsOf(datetime.fromtimestamp(row[0], UTC)), row[1])
        )

    def begin(self, as_of: AsOf, *, replace: bool) -> None:
        """Make way for a publication and record that it is under way.

        One that is cut short still counts as the newest, for some of it is online.

        Raises:
            FeatureStoreError: if a newer moment is online, unless `replace` empties the store.
        """
        if replace:
            self._clear()
        newest = self.newest(finished=False)
        # Feast's SQLite store would let the older event overwrite the newer one.
        if newest is not None and newest.as_of > as_of:
            raise FeatureStoreError(
                f"features as of {newest.as_of} are online, which is after {as_of}; "
                "publish a later moment, or replace what is online"
            )
        self._record(as_of, None)

    def finish(self, as_of: AsOf, customers: int) -> None:
        """Record that `customers` are online as of a moment."""
        self._record(as_of, customers)

    def forget(self, columns: Collection[str]) -> None:
        """Forget the values of some features.

        A feature that comes back later would otherwise show what it was long before.
        """
        self._delete("WHERE feature_name = ?", [(column,) for column in columns])

    def _clear(self) -> None:
        self._delete("", [()])
        with self._open() as database:
            database.execute("DELETE FROM bellwether_publications")

    def _delete(self, which: str, parameters: list[tuple[str, ...]]) -> None:
        with self._open() as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if (self._table,) in tables.fetchall():
                quoted = '"' + self._table.replace('"', '""') + '"'
                statement = f"DELETE FROM {quoted} {which}"  # noqa: S608 - names of ours
                database.executemany(statement, parameters)

    def _record(self, as_of: AsOf, customers: int | None) -> None:
        with self._open() as database:
            database.execute(
                "INSERT OR REPLACE INTO bellwether_publications VALUES (?, ?)",
                [int(as_of.moment.timestamp()), customers],
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS)) as database, database:
            yield database
