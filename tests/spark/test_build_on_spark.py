"""The whole command on Spark, on a small synthetic shop: the snapshots are those of DuckDB."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from features.contracts.as_of import AsOf
from features.contracts.layout import Layout
from features.contracts.settings import PROJECT_FILE
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.writing import write_shop
from tests.pipelines.command_line import Ended, run

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:fetch_arrow_table")]

PLAN = ShopPlan(customers=400, seed=4, days=200, end=AsOf.parse("2026-01-01"))
ONE_GOAL = {"clv": {"horizon_days": 60}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("shops") / "duckdb", PLAN).folder
    content = yaml.safe_load((folder / PROJECT_FILE).read_text(encoding="utf-8"))
    content |= {"goals": ONE_GOAL, "training": {"moments": 2, "step_days": 30}}
    (folder / PROJECT_FILE).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(shop: Path) -> Ended:
    return run("features", "build", "--project", shop)


@pytest.fixture(scope="module")
def on_spark(spark: Any, shop: Path) -> Path:
    folder = shop.parent / "spark"
    shutil.copytree(shop, folder, ignore=shutil.ignore_patterns("state"))
    return folder


@pytest.fixture(scope="module")
def built_on_spark(on_spark: Path) -> Ended:
    return run("features", "build", "--project", on_spark, "--engine", "spark")


def snapshots(folder: Path) -> dict[str, pa.Table]:
    files = sorted(Layout(folder).snapshots.glob("*.parquet"))
    return {file.name: pq.ParquetFile(file).read() for file in files}


def test_command_ends_alike(built: Ended, built_on_spark: Ended) -> None:
    assert (built.code, built_on_spark.code) == (0, 0), built_on_spark.errors
    told, told_on_spark = (ended.out[-1].split(" -> ")[0] for ended in (built, built_on_spark))
    assert told_on_spark == told
    assert "features of" in told


def test_snapshots_hold_the_same(
    shop: Path, on_spark: Path, built: Ended, built_on_spark: Ended
) -> None:
    expected, found = snapshots(shop), snapshots(on_spark)

    assert len(expected) >= 3
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        assert found[name].schema.equals(table.schema)
        assert found[name].equals(table)


def test_nothing_on_its_way_is_left(on_spark: Path, built_on_spark: Ended, spark: Any) -> None:
    assert list((Layout(on_spark).state / "spark").iterdir()) == []
    assert not any("read_parquet" in name for name in spark.list_tables())
