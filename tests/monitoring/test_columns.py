import numpy as np
import pytest
from numpy.typing import NDArray

from monitoring.columns import ColumnPair, finite, judge
from monitoring.results import ColumnDrift

Values = NDArray[np.float64]


def judged(then: Values, now: Values) -> ColumnDrift:
    pair = ColumnPair("spend_30d", "feature", then, now, finite(then), finite(now))
    return judge(pair, np.random.default_rng(0))


def normal(rows: int = 400, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(size=rows)


def nulls(share: float, rows: int = 400) -> Values:
    values = normal(rows)
    values[: round(share * rows)] = np.nan
    return values


def test_an_ordinary_column_waits_for_evidently() -> None:
    found = judged(normal(), normal(seed=1))

    assert (found.method, found.statistic, found.drifted) == ("psi", None, False)
    assert found.threshold is not None


def test_small_windows_get_a_higher_threshold() -> None:
    small = judged(normal(30), normal(30, seed=1)).threshold
    large = judged(normal(5000), normal(5000, seed=1)).threshold

    assert small is not None
    assert small > 0.5
    assert large == 0.1


def test_a_column_that_went_null_is_broken() -> None:
    found = judged(nulls(0.02), nulls(1.0))

    assert (found.method, found.drifted, found.broken) == ("all_null", True, True)
    assert found.note == "all null in current; null share moved from 2% to 100%"
    assert found.mean_current is None


def test_a_column_that_came_alive_drifted_but_is_not_broken() -> None:
    found = judged(nulls(1.0), nulls(0.0))

    assert (found.method, found.drifted, found.broken) == ("all_null", True, False)


def test_a_column_that_was_always_null_did_not_drift() -> None:
    found = judged(nulls(1.0), nulls(1.0))

    assert (found.drifted, found.note) == (False, "all null in both windows")


def test_a_risen_null_share_is_drift_and_said_in_words() -> None:
    found = judged(nulls(0.02), nulls(0.40))

    assert (found.method, found.drifted, found.broken) == ("psi", True, True)
    assert found.note == "null share moved from 2% to 40%"
    assert (found.null_share_reference, found.null_share_current) == (0.02, 0.4)


def test_a_fallen_null_share_is_drift_but_not_broken() -> None:
    found = judged(nulls(0.40), nulls(0.02))

    assert (found.drifted, found.broken) == (True, False)


def test_a_null_share_within_chance_is_no_drift() -> None:
    assert not judged(nulls(0.1, rows=30), nulls(0.2, rows=30)).drifted


def test_a_column_that_became_constant_is_broken() -> None:
    found = judged(normal(), np.zeros(400))

    assert (found.method, found.drifted, found.broken) == ("constant", True, True)
    assert found.note == "became constant at 0"


def test_a_constant_that_jumped_drifted() -> None:
    found = judged(np.ones(400), np.full(400, 2.0))

    assert (found.drifted, found.note) == (True, "constant moved from 1 to 2")


def test_a_column_that_was_always_constant_did_not_drift() -> None:
    found = judged(np.ones(400), np.ones(400))

    assert (found.method, found.drifted, found.statistic) == ("constant", False, 0.0)


@pytest.mark.parametrize("rare_in_reference", [True, False])
def test_a_rare_value_that_one_window_missed_is_no_drift(rare_in_reference: bool) -> None:
    with_one, without = np.zeros(400), np.zeros(400)
    with_one[0] = 1.0
    then, now = (with_one, without) if rare_in_reference else (without, with_one)

    found = judged(then, now)

    assert (found.method, found.drifted, found.broken) == ("constant", False, False)


def test_an_infinity_is_counted_and_breaks_the_column() -> None:
    now = normal()
    now[:3] = [np.inf, -np.inf, np.inf]

    found = judged(normal(), now)

    assert (found.method, found.drifted, found.broken) == ("infinite", True, True)
    assert found.note == "0 infinite values in reference, 3 in current"
    assert found.mean_current == pytest.approx(now[3:].mean())


def test_infinities_in_both_windows_are_told_but_no_drift() -> None:
    values = normal()
    values[0] = np.inf

    found = judged(values, values)

    assert (found.method, found.drifted) == ("infinite", False)


def test_a_score_is_told_apart_from_a_feature_of_its_name() -> None:
    values = normal()
    feature, score = (
        ColumnPair("probability", kind, values, values, values, values)
        for kind in ("feature", "score")
    )

    assert feature.label != score.label
