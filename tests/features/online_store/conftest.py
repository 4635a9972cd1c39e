"""Stores of rows on real servers, each test with an empty one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.online_store.redis_rows import RedisRows
from features.online_store.row_store import RowStore
from features.online_store.sqlite_rows import SqliteRows
from tests.servers_redis import RedisServer, running_redis


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """A running Redis with nothing in it."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowStore]:
    """Each kind of store in turn, empty."""
    rows: RowStore
    if request.param == "sqlite":
        rows = SqliteRows(tmp_path / "online.db", "shop")
    else:
        rows = RedisRows(request.getfixturevalue("redis_server").url, "shop")
    yield rows
    rows.close()
