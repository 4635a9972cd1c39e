"""The hurdle model: the chance to spend at all, times the spend of those who do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contracts.errors import HistoryError
from serving.predictors import Blend, HurdlePredictor, HurdleTables, Sigmoid
from training.calibrate import fit_intervals, fit_sigmoid
from training.dataset import TrainingSet
from training.models.blend import fit_event_blend, fit_spend_blend

Values = NDArray[np.float64]

FEWEST_SPENDERS = 10
"""With fewer there is nothing to learn of what customers spend."""


@dataclass(frozen=True)
class _HurdleFit:
    order: Blend
    spend: Blend
    spend_scale: float

    def expected(self, matrix: Values, sigmoid: Sigmoid) -> Values:
        chance = sigmoid.probability(self.order.margin(matrix))
        return chance * self.spend_scale * np.exp(self.spend.margin(matrix))


def fit_hurdle(
    training_set: TrainingSet,
    held_out: TrainingSet | None,
    embargoed: TrainingSet | None,
    seed: int,
) -> HurdlePredictor:
    """Return a hurdle model that learnt from `training_set`; arguments as for the classifier.

    Without a calibration slice the intervals come from the training slices themselves and are too
    narrow; the model card then carries a warning.

    Raises:
        HistoryError: if too few customers spent anything.
    """
    final = _fit(training_set, seed)
    sigmoid = Sigmoid()
    unseen, judge = training_set.at([training_set.slices[-1].as_of]), final
    if held_out is not None and embargoed is not None:
        unseen, judge = held_out, _fit(embargoed, seed)
        early, late = judge.order.margin(unseen.matrix), final.order.margin(unseen.matrix)
        sigmoid = fit_sigmoid(early, late, unseen.event)
    intervals = fit_intervals(judge.expected(unseen.matrix, sigmoid), unseen.spend)
    tables = HurdleTables(
        order_linear=final.order.linear,
        sigmoid=sigmoid,
        spend_linear=final.spend.linear,
        spend_scale=final.spend_scale,
        intervals=intervals,
    )
    return HurdlePredictor(tables, final.order.booster, final.spend.booster)


def _fit(training_set: TrainingSet, seed: int) -> _HurdleFit:
    matrix, spend = training_set.matrix, training_set.spend
    spenders = spend > 0
    if spenders.sum() < FEWEST_SPENDERS:
        raise HistoryError(
            f"only {spenders.sum()} of {len(spend)} customers spent anything within the horizon, "
            f"and it takes {FEWEST_SPENDERS} to learn how much; lengthen the goal's horizon_days"
        )
    order = fit_event_blend(matrix, training_set.event, training_set.columns, seed)
    blend = fit_spend_blend(matrix[spenders], spend[spenders], training_set.columns, seed)
    # The mean of two logs is the log of a geometric mean, which is too low: scale it back.
    scale = float(spend[spenders].sum() / np.exp(blend.margin(matrix[spenders])).sum())
    return _HurdleFit(order, blend, scale)
