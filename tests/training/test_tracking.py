import json
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.contracts.errors import ModelUnavailableError, RegistryDownError
from features.contracts.goals import GoalName
from serving.artifact import save_artifact
from serving.registry import ModelRegistry
from tests.fakes import make_card, tracking_uri, trained_predictor
from tests.repository import ROOT, run_python
from training.tracking import ModelTracker, TrackedVersion

pytestmark = pytest.mark.integration

CHURN = GoalName.CHURN
TAGS = {"data_hash": "ab" * 32, "code_version": "0.1.0", "trained_as_of": "2017-12-04T00:00:00Z"}


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "trained" / "churn"
    save_artifact(directory, make_card(), trained_predictor())
    return directory


@pytest.fixture
def tracker(tmp_path: Path) -> ModelTracker:
    return ModelTracker(tracking_uri(tmp_path), "shop", tmp_path / "artifacts")


def record(tracker: ModelTracker, artifact: Path) -> TrackedVersion:
    return tracker.record(
        CHURN,
        artifact,
        parameters={"num_leaves": 7, "moments": ("2017-10-09", "2017-11-06")},
        metrics={"average_precision": 0.5, "folds": 3, "unknown": None},
        tags=TAGS,
    )


def rows(tmp_path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "tracking.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_recorded_version_holds_the_files_and_says_where_it_comes_from(
    tmp_path: Path, tracker: ModelTracker, artifact: Path
) -> None:
    version = record(tracker, artifact)

    files = Path(version.uri.removeprefix("file://"))
    assert {file.name: file.read_bytes() for file in files.iterdir()} == {
        file.name: file.read_bytes() for file in artifact.iterdir()
    }
    assert files.is_relative_to(tmp_path / "artifacts")
    assert rows(tmp_path, "select key, value from model_version_tags order by key") == sorted(
        TAGS.items()
    )
    assert rows(tmp_path, "select key, value from params order by key") == [
        ("moments", "('2017-10-09', '2017-11-06')"),
        ("num_leaves", "7"),
    ]
    assert rows(tmp_path, "select key, value from metrics order by key") == [
        ("average_precision", 0.5),
        ("folds", 3.0),
    ]
    assert rows(tmp_path, "select name, status from runs") == [("churn", "FINISHED")]


def test_version_holds_no_code(tracker: ModelTracker, artifact: Path) -> None:
    files = Path(record(tracker, artifact).uri.removeprefix("file://"))

    assert {file.suffix for file in files.rglob("*") if file.is_file()} == {".json", ".txt"}


