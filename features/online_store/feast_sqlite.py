"""Feast's door to packed rows in SQLite: the embedded default.

online_store:
  type: features.online_store.feast_sqlite.ColumnarSqliteOnlineStore
  path: data/online.db
"""

from pathlib import Path
from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel

from features.online_store.feast_store import ColumnarOnlineStore
from features.online_store.row_store import RowStore
from features.online_store.sqlite_rows import SqliteRows


class ColumnarSqliteOnlineStoreConfig(FeastConfigBaseModel):
    """The `online_store` section of feature_store.yaml."""

    type: Literal["features.online_store.feast_sqlite.ColumnarSqliteOnlineStore"] = (
        "features.online_store.feast_sqlite.ColumnarSqliteOnlineStore"
    )
    """Class path of the store."""
    path: str = "data/online.db"
    """The file, relative to the feature repository."""
    wait_seconds: float = 30.0
    """How long to wait for another writer."""


class ColumnarSqliteOnlineStore(ColumnarOnlineStore):
    """A Feast online store that keeps a packed row per view and entity in one SQLite file."""

    def open_rows(self, config: RepoConfig) -> RowStore:
        """Return the store of rows in the file."""
        settings: ColumnarSqliteOnlineStoreConfig = config.online_store
        path = Path(settings.path)
        if config.repo_path and not path.is_absolute():
            path = Path(config.repo_path) / path
        return SqliteRows(path, config.project, wait_seconds=settings.wait_seconds)
