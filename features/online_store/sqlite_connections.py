"""Connections to the SQLite file of an online store, and its errors in our words."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.contracts.errors import FeatureStoreError

PAGE_BYTES = 16_384
"""Some thirty customers with sixty features: fewer pages to split and to find than with 4096."""

CACHE_KIBIBYTES = 32_768
"""Pages that a connection keeps: what a batch changes fits in; reads live on the system's cache."""

LOG_BYTES = 64 << 20
"""How far the write-ahead log may grow: the longer, the less often a page is written twice."""

BUILD = "run `bellwether features build`"


class Connections:
    """Open connections that nobody uses just now. Threads share them, each using one at a time.

    Args:
        path: the file.
        wait_seconds: how long to wait for another writer.
    """

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        self._idle: deque[sqlite3.Connection] = deque()
        self._inherited = self._idle
        self._process = os.getpid()

    def take(self) -> sqlite3.Connection:
        """Return a connection for one's own use.

        Raises:
            FeatureStoreError: if there is no file.
        """
        if self._process != os.getpid():
            # SQLite's connections do not survive a fork, nor may the child close them.
            self._inherited, self._idle, self._process = self._idle, deque(), os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for whoever needs one next."""
        self._idle.append(connection)

    def make_file(self) -> None:
        """Make the file, and its folder, if they are not there."""
        if self._path.exists():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.give_back(self._connect("rwc"))

    def close(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise FeatureStoreError(f"there is no online store at {self._path}; {BUILD}")
        return self._connect("rw")

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self._wait_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            # Without the write-ahead log a refresh locks readers out until it commits.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // PAGE_BYTES}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextmanager
def sqlite_at_work(doing: str, path: Path) -> Iterator[None]:
    """Raise what SQLite has to say as a `FeatureStoreError` with its cause and the next step."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise sqlite_failed(doing, path, error) from error


def sqlite_failed(doing: str, path: Path, error: Exception) -> FeatureStoreError:
    """Return what SQLite has to say, in our words."""
    return FeatureStoreError(f"{doing} in {path} failed: {error}; {_advice(error)}")


def _advice(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "look at the file and its folder"
    return _ADVICE.get(code & 0xFF, "look at the file, or delete it and " + BUILD)


_ADVICE = {
    sqlite3.SQLITE_ERROR: BUILD,
    sqlite3.SQLITE_BUSY: "another process writes to it; let it finish, or stop it, and try again",
    sqlite3.SQLITE_LOCKED: "another thread writes to it; try again",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "make the file and its folder readable and writable",
    sqlite3.SQLITE_FULL: "free some space on the disk and try again",
    sqlite3.SQLITE_IOERR: "look at the disk: it may be full or broken",
    sqlite3.SQLITE_CORRUPT: "delete the file and " + BUILD,
    sqlite3.SQLITE_NOTADB: "it is no SQLite file: move it away and " + BUILD,
}
