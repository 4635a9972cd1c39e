"""Calibration on a later slice that the model had not seen: chances and intervals.

The level of a business moves. A slice of one moment shows its newest level, but only one draw of
it, while the final model learns from several moments. The sigmoid is therefore pulled towards
leaving the margin as it is, by a prior that weighs as much as the slice itself: it takes level and
slope half the way. On the data we measured that beats both no and full recalibration.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from serving.predictors import IntervalTable, Sigmoid, logistic
from training.specs import CALIBRATION_PRIOR, INTERVAL_COVERAGE

Values = NDArray[np.float64]

SMALLEST_SLOPE = 0.05
ROWS_PER_BIN = 100
MOST_BINS = 20


def fit_sigmoid(early: Values, final: Values, event: Values) -> Sigmoid:
    """Return the calibration of the final model, from a slice that an earlier one had not seen.

    The early model says how far its margins can be trusted out of time, which sets the slope. Its
    level is older than that of the final model, so it is moved there before the two are compared
    with what happened. Maximum likelihood of level and slope with a Gaussian prior around
    (0, 1). Source: Platt (1999), Probabilistic outputs for support vector machines.

    Args:
        early: margins of the slice by a model that had not seen its labels.
        final: margins of the slice by the model that is calibrated.
        event: what happened, 0 or 1.
    """
    margin = early - early.mean() + final.mean()
    information = logistic(margin) * (1.0 - logistic(margin))
    # Around this centre the slice says of level and slope what it says of each alone.
    centre = float((information * margin).sum() / information.sum())
    spread = margin - centre
    level_prior = CALIBRATION_PRIOR * float(information.sum())
    slope_prior = CALIBRATION_PRIOR * float((information * spread**2).sum())

    def loss(parameters: Values) -> float:
        level, slope = parameters
        chance = logistic(centre + level + slope * spread)
        likelihood = event * np.log(chance + 1e-15) + (1 - event) * np.log(1 - chance + 1e-15)
        prior = level_prior * level**2 + slope_prior * (slope - 1.0) ** 2
        return float(prior - likelihood.sum())

    bounds = [(None, None), (SMALLEST_SLOPE, None)]
    level, slope = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=bounds).x
    return Sigmoid(intercept=float(centre + level - slope * centre), slope=float(slope))


def fit_intervals(
    expected: Values, spend: Values, coverage: float = INTERVAL_COVERAGE
) -> IntervalTable:
    """Return spend intervals, by size of the expected value, from an out-of-time slice.

    In each bin of the expected value, spend over expected value is ranked as in split conformal
    prediction. Where more than the lower tail spends nothing, the interval starts at zero and the
    whole miss lies above it, so that the coverage is what it says and not more.
    Source: Vovk, Gammerman & Shafer (2005), Algorithmic learning in a random world.
    """
    bins = int(np.clip(len(expected) // ROWS_PER_BIN, 1, MOST_BINS))
    # Edges are values that are there, above the lowest: so no bin is empty where many are equal.
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    edges = edges[edges > expected.min()]
    place = np.searchsorted(edges, expected, side="right")
    lower, upper = [], []
    for number in range(len(edges) + 1):
        inside = place == number
        low, high = _ratio_bounds(expected[inside], spend[inside], coverage)
        lower.append(low)
        upper.append(high)
    return IntervalTable(
        coverage=coverage,
        edges=tuple(edges.tolist()),
        lower_ratios=tuple(lower),
        upper_ratios=tuple(upper),
    )


def _ratio_bounds(expected: Values, spend: Values, coverage: float) -> tuple[float, float]:
    ratio = np.sort(spend / np.maximum(expected, 1e-12))
    tail = (1.0 - coverage) / 2.0
    if np.mean(spend == 0.0) > tail:
        return 0.0, _conformal_quantile(ratio, coverage)
    return float(-_conformal_quantile(np.sort(-ratio), 1.0 - tail)), _conformal_quantile(
        ratio, 1.0 - tail
    )


def _conformal_quantile(ordered: Values, level: float) -> float:
    rank = int(np.ceil(level * (len(ordered) + 1)))
    return float(ordered[min(rank, len(ordered)) - 1])
