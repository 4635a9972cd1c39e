"""The store of packed rows that a project names. Nothing here imports Feast."""

from pathlib import Path

from features.contracts.layout import Layout
from features.contracts.settings import Settings
from features.online_store.redis_rows import RedisRows
from features.online_store.row_store import RowStore
from features.online_store.sqlite_rows import SqliteRows

SQLITE_WAIT_SECONDS = 30.0
"""How long a writer waits for another one; readers never wait."""


def online_file(settings: Settings, layout: Layout) -> Path:
    """Return the file of a project's SQLite store."""
    return layout.root / (settings.online_store.path or layout.online_store)


def open_rows(settings: Settings, layout: Layout) -> RowStore:
    """Return the online store of a project. Nothing is opened before it is used."""
    own = settings.online_store
    if own.url is None:
        path = online_file(settings, layout)
        return SqliteRows(path, settings.name, wait_seconds=SQLITE_WAIT_SECONDS)
    return RedisRows(own.url.get_secret_value(), settings.name, timeout_seconds=own.timeout_seconds)


def feast_section(settings: Settings, layout: Layout) -> dict[str, object]:
    """Return the same store as the `online_store` section of Feast's configuration."""
    own, package = settings.online_store, "features.online_store"
    if own.url is None:
        return {
            "type": f"{package}.feast_sqlite.ColumnarSqliteOnlineStore",
            "path": str(online_file(settings, layout)),
            "wait_seconds": SQLITE_WAIT_SECONDS,
        }
    return {
        "type": f"{package}.feast_redis.ColumnarRedisOnlineStore",
        "url": own.url,
        "timeout_seconds": own.timeout_seconds,
    }
