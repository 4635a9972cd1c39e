"""The formulas against the process that they are about, drawn many times."""

import numpy as np
import pytest

from pipelines.synthetic_shop.rates import (
    P,
    Q,
    V,
    active_chance,
    draw_latent,
    order_chance,
    order_chance_given_orders,
    orders_expected,
)

RNG_SEED = 11
DRAWS = 200_000


def one(value: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([value])


def lives(rate: float, dropout: float, days: float) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return the orders of many active customers within so many days."""
    rng = np.random.default_rng(RNG_SEED)
    return np.minimum(rng.poisson(rate * days, DRAWS), rng.geometric(dropout, DRAWS))


@pytest.mark.parametrize(("rate", "dropout", "days"), [(0.02, 0.3, 28), (0.2, 0.1, 90)])
def test_chance_and_expected_orders_are_those_of_the_process(
    rate: float, dropout: float, days: float
) -> None:
    orders = lives(rate, dropout, days)
    noise = 4 * orders.std() / np.sqrt(DRAWS)

    assert order_chance(one(rate), days)[0] == pytest.approx(np.mean(orders > 0), abs=0.005)
    expected = orders_expected(one(rate), one(dropout), days)[0]
    assert expected == pytest.approx(orders.mean(), abs=noise)


def test_someone_who_never_stops_orders_at_their_rate() -> None:
    assert orders_expected(one(0.1), one(0.0), 30)[0] == pytest.approx(3.0)


def test_nobody_orders_in_no_time() -> None:
    assert order_chance(one(0.1), 0.0)[0] == 0.0
    assert order_chance_given_orders(one(2.0), one(10.0), one(20.0), 0.0)[0] == 0.0


def test_the_longer_the_silence_the_less_likely_someone_is_active() -> None:
    last = np.array([100.0, 80.0, 20.0])
    chances = active_chance(np.full(3, 5.0), last, np.full(3, 100.0))

    assert np.all(np.diff(chances) < 0)
    assert np.all((chances > 0) & (chances < 1))


def test_who_has_never_repeated_cannot_have_stopped() -> None:
    assert active_chance(one(0.0), one(0.0), one(400.0))[0] == 1.0


def test_mean_values_have_the_mean_of_gamma_gamma() -> None:
    values = draw_latent(DRAWS, np.random.default_rng(RNG_SEED)).mean_value

    assert values.mean() == pytest.approx(P * V / (Q - 1), rel=0.02)
