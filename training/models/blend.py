"""Fits of a blend: boosted trees and a log-linear function of the same features."""

import re
from typing import Literal

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import GammaRegressor, LogisticRegression

from serving.predictors import Blend, LogLinear, log_feature
from training.specs import (
    BOOSTING_ROUNDS,
    LIGHTGBM_PARAMETERS,
    LINEAR_PENALTY,
    SPEND_LINEAR_PENALTY,
)

Values = NDArray[np.float64]

MOST_ITERATIONS = 5000
SMALLEST_SPREAD = 1e-9
"""A feature whose logarithm spreads less than this, relative to its size, counts as constant."""
SINGLE_THREAD_VALUES = 10_000_000
"""Below this many feature values threads wait for each other more than they work, and on a busy
machine they wait very long."""
SOLVER: Literal["newton-cholesky"] = "newton-cholesky"
"""Exact Newton steps: many rows and few columns, so the Hessian is small."""


def fit_event_blend(matrix: Values, event: Values, columns: tuple[str, ...], seed: int) -> Blend:
    """Return a blend whose margin is the log-odds of `event` (n labels of 0 or 1)."""
    logged = _logged(matrix)
    centre, spread = _scale(logged)
    linear = LogisticRegression(C=1.0 / LINEAR_PENALTY, solver=SOLVER, max_iter=MOST_ITERATIONS)
    linear.fit((logged - centre) / spread, event)
    return Blend(
        booster=_boost(matrix, event, columns, objective="binary", seed=seed),
        linear=_unscaled(linear.coef_[0], float(linear.intercept_[0]), logged, centre, spread),
    )


def fit_spend_blend(matrix: Values, spend: Values, columns: tuple[str, ...], seed: int) -> Blend:
    """Return a blend whose margin is the log of expected spend (n amounts above zero)."""
    logged = _logged(matrix)
    centre, spread = _scale(logged)
    unit = float(spend.mean())
    linear = GammaRegressor(alpha=SPEND_LINEAR_PENALTY, solver=SOLVER, max_iter=MOST_ITERATIONS)
    linear.fit((logged - centre) / spread, spend / unit)
    intercept = float(linear.intercept_) + float(np.log(unit))
    return Blend(
        booster=_boost(matrix, spend, columns, objective="gamma", seed=seed),
        linear=_unscaled(linear.coef_, intercept, logged, centre, spread),
    )


def _boost(
    matrix: Values,
    target: Values,
    columns: tuple[str, ...],
    *,
    objective: Literal["binary", "gamma"],
    seed: int,
) -> lgb.Booster:
    data = lgb.Dataset(matrix, target, feature_name=_names(columns))
    threads = 1 if matrix.size < SINGLE_THREAD_VALUES else 0
    parameters = {
        **LIGHTGBM_PARAMETERS,
        "objective": objective,
        "seed": seed,
        "num_threads": threads,
    }
    return lgb.train(parameters, data, BOOSTING_ROUNDS)


def _names(columns: tuple[str, ...]) -> list[str]:
    """Return names that LightGBM takes: it knows no punctuation, and makes spaces alike."""
    return [f"{re.sub(r'[^0-9A-Za-z]', '_', name)}_{place}" for place, name in enumerate(columns)]


def _logged(matrix: Values) -> Values:
    return np.column_stack([log_feature(matrix[:, column]) for column in range(matrix.shape[1])])


def _scale(logged: Values) -> tuple[Values, Values]:
    centre, spread = logged.mean(axis=0), logged.std(axis=0)
    # A constant column says nothing; scaled by one it stays at zero and gets no weight. Rounding
    # leaves it a spread that is not quite zero.
    return centre, np.where(spread > SMALLEST_SPREAD * np.maximum(1.0, centre), spread, 1.0)


def _unscaled(
    weights: Values, intercept: float, logged: Values, centre: Values, spread: Values
) -> LogLinear:
    raw = np.asarray(weights, dtype=np.float64) / spread
    return LogLinear(
        intercept=intercept - float((raw * centre).sum()),
        weights=tuple(raw.tolist()),
        lows=tuple(logged.min(axis=0).tolist()),
        highs=tuple(logged.max(axis=0).tolist()),
    )
