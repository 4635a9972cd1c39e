"""One column in both windows: what can be said of it without Evidently.

Nulls, infinities and constants would stop or mislead Evidently, so they are found here. The level
that PSI reaches by chance is drawn here too, per column.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.psi import SHUFFLES, Values, in_tenths, noise_level, psi
from monitoring.results import ColumnDrift, Kind, Method

PSI_THRESHOLD = 0.1
"""Conventional PSI of a shift worth a look."""
NULL_SHARE_THRESHOLD = 0.05
"""Change of the null share that counts as drift, when chance cannot explain it."""


@dataclass(frozen=True)
class ColumnPair:
    """One column in both windows: all values, and the finite ones of the samples."""

    name: str
    kind: Kind
    reference: Values
    current: Values
    reference_sample: Values
    current_sample: Values

    @property
    def label(self) -> str:
        """Name of the column on a page, where features and the score stand side by side."""
        return self.name if self.kind == "feature" else f"score ({self.name})"

    def in_tenths(self) -> tuple[Values, Values]:
        """Return both samples as tenths of the pooled values, 5 to 95 %."""
        return in_tenths(self.reference_sample, self.current_sample)


def judge(pair: ColumnPair, random: np.random.Generator) -> ColumnDrift:
    """Return all that can be said without Evidently; `psi` columns still lack their statistic."""
    method, note = _finding(pair)
    then, now = _shares(np.isnan, pair)
    nulls_moved = _nulls_moved(pair, random)
    infinite_then, infinite_now = _shares(np.isinf, pair)
    came_or_went = (infinite_then > 0) != (infinite_now > 0)
    nulls = f"null share moved from {then:.0%} to {now:.0%}" if nulls_moved else None
    column = ColumnDrift(
        name=pair.name,
        kind=pair.kind,
        method=method,
        drifted=nulls_moved or came_or_went,
        broken=(nulls_moved and now > then) or (came_or_went and infinite_now > 0),
        null_share_reference=then,
        null_share_current=now,
        mean_reference=_mean(pair.reference),
        mean_current=_mean(pair.current),
        note="; ".join(part for part in (note, nulls) if part) or None,
    )
    return _with_threshold(column, pair, random) if method in ("psi", "constant") else column


def _with_threshold(
    column: ColumnDrift, pair: ColumnPair, random: np.random.Generator
) -> ColumnDrift:
    then, now = pair.in_tenths()
    # A hair above the level of chance: reaching exactly what a shuffle reaches is not drift.
    threshold = max(PSI_THRESHOLD, noise_level(then, now, random) * (1 + 1e-9))
    column = column.model_copy(update={"threshold": threshold})
    if column.method == "psi":
        return column
    column = with_statistic(column, psi(then, now))
    stuck = column.drifted and np.unique(now).size == 1
    return column.model_copy(update={"broken": column.broken or stuck})


def with_statistic(column: ColumnDrift, statistic: float) -> ColumnDrift:
    """Return `column` with its PSI, and whether it drifted by it."""
    drifted = column.drifted or (column.threshold is not None and statistic >= column.threshold)
    return column.model_copy(update={"statistic": statistic, "drifted": drifted})


def _finding(pair: ColumnPair) -> tuple[Method, str | None]:
    infinite = [int(np.isinf(values).sum()) for values in (pair.reference, pair.current)]
    if any(infinite):
        return "infinite", f"{infinite[0]} infinite values in reference, {infinite[1]} in current"
    distinct = [np.unique(values) for values in (pair.reference_sample, pair.current_sample)]
    sizes = [values.size for values in distinct]
    if 0 in sizes:
        return "all_null", f"all null in {_where(sizes, 0)}"
    if sizes == [1, 1]:
        then, now = (float(values[0]) for values in distinct)
        moved = f"constant moved from {then:g} to {now:g}"
        return "constant", "constant in both windows" if then == now else moved
    if sizes[1] == 1:
        return "constant", f"became constant at {float(distinct[1][0]):g}"
    if sizes[0] == 1:
        return "constant", f"was constant at {float(distinct[0][0]):g}"
    return "psi", None


def _where(sizes: list[int], size: int) -> str:
    if sizes == [size, size]:
        return "both windows"
    return "reference" if sizes[0] == size else "current"


def _shares(
    condition: Callable[[Values], NDArray[np.bool_]], pair: ColumnPair
) -> tuple[float, float]:
    return float(condition(pair.reference).mean()), float(condition(pair.current).mean())


def _nulls_moved(pair: ColumnPair, random: np.random.Generator) -> bool:
    """Return whether the null share moved, further than chance would."""
    then, now = np.isnan(pair.reference), np.isnan(pair.current)
    moved = abs(now.mean() - then.mean())
    if moved < NULL_SHARE_THRESHOLD:
        return False
    nulls, rows = then.sum() + now.sum(), len(then) + len(now)
    shuffled = random.hypergeometric(nulls, rows - nulls, len(then), size=SHUFFLES)
    chance = np.abs(shuffled / len(then) - (nulls - shuffled) / len(now)).max()
    return bool(moved > chance * (1 + 1e-9))


def _mean(values: Values) -> float | None:
    known = finite(values)
    return float(known.mean()) if known.size else None


def finite(values: Values) -> Values:
    """Return the values that are neither null nor infinite."""
    return values[np.isfinite(values)]
