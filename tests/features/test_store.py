"""The feature store with the real Feast: one project per module, read-only tests share it."""

import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.vectors import FeatureVectors, Presence
from features.recomputation import FreshFeatures
from features.request_time import RequestTimePlan, Step
from features.snapshots import snapshot_path
from features.store import FeatureReader, open_reader
from tests.features.snapshot_project import (
    COLUMNS,
    EVERYBODY,
    FIRST,
    GOALS,
    MOMENTS,
    NEWEST,
    SERVICES,
    TTL_DAYS,
    UNION,
    assert_same,
    oracle,
    random_features,
    same_bits,
    settings,
    small_project,
    values_of,
    write_snapshot,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A project whose newest snapshot is online; each moment misses some customers."""
    layout = Layout(tmp_path_factory.mktemp("project [1]"))
    rng = np.random.default_rng(7)
    for as_of in MOMENTS:
        there = [customer for customer in EVERYBODY if rng.random() < 0.8]
        write_snapshot(layout, as_of, there, random_features(rng, len(there), len(COLUMNS)))
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    reader.publish(NEWEST)
    return layout


@pytest.fixture(scope="module")
def reader(built: Layout) -> FeatureReader:
    return open_reader(settings(), built)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return small_project(tmp_path)


@pytest.mark.parametrize("days", [-1.0, 0.0, 1.5, 6.9, 7.1, 20.0, 27.0, 29.5, 400.0])
def test_historical_agrees_with_plain_sql(
    reader: FeatureReader, built: Layout, days: float
) -> None:
    rng = np.random.default_rng(int(days * 10) + 99)
    asked = [*rng.choice(EVERYBODY, 40).tolist(), "nobody", EVERYBODY[0], EVERYBODY[0]]
    as_of = FIRST.plus_days(days)

    vectors = reader.historical(asked, as_of=as_of, services=SERVICES)

    assert_same(vectors, oracle(built, asked, as_of))
    assert vectors.values.dtype == np.float64
    assert vectors.values.flags.c_contiguous


def test_pairs_of_the_oracle_meet_every_presence(built: Layout) -> None:
    seen = {
        presence
        for days in (0.0, 7.1, 27.0)
        for presence in oracle(built, EVERYBODY, FIRST.plus_days(days)).presence.tolist()
    }

    assert seen == set(Presence)


@pytest.mark.parametrize("days_later", [0.0, 0.5, TTL_DAYS])
def test_online_equals_historical_after_publish(reader: FeatureReader, days_later: float) -> None:
    asked = [*reversed(EVERYBODY), "nobody", EVERYBODY[3], EVERYBODY[3]]
    # Only who is in the newest snapshot: the others were never published.
    there = reader.online(asked, as_of=NEWEST, services=SERVICES).presence == Presence.PRESENT
    asked = [customer for customer, present in zip(asked, there, strict=True) if present]
    as_of = NEWEST.plus_days(days_later)

    online = reader.online(asked, as_of=as_of, services=SERVICES)

    assert len(asked) > 30
    assert_same(online, reader.historical(asked, as_of=as_of, services=SERVICES))
    assert np.isnan(online.values).any()


def test_online_equals_the_snapshot_file(reader: FeatureReader, built: Layout) -> None:
    snapshot = pq.read_table(snapshot_path(built.snapshots, NEWEST))
    asked = [str(customer) for customer in snapshot["customer_id"].to_pylist()]

    online = reader.online(asked, as_of=NEWEST, services=SERVICES)

    stored = np.column_stack([snapshot[column].to_numpy() for column in UNION])
    assert same_bits(online.values, np.ascontiguousarray(stored))


def test_historical_is_the_same_in_threads(reader: FeatureReader) -> None:
    def read(as_of: AsOf) -> FeatureVectors:
        return reader.historical(EVERYBODY, as_of=as_of, services=SERVICES)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, MOMENTS))

    for as_of, vectors in zip(MOMENTS, together, strict=True):
        assert_same(vectors, read(as_of))


def test_services_keep_their_own_columns_in_order(reader: FeatureReader) -> None:
    assert set(reader.services()) == set(SERVICES)
    assert reader.columns("churn_v1") == ("days_since_last_order", "orders_30d")
    assert reader.columns("clv_v1") == ("spend_90d", "orders_30d", "clicks_7d")


def test_unknown_customer_is_not_a_null_feature(layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    write_snapshot(layout, FIRST, ["all null"], np.full((1, len(COLUMNS)), np.nan))
    reader.publish(FIRST)

    for read in (reader.online, reader.historical):
        vectors = read(["all null", "nobody"], as_of=FIRST, services=["churn_v1"])

        assert vectors.presence.tolist() == [Presence.PRESENT, Presence.UNKNOWN_CUSTOMER]
        assert np.isnat(vectors.features_as_of).tolist() == [False, True]
        assert np.isnan(vectors.values).all()


@pytest.mark.parametrize(
    ("seconds", "presence"), [(0, Presence.PRESENT), (1, Presence.STALE), (86_400, Presence.STALE)]
)
def test_features_go_stale_after_the_ttl_and_are_blanked(
    reader: FeatureReader, built: Layout, seconds: int, presence: Presence
) -> None:
    customer = pq.read_table(snapshot_path(built.snapshots, NEWEST))["customer_id"][0].as_py()
    as_of = NEWEST.plus_days(TTL_DAYS + seconds / 86_400)

    online = reader.online([customer], as_of=as_of, services=SERVICES)

    assert online.presence.tolist() == [presence]
    assert online.features_as_of[0] == np.datetime64(NEWEST.naive_utc)
    assert np.isnan(online.values).all() == (presence == Presence.STALE)
    assert_same(online, reader.historical([customer], as_of=as_of, services=SERVICES))


def test_nobody_is_asked_for(reader: FeatureReader) -> None:
    for read in (reader.online, reader.historical):
        assert read([], as_of=NEWEST, services=SERVICES).values.shape == (0, len(UNION))


def test_more_customers_than_one_query_takes(reader: FeatureReader) -> None:
    asked = [f"stranger {number}" for number in range(2_500)] + [EVERYBODY[0]]

    vectors = reader.online(asked, as_of=NEWEST, services=["churn_v1"])

    alone = reader.online([EVERYBODY[0]], as_of=NEWEST, services=["churn_v1"])
    assert len(vectors) == 2_501
    assert same_bits(vectors.values[-1:], alone.values)


def test_historical_does_not_see_what_was_learnt_later(layout: Layout) -> None:
    late = FIRST.plus_days(2)
    values = np.full((3, len(COLUMNS)), 3.0)
    write_snapshot(layout, late, EVERYBODY[:3], values, known_at=late.plus_days(0.5))
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)

    seen = [
        values_of(
            reader.historical(EVERYBODY[:1], as_of=late.plus_days(days), services=["churn_v1"]),
            "orders_30d",
        )
        for days in (0.0, 0.5)
    ]

    assert seen == [[2.0], [3.0]]


def test_online_refuses_to_show_the_future(reader: FeatureReader) -> None:
    earlier = NEWEST.plus_days(-1)

    with pytest.raises(FeatureStoreError, match="bellwether score"):
        reader.online(EVERYBODY, as_of=earlier, services=SERVICES)

    strangers = reader.online(["nobody"], as_of=earlier, services=SERVICES)
    assert strangers.presence.tolist() == [Presence.UNKNOWN_CUSTOMER]


def test_changed_columns_are_registered_and_old_values_never_come_back(layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    reader.apply({GoalName.CHURN: ("orders_30d", "clicks_7d"), GoalName.CLV: ("spend_90d",)})
    reader.publish(FIRST)

    reader.apply({GoalName.CHURN: ("orders_30d",)})
    newer = FIRST.plus_days(1)
    reader.publish(newer)
    fewer = reader.services(), reader.columns("churn_v1")
    reader.apply({GoalName.CHURN: ("orders_30d", "clicks_7d", "spend_90d")})

    assert fewer == (("churn_v1",), ("orders_30d",))
    assert reader.columns("churn_v1") == ("orders_30d", "clicks_7d", "spend_90d")
    historical = reader.historical(EVERYBODY[:3], as_of=newer, services=["churn_v1"])
    assert historical.values.tolist() == [[2.0] * 3] * 3
    with pytest.raises(FeatureStoreError, match="not online yet: clicks_7d, spend_90d"):
        reader.online(EVERYBODY[:3], as_of=newer, services=["churn_v1"])
    reader.publish(newer)
    assert_same(reader.online(EVERYBODY[:3], as_of=newer, services=["churn_v1"]), historical)


def test_applying_again_keeps_what_is_online(layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    reader.publish(FIRST)
    before = reader.online(EVERYBODY[:3], as_of=FIRST, services=SERVICES)

    reader.apply(GOALS)

    assert_same(reader.online(EVERYBODY[:3], as_of=FIRST, services=SERVICES), before)


def test_status_tells_what_there_is(reader: FeatureReader, built: Layout) -> None:
    status = reader.status()

    assert set(status.views) == {"customer_features", "customer_last_seen"}
    assert status.services["clv_v1"] == GOALS[GoalName.CLV]
    assert status.newest_snapshot == NEWEST
    assert status.online_as_of == NEWEST
    snapshot = pq.read_metadata(snapshot_path(built.snapshots, NEWEST))
    assert status.online_customers == snapshot.num_rows


def test_missing_registry_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    reader = open_reader(settings(), Layout(tmp_path))

    for use in (reader.services, reader.status, lambda: reader.publish(FIRST)):
        with pytest.raises(FeatureStoreError, match="bellwether features build"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_missing_parts_are_errors_with_the_next_step(tmp_path: Path, layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    shutil.rmtree(layout.snapshots)
    reader.apply(GOALS)

    with pytest.raises(FeatureStoreError, match=r"no snapshot in .*bellwether features build"):
        reader.historical(EVERYBODY, as_of=FIRST, services=SERVICES)
    with pytest.raises(FeatureStoreError, match=r"no snapshot as of .*bellwether features build"):
        reader.publish(FIRST)
    with pytest.raises(FeatureStoreError, match=r"no features are online.*features build"):
        reader.online(EVERYBODY, as_of=FIRST, services=SERVICES)
    with pytest.raises(FeatureStoreError, match=r"no feature service what_v1, only churn_v1"):
        reader.columns("what_v1")


def test_corrupt_files_are_told_in_one_line(layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    snapshot_path(layout.snapshots, FIRST).write_bytes(b"PAR1 not really")

    for use in (
        lambda: reader.publish(FIRST),
        lambda: reader.historical(EVERYBODY, as_of=FIRST, services=SERVICES),
    ):
        with pytest.raises(FeatureStoreError, match="bellwether features build") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_snapshots_without_a_feature_are_told_apart_from_nulls(layout: Layout) -> None:
    reader = open_reader(settings(), layout)
    reader.apply({GoalName.CHURN: (*COLUMNS, "brand_new")})

    with pytest.raises(FeatureStoreError, match="brand_new"):
        reader.historical(EVERYBODY, as_of=FIRST, services=["churn_v1"])


def test_changed_ttl_asks_for_a_new_build(built: Layout) -> None:
    reader = open_reader(settings(ttl_days=5), built)

    with pytest.raises(FeatureStoreError, match=r"ttl_days .* features build"):
        reader.historical(EVERYBODY, as_of=NEWEST, services=SERVICES)


def test_nothing_is_said_and_no_filter_is_left(
    layout: Layout, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = list(warnings.filters)

    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    reader.publish(FIRST)
    reader.historical(EVERYBODY, as_of=FIRST, services=SERVICES)
    reader.online(EVERYBODY, as_of=FIRST, services=SERVICES)

    assert capfd.readouterr() == ("", "")
    assert list(warnings.filters) == before
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_importing_the_store_is_light() -> None:
    heavy = {"duckdb", "feast", "ibis", "pandas", "pyarrow", "sqlalchemy"}
    code = f"import sys, features.store; print(sorted({heavy} & set(sys.modules)))"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


def moving_project(root: Path) -> FeatureReader:
    """Three customers as of `FIRST`; days since the last order age, and the spend is per day."""
    layout = small_project(root)
    plan = RequestTimePlan(
        ages=("days_since_last_order",),
        steps=(
            Step("column", ("orders_30d",)),
            Step("column", ("days_since_last_order",)),
            Step("divide", (0, 1)),
        ),
        derived={"spend_90d": 2},
    )
    reader = open_reader(settings(), layout)
    reader.apply(GOALS, plan)
    reader.publish(FIRST.plus_days(1))
    return open_reader(settings(), layout)


def test_online_and_historical_bring_forward_alike(tmp_path: Path) -> None:
    reader = moving_project(tmp_path)
    as_of = FIRST.plus_days(2.5)

    online = reader.online(EVERYBODY[:2], as_of=as_of, services=["clv_v1"])

    assert_same(online, reader.historical(EVERYBODY[:2], as_of=as_of, services=["clv_v1"]))
    assert online.columns == GOALS[GoalName.CLV]
    assert values_of(online, "spend_90d") == [2 / 3.5] * 2
    assert values_of(online, "orders_30d") == [2.0] * 2
    assert online.features_as_of[0] == np.datetime64(FIRST.plus_days(1).naive_utc, "us")


def test_features_of_the_moment_keep_every_bit(tmp_path: Path) -> None:
    reader = moving_project(tmp_path)

    vectors = reader.online(EVERYBODY[:1], as_of=FIRST.plus_days(1), services=["clv_v1"])

    assert values_of(vectors, "spend_90d") == [2.0]


def test_a_missing_plan_asks_for_a_build(tmp_path: Path) -> None:
    moving_project(tmp_path)
    layout = Layout(tmp_path)
    layout.request_time.unlink()

    with pytest.raises(FeatureStoreError, match="bellwether features build"):
        open_reader(settings(), layout).columns("clv_v1")


def test_fresh_features_replace_older_ones_only(tmp_path: Path) -> None:
    reader = moving_project(tmp_path)
    columns = ("spend_90d", "orders_30d", "clicks_7d", "days_since_last_order")

    def push(days: float, value: float) -> None:
        names = (EVERYBODY[0], "new customer")
        values = np.array([[value] * 3 + [np.nan]] * 2)
        reader.push(FreshFeatures(FIRST.plus_days(days), names, columns, values))

    push(2, 7.0)
    push(1.5, 8.0)

    asked = (EVERYBODY[0], EVERYBODY[1], "new customer")
    found = reader.online(asked, as_of=FIRST.plus_days(2), services=["clv_v1"])
    assert values_of(found, "orders_30d") == [7.0, 2.0, 7.0]
    push(2, 9.0)
    found = reader.online(asked, as_of=FIRST.plus_days(2), services=["clv_v1"])
    assert values_of(found, "orders_30d") == [9.0, 2.0, 9.0]


def test_pushing_before_anything_is_published_is_refused(tmp_path: Path) -> None:
    layout = small_project(tmp_path)
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)

    with pytest.raises(FeatureStoreError, match="no features are online"):
        reader.push(FreshFeatures(FIRST, ("a",), ("orders_30d",), np.ones((1, 1))))
