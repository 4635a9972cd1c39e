"""Compare windows of the score log, and write one page and one record of drift per goal."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from features.atomic_text import write_atomically
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from monitoring.alerts import DriftReport
    from monitoring.results import WindowSummary
    from monitoring.windows import Range

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DriftOutcome:
    """What was found about one goal, and where it is written.

    Attributes:
        goal: the goal.
        report: the alert and the findings behind it, as stored in `record`.
        page: HTML for people; opens without a network.
        record: JSON for machines.
    """

    goal: GoalName
    report: "DriftReport"
    page: Path
    record: Path

    @property
    def lines(self) -> tuple[str, ...]:
        """What to print: the level and how many features drifted, then the reasons and notes."""
        alert, drift = self.report.alert, self.report.drift
        headline = (
            f"{self.goal.value}: {alert.level.value}; {len(drift.drifted)} of "
            f"{len(drift.columns)} features drifted between {_window_words(drift.reference)} "
            f"and {_window_words(drift.current)}"
        )
        return headline, *alert.reasons, *(f"note: {note}" for note in alert.notes)


def monitor_drift(
    settings: Settings,
    layout: Layout,
    *,
    goal: GoalName | None = None,
    reference: "Range | None" = None,
    current: "Range | None" = None,
    out: Path | None = None,
) -> list[DriftOutcome]:
    """Write `<goal>.html` and `<goal>.json` for `goal` (every goal of the score log when None).

    A goal that cannot be compared yet holds up no other: it is logged and left out.

    `reference` and `current` are ranges of as-of moments, the earliest and the latest moment of the
    log when None; `out` is the folder to write to, `reports/drift` of the project when None.

    Raises:
        HistoryError: if no goal can be compared: the log is empty, lacks the goal, or holds too few
            moments.
        ConfigurationError: if the ranges are wrong, Evidently is missing, or `out` is not writable.
    """
    from serving.score_log import read_scores

    folder = out or layout.reports / "drift"
    outcomes: list[DriftOutcome] = []
    failures: dict[GoalName, HistoryError] = {}
    for each in GoalName if goal is None else [goal]:
        # Goal by goal: the features of every customer are in the log once per goal.
        scores = read_scores(layout.score_log, goal=each)
        if scores.num_rows == 0:
            continue
        try:
            found = _monitor_goal(settings.seed, scores, each, reference, current, folder)
        except HistoryError as error:
            failures[each] = error
        else:
            outcomes.append(found)
    if not outcomes:
        if failures:
            raise next(iter(failures.values()))
        raise HistoryError(_what_is_missing(layout.score_log, goal))
    for failed, cause in failures.items():
        log.warning("drift_not_compared", goal=failed.value, cause=str(cause))
    return outcomes


def _what_is_missing(score_log: Path, goal: GoalName | None) -> str:
    from monitoring.windows import goals_in
    from serving.score_log import read_scores

    known = ", ".join(each.value for each in goals_in(read_scores(score_log)))
    if goal is None or not known:
        return f"the score log {score_log} is empty; score customers first"
    return f"the score log holds no {goal.value} scores, only {known}; score customers for it first"


def _monitor_goal(
    seed: int,
    scores: "pa.Table",
    goal: GoalName,
    reference: "Range | None",
    current: "Range | None",
    folder: Path,
) -> DriftOutcome:
    from monitoring.alerts import DriftReport, assess
    from monitoring.drift import compare
    from monitoring.windows import choose_windows

    then, now = choose_windows(scores, goal, reference=reference, current=current)
    comparison = compare(then, now, goal=goal, seed=seed)
    report = DriftReport(alert=assess(comparison.result), drift=comparison.result)
    outcome = DriftOutcome(
        goal, report, page=folder / f"{goal.value}.html", record=folder / f"{goal.value}.json"
    )
    _write(outcome.page, _with_summary(comparison.html, outcome))
    _write(outcome.record, report.model_dump_json(indent=2) + "\n")
    return outcome


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"the drift report {path} cannot be written ({error}); choose another folder"
        ) from error


_STYLE = (
    "font-family:system-ui,sans-serif;max-width:72rem;margin:1rem auto;padding:1rem 1.5rem;"
    "border:1px solid #8888;border-radius:4px;line-height:1.5"
)
_LEGEND = (
    "Below, a value is the tenth it lies in among the customers of both windows: 5 for the lowest "
    "tenth, 95 for the highest. Where nothing moved, both windows look alike. The drift score is "
    "PSI; a column's threshold is 0.1, or higher where chance alone reaches higher. The counts "
    "include the score, and leave out columns that could not be compared."
)


def _with_summary(html: str, outcome: DriftOutcome) -> str:
    """Return Evidently's page with our words above it: the alert, the windows and a legend."""
    alert, drift = outcome.report.alert, outcome.report.drift
    title = f"Drift of {outcome.goal.value}: {alert.level.value}"
    beside = [
        f"{column.name}: {column.note}"
        for column in (drift.score, *drift.columns)
        if column.note and not column.broken
    ]
    body = (
        f'<section style="{_STYLE}"><h1>{escape(title)}</h1>'
        f"{_list([*outcome.lines, *beside])}<p>{escape(_LEGEND)}</p></section>"
    )
    page = html.replace("<head>", f"<head>\n<title>{escape(title)}</title>", 1)
    return page.replace("<body>", f"<body>\n{body}", 1)


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _window_words(window: "WindowSummary") -> str:
    until = "" if window.moments == 1 else f" to {window.end:%Y-%m-%d %H:%M}"
    return f"{window.start:%Y-%m-%d %H:%M}{until} ({window.rows} customers)"
