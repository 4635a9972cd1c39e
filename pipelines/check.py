"""Validates a project: can its data be read, what is odd about them, which goals they carry."""

from dataclasses import dataclass

from features.contracts.layout import Layout
from features.contracts.settings import Settings
from features.goal_readiness import GoalReadiness, goal_readiness
from features.quality import QualityReport


@dataclass(frozen=True)
class CheckResult:
    """What was found.

    Attributes:
        report: what came of every row of the data.
        goals: for each goal whether the data carry it, and why or why not.
    """

    report: QualityReport
    goals: tuple[GoalReadiness, ...]

    @property
    def ok(self) -> bool:
        """Whether the data carry every goal."""
        return all(goal.carried for goal in self.goals)

    @property
    def lines(self) -> list[str]:
        """Everything that was found, as lines for people."""
        verdicts = [
            f"{readiness.goal.value}: {'ready' if readiness.carried else 'not yet'}: "
            f"{readiness.reason}"
            for readiness in self.goals
        ]
        return [*self.report.lines(), *verdicts]


def check_project(settings: Settings, layout: Layout) -> CheckResult:
    """Read all data of the project and return what is missing, what is odd and what they carry.

    Raises:
        SourceError: if a file, table or column is missing or cannot be read.
        ConfigurationError: if a mapping makes no sense.
    """
    from features.sources import load_tables

    tables = load_tables(settings.data, timezone=settings.timezone, root=layout.root)
    tables.close()
    goals = goal_readiness(
        settings.goals,
        tables.report.table("orders"),
        training=settings.training,
        has_amounts="amount" in tables.mapped["orders"],
    )
    return CheckResult(tables.report, tuple(goals))
