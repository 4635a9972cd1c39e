from pathlib import Path

import pytest

from features.contracts.errors import ConfigurationError, GateError, ModelUnavailableError
from features.contracts.goals import GoalName
from pipelines.promote import promote
from pipelines.wiring import Project
from serving.artifact import save_artifact
from serving.model_card import Metrics
from serving.registry import CHAMPION, PREVIOUS
from tests.fakes import make_card, tracking_uri, trained_predictor
from tests.pipelines.command_line import run
from tests.pipelines.projects import write_project_file

pytestmark = pytest.mark.integration

CHURN = GoalName.CHURN
GOOD: dict[str, Metrics] = {"model": {"auc": 0.8}, "rfm": {"auc": 0.7}, "bg_nbd": {"auc": None}}
BAD: dict[str, Metrics] = {"model": {"auc": 0.7}, "rfm": {"auc": 0.7}}
UNJUDGED: dict[str, Metrics] = {}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "shop"
    root.mkdir()
    project = write_project_file(root, goals={"churn": {"horizon_days": 28}})
    project.layout.state.mkdir()
    tracking_uri(project.layout.state)
    return project


def record(project: Project, metrics: dict[str, Metrics]) -> str:
    """Record a model with these metrics as the challenger and return its version."""
    folder = project.layout.state / "trained" / "churn"
    card = make_card(CHURN).model_copy(update={"metrics": metrics})
    save_artifact(folder, card, trained_predictor())
    tracked = project.tracker().record(CHURN, folder, parameters={}, metrics={}, tags={})
    return tracked.version


def aliases(project: Project) -> dict[str, tuple[str, ...]]:
    return {row.version: row.aliases for row in project.registry().versions()}


def test_challenger_that_beats_every_baseline_becomes_champion(project: Project) -> None:
    version = record(project, GOOD)

    promotion = promote(project, CHURN)

    assert (promotion.goal, promotion.version) == (CHURN, version)
    assert promotion.reason == "auc 0.8000 against 0.7000 of rfm"
    assert aliases(project) == {version: (CHAMPION,)}


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (BAD, "auc 0.7000 against 0.7000 of rfm"),
        (UNJUDGED, "it was not judged out of time"),
    ],
    ids=["only as good as a baseline", "never judged"],
)
def test_challenger_that_does_not_is_refused_and_nothing_moves(
    metrics: dict[str, Metrics], reason: str, project: Project
) -> None:
    record(project, GOOD)
    promote(project, CHURN)
    worse = record(project, metrics)
    before = aliases(project)

    with pytest.raises(GateError, match=rf"version {worse} is not promoted: {reason}.*--force"):
        promote(project, CHURN)

    assert aliases(project) == before


@pytest.mark.parametrize("metrics", [BAD, UNJUDGED])
def test_force_promotes_all_the_same_and_says_so(
    metrics: dict[str, Metrics], project: Project
) -> None:
    version = record(project, metrics)

    promotion = promote(project, CHURN, force=True)

    assert promotion.reason.startswith("forced although ")
    assert aliases(project) == {version: (CHAMPION,)}


def test_version_goes_back_to_what_was_served_before(project: Project) -> None:
    old = record(project, GOOD)
    promote(project, CHURN)
    new = record(project, GOOD)
    promote(project, CHURN)
    assert aliases(project) == {new: (CHAMPION,), old: (PREVIOUS,)}

    promotion = promote(project, CHURN, version=old)

    assert promotion.version == old
    assert aliases(project) == {new: (PREVIOUS,), old: (CHAMPION,)}
    assert project.registry().load(CHURN).version == old


def test_chosen_version_passes_the_same_gate(project: Project) -> None:
    bad = record(project, BAD)
    record(project, GOOD)

    with pytest.raises(GateError, match=f"version {bad} is not promoted"):
        promote(project, CHURN, version=bad)
    assert promote(project, CHURN, version=bad, force=True).version == bad


def test_promoting_twice_needs_a_new_challenger(project: Project) -> None:
    version = record(project, GOOD)
    promote(project, CHURN)

    with pytest.raises(ModelUnavailableError, match="run: bellwether train"):
        promote(project, CHURN)
    assert promote(project, CHURN, version=version).version == version


def test_version_that_does_not_exist_is_refused_with_those_that_do(project: Project) -> None:
    record(project, GOOD)

    with pytest.raises(ModelUnavailableError, match="no version 9; choose one of: 1"):
        promote(project, CHURN, version="9")


def test_goal_that_the_project_lacks_is_refused(project: Project) -> None:
    with pytest.raises(ConfigurationError, match="no goal clv, only churn"):
        promote(project, GoalName.CLV)


def test_gate_ends_the_command_with_3_and_force_with_0(project: Project) -> None:
    version = record(project, BAD)

    refused = run("promote", "churn", "--project", project.layout.root)
    forced = run("promote", "churn", "--project", project.layout.root, "--force")

    assert (refused.code, refused.out) == (3, [])
    (line,) = refused.errors
    assert line.startswith(f"bellwether: churn version {version} is not promoted: auc")
    assert (forced.code, forced.errors) == (0, [])
    assert forced.out[0].startswith(f"churn version {version} is champion: forced although auc")
