"""Train: fit each goal, judge it out of time, and record it as challenger."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from pipelines.build_features import knowledge, require_data_until
from pipelines.problems import make_problems, newest_moment
from pipelines.wiring import Announce, Project, silent

if TYPE_CHECKING:
    from serving.model_card import ModelCard
    from training.fit import Candidate


@dataclass(frozen=True)
class TrainedGoal:
    """A trained goal: its card, its registered version and the folder of its files."""

    card: "ModelCard"
    version: str
    folder: Path


def train(
    project: Project,
    goals: Sequence[GoalName] | None = None,
    *,
    as_of: AsOf | None = None,
    announce: Announce = silent,
) -> list[TrainedGoal]:
    """Train `goals` (all of the project when None) with what was known at `as_of`.

    When None, `as_of` is the moment of the newest features, or the end of the data if that comes
    first.

    Raises:
        ConfigurationError: if the project does not have a goal, or does not map what it needs.
        HistoryError: if history is too short, nobody is eligible, or only one class is there.
        FeatureStoreError: if features are missing.
        ModelUnavailableError: if the registry does not answer; the trained files stay on disk.
    """
    from training.fit import fit_candidate

    wanted = tuple(goals or project.settings.goals)
    for goal in wanted:
        project.goal(goal)
    newest = as_of or newest_moment(project)
    announce("reading the orders")
    data = project.load_orders()
    try:
        if as_of is not None:
            require_data_until(project, data, as_of)
        known_at = as_of or knowledge(project, data, newest)
        problems = make_problems(project, data, wanted, known_at, announce=announce)
        trained = []
        for goal, problem in problems.items():
            announce(f"training {goal.value}")
            trained.append(_record(project, fit_candidate(problem, known_at)))
        return trained
    finally:
        data.close()


def _record(project: Project, candidate: "Candidate") -> TrainedGoal:
    from serving.artifact import save_artifact
    from training.evaluate import MODEL
    from training.specs import BOOSTING_ROUNDS, LIGHTGBM_PARAMETERS

    card = candidate.card
    record = card.training
    folder = project.layout.state / "trained" / f"{card.goal.value}-{record.data_hash[:12]}"
    save_artifact(folder, card, candidate.predictor)
    version = project.tracker().record(
        card.goal,
        folder,
        parameters={
            "horizon_days": card.horizon_days,
            "moments": len(record.moments),
            "rows": record.rows,
            "seed": record.seed,
            "boosting_rounds": BOOSTING_ROUNDS,
            **LIGHTGBM_PARAMETERS,
        },
        metrics={
            f"{name}.{metric}" if name != MODEL else metric: value
            for name, values in card.metrics.items()
            for metric, value in values.items()
        },
        tags={
            "data_hash": record.data_hash,
            "dataset_hash": record.dataset_hash,
            "code_version": record.code_version,
            "trained_as_of": record.as_of,
            "feature_service": card.feature_service,
        },
    )
    return TrainedGoal(card, version.version, folder)
