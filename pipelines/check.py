"""Validates a project: can its data be read, what is odd about them, which goals they carry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.atomic_text import write_atomically
from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError
from features.contracts.layout import Layout
from features.contracts.settings import Settings
from features.goal_readiness import GoalReadiness, goal_readiness, source_advice
from features.quality import QualityReport

if TYPE_CHECKING:
    from features.completeness import Completeness

PAGE, RECORD, REFUSED = "completeness.html", "completeness.json", "quarantine.parquet"


@dataclass(frozen=True)
class CheckResult:
    """What was found.

    Attributes:
        report: what came of every row of the data.
        completeness: how complete each source is.
        goals: for each goal whether the data carry it, and why or why not.
        advice: what the sources beside the orders cannot tell yet, or no longer.
    """

    report: QualityReport
    completeness: "Completeness"
    goals: tuple[GoalReadiness, ...]
    advice: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the data carry every goal."""
        return all(goal.carried for goal in self.goals)

    @property
    def lines(self) -> list[str]:
        """Everything that was found, as lines for people."""
        found = [
            line
            for table, source in zip(self.report.tables, self.completeness.sources, strict=True)
            for line in (*table.lines(), *source.lines())
        ]
        verdicts = [
            f"{readiness.goal.value}: {'ready' if readiness.carried else 'not yet'}: "
            f"{readiness.reason}"
            for readiness in self.goals
        ]
        return [*found, *self.advice, *verdicts]

    def to_dict(self) -> dict[str, Any]:
        """Return everything that was found as plain values for JSON."""
        return {
            "ok": self.ok,
            "goals": [
                {
                    "goal": goal.goal.value,
                    "carried": goal.carried,
                    "reason": goal.reason,
                    "will_do_from": str(goal.will_do_from) if goal.will_do_from else None,
                }
                for goal in self.goals
            ],
            "advice": list(self.advice),
            "quality": self.report.to_dict(),
            "completeness": self.completeness.to_dict(),
        }


def check_project(settings: Settings, layout: Layout, *, report: Path | None = None) -> CheckResult:
    """Read all data of the project and return what is missing, what is odd and what they carry.

    Into the folder `report`, if there is one, the rows that were put aside are written.

    Raises:
        SourceError: if a file, table or column is missing or cannot be read.
        ConfigurationError: if a mapping makes no sense, or the folder cannot be written.
    """
    from features.completeness import measure_completeness
    from features.quarantine import write_quarantine
    from features.sources import load_tables

    clock = settings.serving.clock
    now = AsOf.parse(clock, settings.timezone) if clock else AsOf(datetime.now(UTC))
    tables = load_tables(settings.data, timezone=settings.timezone, root=layout.root)
    try:
        completeness = measure_completeness(
            tables.tables, tables.report, tables.mapped, now, settings.timezone
        )
        if report is not None:
            with _writing(report):
                write_quarantine(tables.connection, report / REFUSED)
    finally:
        tables.close()
    goals = goal_readiness(
        settings.goals,
        tables.report.table("orders"),
        training=settings.training,
        has_amounts="amount" in tables.mapped["orders"],
    )
    advice = source_advice(settings.goals, tables.report, settings.training)
    return CheckResult(tables.report, completeness, tuple(goals), tuple(advice))


def write_report(result: CheckResult, folder: Path, *, project: str) -> tuple[Path, Path]:
    """Write what was found as a page and as JSON into `folder`; return the two files.

    Raises:
        ConfigurationError: if the page cannot be drawn or the files cannot be written.
    """
    from pipelines.completeness_page import completeness_page

    page, record = folder / PAGE, folder / RECORD
    html = completeness_page(result, project=project)
    with _writing(folder):
        write_atomically(page, html)
        write_atomically(record, json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n")
    return page, record


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"the report {folder} cannot be written ({error}); choose another folder"
        ) from error
