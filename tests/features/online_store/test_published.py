"""What is online, and when: publishing with the real Feast."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.contracts.errors import FeatureStoreError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.vectors import Presence
from features.store import FeatureReader, open_reader
from tests.features.snapshot_project import (
    COLUMNS,
    EVERYBODY,
    FIRST,
    GOALS,
    SERVICES,
    assert_same,
    random_features,
    same_bits,
    settings,
    small_project,
    values_of,
    write_snapshot,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return small_project(tmp_path)


@pytest.fixture
def reader(layout: Layout) -> FeatureReader:
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    return reader


def test_older_moment_never_overwrites_a_newer_one(layout: Layout, reader: FeatureReader) -> None:
    newer = FIRST.plus_days(1)
    assert reader.publish(newer) == 3
    before = reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES)

    with pytest.raises(FeatureStoreError, match="replace what is online"):
        reader.publish(FIRST)

    assert_same(reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES), before)
    assert reader.publish(FIRST, replace=True) == 3
    assert values_of(
        reader.online(EVERYBODY[:3], as_of=FIRST, services=SERVICES), "orders_30d"
    ) == [1.0, 1.0, 1.0]
    assert reader.status().online_as_of == FIRST


def test_publishing_replaces_everything_at_once(layout: Layout, reader: FeatureReader) -> None:
    newer = FIRST.plus_days(1)
    write_snapshot(layout, newer, EVERYBODY[:1], np.full((1, len(COLUMNS)), np.nan))

    reader.publish(FIRST)
    counts = [reader.publish(newer)]
    once = reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES)
    counts.append(reader.publish(newer))
    twice = reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES)

    assert counts == [1, 1]
    assert_same(once, twice)
    assert np.isnan(once.values).all()
    gone = Presence.UNKNOWN_CUSTOMER
    assert once.presence.tolist() == [Presence.PRESENT, gone, gone]


def test_refresh_writes_row_by_row_and_the_newest_wins(
    layout: Layout, reader: FeatureReader
) -> None:
    middle, newest = FIRST.plus_days(1), FIRST.plus_days(2)
    write_snapshot(layout, middle, EVERYBODY[:2], np.full((2, len(COLUMNS)), 5.0))
    write_snapshot(layout, newest, EVERYBODY[1:2], np.full((1, len(COLUMNS)), 7.0))
    reader.publish(FIRST)

    reader.refresh(newest, timedelta(days=1.5))
    reader.refresh(newest, timedelta(days=1.5))

    online = reader.online(EVERYBODY[:4], as_of=newest, services=SERVICES)
    assert values_of(online, "orders_30d")[:3] == [5.0, 7.0, 1.0]
    assert online.presence.tolist() == [Presence.PRESENT] * 3 + [Presence.UNKNOWN_CUSTOMER]
    expected = [middle, newest, FIRST]
    assert online.features_as_of.tolist()[:3] == [moment.naive_utc for moment in expected]


def test_refresh_of_the_past_changes_nothing(layout: Layout, reader: FeatureReader) -> None:
    newer = FIRST.plus_days(1)
    reader.publish(newer)
    before = reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES)

    reader.refresh(FIRST, timedelta(0))

    assert_same(reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES), before)


def test_status_tells_customers_versions_and_ages(layout: Layout, reader: FeatureReader) -> None:
    newer = FIRST.plus_days(1)
    write_snapshot(layout, newer, EVERYBODY[:1], np.full((1, len(COLUMNS)), 5.0))
    reader.publish(FIRST)
    reader.apply({GoalName.CHURN: ("orders_30d",)})

    reader.refresh(newer, timedelta(0))

    status = reader.status()
    online = status.online["customer_features"]
    assert status.online_as_of == FIRST
    assert sorted(online.rows_by_fingerprint.values()) == [1, 2]
    assert (online.rows, online.refreshing) == (3, None)
    assert online.oldest_event_us == FIRST.moment.timestamp() * 1e6
    assert online.newest_event_us == newer.moment.timestamp() * 1e6


def test_old_rows_answer_a_new_service_as_far_as_they_can(
    layout: Layout, reader: FeatureReader
) -> None:
    newer = FIRST.plus_days(1)
    reader.publish(newer)
    old_reader = open_reader(settings(), layout)
    before = old_reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES)

    reader.apply({GoalName.CHURN: ("clicks_7d", "orders_30d")})

    assert_same(old_reader.online(EVERYBODY[:3], as_of=newer, services=SERVICES), before)
    fewer = reader.online(EVERYBODY[:3], as_of=newer, services=["churn_v1"])
    assert fewer.columns == ("clicks_7d", "orders_30d")
    assert fewer.values.tolist() == [[2.0, 2.0]] * 3


def test_threads_read_the_same_while_a_publication_is_written(
    layout: Layout, reader: FeatureReader
) -> None:
    rng = np.random.default_rng(3)
    crowd = [f"member {number}" for number in range(400)]
    moments = [FIRST.plus_days(days) for days in (0, 1)]
    tables = [random_features(rng, len(crowd), len(COLUMNS)) for _ in moments]
    for as_of, values in zip(moments, tables, strict=True):
        write_snapshot(layout, as_of, crowd, values)
    reader.publish(moments[0])
    truth = {np.datetime64(m.naive_utc): values for m, values in zip(moments, tables, strict=True)}
    written = threading.Event()

    def read(seed: int) -> int:
        picks, reads = np.random.default_rng(seed), 0
        while not written.is_set() or reads < 20:
            rows = picks.integers(0, len(crowd), 7)
            asked = [crowd[row] for row in rows]
            vectors = reader.online(asked, as_of=moments[1], services=SERVICES)
            for row, moment, values in zip(
                rows, vectors.features_as_of, vectors.select(COLUMNS), strict=True
            ):
                assert same_bits(values, truth[moment][row])
            reads += 1
        return reads

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read, seed) for seed in range(7)]
        try:
            assert pool.submit(reader.publish, moments[1]).result() == 400
        finally:
            written.set()
        assert all(future.result() >= 20 for future in readers)


def test_readers_do_not_wait_for_a_writer(layout: Layout, reader: FeatureReader) -> None:
    reader.publish(FIRST)
    with closing(sqlite3.connect(layout.online_store)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        vectors = reader.online(EVERYBODY[:3], as_of=FIRST, services=SERVICES)

    assert values_of(vectors, "orders_30d") == [1.0, 1.0, 1.0]
