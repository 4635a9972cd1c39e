"""Metrics of chances and of amounts. Ranking and level are always reported apart.

All functions take the truth first. Rows of one score share the mean of their truths, so that the
order of the rows never makes a ranking better or worse than it is.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

Values = NDArray[np.float64]

BINS = 10


def auc(event: Values, score: Values) -> float:
    """Return the area under the ROC curve: the chance that an event ranks above a non-event."""
    return float(roc_auc_score(event, score))


def logarithmic_loss(event: Values, chance: Values) -> float:
    """Return the mean logarithmic loss of the chances, in nats."""
    return float(log_loss(event, chance, labels=[0, 1]))


def brier(event: Values, chance: Values) -> float:
    """Return the mean squared error of the chances."""
    return float(np.mean((chance - event) ** 2))


def calibration_error(event: Values, chance: Values) -> float:
    """Return the expected calibration error over ten bins of equal size, 0..1.

    Source: Naeini, Cooper & Hauskrecht (2015), with equal-mass bins.
    """
    bins = np.array_split(np.argsort(chance, kind="stable"), BINS)
    happened = _shared(event, chance)
    gaps = [abs(happened[b].mean() - chance[b].mean()) * len(b) for b in bins if len(b)]
    return float(sum(gaps) / len(event))


def lift_top_tenth(event: Values, score: Values) -> float:
    """Return the event rate among the tenth with the highest scores over the overall rate."""
    top = np.argsort(-score, kind="stable")[: max(1, len(score) // 10)]
    return float(_shared(event, score)[top].mean() / event.mean())


def normalised_gini(amount: Values, score: Values) -> float:
    """Return the Gini of amounts ranked by score over that of the perfect ranking, at most 1."""
    return _gini(amount, score) / _gini(amount, amount)


def spearman(amount: Values, score: Values) -> float:
    """Return Spearman's rank correlation, with ties at their mean rank; 0 for a constant score."""
    if score.min() == score.max():
        return 0.0
    return float(np.corrcoef(_mean_ranks(amount), _mean_ranks(score))[0, 1])


def total_bias(amount: Values, expected: Values) -> float:
    """Return expected over true total, less one: 0.1 is ten per cent too high."""
    return float(expected.sum() / amount.sum() - 1.0)


def decile_error(amount: Values, expected: Values) -> float:
    """Return the mean gap between expected and true mean over ten bins, over the true mean."""
    bins = np.array_split(np.argsort(expected, kind="stable"), BINS)
    spent = _shared(amount, expected)
    gaps = [abs(spent[b].mean() - expected[b].mean()) for b in bins if len(b)]
    return float(np.mean(gaps) / amount.mean())


def coverage(amount: Values, lower: Values, upper: Values) -> float:
    """Return the share of amounts that lie within their interval, ends included."""
    return float(np.mean((amount >= lower) & (amount <= upper)))


def _gini(amount: Values, score: Values) -> float:
    ordered = _shared(amount, score)[np.argsort(-score, kind="stable")]
    by_chance = (len(amount) + 1) / (2 * len(amount))
    return float(np.mean(np.cumsum(ordered) / amount.sum()) - by_chance)


def _shared(truth: Values, score: Values) -> Values:
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(place, weights=truth) / counts)[place], dtype=np.float64)


def _mean_ranks(values: Values) -> Values:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[place], dtype=np.float64)
