import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.contracts.goals import GoalName
from serving.predictors import (
    SINGLE_THREAD_ROWS,
    Blend,
    IntervalTable,
    LogLinear,
    Prediction,
    Sigmoid,
    StoredPredictor,
    log_feature,
    logistic,
)
from tests.fakes import COLUMNS, random_features, trained_booster, trained_predictor

BOTH = [GoalName.CHURN, GoalName.CLV]
NUMBERS = ("probability", "expected_value", "lower", "upper", "ranking_score")
ROWS = 25_000


@cache
def features() -> np.ndarray:
    """More rows than one thread is used for, some with nulls and some with nothing but nulls."""
    matrix = random_features(ROWS, seed=3)
    matrix[::97] = np.nan
    return matrix


@cache
def together(goal: GoalName) -> Prediction:
    return trained_predictor(goal).predict(features())


def assert_same_bits(found: Prediction, expected: Prediction, rows: slice) -> None:
    for name in NUMBERS:
        assert getattr(found, name).tobytes() == getattr(expected, name)[rows].tobytes(), name


class TestBits:
    @pytest.mark.parametrize("goal", BOTH)
    @pytest.mark.parametrize("size", [1, 2, 7, 1000])
    def test_a_row_has_the_same_bits_in_any_batch(self, goal: GoalName, size: int) -> None:
        assert ROWS > SINGLE_THREAD_ROWS > 1000
        predictor, some = trained_predictor(goal), 1000 if size < 1000 else ROWS

        for start in range(0, some, size):
            rows = slice(start, min(start + size, some))
            assert_same_bits(predictor.predict(features()[rows]), together(goal), rows)

        assert len(np.unique(together(goal).probability)) > 1000

    @pytest.mark.parametrize("goal", BOTH)
    def test_the_layout_of_the_matrix_changes_no_bit(self, goal: GoalName) -> None:
        predictor, rows = trained_predictor(goal), slice(0, 501)
        matrix = features()[rows]
        by_column = np.asfortranarray(matrix)
        wide = np.repeat(np.repeat(matrix, 2, axis=1), 3, axis=0)[::3, ::2]
        assert not by_column.flags.c_contiguous
        assert not wide.flags.c_contiguous

        for layout in (by_column, wide):
            assert_same_bits(predictor.predict(layout), together(goal), rows)

    @pytest.mark.parametrize("goal", BOTH)
    def test_a_matrix_is_left_as_it_was(self, goal: GoalName) -> None:
        matrix = features()[:100].copy()
        matrix.flags.writeable = False

        trained_predictor(goal).predict(matrix)

        assert matrix.tobytes() == features()[:100].tobytes()

    @pytest.mark.parametrize("goal", BOTH)
    def test_no_rows_give_no_numbers(self, goal: GoalName) -> None:
        prediction = trained_predictor(goal).predict(np.empty((0, len(COLUMNS))))

        assert [getattr(prediction, name).shape for name in NUMBERS] == [(0,)] * 5

    @pytest.mark.parametrize("goal", BOTH)
    def test_predicting_is_silent(self, goal: GoalName, capfd: pytest.CaptureFixture[str]) -> None:
        trained_predictor(goal).predict(features()[:10])
        trained_predictor(goal).predict(features()[: SINGLE_THREAD_ROWS + 1])

        assert capfd.readouterr() == ("", "")


class TestRanges:
    @pytest.mark.parametrize("goal", BOTH)
    @pytest.mark.parametrize("value", [0.0, -5.0, 1e300, np.inf, -np.inf, np.nan])
    def test_any_feature_gives_a_chance_and_amounts_in_order(
        self, goal: GoalName, value: float
    ) -> None:
        matrix = features()[:50].copy()
        matrix[:, 1] = value

        prediction = trained_predictor(goal).predict(matrix)

        assert np.all((prediction.probability > 0) & (prediction.probability < 1))
        if goal is GoalName.CLV:
            assert np.all(prediction.expected_value > 0)
            assert np.all(prediction.lower <= prediction.upper)
            assert np.isfinite(prediction.upper).all()

    @given(st.floats(allow_nan=False), st.floats(-1e6, 1e6), st.floats(0.0, 1e6, exclude_min=True))
    def test_no_margin_makes_anything_certain(
        self, margin: float, intercept: float, slope: float
    ) -> None:
        held = np.array([np.clip(margin, -1e12, 1e12)])

        chance = Sigmoid(intercept=intercept, slope=slope).probability(held)[0]

        assert 0.0 < chance < 1.0

    @given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20))
    def test_calibration_keeps_the_order(self, margins: list[float]) -> None:
        chance = Sigmoid(intercept=0.3, slope=0.7).probability(np.sort(margins))

        assert np.all(np.diff(chance) >= 0)

    def test_logistic_of_odds_is_their_chance(self) -> None:
        assert logistic(np.log(np.array([1.0, 3.0, 0.25]))) == pytest.approx([0.5, 0.75, 0.2])

    def test_nulls_and_negative_features_count_as_nothing(self) -> None:
        values = np.array([np.nan, -3.0, 0.0, math.e - 1.0])

        assert log_feature(values) == pytest.approx([0.0, 0.0, 0.0, 1.0])

    def test_ranking_is_by_expected_value_where_there_is_one(self) -> None:
        chance, expected = np.array([0.9, 0.1]), np.array([3.0, 70.0])
        nothing = np.full(2, np.nan)

        assert Prediction(chance, nothing, nothing, nothing).ranking_score.tolist() == [0.9, 0.1]
        assert Prediction(chance, expected, nothing, nothing).ranking_score.tolist() == [3.0, 70.0]


