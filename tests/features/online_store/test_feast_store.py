"""Our stores under the real Feast: what its own stores do, at the same calls."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, FeatureService, FeatureStore, PushSource, ValueType
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64, Int64, String

from features.online_store.feast_store import ColumnarOnlineStore
from tests.features.online_store.feast_projects import (
    COLUMNS,
    CUSTOMER,
    HOUR,
    IDS,
    NOW,
    REDIS,
    SQLITE,
    TYPES,
    answer_of,
    open_feast,
    source_of,
    statuses_of,
    view_of,
    write_rows,
)
from tests.servers_redis import RedisServer

pytestmark = [
    pytest.mark.integration,
    # Ibis calls DuckDB by an old name.
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
]

SPEND = {"spend": Float64, "segment": String}


@pytest.fixture(params=["sqlite", "redis"])
def online_store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "sqlite":
        return {"type": SQLITE, "path": str(tmp_path / "ours.db")}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"type": REDIS, "url": server.url}


@pytest.fixture
def feast(online_store: dict[str, Any], tmp_path: Path) -> Iterator[FeatureStore]:
    """A project with a view that can be materialized and pushed to."""
    write_spend(tmp_path, [1.0, 2.0, 3.0, 4.0])
    store = open_feast(tmp_path, online_store)
    batch = source_of("spend_view", tmp_path / "spend.parquet")
    pushes = PushSource(name="pushes", batch_source=batch)
    view = view_of("spend_view", tmp_path, SPEND, source=pushes)
    store.apply([CUSTOMER, batch, pushes, view])
    yield store
    columnar(store).rows(store.config).close()


def write_spend(folder: Path, spend: list[float], **options: Any) -> None:
    segments = [f"segment {value}" for value in spend]
    columns: dict[str, Any] = {
        "spend": (pa.float64(), spend),
        "segment": (pa.string(), segments),
    }
    write_rows(folder / "spend.parquet", columns, **options)


def columnar(store: FeatureStore) -> ColumnarOnlineStore:
    online = store._get_provider().online_store
    assert isinstance(online, ColumnarOnlineStore)
    return online


def spend_of(store: FeatureStore, ids: list[str]) -> list[float | None]:
    answer = store.get_online_features(["spend_view:spend"], {"customer_id": ids}).to_dict()
    return list(answer["spend"])


def pushed(ids: list[str], spend: list[float | None], hours_ago: list[float]) -> pd.DataFrame:
    moments = [pd.Timestamp(NOW - hours * HOUR) for hours in hours_ago]
    return pd.DataFrame(
        {
            "customer_id": ids,
            "happened_at": moments,
            "created_at": moments,
            "spend": spend,
            "segment": ["pushed"] * len(ids),
        }
    )


@pytest.mark.parametrize("stock", ["sqlite", "redis"])
def test_answers_are_those_of_stock_feast_for_every_type(
    stock: str, online_store: dict[str, Any], tmp_path: Path, redis_server: RedisServer
) -> None:
    write_rows(tmp_path / "all.parquet", COLUMNS)
    theirs: dict[str, Any] = {"type": "sqlite", "path": str(tmp_path / "stock.db")}
    if stock == "redis":
        theirs = {"type": "redis", "connection_string": f"127.0.0.1:{redis_server.port}"}
    asked = {"customer_id": ["dee", "nobody", *IDS, "dee"]}
    answers = []
    for name, online in (("stock", theirs), ("ours", online_store)):
        store = open_feast(tmp_path / name, online)
        view = view_of("everything", tmp_path / "all.parquet", TYPES)
        store.apply([CUSTOMER, view, FeatureService(name="all", features=[view])])
        store.materialize(NOW - 2 * HOUR, NOW)
        service = store.get_feature_service("all")
        response = store.get_online_features(service, asked)
        answers.append((answer_of(response.proto), response.to_dict()))
    (stock_answer, stock_dict), (answer, as_dict) = answers

    assert as_dict == stock_dict
    assert list(answer) == list(stock_answer)
    for name, cells in answer.items():
        for (value, status, second), (their_value, their_status, their_second) in zip(
            cells, stock_answer[name], strict=True
        ):
            assert (value, second) == (their_value, their_second)
            if status == FieldStatus.NULL_VALUE:  # Feast calls a null present, and says nothing
                assert (value, their_status) == (b"", FieldStatus.PRESENT)
            elif stock == "sqlite":  # its Redis store finds everybody, with nulls
                assert status == their_status


def test_who_is_not_there_is_told_from_a_null(feast: FeatureStore) -> None:
    feast.push("pushes", pushed(["ann"], [None], [1]))

    answer = feast.get_online_features(["spend_view:spend"], {"customer_id": ["ann", "bob"]})

    assert statuses_of(answer.proto, "spend") == ["NULL_VALUE", "NOT_FOUND"]
    stamps = answer.proto.results[1].event_timestamps
    assert [stamp.seconds for stamp in stamps] == [int((NOW - HOUR).timestamp()), 0]


@pytest.mark.parametrize(("hours_old", "status"), [(23, "PRESENT"), (25, "OUTSIDE_MAX_AGE")])
def test_time_to_live_is_honoured(feast: FeatureStore, hours_old: int, status: str) -> None:
    feast.push("pushes", pushed(["ann"], [1.0], [hours_old]))

    answer = feast.get_online_features(
        ["spend_view:spend", "spend_view:segment"], {"customer_id": ["ann", "bob"]}
    )

    for feature in ("spend", "segment"):
        assert statuses_of(answer.proto, feature) == [status, "NOT_FOUND"]
        assert (answer.to_dict()[feature][0] is None) == (status != "PRESENT")
    assert answer.proto.results[1].event_timestamps[0].seconds > 0


def test_pushes_out_of_order_and_twice_leave_the_newest(feast: FeatureStore) -> None:
    feast.push("pushes", pushed(["ann", "ann", "bob"], [2.0, 1.0, 5.0], [1, 2, 1]))
    feast.push("pushes", pushed(["ann", "bob"], [0.5, 6.0], [3, 1]))

    assert spend_of(feast, ["ann", "bob"]) == [2.0, 6.0]


def test_materializing_twice_changes_nothing_and_later_pushes_stay(feast: FeatureStore) -> None:
    feast.push("pushes", pushed(["ann", "eve"], [9.0, 8.0], [0.5, 0.5]))

    for _ in range(2):
        feast.materialize(NOW - 2 * HOUR, NOW)

    assert spend_of(feast, [*IDS, "eve"]) == [9.0, 2.0, 3.0, 4.0, 8.0]


def test_incremental_runs_take_up_where_the_last_one_ended(
    feast: FeatureStore, tmp_path: Path
) -> None:
    feast.materialize_incremental(NOW - HOUR / 2)
    before = spend_of(feast, list(IDS))
    write_spend(tmp_path, [7.0], ids=["bob"], event=NOW - HOUR / 4)
    feast.materialize_incremental(NOW)

    assert before == [1.0, 2.0, 3.0, 4.0]
    assert spend_of(feast, list(IDS)) == [1.0, 7.0, 3.0, 4.0]


def test_features_left_out_of_a_write_keep_their_value(feast: FeatureStore) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    view, online = feast.get_feature_view("spend_view"), columnar(feast)
    key = EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val="ann")])

    online.online_write_batch(
        feast.config, view, [(key, {"spend": Value(double_val=5.0)}, NOW, None)], None
    )

    ((moment, values),) = online.online_read(feast.config, view, [key])
    assert moment == NOW
    assert values == {"spend": Value(double_val=5.0), "segment": Value(string_val="segment 1.0")}


def test_several_views_of_one_customer_are_one_round_trip(
    feast: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "all.parquet", COLUMNS)
    more = view_of("more", tmp_path / "all.parquet", TYPES)
    spend = feast.get_feature_view("spend_view")
    both = FeatureService(name="both", features=[more[["orders"]], spend, more[["labels"]]])
    feast.apply([more, both])
    feast.materialize(NOW - 2 * HOUR, NOW)
    rows = columnar(feast).rows(feast.config)
    read, trips = rows.read_rows, list[list[str]]()

    def counted(views: Any, keys: Any) -> Any:
        trips.append(list(views))
        return read(views, keys)

    monkeypatch.setattr(rows, "read_rows", counted)
    answer = feast.get_online_features(
        feast.get_feature_service("both"), {"customer_id": ["bob", "ann"]}, full_feature_names=True
    ).to_dict()

    assert [sorted(views) for views in trips] == [["more", "spend_view"]]
    assert answer["more__orders"] == [2**60, 0]
    assert answer["more__labels"] == [[""], ["a", "b"]]
    assert answer["spend_view__spend"] == [2.0, 1.0]


def test_async_answers_are_the_same(feast: FeatureStore) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    asked: dict[str, list[str]] = {"customer_id": ["bob", "nobody", "bob"]}
    features = ["spend_view:spend", "spend_view:segment"]

    async def there() -> Any:
        await feast.push_async("pushes", pushed(["bob"], [3.5], [0.25]))
        view = feast.get_feature_view("spend_view")
        key = EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val="bob")])
        read = await columnar(feast).online_read_async(feast.config, view, [key], ["spend"])
        try:
            return await feast.get_online_features_async(features, asked), read
        finally:
            await feast.close()

    answer, read = asyncio.run(there())

    assert answer.proto == feast.get_online_features(features, asked).proto
    assert answer.to_dict()["spend"] == [3.5, None, 3.5]
    assert [values for _, values in read] == [{"spend": Value(double_val=3.5)}]


def test_deleted_entity_is_gone_and_no_one_else(feast: FeatureStore) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    keys = [
        EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=name)])
        for name in ("bob", "nobody")
    ]

    view = feast.get_feature_view("spend_view")
    deleted = columnar(feast).delete_entities(feast.config, view, keys)

    assert deleted == 1
    assert spend_of(feast, list(IDS)) == [1.0, None, 3.0, 4.0]


def test_dropped_view_is_gone_and_no_other(feast: FeatureStore, tmp_path: Path) -> None:
    write_rows(tmp_path / "all.parquet", COLUMNS)
    more = view_of("more", tmp_path / "all.parquet", TYPES)
    feast.apply([more])
    feast.materialize(NOW - 2 * HOUR, NOW)
    rows = columnar(feast).rows(feast.config)
    before = rows.views()

    feast.apply([], objects_to_delete=[feast.get_feature_view("more")], partial=False)

    assert (set(before), rows.views()) == ({"more", "spend_view"}, ("spend_view",))
    assert spend_of(feast, ["ann"]) == [1.0]
    feast.teardown()  # type: ignore[no-untyped-call] # Feast's
    assert columnar(feast).rows(feast.config).views() == ()


def test_changed_view_answers_from_old_and_new_rows(feast: FeatureStore, tmp_path: Path) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    wider = {"spend": Float64, "orders": Int64, "segment": Float64}
    batch = source_of("spend_view", tmp_path / "spend.parquet")
    pushes = PushSource(name="pushes", batch_source=batch)
    feast.apply([view_of("spend_view", tmp_path, wider, source=pushes)])
    frame = pushed(["ann"], [5.0], [0.5]).assign(orders=3, segment=0.25)
    feast.push("pushes", frame)

    features = [f"spend_view:{name}" for name in wider]
    answer = feast.get_online_features(features, {"customer_id": ["ann", "bob"]})

    assert answer.to_dict() == {
        "customer_id": ["ann", "bob"],
        "spend": [5.0, 2.0],
        "orders": [3, None],
        "segment": [0.25, None],
    }
    assert statuses_of(answer.proto, "spend") == ["PRESENT", "PRESENT"]
    assert statuses_of(answer.proto, "orders") == ["PRESENT", "NOT_FOUND"]
    assert statuses_of(answer.proto, "segment") == ["PRESENT", "NOT_FOUND"]


def test_open_reader_learns_of_a_schema_from_others(
    feast: FeatureStore, online_store: dict[str, Any], tmp_path: Path
) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    assert spend_of(feast, ["ann"]) == [1.0]
    other = open_feast(tmp_path, online_store)
    batch = source_of("spend_view", tmp_path / "spend.parquet")
    pushes = PushSource(name="pushes", batch_source=batch)
    narrow = view_of("spend_view", tmp_path, {"spend": Float64}, source=pushes)
    other.apply([narrow])

    other.push("pushes", pushed(["ann"], [6.0], [0.5]))

    assert spend_of(feast, ["ann", "bob"]) == [6.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "ids"), [(ValueType.INT64, [7, -1, 2**40, 0]), (ValueType.INT32, [7, -1, 3, 0])]
)
def test_numbers_are_keys_as_well(
    online_store: dict[str, Any], tmp_path: Path, kind: ValueType, ids: list[int]
) -> None:
    number = Entity(name="number", join_keys=["customer_id"], value_type=kind)
    write_spend(tmp_path, [1.0, 2.0, 3.0, 4.0], ids=ids)
    store = open_feast(tmp_path, online_store)
    view = view_of("spend_view", tmp_path / "spend.parquet", SPEND, entity=number)
    store.apply([number, view])

    store.materialize(NOW - 2 * HOUR, NOW)

    answer = store.get_online_features(["spend_view:spend"], {"customer_id": [ids[2], ids[1]]})
    assert answer.to_dict()["spend"] == [3.0, 2.0]


def test_damaged_row_is_not_found_and_told_in_the_log(
    online_store: dict[str, Any], feast: FeatureStore, caplog: pytest.LogCaptureFixture
) -> None:
    feast.materialize(NOW - 2 * HOUR, NOW)
    rows = columnar(feast).rows(feast.config)
    ((row,),) = rows.read_rows(["spend_view"], [b"ann"])
    assert row is not None
    damaged = row[:-6] + bytes([row[-6] ^ 1]) + row[-5:]
    rows.write_rows("spend_view", [b"ann"], [damaged])

    with caplog.at_level(logging.WARNING, "features.online_store"):
        answer = feast.get_online_features(["spend_view:spend"], {"customer_id": ["ann", "bob"]})

    assert statuses_of(answer.proto, "spend") == ["NOT_FOUND", "PRESENT"]
    assert "1 rows of spend_view are damaged" in caplog.text


def test_request_without_the_join_key_is_feasts_own_error(feast: FeatureStore) -> None:
    with pytest.raises(KeyError, match="customer_id"):
        feast.get_online_features(["spend_view:spend"], {"customer_id": []})


def test_view_versions_are_told_when_asked_for(feast: FeatureStore) -> None:
    answer = feast.get_online_features(
        ["spend_view:spend"], {"customer_id": ["ann"]}, include_feature_view_version_metadata=True
    )

    assert [view.name for view in answer.proto.metadata.feature_view_metadata] == ["spend_view"]


def test_view_without_ttl_never_ages(online_store: dict[str, Any], tmp_path: Path) -> None:
    write_spend(tmp_path, [1.0], ids=["ann"], event=NOW - timedelta(days=900))
    store = open_feast(tmp_path, online_store)
    path = tmp_path / "spend.parquet"
    store.apply([CUSTOMER, view_of("spend_view", path, SPEND, ttl=timedelta(0))])

    store.materialize(NOW - timedelta(days=1000), NOW)

    assert spend_of(store, ["ann"]) == [1.0]
