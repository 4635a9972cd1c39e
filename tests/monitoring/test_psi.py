import numpy as np
import pytest

from monitoring.psi import Values, in_tenths, noise_level, psi

SEEDS = range(5)


def drift(then: Values, now: Values) -> float:
    return psi(*in_tenths(then, now))


def test_tenths_are_those_of_the_pooled_values() -> None:
    then, now = in_tenths(np.arange(0.0, 50.0), np.arange(50.0, 100.0))

    np.testing.assert_array_equal(np.unique(then), [5, 15, 25, 35, 45])
    np.testing.assert_array_equal(np.unique(now), [55, 65, 75, 85, 95])


def test_equal_values_share_the_middle_of_their_places() -> None:
    then, now = in_tenths(np.array([0.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 7.0]))

    np.testing.assert_array_equal(then, [45, 45, 45, 45])
    np.testing.assert_array_equal(now, [45, 45, 45, 95])


def test_tenths_do_not_know_which_window_a_value_came_from() -> None:
    then, now = np.random.default_rng(0).lognormal(size=(2, 40))
    at_then, at_now = in_tenths(then, now)
    swapped_now, swapped_then = in_tenths(now, then)

    np.testing.assert_array_equal(at_then, swapped_then)
    np.testing.assert_array_equal(at_now, swapped_now)


def test_psi_is_the_sum_it_is_defined_as() -> None:
    then, now = np.repeat([0.0, 1.0], [50, 50]), np.repeat([0.0, 1.0], [25, 75])

    expected = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert psi(then, now) == pytest.approx(expected)


def test_the_same_sample_twice_has_no_drift() -> None:
    values = np.random.default_rng(0).normal(size=500)

    assert psi(values, values) == 0.0


def test_an_empty_bin_is_large_but_finite() -> None:
    assert 1 < psi(np.repeat([0.0, 1.0], 50), np.ones(100)) < 100


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rows", [12, 30, 300, 3000])
def test_two_windows_of_one_population_stay_below_the_noise_level(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    then, now = random.lognormal(size=(2, rows))
    tenths = in_tenths(then, now)

    assert psi(*tenths) <= noise_level(*tenths, random)


def test_the_noise_level_falls_as_windows_grow() -> None:
    random = np.random.default_rng(0)
    levels = []
    for rows in (30, 300, 3000):
        then, now = random.uniform(size=(2, rows))
        levels.append(noise_level(*in_tenths(then, now), random))

    assert levels[0] > 0.1 > levels[2]
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("spread", [1.0, 1.5, 2.0])
def test_doubled_spend_is_seen_however_skewed_it_is(spread: float) -> None:
    random = np.random.default_rng(0)
    then, now = random.lognormal(3, spread, size=(2, 5000))

    assert drift(then, 2 * now) > 0.1


def test_one_absurd_row_hides_nothing() -> None:
    random = np.random.default_rng(0)
    then, now = random.lognormal(3, 1, size=(2, 5000))
    then[0] = 1e9

    assert drift(then, 2 * now) > 0.1
    assert drift(then, now) < 0.1


def test_a_clear_shift_is_told_from_chance_in_a_hundred_rows() -> None:
    random = np.random.default_rng(0)
    then, now = random.normal(size=(2, 100))
    tenths = in_tenths(then, now + 1)

    assert psi(*tenths) > noise_level(*tenths, random)
