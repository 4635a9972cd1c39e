"""What a comparison of two windows found, in the form that is stored."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from features.contracts.goals import GoalName, ScoreStatus

Method = Literal["psi", "all_null", "constant", "infinite"]
Kind = Literal["feature", "score"]


class Record(BaseModel):
    """A part of a stored report: immutable, and strict about unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class ColumnDrift(Record):
    """What became of one column."""

    name: str
    kind: Kind
    method: Method
    """`psi`: compared by Evidently; otherwise why it was not, which is a finding of its own."""
    statistic: float | None = None
    """PSI between the windows, null when a window has no finite values."""
    threshold: float | None = None
    """PSI from which the column counts as drifted: 0.1, or the level of chance if higher."""
    drifted: bool
    broken: bool
    """Whether it drifted in a way that looks like a fault of the source, not a change of customers:
    all null, constant, infinite or with many more nulls in the current window."""
    null_share_reference: float
    null_share_current: float
    mean_reference: float | None
    """Mean of the finite values, null when there are none."""
    mean_current: float | None
    note: str | None = None
    """What else happened to the column, in words."""


class WindowSummary(Record):
    """What was compared."""

    start: datetime
    """First as-of moment that belongs to the window."""
    end: datetime
    """First as-of moment after it."""
    moments: int
    """Distinct as-of moments of its scores."""
    rows: int
    """Customers with a score."""
    model_versions: tuple[str, ...]
    refused_shares: dict[ScoreStatus, float]
    """Share of the window's customers who got no score, by status."""


class DriftResult(Record):
    """Drift of one goal between two windows."""

    format: Literal[1] = 1
    goal: GoalName
    reference: WindowSummary
    current: WindowSummary
    columns: tuple[ColumnDrift, ...]
    """The features, in the order of their names."""
    score: ColumnDrift
    """The goal's score: probability, or expected value for CLV."""
    share_drifted: float
    """Share of drifted features among those with a value in either window."""
    sample_rows: int
    """At most so many rows of each window were compared; null shares and means are of all rows."""
    seed: int

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The drifted features, the largest statistic first."""
        moved = [column for column in self.columns if column.drifted]
        return tuple(sorted(moved, key=_size, reverse=True))


def _size(column: ColumnDrift) -> float:
    # What could not even be compared comes first.
    return float("inf") if column.statistic is None else column.statistic
