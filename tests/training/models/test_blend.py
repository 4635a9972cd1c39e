from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import GammaRegressor, LogisticRegression

from serving.predictors import Blend, log_feature
from tests.training.samples import COLUMNS, random_matrix, simulated_slice
from training.models import blend as blending
from training.models.blend import fit_event_blend, fit_spend_blend
from training.specs import BOOSTING_ROUNDS, LINEAR_PENALTY, SPEND_LINEAR_PENALTY

Values = NDArray[np.float64]
Fit = Callable[[Values, Values, tuple[str, ...], int], Blend]

PART = simulated_slice(2_000, seed=1)
BUYS = PART.spend > 0
BOTH: list[tuple[Fit, Values, Values]] = [
    (fit_event_blend, PART.matrix, PART.event),
    (fit_spend_blend, PART.matrix[BUYS], PART.spend[BUYS]),
]


def trees(blend: Blend) -> str:
    """Return the text of the trees without the parameters, which name the threads."""
    return blend.booster.model_to_string().split("\nparameters:")[0]


def standardised(matrix: Values) -> Values:
    logged = log_feature(matrix)
    return np.asarray((logged - logged.mean(axis=0)) / logged.std(axis=0), dtype=np.float64)


def test_chances_of_events_are_learnt() -> None:
    fresh = simulated_slice(20_000, seed=2)
    blend = fit_event_blend(PART.matrix, PART.event, COLUMNS, seed=7)

    chance = 1.0 / (1.0 + np.exp(-blend.margin(fresh.matrix)))

    assert chance.mean() == pytest.approx(fresh.event.mean(), abs=0.02)
    likely = chance > np.quantile(chance, 0.9)
    assert chance[likely].mean() == pytest.approx(fresh.event[likely].mean(), abs=0.05)
    assert fresh.event[likely].mean() > 1.4 * fresh.event.mean()


def test_sizes_of_spends_are_learnt() -> None:
    fresh = simulated_slice(20_000, seed=2)
    buys = fresh.spend > 0
    blend = fit_spend_blend(PART.matrix[BUYS], PART.spend[BUYS], COLUMNS, seed=7)

    size = np.exp(blend.margin(fresh.matrix[buys]))

    assert size.mean() == pytest.approx(fresh.spend[buys].mean(), rel=0.1)
    assert np.corrcoef(size, fresh.spend[buys])[0, 1] > 0.5


@pytest.mark.parametrize(("fit", "matrix", "target"), BOTH)
def test_same_seed_gives_the_same_model(fit: Fit, matrix: Values, target: Values) -> None:
    first, second, other = (fit(matrix, target, COLUMNS, seed) for seed in (7, 7, 8))

    assert first.booster.model_to_string() == second.booster.model_to_string()
    assert first.linear == second.linear == other.linear
    assert trees(first) != trees(other)


@pytest.mark.parametrize(("fit", "matrix", "target"), BOTH)
def test_number_of_threads_changes_nothing(
    fit: Fit, matrix: Values, target: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blending, "BOOSTING_ROUNDS", 20)
    alone = fit(matrix, target, COLUMNS, 7)
    monkeypatch.setattr(blending, "SINGLE_THREAD_VALUES", 0)

    together = fit(matrix, target, COLUMNS, 7)

    assert "[num_threads: 1]" in alone.booster.model_to_string()
    assert "[num_threads: 0]" in together.booster.model_to_string()
    assert trees(alone) == trees(together)
    assert alone.margin(matrix).tobytes() == together.margin(matrix).tobytes()


def test_linear_half_is_the_decision_function_of_the_regression() -> None:
    matrix = random_matrix(500, seed=3)
    event = simulated_slice(500, seed=3).event
    model = LogisticRegression(C=1.0 / LINEAR_PENALTY, solver="newton-cholesky", max_iter=5000)
    model.fit(standardised(matrix), event)

    linear = fit_event_blend(matrix, event, COLUMNS, seed=7).linear

    assert linear.margin(matrix) == pytest.approx(
        model.decision_function(standardised(matrix)), abs=1e-9
    )


