"""Windows of a real offline store: DuckDB over Parquet files."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.types import Float64
from feast.value_type import ValueType

from features.online_store.offline_window import OfflineWindow
from tests.features.online_store.feast_projects import (
    CUSTOMER,
    HOUR,
    NOW,
    SQLITE,
    open_feast,
    source_of,
    view_of,
    write_rows,
)

pytestmark = [
    pytest.mark.integration,
    # Ibis calls DuckDB by an old name.
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
]

CROWD = [f"customer {number:05}" for number in range(5_000)]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    write_crowd(tmp_path / "1.parquet", CROWD)
    store = open_feast(tmp_path, {"type": SQLITE, "path": str(tmp_path / "online.db")})
    source = source_of("spend", tmp_path / "*.parquet")
    store.apply([CUSTOMER, view_of("spend", tmp_path, {"spend": Float64}, source=source)])
    return store


def write_crowd(path: Path, ids: list[str], *, hours_ago: float = 1) -> None:
    columns: dict[str, Any] = {"spend": (pa.float64(), [float(len(each)) for each in ids])}
    write_rows(path, columns, ids=ids, event=NOW - hours_ago * HOUR)


def window_of(store: FeatureStore, end: datetime = NOW) -> OfflineWindow:
    provider: Any = store._get_provider()
    view, entities = store.get_feature_view("spend"), (store.get_entity("customer"),)
    return OfflineWindow(store.config, provider.offline_store, view, entities, NOW - 9 * HOUR, end)


@pytest.mark.parametrize("rows", [1_999, 5_000, 9_999])
def test_batches_are_of_one_size_in_the_order_of_the_file(store: FeatureStore, rows: int) -> None:
    window = window_of(store)

    batches = list(window.batches(rows))

    assert [batch.num_rows for batch in batches[:-1]] == [rows] * (len(batches) - 1)
    assert [name for batch in batches for name in batch["customer_id"].to_pylist()] == CROWD
    assert window.count == len(CROWD)
    assert window.join_keys == {"customer_id": ValueType.STRING}


def test_rows_outside_of_the_window_are_left_out(store: FeatureStore, tmp_path: Path) -> None:
    write_crowd(tmp_path / "2.parquet", ["late"], hours_ago=0.25)
    write_crowd(tmp_path / "3.parquet", ["early"], hours_ago=10)

    window = window_of(store, NOW - HOUR / 2)

    assert window.count == len(CROWD)
    assert window.is_distinct


def test_the_latest_row_of_each_entity_is_picked(store: FeatureStore, tmp_path: Path) -> None:
    write_crowd(tmp_path / "2.parquet", CROWD[:10], hours_ago=0.5)
    window = window_of(store)

    batches = list(window.batches(10_000))

    assert not window.is_distinct
    assert sum(batch.num_rows for batch in batches) == len(CROWD)
    moments = {moment for batch in batches for moment in batch["happened_at"].to_pylist()}
    assert moments == {NOW - HOUR, NOW - HOUR / 2}


def test_fingerprint_stands_for_the_files_and_the_window(
    store: FeatureStore, tmp_path: Path
) -> None:
    before = window_of(store).fingerprint()

    again = window_of(store).fingerprint()
    shorter = window_of(store, NOW - HOUR / 2).fingerprint()
    os.utime(tmp_path / "1.parquet", (1, 1))
    touched = window_of(store).fingerprint()

    assert again == before
    assert len({before, shorter, touched}) == 3


def test_rows_without_an_order_are_never_the_same_twice(
    store: FeatureStore, tmp_path: Path
) -> None:
    write_crowd(tmp_path / "2.parquet", CROWD[:10], hours_ago=0.5)

    assert window_of(store).fingerprint() != window_of(store).fingerprint()


def test_two_windows_stream_at_once(store: FeatureStore) -> None:
    first, second = window_of(store).batches(1_000), window_of(store).batches(1_000)

    pairs = list(zip(first, second, strict=True))

    assert all(one.equals(other) for one, other in pairs)
    assert len(pairs) == 5
