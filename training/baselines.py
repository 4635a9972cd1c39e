"""What a model must beat: simple rules that need no training, and the canon of CLV papers.

Every baseline sees just what the model sees: the features as of the moment, and no label.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contracts.goals import GoalName
from training.btyd import PurchaseHistory, fit_bgnbd, fit_gamma_gamma, predict_spend
from training.dataset import Slice

Values = NDArray[np.float64]

DAYS_SINCE_LAST_ORDER = "days_since_last_order"
RFM = "rfm"
BG_NBD = "bg_nbd"
BG_NBD_GAMMA_GAMMA = "bg_nbd_gamma_gamma"
NAIVE_RATE = "naive_rate"

RFM_CLASSES = 5


@dataclass(frozen=True)
class BaselinePrediction:
    """What a baseline says of n customers.

    Attributes:
        ranking: higher means likelier, or worth more.
        chance: calibrated-by-design chance, where the baseline claims one.
        expected: expected spend, where the baseline claims one.
    """

    ranking: Values
    chance: Values | None = None
    expected: Values | None = None


@dataclass(frozen=True)
class Baselines:
    """The baselines of a slice by name, and why one is missing."""

    predictions: Mapping[str, BaselinePrediction]
    warnings: tuple[str, ...] = ()


def predict_baselines(
    goal: GoalName,
    part: Slice,
    columns: tuple[str, ...],
    *,
    everyone: Values,
    horizon_days: int,
    seed: int,
) -> Baselines:
    """Return what the baselines of `goal` say of the customers of `part`.

    BG/NBD and Gamma-Gamma are fitted to `everyone` who ever ordered (n x features, as `columns`):
    among those who are still active, hardly anybody has left. A fit that the data do not identify
    is left out and named in the warnings.
    """
    feature, population = _by_name(part.matrix, columns), _by_name(everyone, columns)
    if goal is GoalName.CLV:
        return _spend_baselines(feature, population, horizon_days, seed)
    return _event_baselines(goal, feature, population, horizon_days, seed)


def _by_name(matrix: Values, columns: tuple[str, ...]) -> dict[str, Values]:
    return {name: matrix[:, place] for place, name in enumerate(columns)}


def _event_baselines(
    goal: GoalName,
    feature: Mapping[str, Values],
    population: Mapping[str, Values],
    horizon_days: int,
    seed: int,
) -> Baselines:
    # Churn is the other side of buying: the same rankings, upside down.
    sign = -1.0 if goal is GoalName.CHURN else 1.0
    predictions = {
        DAYS_SINCE_LAST_ORDER: BaselinePrediction(-sign * feature["days_since_last_order"]),
        RFM: BaselinePrediction(sign * rfm_score(feature)),
    }
    model = fit_bgnbd(purchase_history(population), seed=seed)
    if not model.identified:
        return Baselines(predictions, (_unidentified("BG/NBD", model.warning),))
    buys = model.probability_of_order(purchase_history(feature), horizon_days)
    chance = 1.0 - buys if goal is GoalName.CHURN else buys
    predictions[BG_NBD] = BaselinePrediction(chance, chance=chance)
    return Baselines(predictions)


def _spend_baselines(
    feature: Mapping[str, Values], population: Mapping[str, Values], horizon_days: int, seed: int
) -> Baselines:
    rate = feature["spend_per_30d"] * horizon_days / 30.0
    predictions = {
        DAYS_SINCE_LAST_ORDER: BaselinePrediction(-feature["days_since_last_order"]),
        RFM: BaselinePrediction(rfm_score(feature)),
        NAIVE_RATE: BaselinePrediction(rate, expected=rate),
    }
    spend, warnings = _btyd_spend(
        purchase_history(feature), purchase_history(population), horizon_days, seed
    )
    if spend is not None:
        predictions[BG_NBD_GAMMA_GAMMA] = BaselinePrediction(spend, expected=spend)
    return Baselines(predictions, warnings)


def _btyd_spend(
    history: PurchaseHistory, population: PurchaseHistory, horizon_days: int, seed: int
) -> tuple[Values | None, tuple[str, ...]]:
    model = fit_bgnbd(population, seed=seed)
    if not model.identified:
        return None, (_unidentified("BG/NBD", model.warning),)
    values = fit_gamma_gamma(population)
    if not values.identified:
        return None, (_unidentified("Gamma-Gamma", values.warning),)
    return predict_spend(model, values, history, horizon_days), ()


def purchase_history(feature: Mapping[str, Values]) -> PurchaseHistory:
    """Return the purchase history that the features tell; orders of one day count as one.

    The mean amount is that of all order days: the features do not single out the first order.
    """
    days = np.maximum(feature["order_days_total"], 1.0)
    age = feature["days_since_first_order"]
    recency = np.where(days > 1, age - feature["days_since_last_order"], 0.0)
    spend = feature.get("spend_total", np.zeros_like(days))
    return PurchaseHistory(
        repeat_orders=days - 1.0,
        btyd_recency_days=np.clip(recency, 0.0, age),
        age_days=age,
        mean_repeat_spend=np.where(days > 1, np.maximum(spend, 0.0) / days, 0.0),
    )


def rfm_score(feature: Mapping[str, Values]) -> Values:
    """Return the sum of three classes 1..5: how lately, how often and how much a customer buys.

    Source: Hughes (1994), Strategic database marketing; equal classes by rank.
    """
    parts = [-feature["days_since_last_order"], feature["orders_total"]]
    if "spend_total" in feature:
        parts.append(feature["spend_total"])
    return np.asarray(sum(_rank_class(values) for values in parts), dtype=np.float64)


def _rank_class(values: Values) -> Values:
    edges = np.quantile(values, np.arange(1, RFM_CLASSES) / RFM_CLASSES)
    return np.asarray(np.searchsorted(edges, values, side="right") + 1, dtype=np.float64)


def _unidentified(name: str, warning: str | None) -> str:
    return f"the baseline {name} is left out: {warning}"
