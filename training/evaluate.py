"""How good a model is, out of time, with the baselines beside it.

The test moment lies one horizon before the moment of knowledge: the model under test learnt only
from labels that had matured when the test moment began.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.model_card import Metrics
from serving.predictors import Prediction
from training import metrics
from training.baselines import BaselinePrediction, predict_baselines
from training.dataset import Slice
from training.specs import GoalSpec

Values = NDArray[np.float64]

MODEL = "model"


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model and of the baselines at one test moment, by name."""

    metrics: Mapping[str, Metrics]
    warnings: tuple[str, ...]


def evaluate(
    spec: GoalSpec,
    part: Slice,
    prediction: Prediction,
    columns: tuple[str, ...],
    *,
    everyone: Values,
    horizon_days: int,
    seed: int,
) -> Evaluation:
    """Return the metrics of `prediction` and of the baselines for the customers of `part`.

    `everyone` are the features of all who ever ordered, eligible or not: see the baselines.
    """
    baselines = predict_baselines(
        spec.goal, part, columns, everyone=everyone, horizon_days=horizon_days, seed=seed
    )
    by_name: dict[str, Metrics] = {MODEL: _model_metrics(spec, part, prediction)}
    for name, baseline in baselines.predictions.items():
        by_name[name] = _baseline_metrics(spec, part, baseline)
    return Evaluation(by_name, baselines.warnings)


def beats_baselines(spec: GoalSpec, evaluated: Mapping[str, Metrics]) -> tuple[bool, str]:
    """Return whether the model beats every baseline in the goal's primary metric, and the words.

    The words name the metric, the model's value and that of the best baseline.
    """
    name = spec.primary_metric
    model = evaluated[MODEL][name]
    rivals = {k: v[name] for k, v in evaluated.items() if k != MODEL and v.get(name) is not None}
    best, best_value = max(rivals.items(), key=lambda rival: rival[1] or 0.0, default=("", None))
    if model is None or best_value is None:
        return False, f"{name} is not known of the model and a baseline"
    words = f"{name} {model:.4f} against {best_value:.4f} of {best}"
    return model > best_value, words


def _model_metrics(spec: GoalSpec, part: Slice, prediction: Prediction) -> Metrics:
    if not spec.spends:
        return _event_metrics(part.event, prediction.probability, prediction.probability)
    inside = metrics.coverage(part.spend, prediction.lower, prediction.upper)
    return {
        **_spend_metrics(part.spend, prediction.expected_value, prediction.expected_value),
        "interval_coverage": inside,
        "chance_auc": metrics.auc(part.event, prediction.probability),
        "chance_calibration_error": metrics.calibration_error(part.event, prediction.probability),
    }


def _baseline_metrics(spec: GoalSpec, part: Slice, baseline: BaselinePrediction) -> Metrics:
    if spec.spends:
        return _spend_metrics(part.spend, baseline.ranking, baseline.expected)
    return _event_metrics(part.event, baseline.ranking, baseline.chance)


def _event_metrics(event: Values, ranking: Values, chance: Values | None) -> Metrics:
    known: Metrics = {
        "customers": len(event),
        "base_rate": float(event.mean()),
        "auc": metrics.auc(event, ranking),
        "lift_top_tenth": metrics.lift_top_tenth(event, ranking),
    }
    if chance is not None:
        known |= {
            "log_loss": metrics.logarithmic_loss(event, chance),
            "brier": metrics.brier(event, chance),
            "calibration_error": metrics.calibration_error(event, chance),
        }
    return known


def _spend_metrics(spend: Values, ranking: Values, expected: Values | None) -> Metrics:
    known: Metrics = {
        "customers": len(spend),
        "mean_spend": float(spend.mean()),
        "normalised_gini": metrics.normalised_gini(spend, ranking),
        "spearman": metrics.spearman(spend, ranking),
        "lift_top_tenth": metrics.lift_top_tenth(spend, ranking),
    }
    if expected is not None:
        known |= {
            "decile_error": metrics.decile_error(spend, expected),
            "total_bias": metrics.total_bias(spend, expected),
            "mean_absolute_error": float(np.mean(np.abs(spend - expected))),
        }
    return known
