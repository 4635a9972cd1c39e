from pathlib import Path

import pytest
import yaml

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName
from features.contracts.settings import PROJECT_FILE
from pipelines.wiring import open_project, silent
from tests.pipelines.projects import checksums, project_content, write_project, write_project_file

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_folder_and_file_open_the_same_project(tmp_path: Path) -> None:
    write_project_file(tmp_path)

    by_folder, by_file = open_project(tmp_path), open_project(tmp_path / PROJECT_FILE)

    assert by_folder.settings == by_file.settings
    assert by_folder.layout.state == by_file.layout.state == tmp_path / "state"


def test_missing_project_names_the_place_and_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no project file .*bellwether\.yaml.*init"):
        open_project(tmp_path)


def test_project_file_that_is_a_link_keeps_its_files_beside_the_link(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted" / "..data"
    mounted.mkdir(parents=True)
    write_project_file(mounted)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / PROJECT_FILE).symlink_to(mounted / PROJECT_FILE)

    assert open_project(folder).layout.root == folder


def test_opening_a_project_writes_nothing(tmp_path: Path) -> None:
    write_project_file(tmp_path)
    before = checksums(tmp_path)

    project = open_project(tmp_path)
    project.reader()
    project.registry()
    project.tracker()
    project.score_log()

    assert checksums(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [PROJECT_FILE]


def test_everything_that_is_written_lies_in_the_project_wherever_it_is_opened_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    write_project_file(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)

    project = open_project(Path("shop"))

    uri = project.layout.tracking_uri(project.settings.tracking)
    assert uri == f"sqlite:///{tmp_path}/shop/state/tracking.db"
    assert project.layout.artifacts.is_relative_to(tmp_path / "shop")
    assert project.layout.score_log.is_relative_to(tmp_path / "shop")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///runs/mlflow.db", "sqlite:///{root}/runs/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_relative_tracking_file_lies_in_the_project(
    uri: str, expected: str, tmp_path: Path
) -> None:
    project = write_project_file(tmp_path, tracking={"uri": uri})

    found = project.layout.tracking_uri(project.settings.tracking)

    assert found == expected.format(root=tmp_path)


def test_clock_stands_still_at_midnight_of_the_projects_zone(tmp_path: Path) -> None:
    project = write_project_file(tmp_path, timezone="Europe/Athens")

    assert project.clock == AsOf.parse("1998-04-01T00:00:00+03:00")


def test_clock_runs_when_none_is_set(tmp_path: Path) -> None:
    assert write_project_file(tmp_path, serving={}).clock is None


def test_goal_that_the_project_lacks_is_named_beside_those_it_has(tmp_path: Path) -> None:
    goals = {"churn": {"horizon_days": 28}}
    project = write_project_file(tmp_path, goals=goals)

    assert project.goal(GoalName.CHURN).horizon_days == 28
    with pytest.raises(ConfigurationError, match=r"no goal clv, only churn; add it under `goals`"):
        project.goal(GoalName.CLV)


def test_orders_are_read_without_the_other_tables(tmp_path: Path) -> None:
    write_project(tmp_path)
    content = project_content()
    content["data"]["tables"]["messages"] = {
        "path": "gone.parquet",
        "columns": {"customer_id": "c", "sent_at": "t"},
    }
    (tmp_path / PROJECT_FILE).write_text(yaml.safe_dump(content))

    data = open_project(tmp_path).load_orders()
    try:
        assert list(data.tables) == ["orders"]
        assert data.tables["orders"].count().to_pyarrow().as_py() == 6919
    finally:
        data.close()


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    silent("a step")

    assert capsys.readouterr() == ("", "")


def test_tables_that_spark_reads_where_they_are_cannot_be_pushed_to(tmp_path: Path) -> None:
    spark = {"engine": "spark", "spark": {"tables": {"events": "lake.events"}}}
    project = write_project_file(tmp_path, features=spark)

    with pytest.raises(ConfigurationError, match=r"Spark reads events .*features\.spark\.tables"):
        project.pusher()
