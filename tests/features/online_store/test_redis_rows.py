"""Redis that is down, slow, forgetful, full or used by others."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.contracts.errors import ConfigurationError, FeatureStoreError
from features.online_store import redis_rows
from features.online_store.packing import pack
from features.online_store.redis_rows import RedisRows
from features.online_store.redis_running import ViewState, set_rows
from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema, ValueType
from features.online_store.unpacking import unpack_matrix
from tests.features.online_store.packed_rows import TWO_FLOATS, float_rows
from tests.repository import ROOT
from tests.servers_redis import RedisServer, free_port, road_to, running_redis

VIEW = "customers"
ANN = b"ann"
QUICK_SECONDS = 0.2


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may break."""
    with running_redis(tmp_path) as server:
        yield server


def filled(url: str, timeout_seconds: float = 10.0) -> RedisRows:
    store = RedisRows(url, "shop", timeout_seconds=timeout_seconds)
    store.register(VIEW, TWO_FLOATS)
    store.write_rows(VIEW, [ANN], float_rows([1.0]))
    return store


def value_of_ann(store: RowStore) -> float:
    (rows,) = store.read_rows((VIEW,), [ANN])
    return float(unpack_matrix(rows, TWO_FLOATS, store.schemas(VIEW)).values[0, 0])


def read_in_a_loop(store: RowStore) -> None:
    async def read() -> None:
        try:
            await store.read_rows_async((VIEW,), [ANN])
        finally:
            await store.close_async()

    asyncio.run(read())


def test_a_server_that_is_down_is_named_without_its_password() -> None:
    port = free_port()
    store = RedisRows(f"redis://user:secret@127.0.0.1:{port}/0", "shop")

    for ask in (store.views, lambda: read_in_a_loop(store)):
        with pytest.raises(
            FeatureStoreError, match=rf"127\.0\.0\.1:{port} .*see that it runs"
        ) as e:
            ask()
        assert "secret" not in str(e.value)


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not one of Redis"):
        RedisRows("postgresql://user:secret@localhost", "shop")


def test_a_slow_server_is_not_waited_for(own_server: RedisServer) -> None:
    store = filled(own_server.url, QUICK_SECONDS)
    with own_server.client() as client:
        client.execute_command("CLIENT", "PAUSE", "5000", "ALL")  # from now on it answers after 5 s
        for ask in (lambda: store.read_rows((VIEW,), [ANN]), lambda: read_in_a_loop(store)):
            with pytest.raises(FeatureStoreError, match="too slow or out of reach"):
                ask()
    store.close()


def test_a_server_that_is_busy_for_seconds_is_not_waited_for(own_server: RedisServer) -> None:
    store = filled(own_server.url, QUICK_SECONDS)
    with own_server.client() as client:
        client.connection_pool.get_connection().send_command("DEBUG", "SLEEP", "5")
        with pytest.raises(FeatureStoreError, match="too slow or out of reach"):
            store.read_rows((VIEW,), [ANN])
    store.close()


def test_a_half_open_connection_is_given_up_and_replaced(redis_server: RedisServer) -> None:
    with road_to(redis_server) as road:
        store = filled(road.url, QUICK_SECONDS)
        road.is_blocked = True
        for ask in (lambda: value_of_ann(store), lambda: read_in_a_loop(store)):
            with pytest.raises(FeatureStoreError, match="too slow or out of reach"):
                ask()
        before = road.connections
        road.is_blocked = False

        assert value_of_ann(store) == 1.0
        assert road.connections > before
        store.close()


def test_a_connection_that_broke_is_replaced_unnoticed(redis_server: RedisServer) -> None:
    store = filled(redis_server.url)
    with redis_server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)

    assert value_of_ann(store) == 1.0
    store.close()


