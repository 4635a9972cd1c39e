"""The log of pushed rows: whatever was pushed is here first, on disk, before anything else happens.

A row that is pushed twice is there once. Whose online features have still to follow is written in
the same transaction as the rows, so a crash in between forgets nobody.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError

WAIT_SECONDS = 30.0
"""How long a writer waits for another writer."""

KEPT_FIRST = frozenset({"events"})
"""Tables whose rows do not change: of an event, what was told first stays."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pushed_rows (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    canonical_table TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    row_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    known_at TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (canonical_table, customer_id, row_id, digest)
);
CREATE INDEX IF NOT EXISTS pushed_rows_by_customer ON pushed_rows (customer_id);
CREATE TABLE IF NOT EXISTS waiting (customer_id TEXT PRIMARY KEY, seq INTEGER NOT NULL);
"""


def time_text(moment: datetime) -> str:
    """Return a moment as text that sorts like time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


@dataclass(frozen=True)
class PushedRow:
    """One row of a canonical table.

    Attributes:
        table: the canonical table.
        customer_id: whom it is about.
        row_id: tells it apart from the other rows of the customer in the table.
        digest: of all that was said; the same row pushed again has the same.
        known_at: when it was learnt, as `time_text` writes it.
        content: canonical column -> text, number, yes/no or None; times and money as text.
    """

    table: str
    customer_id: str
    row_id: str
    digest: str
    known_at: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Appended:
    """What came of appended rows: new ones, and ones that were there already."""

    new: int
    repeated: int


class PushLog:
    """The pushed rows of a project. Processes may share it.

    Args:
        path: the SQLite file; it appears with the first row.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, rows: Sequence[PushedRow]) -> Appended:
        """Keep rows, all or none, and note that their customers wait for new features.

        Raises:
            FeatureStoreError: if they cannot be kept.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = 0
        with self._open() as database:
            for row in rows:
                new += database.execute(
                    "INSERT OR IGNORE INTO pushed_rows"
                    " (canonical_table, customer_id, row_id, digest, known_at, content)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        row.table,
                        row.customer_id,
                        row.row_id,
                        row.digest,
                        row.known_at,
                        json.dumps(dict(row.content), separators=(",", ":")),
                    ],
                ).rowcount
            self._note(database, sorted({row.customer_id for row in rows}))
        return Appended(new, len(rows) - new)

    def waiting(
        self, customer_ids: Sequence[str] | None = None, *, limit: int = -1
    ) -> dict[str, int]:
        """Return the customers whose online features have to follow, each with a ticket.

        Args:
            customer_ids: of these customers only.
            limit: at most so many, those who have waited longest; all when negative.
        """
        if not self._path.exists():
            return {}
        listed = None if customer_ids is None else json.dumps(list(customer_ids))
        with self._open() as database:
            found = database.execute(
                "SELECT customer_id, seq FROM waiting"
                " WHERE ? IS NULL OR customer_id IN (SELECT value FROM json_each(?))"
                " ORDER BY seq LIMIT ?",
                [listed, listed, limit],
            )
            return dict(found.fetchall())

    def served(self, tickets: Mapping[str, int]) -> None:
        """Note that customers need not wait any longer, unless rows of theirs came meanwhile."""
        with self._open() as database:
            database.executemany(
                "DELETE FROM waiting WHERE customer_id = ? AND seq <= ?", list(tickets.items())
            )

    def let_wait(self, customer_ids: Iterable[str]) -> None:
        """Note that the online features of customers have to be written again."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            self._note(database, sorted(set(customer_ids)))

    def wait_again(self, after: int, as_of: AsOf) -> int:
        """Let customers wait whose rows a build has not seen, or could not use; return how many.

        Args:
            after: the last row that the build has seen.
            as_of: the moment of the build.
        """
        if not self._path.exists():
            return 0
        with self._open() as database:
            found = database.execute(
                "SELECT DISTINCT customer_id FROM pushed_rows WHERE seq > ? OR known_at > ?"
                " ORDER BY customer_id",
                [after, time_text(as_of.moment)],
            ).fetchall()
            self._note(database, [customer for (customer,) in found])
        return len(found)

    def last(self) -> int:
        """Return the number of the last row, 0 when there is none."""
        if not self._path.exists():
            return 0
        with self._open() as database:
            (last,) = database.execute("SELECT coalesce(max(seq), 0) FROM pushed_rows").fetchone()
        return int(last)

    def rows(
        self, customer_ids: Sequence[str] | None = None, *, after: int = 0, until: int | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Return pushed rows by canonical table: of each id one, the version that counts.

        That is the one learnt last (of an event, the one learnt first), else the one pushed last.

        Args:
            customer_ids: of whom; None for everybody.
            after: only rows pushed after this one.
            until: only rows up to this one.
        """
        if not self._path.exists() or customer_ids == []:
            return {}
        found: dict[tuple[str, str, str], tuple[str, int, dict[str, Any]]] = {}
        with self._open() as database:
            for table, customer, row_id, known_at, seq, content in self._select(
                database, customer_ids, after, until
            ):
                key, version = (table, customer, row_id), (known_at, seq)
                if key in found and (version < found[key][:2]) != (table in KEPT_FIRST):
                    continue
                found[key] = (*version, {**json.loads(content), "known_at": known_at})
        rows: dict[str, list[dict[str, Any]]] = {}
        for (table, _, _), (_, _, content) in found.items():
            rows.setdefault(table, []).append(content)
        return rows

    def _select(
        self,
        database: sqlite3.Connection,
        customer_ids: Sequence[str] | None,
        after: int,
        until: int | None,
    ) -> Iterator[Any]:
        statement = (
            "SELECT canonical_table, customer_id, row_id, known_at, seq, content FROM pushed_rows"
            " WHERE seq > ? AND (? IS NULL OR seq <= ?)"
        )
        statement += " AND (? IS NULL OR customer_id IN (SELECT value FROM json_each(?)))"
        listed = None if customer_ids is None else json.dumps(list(customer_ids))
        parameters = [after, until, until, listed, listed]
        return database.execute(f"{statement} ORDER BY seq", parameters)

    @staticmethod
    def _note(database: sqlite3.Connection, customer_ids: Sequence[str]) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO waiting SELECT ?, coalesce(max(seq), 0) FROM pushed_rows",
            [(customer,) for customer in customer_ids],
        )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS)) as database, database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(_SCHEMA)
                yield database
        except sqlite3.Error as error:
            raise FeatureStoreError(
                f"the log of pushed rows {self._path} cannot be used: {error}; "
                "see that its folder can be written and its disk is not full"
            ) from error
