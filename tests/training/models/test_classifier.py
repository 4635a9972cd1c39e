import numpy as np
import pytest

from serving.predictors import Sigmoid
from tests.training.samples import COLUMNS, simulated_set, simulated_slice, with_column
from training.calibrate import fit_sigmoid
from training.metrics import calibration_error
from training.models.blend import fit_event_blend
from training.models.classifier import fit_classifier

WHOLE = simulated_set(slices=3, rows=800)
HELD_OUT = WHOLE.at([WHOLE.slices[2].as_of])
EMBARGOED = WHOLE.at([WHOLE.slices[0].as_of])


def test_classifier_learns_from_everything_and_is_calibrated_on_what_was_held_out() -> None:
    predictor = fit_classifier(WHOLE, HELD_OUT, EMBARGOED, seed=7)

    final = fit_event_blend(WHOLE.matrix, WHOLE.event, COLUMNS, seed=7)
    assert predictor.order_booster.model_to_string() == final.booster.model_to_string()
    assert predictor.tables.order_linear == final.linear
    assert predictor.tables.sigmoid != Sigmoid()


def test_slope_is_that_of_a_model_that_saw_the_embargoed_slices_alone() -> None:
    final = fit_event_blend(WHOLE.matrix, WHOLE.event, COLUMNS, seed=7)
    early = fit_event_blend(EMBARGOED.matrix, EMBARGOED.event, COLUMNS, seed=7)
    unseen = HELD_OUT.matrix

    sigmoid = fit_classifier(WHOLE, HELD_OUT, EMBARGOED, seed=7).tables.sigmoid

    assert sigmoid == fit_sigmoid(early.margin(unseen), final.margin(unseen), HELD_OUT.event)
    seen = final.margin(unseen)
    # The final model has seen the slice: its own margins would be trusted too far.
    assert sigmoid.slope < fit_sigmoid(seen, seen, HELD_OUT.event).slope


def test_without_a_calibration_slice_the_margin_is_left_alone() -> None:
    predictor = fit_classifier(WHOLE, None, None, seed=7)

    assert predictor.tables.sigmoid == Sigmoid(intercept=0.0, slope=1.0)


def test_chances_come_true_out_of_time() -> None:
    fresh = simulated_slice(5_000, seed=55)

    predicted = fit_classifier(WHOLE, HELD_OUT, EMBARGOED, seed=7).predict(fresh.matrix)

    assert calibration_error(fresh.event, predicted.probability) < 0.04
    assert np.isnan(predicted.expected_value).all()
    assert predicted.ranking_score.tobytes() == predicted.probability.tobytes()


def test_same_seed_gives_the_same_numbers() -> None:
    first, second, other = (
        fit_classifier(WHOLE, HELD_OUT, EMBARGOED, seed).predict(WHOLE.matrix).probability
        for seed in (7, 7, 8)
    )

    assert first.tobytes() == second.tobytes() != other.tobytes()


@pytest.mark.parametrize("value", [np.nan, 0.0, 12.5])
def test_feature_that_is_constant_throughout_does_no_harm(value: float) -> None:
    changed = with_column(WHOLE, 2, value)
    first, _, last = (changed.at([part.as_of]) for part in WHOLE.slices)

    predictor = fit_classifier(changed, last, first, seed=7)

    assert predictor.tables.order_linear.weights[2] == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(predictor.predict(WHOLE.matrix).probability).all()


def test_feature_that_was_constant_before_the_embargo_does_no_harm() -> None:
    early = with_column(EMBARGOED, 0, np.nan)

    predictor = fit_classifier(WHOLE, HELD_OUT, early, seed=7)

    assert np.isfinite(predictor.predict(WHOLE.matrix).probability).all()