def test_a_restarted_server_is_used_again_and_has_forgotten(own_server: RedisServer) -> None:
    store = filled(own_server.url)
    own_server.stop()
    with pytest.raises(FeatureStoreError, match="see that it runs"):
        value_of_ann(store)
    own_server.start()

    assert store.read_rows((VIEW,), [ANN]) == [[None]]
    with pytest.raises(
        FeatureStoreError, match="no view customers; run `bellwether features build"
    ):
        store.write_rows(VIEW, [ANN], float_rows([2.0]))
    store.register(VIEW, TWO_FLOATS)
    store.write_rows(VIEW, [ANN], float_rows([2.0]))
    assert value_of_ann(store) == 2.0
    store.close()


def test_a_dead_server_is_given_a_rest_and_then_probed(own_server: RedisServer) -> None:
    clock = Clock()
    store = RedisRows(own_server.url, "shop", clock=clock)
    store.register(VIEW, TWO_FLOATS)
    own_server.stop()
    for _ in range(3):
        with pytest.raises(FeatureStoreError):
            store.views()
    for ask in (store.views, lambda: read_in_a_loop(store)):
        with pytest.raises(FeatureStoreError, match="is given a rest"):
            ask()
    own_server.start()
    with pytest.raises(FeatureStoreError, match="is given a rest"):
        store.views()
    clock.seconds += 6

    assert store.views() == ()
    assert store.views() == ()
    store.close()


