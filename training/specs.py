"""What is decided in code, and reviewed: how each goal is labelled, fitted and judged."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contracts.goals import GoalName
from features.labels import Outcomes

Values = NDArray[np.float64]

LIGHTGBM_PARAMETERS: dict[str, float | int | str | bool] = {
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    # Two trainings of the same data must give the same trees, whatever the number of threads.
    "deterministic": True,
    "force_row_wise": True,
}
BOOSTING_ROUNDS = 200
LINEAR_PENALTY = 10.0
"""L2 penalty of the logistic half, on standardised features and a sum of log losses."""
SPEND_LINEAR_PENALTY = 0.02
"""L2 penalty of the spend half, on standardised features and a mean of deviances."""

CALIBRATION_PRIOR = 0.5
"""Weight of the uncalibrated margin against the information of the calibration slice, where a half
takes level and slope half the way: see calibrate.py."""

INTERVAL_COVERAGE = 0.8
PERCENTILE_POINTS = 1001
BAND_EDGES = (50.0, 80.0, 95.0)
BAND_NAMES = ("low", "medium", "high", "top")


@dataclass(frozen=True)
class GoalSpec:
    """How a goal is labelled and judged.

    Attributes:
        goal: the goal.
        event: 1 where the goal's event happened, from the outcomes of the horizon.
        spends: whether the goal also expects an amount.
        primary_metric: what a model must beat the baselines in; higher is better.
        needs: columns of `orders` that must be mapped.
    """

    goal: GoalName
    event: Callable[[Outcomes], Values]
    spends: bool
    primary_metric: str
    needs: frozenset[str] = frozenset()


def _ordered(outcomes: Outcomes) -> Values:
    return np.asarray(outcomes.orders > 0, dtype=np.float64)


def _left(outcomes: Outcomes) -> Values:
    return np.asarray(outcomes.orders == 0, dtype=np.float64)


def _spent(outcomes: Outcomes) -> Values:
    return np.asarray(outcomes.spend > 0, dtype=np.float64)


SPECS: dict[GoalName, GoalSpec] = {
    GoalName.CHURN: GoalSpec(GoalName.CHURN, _left, spends=False, primary_metric="auc"),
    GoalName.PURCHASE_PROPENSITY: GoalSpec(
        GoalName.PURCHASE_PROPENSITY, _ordered, spends=False, primary_metric="auc"
    ),
    GoalName.CLV: GoalSpec(
        GoalName.CLV,
        _spent,
        spends=True,
        primary_metric="normalised_gini",
        needs=frozenset({"amount"}),
    ),
}
