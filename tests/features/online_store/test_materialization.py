"""The batch engine under the real Feast, on both stores."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, FeatureView, Field, PushSource
from feast.types import Float64, String

from features.contracts.errors import FeatureStoreError
from features.online_store.feast_store import ColumnarOnlineStore
from features.online_store.materialization import Target
from features.online_store.offline_window import OfflineWindow
from features.online_store.refresh_names import moment_of
from features.online_store.row_store import RowStore
from tests.features.online_store.feast_projects import (
    CUSTOMER,
    HOUR,
    MOMENT,
    NOW,
    REDIS,
    SQLITE,
    open_feast,
    source_of,
    view_of,
    write_rows,
)
from tests.repository import ROOT
from tests.servers_redis import RedisServer

pytestmark = [
    pytest.mark.integration,
    # Ibis calls DuckDB by an old name.
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
]

VIEW = "spend_view"
CROWD = [f"customer {number:03}" for number in range(100)]
BATCH = 30
"""Rows in a batch: the crowd takes three whole ones and a part."""


@pytest.fixture(params=["sqlite", "redis"])
def online_store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "sqlite":
        return {"type": SQLITE, "path": str(tmp_path / "ours.db")}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"type": REDIS, "url": server.url}


@pytest.fixture
def feast(online_store: dict[str, Any], tmp_path: Path) -> Iterator[FeatureStore]:
    """A project that refreshes fully, with the crowd spending 1 each two hours ago."""
    write_crowd(tmp_path, 1.0, hours_ago=2)
    store = open_project(tmp_path, online_store)
    yield store
    rows_of(store).close()


def open_project(folder: Path, online_store: Mapping[str, Any], **engine: Any) -> FeatureStore:
    options = {"refresh": "full", "batch_rows": BATCH, "show_progress": False, **engine}
    store = open_feast(folder, online_store, **options)
    batch = source_of(VIEW, folder / "*.parquet")
    pushes = PushSource(name="pushes", batch_source=batch)
    store.apply([CUSTOMER, batch, pushes, view_of(VIEW, folder, {"spend": Float64}, source=pushes)])
    return store


def write_crowd(
    folder: Path, spend: float, *, hours_ago: float, ids: list[str] = CROWD, name: str = "crowd"
) -> None:
    columns = {"spend": (pa.float64(), [spend] * len(ids))}
    write_rows(folder / f"{name}.parquet", columns, ids=ids, event=NOW - hours_ago * HOUR)


def rows_of(store: FeatureStore) -> RowStore:
    online = store._get_provider().online_store
    assert isinstance(online, ColumnarOnlineStore)
    return online.rows(store.config)


def spends(store: FeatureStore, ids: list[str] = CROWD) -> list[float | None]:
    answer = store.get_online_features([f"{VIEW}:spend"], {"customer_id": ids}).to_dict()
    return list(answer["spend"])


def push(store: FeatureStore, ids: list[str], spend: float, *, hours_ago: float) -> None:
    moment = pd.Timestamp(NOW - hours_ago * HOUR)
    frame = pd.DataFrame({"customer_id": ids, "happened_at": moment, "created_at": moment})
    store.push("pushes", frame.assign(spend=spend))


def materialize(store: FeatureStore, *, hours_ago: float = 0) -> None:
    store.materialize(NOW - 9 * HOUR, NOW - hours_ago * HOUR)


def target_of(store: FeatureStore) -> tuple[Target, OfflineWindow]:
    """The parts of a refresh, to be taken step by step."""
    provider: Any = store._get_provider()
    view = store.get_feature_view(VIEW)
    schema = provider.online_store.registered(store.config, view)
    window = OfflineWindow(
        store.config,
        provider.offline_store,
        view,
        (store.get_entity("customer"),),
        NOW - 9 * HOUR,
        NOW,
    )
    return Target(rows_of(store), VIEW, schema), window


def test_full_refresh_is_all_there_is(feast: FeatureStore, tmp_path: Path) -> None:
    materialize(feast)
    before = spends(feast)
    write_crowd(tmp_path, 2.0, hours_ago=1, ids=CROWD[:40])

    materialize(feast)

    assert before == [1.0] * 100
    assert spends(feast) == [2.0] * 40 + [None] * 60
    live = rows_of(feast).live_refresh(VIEW)
    assert live is not None
    assert moment_of(live) == NOW


def test_the_latest_row_of_each_entity_counts(feast: FeatureStore, tmp_path: Path) -> None:
    write_crowd(tmp_path, 3.0, hours_ago=1, ids=CROWD[:50], name="a newer")
    write_crowd(tmp_path, 0.5, hours_ago=3, ids=CROWD, name="older")

    materialize(feast)

    assert spends(feast) == [3.0] * 50 + [1.0] * 50


def test_readers_see_the_old_rows_until_the_last_batch_is_written(
    feast: FeatureStore, tmp_path: Path
) -> None:
    materialize(feast)
    write_crowd(tmp_path, 2.0, hours_ago=1)
    target, window = target_of(feast)

    seen = [set(spends(feast)) for _ in target.fill(window, "full", BATCH)]

    assert seen == [{1.0}] * 5
    assert set(spends(feast)) == {2.0}


def test_what_was_pushed_since_the_window_lives_on(feast: FeatureStore) -> None:
    materialize(feast)
    push(feast, [CROWD[0], "new"], 9.0, hours_ago=0.5)
    push(feast, [CROWD[1], "old"], 8.0, hours_ago=1.5)

    materialize(feast, hours_ago=1)

    assert spends(feast, [CROWD[0], CROWD[1], "new", "old"]) == [9.0, 1.0, 9.0, None]


def test_what_is_pushed_meanwhile_lives_on(feast: FeatureStore) -> None:
    target, window = target_of(feast)
    filling = target.fill(window, "full", BATCH)
    for _ in range(2):
        next(filling)

    push(feast, [CROWD[0], CROWD[99], "new"], 9.0, hours_ago=0.5)
    list(filling)

    assert spends(feast, [CROWD[0], CROWD[1], CROWD[99], "new"]) == [9.0, 1.0, 9.0, 9.0]


def test_replacing_goes_back_in_time(
    feast: FeatureStore, online_store: dict[str, Any], tmp_path: Path
) -> None:
    materialize(feast)
    push(feast, [CROWD[0], "new"], 9.0, hours_ago=0.5)
    again = open_project(tmp_path, online_store, refresh="replace")

    for _ in range(2):
        materialize(again)
        assert spends(feast, [*CROWD, "new"]) == [1.0] * 100 + [None]
        push(feast, [CROWD[0], "new"], 9.0, hours_ago=0.5)
    rows_of(again).close()


def test_refreshing_again_from_the_same_rows_changes_nothing(feast: FeatureStore) -> None:
    materialize(feast)
    push(feast, ["new"], 9.0, hours_ago=3)
    live = rows_of(feast).live_refresh(VIEW)

    materialize(feast)

    assert rows_of(feast).live_refresh(VIEW) == live
    assert spends(feast, [CROWD[0], "new"]) == [1.0, 9.0]


def test_the_later_of_two_refreshes_wins_and_the_other_is_told(
    feast: FeatureStore, tmp_path: Path
) -> None:
    target, window = target_of(feast)
    first = target.fill(window, "full", BATCH)
    for _ in range(2):
        next(first)
    write_crowd(tmp_path, 2.0, hours_ago=1)
    _, newer = target_of(feast)

    second = target.fill(newer, "full", BATCH)
    next(second)
    with pytest.raises(FeatureStoreError, match="refresh"):
        list(first)
    list(second)

    assert set(spends(feast)) == {2.0}
    assert rows_of(feast).status(VIEW).refreshing is None


def test_the_same_refresh_twice_at_once_ends_well(feast: FeatureStore) -> None:
    target, window = target_of(feast)
    _, same = target_of(feast)
    first, second = (target.fill(each, "full", BATCH) for each in (window, same))
    for _ in range(2):
        next(first)

    for _ in range(3):
        next(second)
    list(first)
    list(second)

    assert spends(feast) == [1.0] * 100
    assert rows_of(feast).status(VIEW).refreshing is None


KILLED = """
import os, signal, sys
from features.online_store import redis_rows, sqlite_rows
from tests.features.online_store import test_materialization as here

