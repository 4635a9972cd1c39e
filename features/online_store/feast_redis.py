"""Feast's door to packed rows in Redis.

online_store:
  type: features.online_store.feast_redis.ColumnarRedisOnlineStore
  url: redis://localhost:6379/0
"""

from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel
from pydantic import SecretStr

from features.online_store.feast_store import ColumnarOnlineStore
from features.online_store.redis_rows import RedisRows
from features.online_store.row_store import RowStore


class ColumnarRedisOnlineStoreConfig(FeastConfigBaseModel):
    """The `online_store` section of feature_store.yaml."""

    type: Literal["features.online_store.feast_redis.ColumnarRedisOnlineStore"] = (
        "features.online_store.feast_redis.ColumnarRedisOnlineStore"
    )
    """Class path of the store."""
    url: SecretStr = SecretStr("redis://localhost:6379/0")
    """Where Redis is, with `rediss://` over TLS; a password in it is never shown."""
    timeout_seconds: float = 1.0
    """How long to wait for one answer, and for a connection."""


class ColumnarRedisOnlineStore(ColumnarOnlineStore):
    """A Feast online store that keeps a packed row per view and entity in Redis."""

    def open_rows(self, config: RepoConfig) -> RowStore:
        """Return the store of rows at the URL."""
        settings: ColumnarRedisOnlineStoreConfig = config.online_store
        return RedisRows(
            settings.url.get_secret_value(),
            config.project,
            timeout_seconds=settings.timeout_seconds,
        )