def test_linear_half_of_spends_is_the_log_of_the_regression() -> None:
    matrix, spend = PART.matrix[BUYS], PART.spend[BUYS]
    model = GammaRegressor(alpha=SPEND_LINEAR_PENALTY, solver="newton-cholesky", max_iter=5000)
    model.fit(standardised(matrix), spend / spend.mean())

    linear = fit_spend_blend(matrix, spend, COLUMNS, seed=7).linear

    expected = model.predict(standardised(matrix)) * spend.mean()
    assert np.exp(linear.margin(matrix)) == pytest.approx(expected)


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.3, -4.0, 1e12, np.nan])
@pytest.mark.parametrize(("fit", "matrix", "target"), BOTH)
def test_constant_feature_says_nothing(
    fit: Fit, matrix: Values, target: Values, constant: float
) -> None:
    wide = np.column_stack([matrix, np.full(len(matrix), constant)])

    blend = fit(wide, target, (*COLUMNS, "constant"), 7)

    assert blend.linear.weights[-1] == pytest.approx(0.0, abs=1e-12)
    assert blend.linear.weights[:-1] == pytest.approx(
        fit(matrix, target, COLUMNS, 7).linear.weights
    )
    elsewhere = wide.copy()
    elsewhere[:, -1] = 50.0
    assert blend.margin(elsewhere) == pytest.approx(blend.margin(wide))


def test_rounding_noise_about_a_constant_counts_as_constant() -> None:
    noise = 7.3 * (1.0 + 1e-15 * np.arange(len(PART.matrix)) % 5)
    wide = np.column_stack([PART.matrix, noise])

    blend = fit_event_blend(wide, PART.event, (*COLUMNS, "noise"), seed=7)

    assert abs(blend.linear.weights[-1]) < 1e-6


def test_no_feature_that_tells_anything_leaves_the_base_rate() -> None:
    matrix = np.column_stack([np.full(2_000, 0.1), np.full(2_000, np.nan)])
    rate = PART.event.mean()

    margin = fit_event_blend(matrix, PART.event, ("constant", "null"), seed=7).margin(matrix)

    assert margin == pytest.approx(np.full(2_000, np.log(rate / (1 - rate))), abs=1e-6)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e12])
def test_unit_of_money_moves_the_margin_by_its_logarithm(unit: float) -> None:
    spend = PART.spend[BUYS]
    blends = [fit_spend_blend(PART.matrix[BUYS], spend * u, COLUMNS, seed=7) for u in (1.0, unit)]

    plain, scaled = (blend.margin(PART.matrix) for blend in blends)

    # LightGBM keeps targets as float32, so now and then a row falls on the other side of a split.
    assert scaled - plain == pytest.approx(np.full(len(plain), np.log(unit)), abs=0.01)


def test_one_gigantic_spend_does_not_break_the_fit() -> None:
    spend = PART.spend[BUYS].copy()
    spend[3] = 1e13

    margin = fit_spend_blend(PART.matrix[BUYS], spend, COLUMNS, seed=7).margin(PART.matrix)

    assert np.isfinite(np.exp(margin)).all()


def test_features_beyond_the_range_seen_in_training_are_held_at_its_end() -> None:
    blend = fit_event_blend(PART.matrix, PART.event, COLUMNS, seed=7)
    highest = np.nanmax(PART.matrix, axis=0)

    assert blend.margin(np.array([highest * 1e6])) == pytest.approx(blend.margin(highest[None, :]))


@pytest.mark.parametrize("rows", [10, 60, 130])
def test_few_rows_give_a_model_all_the_same(rows: int) -> None:
    part = simulated_slice(rows, seed=4)

    blend = fit_event_blend(part.matrix, part.event, COLUMNS, seed=7)

    assert blend.booster.num_trees() >= 1
    assert np.isfinite(blend.margin(part.matrix)).all()


def test_names_of_features_may_hold_anything() -> None:
    names = ('attribute_size, "large": {1}', "a b", "a_b")

    blend = fit_event_blend(PART.matrix, PART.event, names, seed=7)

    plain = fit_event_blend(PART.matrix, PART.event, COLUMNS, seed=7)
    assert blend.margin(PART.matrix).tobytes() == plain.margin(PART.matrix).tobytes()
    assert len(set(blend.booster.feature_name())) == 3


@pytest.mark.parametrize(("fit", "matrix", "target"), BOTH)
def test_fits_are_silent(
    fit: Fit, matrix: Values, target: Values, capfd: pytest.CaptureFixture[str]
) -> None:
    blend = fit(matrix, target, COLUMNS, 7)
    blend.margin(matrix)
    fit(matrix[:30], target[:30], COLUMNS, 7)  # LightGBM would have much to say of so few rows

    assert capfd.readouterr() == ("", "")
    assert blend.booster.num_trees() == BOOSTING_ROUNDS