written = 0
def counted(write):
    def write_rows(*arguments, **options):
        global written
        write(*arguments, **options)
        written += 1
        if written == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return write_rows

for rows in (redis_rows.RedisRows, sqlite_rows.SqliteRows):
    rows.write_rows = counted(rows.write_rows)
here.NOW = here.datetime.fromisoformat(sys.argv[3])
here.materialize(here.open_project(here.Path(sys.argv[1]), eval(sys.argv[2])))
"""


def test_killed_refresh_leaves_the_old_rows_and_is_taken_up(
    feast: FeatureStore,
    online_store: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    materialize(feast)
    write_crowd(tmp_path, 2.0, hours_ago=1)
    command = [sys.executable, "-c", KILLED, str(tmp_path), repr(online_store)]
    command.append(NOW.isoformat())
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    rows = rows_of(feast)
    assert set(spends(feast)) == {1.0}
    assert rows.status(VIEW).refreshing is not None

    write, written = rows.write_rows, list[int]()

    def counted(view: str, keys: Any, packed: Any, **options: Any) -> None:
        written.append(len(keys))
        write(view, keys, packed, **options)

    monkeypatch.setattr(rows, "write_rows", counted)
    materialize(feast)

    assert written == [30, 10]
    assert set(spends(feast)) == {2.0}
    assert rows.status(VIEW).refreshing is None


def test_refresh_that_was_cut_short_starts_anew_from_other_rows(
    feast: FeatureStore, tmp_path: Path
) -> None:
    target, window = target_of(feast)
    filling = target.fill(window, "full", BATCH)
    for _ in range(3):
        next(filling)
    del filling
    write_crowd(tmp_path, 2.0, hours_ago=1)

    materialize(feast)

    assert spends(feast) == [2.0] * 100


def test_row_by_row_leaves_everybody_else_alone(
    online_store: dict[str, Any], feast: FeatureStore, tmp_path: Path
) -> None:
    materialize(feast)
    (tmp_path / "crowd.parquet").unlink()
    write_crowd(tmp_path, 2.0, hours_ago=1, ids=CROWD[:40], name="late")
    write_crowd(tmp_path, 0.5, hours_ago=5, ids=CROWD[60:], name="very late")
    by_rows = open_project(tmp_path, online_store, refresh="rows")

    for _ in range(2):
        materialize(by_rows)

    assert spends(feast) == [2.0] * 40 + [1.0] * 60
    rows_of(by_rows).close()


def test_event_times_can_be_left_out_of_account(feast: FeatureStore, tmp_path: Path) -> None:
    write_crowd(tmp_path, 4.0, hours_ago=20)

    feast.materialize(NOW - HOUR, NOW, disable_event_timestamp=True)

    assert spends(feast) == [4.0] * 100


def test_mapped_columns_get_their_new_names(online_store: dict[str, Any], tmp_path: Path) -> None:
    columns = {"money": (pa.float64(), [1.0, 2.0])}
    write_rows(tmp_path / "mapped.parquet", columns, ids=["ann", "bob"])
    source = source_of("mapped", tmp_path / "mapped.parquet")
    source.field_mapping = {"money": "spend"}
    store = open_feast(tmp_path, online_store, show_progress=False)
    store.apply([CUSTOMER, view_of(VIEW, tmp_path, {"spend": Float64}, source=source)])

    materialize(store)

    assert spends(store, ["ann", "bob"]) == [1.0, 2.0]


def test_progress_bar_reaches_its_end(
    online_store: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_crowd(tmp_path, 1.0, hours_ago=2)
    store = open_project(tmp_path, online_store, show_progress=True)

    materialize(store)

    assert "100/100" in capfd.readouterr().err


def test_wrong_type_names_the_feature_and_what_is_live_stays(
    feast: FeatureStore, tmp_path: Path
) -> None:
    materialize(feast)
    columns = {"spend": (pa.string(), ["a lot"])}
    write_rows(tmp_path / "crowd.parquet", columns, ids=["ann"], event=NOW - HOUR)

    with pytest.raises(FeatureStoreError, match="the feature spend cannot be read as float64"):
        materialize(feast)

    assert spends(feast) == [1.0] * 100


def test_null_key_is_refused(feast: FeatureStore, tmp_path: Path) -> None:
    columns = {"spend": (pa.float64(), [1.0, 2.0])}
    write_rows(tmp_path / "crowd.parquet", columns, ids=["ann", None], event=NOW - HOUR)

    with pytest.raises(FeatureStoreError, match="a row has no customer_id"):
        materialize(feast)


def test_offline_stores_that_cannot_stream_are_read_whole(
    online_store: dict[str, Any], tmp_path: Path
) -> None:
    write_crowd(tmp_path, 1.0, hours_ago=2)
    late = {"spend": (pa.float64(), [3.0] * 50)}
    write_rows(tmp_path / "late.parquet", late, ids=CROWD[:50], event=NOW - HOUR)
    both = pa.concat_tables([pq.read_table(path) for path in sorted(tmp_path.glob("*.parquet"))])
    pq.write_table(both, tmp_path / "both.parquet")
    store = open_feast(tmp_path, online_store, offline="dask", batch_rows=BATCH, refresh="full")
    store.apply([CUSTOMER, view_of(VIEW, tmp_path / "both.parquet", {"spend": Float64})])

    materialize(store)

    assert spends(store) == [3.0] * 50 + [1.0] * 50


def test_view_without_entities_has_one_row(online_store: dict[str, Any], tmp_path: Path) -> None:
    columns = {"spend": (pa.float64(), [1.0, 2.0])}
    events = [NOW - HOUR, NOW - 2 * HOUR]
    write_rows(tmp_path / "shop.parquet", columns, ids=["ann", "bob"], event=events)
    store = open_feast(tmp_path, online_store)
    source = source_of(VIEW, tmp_path / "shop.parquet")
    fields = [Field(name="spend", dtype=Float64)]
    store.apply([FeatureView(name=VIEW, schema=fields, source=source, ttl=24 * HOUR)])

    materialize(store)

    asked = {"anything": [1, 2]}
    answer = store.get_online_features([f"{VIEW}:spend"], asked).to_dict()
    assert answer["spend"] == [1.0, 1.0]
    assert rows_of(store).status(VIEW).rows == 1


def test_empty_window_is_an_empty_view(feast: FeatureStore) -> None:
    materialize(feast)

    feast.materialize(NOW - HOUR / 2, NOW)

    assert spends(feast, CROWD[:2]) == [None, None]


def test_views_with_more_to_do_are_left_to_feasts_own_engine(
    online_store: dict[str, Any], tmp_path: Path
) -> None:
    columns = {"segment": (pa.string(), ["a", "b"])}
    write_rows(tmp_path / "checked.parquet", columns, ids=["ann", "bob"])
    store = open_feast(tmp_path, online_store, backend="pandas")
    path = tmp_path / "checked.parquet"
    store.apply([CUSTOMER, view_of(VIEW, path, {"segment": String}, enable_validation=True)])

    materialize(store)

    answer = store.get_online_features([f"{VIEW}:segment"], {"customer_id": ["bob"]})
    assert answer.to_dict()["segment"] == ["b"]


def test_nanoseconds_and_times_without_a_zone_are_read_as_utc(
    online_store: dict[str, Any], tmp_path: Path
) -> None:
    moment = (NOW - HOUR).replace(tzinfo=None)
    table = pa.table(
        {
            "customer_id": ["ann"],
            "happened_at": pa.array([moment], pa.timestamp("ns")),
            "created_at": pa.array([None], MOMENT),
            "spend": [1.0],
        }
    )
    pq.write_table(table, tmp_path / "crowd.parquet")
    store = open_project(tmp_path, online_store)

    materialize(store)

    status = rows_of(store).status(VIEW)
    assert status.newest_event_us is not None
    event = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=status.newest_event_us)
    assert event == NOW - HOUR
