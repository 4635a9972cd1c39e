"""Promote: the gate between a challenger and the customers."""

from dataclasses import dataclass

from features.contracts.errors import GateError
from features.contracts.goals import GoalName
from pipelines.wiring import Project


@dataclass(frozen=True)
class Promotion:
    """A promoted version, and the reason in words."""

    goal: GoalName
    version: str
    reason: str


def promote(
    project: Project, goal: GoalName, *, version: str | None = None, force: bool = False
) -> Promotion:
    """Make the challenger of `goal` (or the given version) the champion if it passes the gate.

    The gate: judged out of time, it beats every baseline in the goal's primary metric. A version
    named by number was promoted before or is chosen on purpose, and passes the same gate.

    Raises:
        ConfigurationError: if the project does not have the goal.
        GateError: if the gate says no and `force` is not set.
        ModelUnavailableError: if there is no challenger or no such version.
    """
    from serving.registry import CHALLENGER
    from training.evaluate import beats_baselines
    from training.specs import SPECS

    project.goal(goal)
    registry = project.registry()
    if version is None:
        model = registry.load(goal, CHALLENGER)
    else:
        model = registry.load_version(goal, version)
    if model.card.metrics:
        passed, reason = beats_baselines(SPECS[goal], model.card.metrics)
    else:
        passed, reason = False, "it was not judged out of time, history is too short"
    if not passed and not force:
        raise GateError(
            f"{goal.value} version {model.version} is not promoted: {reason}; "
            "train with more history, or promote it all the same with --force"
        )
    promoted = project.tracker().promote(goal, model.version)
    return Promotion(goal, promoted.version, reason if passed else f"forced although {reason}")