class TestParts:
    def test_linear_margin_by_hand_with_features_held_in_range(self) -> None:
        linear = LogLinear(
            intercept=1.0, weights=(2.0, 0.0, -1.0), lows=(0.0, 0.0, 0.5), highs=(1.0, 9.0, 2.0)
        )
        matrix = np.expm1([[0.5, 7.0, 1.0], [4.0, np.nan, 0.1], [np.nan, 0.0, 9.0]])

        assert linear.margin(matrix) == pytest.approx([1 + 1 - 1, 1 + 2 - 0.5, 1 + 0 - 2])

    def test_blend_is_the_mean_of_trees_and_linear_half(self) -> None:
        predictor = trained_predictor()
        linear = predictor.tables.order_linear
        matrix = features()[:20]

        margin = Blend(trained_booster(), linear).margin(matrix)

        trees = np.asarray(trained_booster().predict(matrix, raw_score=True, num_threads=1))
        assert margin == pytest.approx((trees + linear.margin(matrix)) / 2)

    def test_hurdle_is_chance_times_scale_times_size(self) -> None:
        predictor = trained_predictor(GoalName.CLV)
        size = Blend(predictor.boosters["spend"], predictor.tables.order_linear)
        matrix = features()[:20]

        prediction = predictor.predict(matrix)

        expected = prediction.probability * 40.0 * np.exp(size.margin(matrix))
        assert prediction.expected_value == pytest.approx(expected)

    def test_classifier_has_no_amounts(self) -> None:
        prediction = trained_predictor().predict(features()[:5])

        for name in ("expected_value", "lower", "upper"):
            assert np.isnan(getattr(prediction, name)).all()

    def test_interval_is_read_off_the_bin_of_the_expected_value(self) -> None:
        table = IntervalTable(
            coverage=0.8,
            edges=(10.0, 20.0),
            lower_ratios=(0.0, 0.5, 0.7),
            upper_ratios=(3.0, 2.0, 1.5),
        )

        lower, upper = table.bounds(np.array([0.0, 9.0, 10.0, 19.0, 20.0, 100.0]))

        assert lower.tolist() == pytest.approx([0, 0, 5, 9.5, 14, 70])
        assert upper.tolist() == pytest.approx([0, 27, 20, 38, 30, 150])

    def test_boosters_go_by_the_names_of_their_files(self) -> None:
        names = {goal: sorted(trained_predictor(goal).boosters) for goal in BOTH}

        assert names == {GoalName.CHURN: ["order"], GoalName.CLV: ["order", "spend"]}


class TestStoredNumbers:
    @pytest.mark.parametrize("goal", BOTH)
    def test_tables_come_back_from_json_to_the_last_bit(
        self, goal: GoalName, tmp_path: Path
    ) -> None:
        tables = trained_predictor(goal).tables
        odd = tables.order_linear.model_copy(update={"intercept": 0.1 + 0.2})
        tables = tables.model_copy(update={"order_linear": odd})
        file = tmp_path / "tables.json"
        file.write_text(tables.model_dump_json(), encoding="utf-8")

        assert type(tables).model_validate_json(file.read_bytes()) == tables

    @pytest.mark.parametrize(
        ("changed", "complaint"),
        [
            ({"weights": (1.0,)}, "one number per feature"),
            ({"lows": ()}, "one number per feature"),
            ({"intercept": np.nan}, "finite"),
            ({"highs": (np.inf, 1.0)}, "finite"),
            ({"bias": 1.0}, "Extra inputs"),
        ],
    )
    def test_impossible_linear_function_is_refused(
        self, changed: dict[str, object], complaint: str
    ) -> None:
        good: dict[str, object] = {
            "intercept": 0.0,
            "weights": (1.0, 2.0),
            "lows": (0.0, 0.0),
            "highs": (1.0, 1.0),
        }
        LogLinear.model_validate(good)

        with pytest.raises(ValidationError, match=complaint):
            LogLinear.model_validate(good | changed)

    @pytest.mark.parametrize(
        ("changed", "complaint"),
        [
            ({"edges": ()}, "one number per bin"),
            ({"upper_ratios": (1.0, 2.0, 3.0)}, "one number per bin"),
            ({"lower_ratios": (0.5, 2.5)}, "above its upper one"),
            ({"coverage": 1.0}, "less than 1"),
            (
                {"edges": (2.0, 2.0), "lower_ratios": (0, 0, 0), "upper_ratios": (1, 1, 1)},
                "do not rise",
            ),
        ],
    )
    def test_impossible_intervals_are_refused(
        self, changed: dict[str, object], complaint: str
    ) -> None:
        good: dict[str, object] = {
            "coverage": 0.8,
            "edges": (1.0,),
            "lower_ratios": (0.0, 0.5),
            "upper_ratios": (2.0, 2.0),
        }
        IntervalTable.model_validate(good)

        with pytest.raises(ValidationError, match=complaint):
            IntervalTable.model_validate(good | changed)

    @pytest.mark.parametrize("slope", [0.0, -1.0])
    def test_calibration_that_turns_the_ranking_over_is_refused(self, slope: float) -> None:
        with pytest.raises(ValidationError, match="greater than 0"):
            Sigmoid(slope=slope)


def test_a_predictor_cannot_be_changed() -> None:
    predictor: StoredPredictor = trained_predictor()

    with pytest.raises(ValidationError, match="frozen"):
        setattr(predictor.tables.sigmoid, "slope", 2.0)  # noqa: B010 # mypy sees the plain way
