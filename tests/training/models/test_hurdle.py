from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from features.contracts.errors import HistoryError
from serving.predictors import HurdlePredictor, Sigmoid
from tests.training.samples import COLUMNS, simulated_set, simulated_slice
from training.dataset import TrainingSet
from training.metrics import coverage, total_bias
from training.models.blend import fit_event_blend
from training.models.hurdle import FEWEST_SPENDERS, fit_hurdle

Values = NDArray[np.float64]

WHOLE = simulated_set(slices=3, rows=800)
HELD_OUT = WHOLE.at([WHOLE.slices[2].as_of])
EMBARGOED = WHOLE.at([WHOLE.slices[0].as_of])


@cache
def calibrated() -> HurdlePredictor:
    return fit_hurdle(WHOLE, HELD_OUT, EMBARGOED, seed=7)


@cache
def uncalibrated() -> HurdlePredictor:
    return fit_hurdle(WHOLE, None, None, seed=7)


def with_spend(training_set: TrainingSet, spend: Values) -> TrainingSet:
    """Return the set with other amounts, and the events that go with them."""
    parts, start = [], 0
    for part in training_set.slices:
        own = spend[start : start + len(part)]
        parts.append(replace(part, spend=own, event=np.asarray(own > 0, dtype=np.float64)))
        start += len(part)
    return TrainingSet(training_set.columns, tuple(parts))


def test_expected_value_is_chance_times_size_and_adds_up() -> None:
    fresh = simulated_slice(10_000, seed=55)

    predicted = calibrated().predict(fresh.matrix)

    assert total_bias(fresh.spend, predicted.expected_value) == pytest.approx(0.0, abs=0.1)
    assert predicted.probability.mean() == pytest.approx(fresh.event.mean(), abs=0.03)
    assert np.all(predicted.expected_value > 0)
    assert predicted.ranking_score.tobytes() == predicted.expected_value.tobytes()


def test_spenders_in_training_are_expected_to_spend_what_they_spent() -> None:
    predictor = uncalibrated()
    buys = WHOLE.spend > 0

    predicted = predictor.predict(WHOLE.matrix[buys])

    size = predicted.expected_value / predicted.probability
    assert size.sum() == pytest.approx(WHOLE.spend[buys].sum())


def test_intervals_cover_out_of_time_what_they_say() -> None:
    fresh = simulated_slice(10_000, seed=55)

    predicted = calibrated().predict(fresh.matrix)

    inside = coverage(fresh.spend, predicted.lower, predicted.upper)
    assert inside == pytest.approx(0.8, abs=0.05)
    assert np.all((predicted.lower >= 0) & (predicted.lower <= predicted.upper))


def test_intervals_are_those_of_a_model_that_saw_the_embargoed_slices_alone() -> None:
    """An early model that learnt from other labels gives other intervals."""
    before = WHOLE.slices[0]
    other = TrainingSet(COLUMNS, (simulated_slice(800, before.as_of, seed=99),))

    first, second = calibrated(), fit_hurdle(WHOLE, HELD_OUT, other, seed=7)

    assert first.tables.intervals != second.tables.intervals
    assert first.tables.spend_linear == second.tables.spend_linear


def test_without_a_calibration_slice_the_newest_slice_stands_in() -> None:
    predictor = uncalibrated()

    assert predictor.tables.sigmoid == Sigmoid()
    newest = WHOLE.slices[-1]
    lower, upper = predictor.tables.intervals.bounds(
        predictor.predict(newest.matrix).expected_value
    )
    assert coverage(newest.spend, lower, upper) == pytest.approx(0.8, abs=0.02)


def test_amounts_do_not_touch_the_chance() -> None:
    dearer = with_spend(WHOLE, WHOLE.spend * np.linspace(0.5, 9.0, len(WHOLE.spend)))

    predictor = fit_hurdle(dearer, None, None, seed=7)

    chance = fit_event_blend(WHOLE.matrix, WHOLE.event, COLUMNS, seed=7)
    assert predictor.order_booster.model_to_string() == chance.booster.model_to_string()
    assert predictor.tables.order_linear == chance.linear


def test_same_seed_gives_the_same_numbers() -> None:
    first, second, other = (
        fit_hurdle(WHOLE, HELD_OUT, EMBARGOED, seed).predict(WHOLE.matrix) for seed in (7, 7, 8)
    )

    for name in ("probability", "expected_value", "lower", "upper"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name
    assert first.expected_value.tobytes() != other.expected_value.tobytes()


def test_fewest_spenders_are_enough_and_one_less_is_refused() -> None:
    buyers = np.flatnonzero(WHOLE.spend)
    enough, few = np.zeros(len(WHOLE.spend)), np.zeros(len(WHOLE.spend))
    enough[buyers[:FEWEST_SPENDERS]] = WHOLE.spend[buyers[:FEWEST_SPENDERS]]
    few[buyers[: FEWEST_SPENDERS - 1]] = WHOLE.spend[buyers[: FEWEST_SPENDERS - 1]]

    predicted = fit_hurdle(with_spend(WHOLE, enough), None, None, seed=7).predict(WHOLE.matrix)

    assert np.isfinite(predicted.expected_value).all()
    assert predicted.expected_value.sum() == pytest.approx(enough.sum(), rel=0.5)
    with pytest.raises(HistoryError, match="only 9 of 2400 customers spent anything"):
        fit_hurdle(with_spend(WHOLE, few), None, None, seed=7)


@pytest.mark.parametrize("unit", [1e-3, 1e10])
def test_any_currency_will_do(unit: float) -> None:
    plain = calibrated().predict(WHOLE.matrix)
    sets = [with_spend(part, part.spend * unit) for part in (WHOLE, HELD_OUT, EMBARGOED)]

    scaled = fit_hurdle(sets[0], sets[1], sets[2], seed=7).predict(WHOLE.matrix)

    assert scaled.expected_value / unit == pytest.approx(plain.expected_value, rel=0.02)
    assert scaled.upper.mean() / unit == pytest.approx(plain.upper.mean(), rel=0.02)


def test_one_gigantic_spend_leaves_finite_numbers() -> None:
    spend = WHOLE.spend.copy()
    spend[np.flatnonzero(spend)[0]] = 1e13

    predicted = fit_hurdle(with_spend(WHOLE, spend), None, None, seed=7).predict(WHOLE.matrix)

    assert np.isfinite(predicted.upper).all()


def test_equal_spends_are_expected_of_all_who_buy() -> None:
    alike = with_spend(WHOLE, np.where(WHOLE.spend > 0, 25.0, 0.0))

    predicted = fit_hurdle(alike, None, None, seed=7).predict(WHOLE.matrix)

    size = predicted.expected_value / predicted.probability
    assert size == pytest.approx(np.full(len(size), 25.0), rel=1e-3)
