from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.contracts.goals import GoalName
from serving.model_card import Metrics
from serving.predictors import Prediction
from tests.training.samples import CDNOW_AS_OF, HORIZON_DAYS, Shop
from training import metrics
from training.dataset import Slice
from training.evaluate import MODEL, Evaluation, beats_baselines, evaluate
from training.specs import SPECS

Values = NDArray[np.float64]

TEST_MOMENT = CDNOW_AS_OF.plus_days(-HORIZON_DAYS)


def cdnow_slice(goal: GoalName, shop: Shop) -> tuple[Slice, tuple[str, ...]]:
    vectors = shop.vectors(TEST_MOMENT)
    outcomes = shop.labels()(vectors.customer_ids, TEST_MOMENT, CDNOW_AS_OF)
    event = SPECS[goal].event(outcomes)
    part = Slice(TEST_MOMENT, vectors.customer_ids, vectors.values, event, outcomes.spend)
    return part, vectors.columns


def prediction_of(chance: Values, expected: Values | None = None) -> Prediction:
    nothing = np.full(len(chance), np.nan)
    if expected is None:
        return Prediction(chance, nothing, nothing, nothing)
    return Prediction(chance, expected, 0.5 * expected, 2.0 * expected)


def judged(goal: GoalName, part: Slice, columns: tuple[str, ...], says: Prediction) -> Evaluation:
    return evaluate(
        SPECS[goal], part, says, columns, everyone=part.matrix, horizon_days=HORIZON_DAYS, seed=7
    )


def test_event_goal_is_judged_by_its_chances(shop: Shop) -> None:
    part, columns = cdnow_slice(GoalName.CHURN, shop)
    chance = np.random.default_rng(1).uniform(0.01, 0.99, len(part))

    found = judged(GoalName.CHURN, part, columns, prediction_of(chance)).metrics

    assert set(found) == {MODEL, "days_since_last_order", "rfm", "bg_nbd"}
    assert found[MODEL] == {
        "customers": len(part),
        "base_rate": part.event.mean(),
        "auc": metrics.auc(part.event, chance),
        "lift_top_tenth": metrics.lift_top_tenth(part.event, chance),
        "log_loss": metrics.logarithmic_loss(part.event, chance),
        "brier": metrics.brier(part.event, chance),
        "calibration_error": metrics.calibration_error(part.event, chance),
    }
    assert {"log_loss", "calibration_error"} <= found["bg_nbd"].keys()
    assert "log_loss" not in found["rfm"]


def test_spend_goal_is_judged_by_ranking_and_level_apart(shop: Shop) -> None:
    part, columns = cdnow_slice(GoalName.CLV, shop)
    random = np.random.default_rng(1)
    chance, expected = random.uniform(0.01, 0.99, len(part)), random.gamma(1.0, 10.0, len(part))

    found = judged(GoalName.CLV, part, columns, prediction_of(chance, expected)).metrics

    assert set(found) == {
        MODEL,
        "days_since_last_order",
        "rfm",
        "naive_rate",
        "bg_nbd_gamma_gamma",
    }
    assert found[MODEL] == {
        "customers": len(part),
        "mean_spend": part.spend.mean(),
        "normalised_gini": metrics.normalised_gini(part.spend, expected),
        "spearman": metrics.spearman(part.spend, expected),
        "lift_top_tenth": metrics.lift_top_tenth(part.spend, expected),
        "decile_error": metrics.decile_error(part.spend, expected),
        "total_bias": metrics.total_bias(part.spend, expected),
        "mean_absolute_error": np.abs(part.spend - expected).mean(),
        "interval_coverage": metrics.coverage(part.spend, 0.5 * expected, 2 * expected),
        "chance_auc": metrics.auc(part.event, chance),
        "chance_calibration_error": metrics.calibration_error(part.event, chance),
    }
    assert "total_bias" not in found["rfm"]
    assert found["naive_rate"].keys() == found["bg_nbd_gamma_gamma"].keys()


def test_expecting_nothing_of_anybody_ranks_nobody_however_small_its_error(shop: Shop) -> None:
    part, columns = cdnow_slice(GoalName.CLV, shop)
    nothing = np.zeros(len(part))

    found = judged(GoalName.CLV, part, columns, prediction_of(nothing + 0.1, nothing)).metrics
    model, naive = found[MODEL], found["naive_rate"]

    assert (model["mean_absolute_error"] or 0.0) < (naive["mean_absolute_error"] or 0.0)
    assert model["normalised_gini"] == pytest.approx(0.0)
    assert model["total_bias"] == -1.0
    assert not beats_baselines(SPECS[GoalName.CLV], found)[0]


@pytest.mark.parametrize("goal", GoalName)
def test_customers_that_nothing_tells_apart_give_finite_metrics(goal: GoalName, shop: Shop) -> None:
    part, columns = cdnow_slice(goal, shop)
    alike = replace(part, matrix=np.tile(part.matrix[0], (len(part), 1)))
    same = np.full(len(part), 0.5)

    found = judged(goal, alike, columns, prediction_of(same, 10 * same))

    values = [value for by_name in found.metrics.values() for value in by_name.values()]
    assert np.isfinite(np.array(values, dtype=np.float64)).all()
    assert "left out" in found.warnings[0]


def metrics_of(**values: float | None) -> dict[str, Metrics]:
    return {name: {"auc": value} for name, value in values.items()}


@pytest.mark.parametrize(
    ("evaluated", "beats", "words"),
    [
        (metrics_of(model=0.8, rfm=0.7, bg_nbd=0.75), True, "auc 0.8000 against 0.7500 of bg_nbd"),
        (metrics_of(model=0.72, rfm=0.7, bg_nbd=0.75), False, "0.7200 against 0.7500 of bg_nbd"),
        (metrics_of(model=0.75, bg_nbd=0.75), False, "0.7500 against 0.7500"),
        (metrics_of(model=0.8, rfm=None, bg_nbd=0.7), True, "0.7000 of bg_nbd"),
        (metrics_of(model=0.1, rfm=-0.2, bg_nbd=-0.1), True, "-0.1000 of bg_nbd"),
        (metrics_of(model=None, rfm=0.5), False, "not known"),
        (metrics_of(model=0.9, rfm=None), False, "not known"),
        (metrics_of(model=0.9), False, "not known"),
    ],
)
def test_model_must_beat_the_best_baseline(
    evaluated: dict[str, Metrics], beats: bool, words: str
) -> None:
    found, reason = beats_baselines(SPECS[GoalName.CHURN], evaluated)

    assert found is beats
    assert words in reason


def test_each_goal_is_compared_in_its_primary_metric() -> None:
    evaluated: dict[str, Metrics] = {
        MODEL: {"normalised_gini": 0.4, "spearman": 0.9},
        "rfm": {"normalised_gini": 0.5, "spearman": 0.1},
    }

    beats, reason = beats_baselines(SPECS[GoalName.CLV], evaluated)

    assert not beats
    assert reason.startswith("normalised_gini 0.4000")
