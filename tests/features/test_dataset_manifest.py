import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from features import dataset_manifest
from features.catalogue import feature_columns
from features.contracts.errors import FeatureStoreError
from features.contracts.settings import Settings
from features.dataset_manifest import (
    MANIFEST,
    DatasetManifest,
    configuration_digest,
    make_manifest,
    read_dataset_hash,
    table_digest,
)
from features.snapshots import write_snapshots
from tests.features.hand_made import MICROSECOND, Bench, Row, T, ago, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

FEW = {"orders": frozenset({"customer_id", "ordered_at"})}
PROJECT: dict[str, Any] = {
    "version": 1,
    "timezone": "Europe/London",
    "data": {
        "tables": {
            "orders": {
                "path": "orders.parquet",
                "columns": {"customer_id": "customer", "ordered_at": "bought"},
            }
        }
    },
    "goals": {"churn": {"horizon_days": 28}},
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def settings(**changes: Any) -> Settings:
    return Settings(**{**PROJECT, **changes})


def rows(number: int = 60) -> list[Row]:
    return [
        order(ago(days=1 + number), f"{number}.10", customer=f"customer {number % 7}")
        for number in range(number)
    ]


def build(bench: Bench, orders: list[Row], folder: Path, **changes: Any) -> DatasetManifest:
    bench.fill(orders)
    moments = [T.plus_days(-14), T]
    tables = {"orders": bench.tables["orders"]}
    files = {
        str(file.as_of): file.path
        for file in write_snapshots(bench.connection, tables, FEW, moments, folder)
    }
    return make_manifest(bench.connection, tables, settings(**changes), feature_columns(FEW), files)


def test_the_same_rows_in_another_order_give_the_same_bytes_and_hash(
    bench: Bench, tmp_path: Path
) -> None:
    shuffled = rows()
    Random(5).shuffle(shuffled)

    first = build(bench, rows(), tmp_path / "first")
    second = build(bench, shuffled, tmp_path / "second")

    assert second == first
    assert second.dataset_hash == first.dataset_hash
    for name in first.files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_manifest_tells_what_the_snapshots_are(bench: Bench, tmp_path: Path) -> None:
    made = build(bench, rows(), tmp_path)

    assert made.moments == (str(T.plus_days(-14)), str(T))
    assert made.columns == feature_columns(FEW)
    assert set(made.tables) == {"orders"}
    assert {path.name for path in tmp_path.iterdir()} == set(made.files)


DIFFERENT: dict[str, Callable[[list[Row]], list[Row]]] = {
    "one row less": lambda rows: rows[1:],
    "one row twice": lambda rows: [*rows, rows[0]],
    "a later time": lambda rows: [order(ago(days=1) + MICROSECOND, "0.10"), *rows[1:]],
    "another amount": lambda rows: [order(ago(days=1), "0.1001", customer="customer 0"), *rows[1:]],
    "null for a text": lambda rows: [order(ago(days=1), "0.10", channel="web"), *rows[1:]],
}


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT)
def test_other_rows_have_another_digest(
    change: Callable[[list[Row]], list[Row]], bench: Bench
) -> None:
    digests = []
    for content in (rows(), change(rows())):
        bench.fill(content)
        digests.append(table_digest(bench.connection, bench.tables["orders"]))

    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    "changes",
    [{"timezone": "UTC"}, {"features": {"ttl_days": 9}}, {"data": {**PROJECT["data"], "url": "x"}}],
    ids=["time zone", "features", "data"],
)
def test_settings_that_features_depend_on_change_the_configuration(changes: Any) -> None:
    assert configuration_digest(settings(**changes)) != configuration_digest(settings())


def test_other_settings_do_not_change_the_configuration() -> None:
    assert configuration_digest(settings(seed=99)) == configuration_digest(settings())


def test_other_code_makes_another_data_set(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(bench, rows(), tmp_path)
    monkeypatch.setattr(dataset_manifest, "code_digest", lambda _: "other")

    assert build(bench, rows(), tmp_path).dataset_hash != before.dataset_hash


@pytest.fixture
def written(bench: Bench, tmp_path: Path) -> DatasetManifest:
    made = build(bench, rows(), tmp_path)
    (tmp_path / MANIFEST).write_text(made.to_json(), encoding="utf-8")
    return made


def test_a_manifest_is_read_back_with_its_hash(written: DatasetManifest, tmp_path: Path) -> None:
    assert read_dataset_hash(tmp_path) == written.dataset_hash


def test_a_changed_manifest_is_refused(written: DatasetManifest, tmp_path: Path) -> None:
    content = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    content["moments"] = []
    (tmp_path / MANIFEST).write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(FeatureStoreError, match="was changed after the build: run `bellwether"):
        read_dataset_hash(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"tables": {}}'], ids=["empty", "list", "no hash"])
def test_a_broken_manifest_names_the_command_that_rebuilds_it(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")

    with pytest.raises(FeatureStoreError, match=r"cannot be read .*run `bellwether features build"):
        read_dataset_hash(tmp_path)


def test_snapshots_without_a_manifest_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match=f"have no {MANIFEST}: run `bellwether features"):
        read_dataset_hash(tmp_path)
