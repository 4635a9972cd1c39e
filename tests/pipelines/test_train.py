import pickle
import pickletools
import zipfile
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.contracts.errors import (
    ConfigurationError,
    ImmatureLabelsError,
    OneClassError,
    RegistryDownError,
)
from features.contracts.goals import GoalName
from pipelines.build_features import build_features
from pipelines.train import TrainedGoal, train
from pipelines.wiring import Project
from serving.artifact import load_artifact
from serving.registry import CHALLENGER, open_client
from tests.pipelines.projects import (
    CLOCK,
    DATA_END,
    HORIZON_DAYS,
    TrainedProject,
    cdnow_orders,
    checksums,
    with_changes,
    write_project,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

CHURN, CLV = GoalName.CHURN, GoalName.CLV
BASELINES = {
    CHURN: {"days_since_last_order", "rfm", "bg_nbd"},
    GoalName.PURCHASE_PROPENSITY: {"days_since_last_order", "rfm", "bg_nbd"},
    CLV: {"days_since_last_order", "rfm", "naive_rate", "bg_nbd_gamma_gamma"},
}


@pytest.fixture(scope="module")
def trained(small: Project) -> TrainedGoal:
    (found,) = train(small, [CLV])
    return found


def client_of(project: Project) -> MlflowClient:
    return open_client(project.layout.tracking_uri(project.settings.tracking))


def versions(project: Project, goal: GoalName) -> list[str]:
    return [row.version for row in project.registry().versions() if row.goal is goal]


def test_trained_goal_is_the_challenger_with_its_card(small: Project, trained: TrainedGoal) -> None:
    model = small.registry().load(CLV, CHALLENGER)

    assert model.version == trained.version
    assert model.card == trained.card


@pytest.mark.parametrize("goal", GoalName)
def test_card_judges_model_and_every_baseline_on_the_same_customers(
    goal: GoalName, cdnow: TrainedProject
) -> None:
    metrics = cdnow.project.registry().load(goal).card.metrics

    assert set(metrics) == {"model", *BASELINES[goal]}
    assert len({values["customers"] for values in metrics.values()}) == 1


@pytest.mark.parametrize("goal", GoalName)
def test_nothing_after_the_moment_of_knowledge_went_into_a_model(
    goal: GoalName, cdnow: TrainedProject
) -> None:
    record = cdnow.project.registry().load(goal).card.training

    assert record.as_of == str(CLOCK)
    assert record.moments[-1] == record.calibration_moment
    assert record.calibration_moment == str(CLOCK.plus_days(-HORIZON_DAYS))
    assert record.label_end == str(CLOCK)
    assert record.seed == cdnow.project.settings.seed


@pytest.mark.parametrize("goal", GoalName)
def test_run_holds_parameters_metrics_and_tags(goal: GoalName, cdnow: TrainedProject) -> None:
    card = cdnow.project.registry().load(goal).card
    (version,) = [row for row in cdnow.project.registry().versions() if row.goal is goal]

    run = client_of(cdnow.project).get_run(version.run_id).data

    assert run.params["horizon_days"] == str(HORIZON_DAYS)
    assert run.params["rows"] == str(card.training.rows)
    assert run.params["seed"] == str(card.training.seed)
    assert {"boosting_rounds", "num_leaves", "learning_rate"} <= run.params.keys()
    expected = {
        metric if name == "model" else f"{name}.{metric}": value
        for name, values in card.metrics.items()
        for metric, value in values.items()
        if value is not None
    }
    assert run.metrics == pytest.approx(expected, rel=0, abs=0)
    tags = {
        "data_hash": card.training.data_hash,
        "dataset_hash": card.training.dataset_hash,
        "code_version": card.training.code_version,
        "trained_as_of": str(CLOCK),
        "feature_service": card.feature_service,
    }
    assert tags.items() <= run.tags.items()
    assert version.tags == tags


def holds_a_pickle(content: bytes) -> bool:
    """Return whether a pickle starts anywhere in the content: protocol 2 and later say so."""
    places = [
        place
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
        for place in find_all(content, bytes([0x80, protocol]))
    ]
    return any(is_a_pickle(content[place:]) for place in places)


def find_all(content: bytes, wanted: bytes) -> list[int]:
    places, place = [], content.find(wanted)
    while place >= 0:
        places.append(place)
        place = content.find(wanted, place + 1)
    return places


def is_a_pickle(content: bytes) -> bool:
    try:
        return any(opcode.name == "STOP" for opcode, _, _ in pickletools.genops(content))
    except (ValueError, UnicodeDecodeError):
        return False


def test_a_planted_pickle_would_be_found() -> None:
    assert holds_a_pickle(b"front" + pickle.dumps({"a": [1, 2]}) + b"back")
    assert not holds_a_pickle(b"tree\nversion=v4\n\x80\x04")


def test_no_saved_model_holds_a_pickle(cdnow: TrainedProject) -> None:
    state = cdnow.project.layout.state
    files = [
        path
        for folder in (state / "trained", state / "artifacts", state / "models")
        for path in folder.rglob("*")
        if path.is_file()
    ]

    assert len({path.parent for path in files}) >= 3 * len(GoalName)
    assert {path.suffix for path in files} == {".json", ".txt"}
    for path in files:
        content = path.read_bytes()
        assert not holds_a_pickle(content), path
        assert not zipfile.is_zipfile(path), path
        assert "\0" not in content.decode("utf-8"), path


def test_nothing_is_written_outside_the_project(cdnow: TrainedProject) -> None:
    client = client_of(cdnow.project)
    (experiment,) = client.search_experiments(filter_string="name = 'bellwether'")
    places = [experiment.artifact_location] + [
        version.source for version in client.search_model_versions()
    ]

    assert all(str(place).startswith(cdnow.project.layout.artifacts.as_uri()) for place in places)
    assert not Path("mlruns").exists()
    assert not Path("mlflow.db").exists()
    names = {path.name for path in cdnow.root.iterdir()}
    assert names <= {"bellwether.yaml", "orders.parquet", "state", "reports"}


def test_training_again_gives_the_same_model_as_a_new_version(
    small: Project, trained: TrainedGoal
) -> None:
    before = checksums(trained.folder)

    (again,) = train(small, [CLV])

    assert int(again.version) == int(trained.version) + 1
    assert again.card.training.data_hash == trained.card.training.data_hash
    after = checksums(again.folder)
    assert {n: s for n, s in after.items() if n.endswith((".txt", "predictor.json"))} == {
        n: s for n, s in before.items() if n.endswith((".txt", "predictor.json"))
    }
    assert again.card.metrics == trained.card.metrics
    assert again.card.percentile_scores == trained.card.percentile_scores


def test_goal_that_the_project_lacks_is_refused_before_anything_is_read(small: Project) -> None:
    announced: list[str] = []

    with pytest.raises(ConfigurationError, match="no goal purchase_propensity, only churn, clv"):
        train(small, [GoalName.PURCHASE_PROPENSITY], announce=announced.append)

    assert announced == []


def test_moment_that_the_data_cannot_mature_is_refused_and_nothing_is_recorded(
    small: Project, trained: TrainedGoal
) -> None:
    before = versions(small, CLV)

    with pytest.raises(ImmatureLabelsError, match="data end at 1998-07-01"):
        train(small, [CLV], as_of=DATA_END.plus_days(60))

    assert versions(small, CLV) == before


def test_features_newer_than_the_data_are_not_taken_for_days_without_orders(
    tmp_path: Path,
) -> None:
    goals = {"churn": {"horizon_days": 30}}
    project = write_project(tmp_path, cdnow_orders(20), goals=goals)
    build_features(project, as_of=DATA_END.plus_days(45))

    (found,) = train(project)

    assert found.card.training.as_of == str(DATA_END)
    assert found.card.training.label_end == str(DATA_END)


def test_goal_whose_event_spares_nobody_is_refused_and_nothing_is_recorded(
    small: Project,
) -> None:
    goals = {"churn": {"horizon_days": HORIZON_DAYS, "active_within_days": 1}}
    before = versions(small, CHURN)

    with pytest.raises(OneClassError, match="event of churn happened to none of 6 customers"):
        train(with_changes(small, goals=goals), [CHURN])

    assert versions(small, CHURN) == before


def test_registry_that_does_not_answer_loses_no_trained_model(
    small: Project, trained: TrainedGoal
) -> None:
    (trained.folder / "manifest.json").unlink()
    elsewhere = with_changes(
        small,
        goals={"clv": {"horizon_days": HORIZON_DAYS}},
        tracking={"uri": "http://127.0.0.1:9"},
    )

    with pytest.raises(RegistryDownError, match=r"does not answer .*stays in .*trained"):
        train(elsewhere, [CLV])

    card, _ = load_artifact(trained.folder)
    assert card.goal is CLV
