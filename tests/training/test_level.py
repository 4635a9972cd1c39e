from dataclasses import replace

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from tests.training.samples import COLUMNS, MONDAY, simulated_slice
from training.dataset import TrainingSet
from training.level import level_warnings

A_YEAR_AGO = MONDAY.plus_days(-365)


def set_with_rates(*rates: float) -> TrainingSet:
    """Return slices of a thousand customers, of whom so many have the event."""
    rows = np.arange(1000)
    parts = (
        replace(
            simulated_slice(1000, MONDAY.plus_days(28 * number)),
            event=np.asarray(rows < 1000 * rate, dtype=np.float64),
        )
        for number, rate in enumerate(rates)
    )
    return TrainingSet(COLUMNS, tuple(parts))


def warnings_of(*rates: float, first_event: AsOf = A_YEAR_AGO) -> tuple[str, ...]:
    return level_warnings(set_with_rates(*rates), 28, MONDAY, first_event)


def test_steady_level_and_a_whole_year_need_no_warning() -> None:
    assert warnings_of(*[0.3] * 8) == ()


def test_less_than_a_year_does_not_contain_the_coming_season() -> None:
    (warning,) = warnings_of(0.3, first_event=MONDAY.plus_days(-364))

    assert warning.startswith("history of 364 days does not contain the coming 28 days of the year")


@pytest.mark.parametrize(("new", "words"), [(0.34, "from 0.300 to 0.340"), (0.2, "0.300 to 0.200")])
def test_moving_level_is_said_with_both_rates(new: float, words: str) -> None:
    (warning,) = warnings_of(0.3, 0.3, 0.3, 0.9, new, new, new)

    assert "the level is moving" in warning
    assert words in warning


def test_move_of_a_tenth_is_not_yet_one() -> None:
    assert warnings_of(0.3, 0.3, 0.3, 0.32, 0.32, 0.32) == ()


def test_single_odd_moments_do_not_move_the_level() -> None:
    assert warnings_of(0.3, 0.33, 0.27, 0.31, 0.33, 0.26) == ()


def test_level_that_was_nothing_moves_with_the_first_event() -> None:
    (warning,) = warnings_of(0, 0, 0, 0, 0, 0.003)

    assert "from 0.000 to 0.001" in warning


def test_few_moments_say_nothing_of_a_move() -> None:
    assert warnings_of(0.1, 0.1, 0.1, 0.9, 0.9) == ()