def test_a_full_server_says_so_and_keeps_what_is_live(tmp_path: Path) -> None:
    limits = ("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    with running_redis(tmp_path, *limits) as server:
        store = filled(server.url)
        wide = RowSchema.of({"blob": ValueType.BLOB})
        store.register(VIEW, wide)
        store.begin_refresh(VIEW, "tuesday")
        rows = pack(wide, [np.array([b"x" * 20_000] * 1000)], np.zeros(1000, dtype=np.int64))
        keys = [str(number).encode() for number in range(1000)]
        with pytest.raises(FeatureStoreError, match="raise its `maxmemory`"):
            store.write_rows(VIEW, keys, rows, refresh="tuesday", progress=1)

        assert value_of_ann(store) == 1.0
        assert store.begin_refresh(VIEW, "tuesday") == 0  # what failed is no progress
        store.abandon_refresh(VIEW, "tuesday")
        assert store.status(VIEW).refreshing is None
        store.close()


@pytest.mark.parametrize("part", ["rows", "pushed", "state", "schemas"])
def test_another_type_under_a_key_of_ours_is_named(redis_server: RedisServer, part: str) -> None:
    store = filled(redis_server.url)
    store.begin_refresh(VIEW, "tuesday")
    with redis_server.client() as client:
        client.set(f"bellwether:{{shop}}:customers:{part}", "something else")

    def use() -> None:
        store.write_rows(VIEW, [ANN], float_rows([2.0]))
        store.schemas(VIEW)

    with pytest.raises(FeatureStoreError, match="delete the keys `bellwether:"):
        use()
    store.close()


def test_a_corrupt_row_is_counted_and_can_be_replaced(redis_server: RedisServer) -> None:
    store = filled(redis_server.url)
    with redis_server.client() as client:
        for broken in (b"", b"short", float_rows([1.0])[0][:-1]):
            client.hset("bellwether:{shop}:customers:rows", "ann", broken)
            (rows,) = store.read_rows((VIEW,), [ANN])
            assert unpack_matrix(rows, TWO_FLOATS, store.schemas(VIEW)).refused == 1
            assert store.status(VIEW).rows == 1
            store.write_rows(VIEW, [ANN], float_rows([2.0]))
            assert value_of_ann(store) == 2.0
    store.close()


def test_a_wrong_password_is_said_to_be_wrong(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        with server.client() as client:
            client.config_set("requirepass", "right")
        store = RedisRows(server.url, "shop")
        with pytest.raises(FeatureStoreError, match="check user and password in the URL"):
            store.views()
        store.close()


def test_a_view_of_many_rows_is_sampled(redis_server: RedisServer) -> None:
    store = filled(redis_server.url)
    keys = [str(number).encode() for number in range(3000)]
    store.write_rows(VIEW, keys, float_rows([0.0] * 3000))

    status = store.status(VIEW)

    assert status.rows == 3001
    assert 0 < status.looked_at < 3001
    store.close()


REFRESH_THAT_HANGS = """
import sys, time
from features.online_store.redis_rows import RedisRows
from tests.features.online_store.packed_rows import float_rows
store = RedisRows(sys.argv[1], "shop")
store.begin_refresh("customers", "tuesday")
for number in range(100_000):
    keys = [str(n).encode() for n in range(number * 100, number * 100 + 100)]
    store.write_rows("customers", keys, float_rows([2.0] * 100), refresh="tuesday", progress=number)
    print(number, flush=True)
"""


def test_a_refresh_killed_in_the_middle_leaves_the_live_rows(redis_server: RedisServer) -> None:
    store = filled(redis_server.url)
    command = [sys.executable, "-c", REFRESH_THAT_HANGS, redis_server.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)

    assert value_of_ann(store) == 1.0
    assert store.status(VIEW).refreshing == "tuesday"
    assert store.begin_refresh(VIEW, "tuesday") >= 4
    assert store.begin_refresh(VIEW, "wednesday") == 0
    store.write_rows(VIEW, [ANN], float_rows([3.0]), refresh="wednesday")
    assert store.publish_refresh(VIEW, "wednesday") == 1
    assert value_of_ann(store) == 3.0
    with redis_server.client() as client:
        assert len(client.keys("bellwether:*")) == 4  # rows, state, schemas, views: no leftovers
    store.close()


@pytest.mark.parametrize("is_published", [True, False])
def test_a_refresh_that_ends_under_a_late_writer_is_cleared_up_behind(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, is_published: bool
) -> None:
    store, twin = filled(redis_server.url), RedisRows(redis_server.url, "shop")
    store.begin_refresh(VIEW, "tuesday")

    def write_too_late(*arguments: Any) -> ViewState:
        if is_published:
            twin.publish_refresh(VIEW, "tuesday")
        else:
            twin.begin_refresh(VIEW, "wednesday")
        return set_rows(*arguments)

    monkeypatch.setattr(redis_rows, "set_rows", write_too_late)
    if is_published:
        store.write_rows(VIEW, [ANN], float_rows([2.0]), refresh="tuesday")
        assert value_of_ann(store) == 2.0
    else:
        with pytest.raises(FeatureStoreError, match="the refresh wednesday has taken its place"):
            store.write_rows(VIEW, [ANN], float_rows([2.0]), refresh="tuesday")
        assert value_of_ann(store) == 1.0

    with redis_server.client() as client:
        assert client.keys("*:refresh:*") == []
    store.close()
    twin.close()


def test_many_customers_of_several_views_are_read_in_order(redis_server: RedisServer) -> None:
    store = filled(redis_server.url)
    store.register("products", TWO_FLOATS)
    keys = [str(number).encode() for number in range(2 * redis_rows.KEYS_PER_QUERY + 1)]
    rows = float_rows(list(range(len(keys))))
    store.write_rows("products", keys, rows)

    assert store.read_rows((VIEW, "products"), keys) == [[None] * len(keys), rows]
    store.close()


def test_a_row_costs_redis_little_more_than_its_values(redis_server: RedisServer) -> None:
    floats = RowSchema.of({f"f{place}": ValueType.FLOAT64 for place in range(60)})
    store = RedisRows(redis_server.url, "shop")
    store.register(VIEW, floats)
    n = 20_000
    rows = pack(floats, [np.random.default_rng(0).random(n)] * 60, np.zeros(n, dtype=np.int64))
    with redis_server.client() as client:
        before = client.info("memory")["used_memory"]
        store.write_rows(VIEW, [f"C{number:08d}".encode() for number in range(n)], rows)
        taken = (client.info("memory")["used_memory"] - before) / n
    store.close()

    assert taken < 1.3 * 60 * 8
