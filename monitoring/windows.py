"""Windows of the score log: which scores are compared with which.

A window holds the latest outcome of each customer for one goal. Customers who were refused a score
are kept aside and counted: more refusals are a finding of their own, and never a change of scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName, ScoreStatus

Range = tuple[AsOf, AsOf]
"""As-of moments from (inclusive) and to (exclusive)."""

SMALL_MOMENT = 0.1
"""A moment with a smaller share of the fullest moment's rows is not the scoring of a base."""


@dataclass(frozen=True)
class Window:
    """The outcomes of one goal as of the moments in [start, end), one per customer.

    Attributes:
        start: first as-of moment that belongs to the window.
        end: first as-of moment after it.
        rows: customers with a score, in the columns of the score log, sorted by customer.
        refused: how many customers got no score, by status.
    """

    start: AsOf
    end: AsOf
    rows: pa.Table
    refused: Mapping[ScoreStatus, int]

    @property
    def customers(self) -> int:
        """How many customers asked for a score, refused ones included."""
        return self.rows.num_rows + sum(self.refused.values())

    @property
    def refused_shares(self) -> dict[ScoreStatus, float]:
        """Share of the window's customers who were refused, 0..1, by status."""
        return {status: count / self.customers for status, count in self.refused.items()}

    @property
    def model_versions(self) -> tuple[str, ...]:
        """Versions of the models that gave the scores, sorted."""
        versions = self.rows["model_version"].unique().to_pylist()
        return tuple(sorted(version for version in versions if version is not None))


def goals_in(log: pa.Table) -> tuple[GoalName, ...]:
    """Return the goals that the score log speaks of, in the order of `GoalName`."""
    names = set(log["goal"].unique().to_pylist())
    return tuple(goal for goal in GoalName if goal.value in names)


def choose_windows(
    log: pa.Table, goal: GoalName, *, reference: Range | None = None, current: Range | None = None
) -> tuple[Window, Window]:
    """Return the reference and the current window of `goal`.

    The default reference is the earliest as-of moment of the log and the default current window the
    latest. Moments with few rows (single requests beside batch runs) are passed over.

    Raises:
        HistoryError: if the log has no row of the goal, only one moment, or no score in a window.
        ConfigurationError: if a range is empty or the two ranges overlap.
    """
    rows = log.filter(pc.equal(log["goal"], pa.scalar(goal.value)))
    if rows.num_rows == 0:
        raise HistoryError(
            f"the score log holds no {goal.value} scores; score customers for it first"
        )
    moments = _full_moments(rows)
    if reference is None and current is None and len(moments) < 2:
        raise HistoryError(
            f"drift of {goal.value} needs two as-of moments, but the score log holds "
            f"{len(moments)} ({moments[0]}); score customers as of another moment"
        )
    reference = _checked(reference) if reference else _only(moments[0])
    current = _checked(current) if current else _only(moments[-1])
    if reference[0] < current[1] and current[0] < reference[1]:
        raise ConfigurationError(
            f"the reference window {_words(reference)} and the current window {_words(current)} "
            "overlap; choose ranges that do not"
        )
    return _window(rows, goal, reference), _window(rows, goal, current)


def _full_moments(rows: pa.Table) -> list[AsOf]:
    counts = _counts(rows["as_of"])
    fullest = max(counts.values())
    return sorted({AsOf(at) for at, count in counts.items() if count >= SMALL_MOMENT * fullest})


def _only(moment: AsOf) -> Range:
    # As-of moments are whole seconds, so one second holds exactly one of them.
    return moment, AsOf(moment.moment + timedelta(seconds=1))


def _checked(chosen: Range) -> Range:
    if chosen[0] >= chosen[1]:
        raise ConfigurationError(
            f"the window {_words(chosen)} is empty; its end must lie after its start"
        )
    return chosen


def _words(chosen: Range) -> str:
    return f"[{chosen[0]}, {chosen[1]})"


def _window(rows: pa.Table, goal: GoalName, chosen: Range) -> Window:
    start, end = chosen
    inside = pc.and_(
        pc.greater_equal(rows["as_of"], pa.scalar(start.moment, rows["as_of"].type)),
        pc.less(rows["as_of"], pa.scalar(end.moment, rows["as_of"].type)),
    )
    latest = _latest_per_customer(rows.filter(inside))
    scored = pc.equal(latest["status"], pa.scalar(ScoreStatus.SCORED.value))
    window = Window(start, end, latest.filter(scored), _refusals(latest.filter(pc.invert(scored))))
    if window.rows.num_rows == 0:
        raise HistoryError(
            f"nobody has a {goal.value} score in the window {_words(chosen)} "
            f"({window.customers} customers were refused); choose a range that holds scores"
        )
    return window


def _latest_per_customer(rows: pa.Table) -> pa.Table:
    # The request breaks ties, so that the order of the log's files never decides.
    keys = ("customer_id", "scored_at", "as_of", "request_id")
    ordered = rows.sort_by([(key, "ascending") for key in keys])
    if ordered.num_rows == 0:
        return ordered
    ids = ordered["customer_id"].combine_chunks()
    last = pc.not_equal(ids.slice(0, len(ids) - 1), ids.slice(1))
    return ordered.filter(pa.concat_arrays([last, pa.array([True])]))


def _refusals(refused: pa.Table) -> dict[ScoreStatus, int]:
    counts = _counts(refused["status"])
    return {status: counts[status] for status in ScoreStatus if status in counts}


def _counts(column: "pa.ChunkedArray[Any]") -> dict[Any, int]:
    counted = pc.value_counts(column)
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy()
    return {value: int(count) for value, count in zip(values, counts, strict=True)}
