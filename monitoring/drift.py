"""Drift between two windows of scores: the one door to Evidently.

Numbers come from Evidently, decisions from here. The method is PSI over tenths of the pooled values
for every column: Evidently's own choice flips at 1,000 rows, and its bins at 20 distinct values.
Each column's threshold is at least what chance alone can reach. Features that are properties of the
moment, the same for every customer, differ between any two moments and are left out. Columns that
Evidently cannot judge are taken out before it and reported as findings. Our records hold no
Evidently type, and Evidently gets no customer id. Its usage tracking belongs to its web service,
which is never loaded here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue import moment_features
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName
from monitoring.columns import ColumnPair, finite, judge, with_statistic
from monitoring.results import ColumnDrift, DriftResult, WindowSummary
from monitoring.windows import Window
from serving.score_log import FEATURE_PREFIX

DRIFTED_SHARE = 0.3
"""Share of drifted columns from which the data as a whole count as drifted."""

EMPTY_PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="UTF-8">\n</head>\n<body>\n'
    "<p>No column could be compared.</p>\n</body>\n</html>\n"
)


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison, and Evidently's page about it (HTML that needs no network)."""

    result: DriftResult
    html: str


def compare(
    reference: Window, current: Window, *, goal: GoalName, seed: int, sample_rows: int = 20_000
) -> Comparison:
    """Return how far the features and the score of `goal` moved from `reference` to `current`.

    At most `sample_rows` rows of each window are compared, drawn with `seed`.

    Raises:
        ConfigurationError: if Evidently is not installed.
        HistoryError: if Evidently cannot carry out the comparison.
    """
    random = np.random.default_rng(seed)
    pairs = _pairs(reference, current, goal, random, sample_rows)
    judged = [(pair, judge(pair, random)) for pair in pairs]
    statistics, html = _ask_evidently([(p, found) for p, found in judged if found.method == "psi"])
    score, *features = (
        with_statistic(found, statistics[pair.label]) if pair.label in statistics else found
        for pair, found in judged
    )
    result = DriftResult(
        goal=goal,
        reference=_summary(reference),
        current=_summary(current),
        columns=tuple(features),
        score=score,
        share_drifted=_share_drifted(features),
        sample_rows=sample_rows,
        seed=seed,
    )
    return Comparison(result, html)


def _pairs(
    reference: Window,
    current: Window,
    goal: GoalName,
    random: np.random.Generator,
    sample_rows: int,
) -> list[ColumnPair]:
    """Return the goal's score, then the features in the order of their names."""
    score = "expected_value" if goal is GoalName.CLV else "probability"
    of_the_moment = {FEATURE_PREFIX + name for name in moment_features()}
    logged = [name for name in reference.rows.column_names if name.startswith(FEATURE_PREFIX)]
    names = sorted(set(logged) - of_the_moment)
    then, now = (_sample(window.rows, sample_rows, random) for window in (reference, current))
    return [_pair(name, reference.rows, current.rows, then, now) for name in [score, *names]]


def _sample(rows: pa.Table, sample_rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    if rows.num_rows <= sample_rows:
        return np.arange(rows.num_rows)
    return np.sort(random.choice(rows.num_rows, size=sample_rows, replace=False))


def _pair(
    name: str,
    reference: pa.Table,
    current: pa.Table,
    reference_sample: NDArray[np.int64],
    current_sample: NDArray[np.int64],
) -> ColumnPair:
    then, now = (table[name].to_numpy().astype(np.float64) for table in (reference, current))
    return ColumnPair(
        name=name.removeprefix(FEATURE_PREFIX),
        kind="feature" if name.startswith(FEATURE_PREFIX) else "score",
        reference=then,
        current=now,
        reference_sample=finite(then[reference_sample]),
        current_sample=finite(now[current_sample]),
    )


def _share_drifted(features: list[ColumnDrift]) -> float:
    known = [f for f in features if min(f.null_share_reference, f.null_share_current) < 1]
    return sum(feature.drifted for feature in known) / len(known) if known else 0.0


def _summary(window: Window) -> WindowSummary:
    return WindowSummary(
        start=window.start.moment,
        end=window.end.moment,
        moments=len(window.rows["as_of"].unique()),
        rows=window.rows.num_rows,
        model_versions=window.model_versions,
        refused_shares=window.refused_shares,
    )


def _ask_evidently(judged: list[tuple[ColumnPair, ColumnDrift]]) -> tuple[dict[str, float], str]:
    """Return Evidently's PSI by label of the column, and its page."""
    if not judged:
        return {}, EMPTY_PAGE
    try:
        from evidently import Report
        from evidently.presets import DataDriftPreset
    except ImportError as error:
        raise ConfigurationError(
            f"drift reports need Evidently ({error}); install the extra `monitor`"
        ) from error
    preset = DataDriftPreset(
        num_method="psi",
        cat_method="jensenshannon",
        per_column_threshold={pair.label: found.threshold for pair, found in judged},
        drift_share=DRIFTED_SHARE,
    )
    reference, current = _datasets([pair for pair, _ in judged])
    try:
        snapshot = Report([preset]).run(current_data=current, reference_data=reference)
        return _statistics(snapshot.dict()), snapshot.get_html_str(as_iframe=False)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise HistoryError(
            f"Evidently could not compare the windows: {error}; choose other ranges"
        ) from error


def _datasets(pairs: list[ColumnPair]) -> tuple[Any, Any]:
    import pandas as pd
    from evidently import DataDefinition, Dataset

    # Without the definition, a column with five distinct values or fewer would become a category.
    definition = DataDefinition(numerical_columns=[pair.label for pair in pairs])
    both = [(pair.label, *pair.in_tenths()) for pair in pairs]
    # Nulls are already dropped, so the columns of one window may have different lengths.
    reference = pd.DataFrame({label: pd.Series(then) for label, then, _ in both})
    current = pd.DataFrame({label: pd.Series(now) for label, _, now in both})
    return (
        Dataset.from_pandas(reference, data_definition=definition),
        Dataset.from_pandas(current, data_definition=definition),
    )


def _statistics(report: dict[str, Any]) -> dict[str, float]:
    return {
        metric["config"]["column"]: float(metric["value"])
        for metric in report["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    }
