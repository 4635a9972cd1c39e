"""Score logs with planted facts, in the columns of the real one."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName, ScoreStatus
from monitoring.windows import Window
from serving.score_log import FEATURE_PREFIX, LOG_SCHEMA

Columns = Mapping[str, NDArray[np.float64]]

JANUARY = AsOf.parse("2026-01-01")
FEBRUARY = AsOf.parse("2026-02-01")
MARCH = AsOf.parse("2026-03-01")


def scored(
    as_of: AsOf,
    features: Columns,
    *,
    goal: GoalName = GoalName.CHURN,
    score: NDArray[np.float64] | None = None,
    version: str = "1",
    status: ScoreStatus = ScoreStatus.SCORED,
    customers: Sequence[str] | None = None,
    minutes_later: int = 0,
) -> pa.Table:
    """Return the log rows of one request: a NaN feature is null, as the writer makes it."""
    n = len(next(iter(features.values())))
    given: dict[str, list[Any]] = {
        "customer_id": list(customers or (f"c{i:05d}" for i in range(n))),
        "goal": [goal.value] * n,
        "as_of": [as_of.moment] * n,
        "status": [status.value] * n,
        "model_version": [version] * n,
        "request_id": [f"{as_of}-{minutes_later}"] * n,
        "channel": ["batch"] * n,
        "scored_at": [as_of.moment + timedelta(hours=6, minutes=minutes_later)] * n,
        "features_as_of": [as_of.moment] * n,
    }
    if status is ScoreStatus.SCORED:
        name = "expected_value" if goal is GoalName.CLV else "probability"
        values = np.linspace(0.01, 0.99, n) if score is None else score
        given[name] = list(values)
    table = pa.table(
        {
            field.name: pa.array(given.get(field.name, [None] * n), field.type)
            for field in LOG_SCHEMA
        },
        schema=LOG_SCHEMA,
    )
    for name, column in features.items():
        table = table.append_column(
            FEATURE_PREFIX + name, pa.array(column, pa.float64(), from_pandas=True)
        )
    return table


def window(
    as_of: AsOf,
    features: Columns,
    *,
    refused: Mapping[ScoreStatus, int] | None = None,
    version: str = "1",
    score: NDArray[np.float64] | None = None,
) -> Window:
    """Return a window that holds one request."""
    rows = scored(as_of, features, version=version, score=score)
    return Window(as_of, as_of.plus_days(1), rows, dict(refused or {}))