def test_nothing_appears_in_the_current_folder_and_nothing_is_said(
    tmp_path: Path, artifact: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from features.contracts.goals import GoalName
from training.tracking import ModelTracker
root = Path({str(tmp_path)!r})
tracker = ModelTracker("sqlite:///" + str(root / "new.db"), "shop", root / "artifacts")
tracker.record(GoalName.CHURN, Path({str(artifact)!r}), parameters={{}}, metrics={{}}, tags={{}})
tracker.promote(GoalName.CHURN)
"""

    result = run_python(code, cwd=elsewhere)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(elsewhere.iterdir()) == []


def test_many_parameters_and_metrics_fit(
    tmp_path: Path, tracker: ModelTracker, artifact: Path
) -> None:
    tracker.record(
        CHURN,
        artifact,
        parameters={f"p{i}": i for i in range(250)},
        metrics={f"m{i}": i for i in range(250)},
        tags={},
    )

    assert rows(tmp_path, "select count(*) from params") == [(250,)]
    assert rows(tmp_path, "select count(*) from metrics") == [(250,)]


def test_promotion_moves_challenger_to_champion_and_champion_to_previous(
    tmp_path: Path, tracker: ModelTracker, artifact: Path
) -> None:
    aliases = "select alias, version from registered_model_aliases order by alias"
    assert tracker.champion_version(CHURN) is None

    record(tracker, artifact)
    assert rows(tmp_path, aliases) == [("challenger", 1)]
    assert tracker.promote(CHURN).version == "1"
    assert rows(tmp_path, aliases) == [("champion", 1)]
    record(tracker, artifact)
    tracker.promote(CHURN)

    assert rows(tmp_path, aliases) == [("champion", 2), ("previous", 1)]
    assert tracker.champion_version(CHURN) == "2"


def test_rollback_names_a_version_and_leaves_the_challenger(
    tmp_path: Path, tracker: ModelTracker, artifact: Path
) -> None:
    for _ in range(2):
        record(tracker, artifact)
        tracker.promote(CHURN)
    record(tracker, artifact)

    assert tracker.promote(CHURN, "1").version == "1"

    assert rows(tmp_path, "select alias, version from registered_model_aliases order by alias") == [
        ("challenger", 3),
        ("champion", 1),
        ("previous", 2),
    ]


def test_promotion_that_was_cut_short_can_be_repeated(
    tmp_path: Path, tracker: ModelTracker, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tracker, artifact)
    tracker.promote(CHURN)
    record(tracker, artifact)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "delete_registered_model_alias", _killed)
        with pytest.raises(KeyboardInterrupt):
            tracker.promote(CHURN)

    tracker.promote(CHURN)

    assert rows(tmp_path, "select alias, version from registered_model_aliases order by alias") == [
        ("champion", 2),
        ("previous", 1),
    ]


def test_nothing_to_promote_says_what_to_do(tracker: ModelTracker) -> None:
    message = "model 'churn' has no alias 'challenger'; run: bellwether train"
    with pytest.raises(ModelUnavailableError, match=message):
        tracker.promote(CHURN)


def test_unknown_version_names_the_known_ones(tracker: ModelTracker, artifact: Path) -> None:
    record(tracker, artifact)

    with pytest.raises(ModelUnavailableError, match="no version 9; choose one of: 1"):
        tracker.promote(CHURN, "9")


def test_project_without_a_registry_is_not_given_an_empty_one(tmp_path: Path) -> None:
    tracker = ModelTracker(f"sqlite:///{tmp_path}/absent.db", "shop", tmp_path)

    assert tracker.champion_version(CHURN) is None
    with pytest.raises(ModelUnavailableError):
        tracker.promote(CHURN)
    assert list(tmp_path.iterdir()) == []


def _killed(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "step",
    ["log_batch", "log_artifacts", "create_model_version", "set_registered_model_alias"],
)
def test_kill_half_way_leaves_nothing_that_could_be_promoted(
    step: str,
    tmp_path: Path,
    tracker: ModelTracker,
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            record(tracker, artifact)

    assert rows(tmp_path, "select * from registered_model_aliases") == []
    assert artifact.is_dir()
    with pytest.raises(ModelUnavailableError):
        tracker.promote(CHURN)


def test_failed_run_is_marked_as_failed(
    tmp_path: Path, tracker: ModelTracker, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MlflowClient, "log_artifacts", _killed)
    with pytest.raises(KeyboardInterrupt):
        record(tracker, artifact)

    assert rows(tmp_path, "select status from runs") == [("FAILED",)]


def test_registry_that_refuses_connections_is_given_up_at_once(
    tmp_path: Path, artifact: Path
) -> None:
    with socket.socket() as probe:  # bound but not listening: connections are refused
        probe.bind(("127.0.0.1", 0))
        uri = f"http://ann:secret@127.0.0.1:{probe.getsockname()[1]}"
        tracker = ModelTracker(uri, "shop", tmp_path / "artifacts")

        started = time.monotonic()
        with pytest.raises(RegistryDownError) as raised:
            record(tracker, artifact)

    assert time.monotonic() - started < 15
    assert str(artifact) in str(raised.value)
    assert "secret" not in str(raised.value)
    assert json.loads((artifact / "manifest.json").read_bytes())


def test_database_that_is_none_is_given_up_soon(tmp_path: Path) -> None:
    file = tmp_path / "tracking.db"
    file.write_bytes(b"this is not a database, and it is long enough to be read as one" * 100)
    tracker = ModelTracker(f"sqlite:///{file}", "shop", tmp_path)

    started = time.monotonic()
    with pytest.raises(RegistryDownError, match="not a database"):
        tracker.champion_version(CHURN)

    assert time.monotonic() - started < 10


def test_recorded_and_promoted_model_scores_after_loading(
    tmp_path: Path, tracker: ModelTracker, artifact: Path
) -> None:
    record(tracker, artifact)
    tracker.promote(CHURN)

    model = ModelRegistry(f"sqlite:///{tmp_path}/tracking.db", "shop", tmp_path / "c").load(CHURN)

    assert (model.version, model.card) == ("1", make_card())
