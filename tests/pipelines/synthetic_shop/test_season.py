import numpy as np
import pytest

from features.contracts.as_of import AsOf
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.season import Clock

CLOCK = Clock(ShopPlan(10, 1, 730, AsOf.parse("2026-01-01")))


def business(start: str, end: str) -> float:
    return CLOCK.at(AsOf.parse(end)) - CLOCK.at(AsOf.parse(start))


def test_clock_there_and_back_is_where_it_was() -> None:
    seconds = np.linspace(0, 729 * 86_400, 1_001)

    back = CLOCK.seconds(CLOCK.business_days(seconds))

    np.testing.assert_allclose(back, seconds, atol=1e-3)


def test_clock_starts_with_the_shop_and_never_stands_still() -> None:
    assert CLOCK.at(CLOCK.plan.start) == 0.0
    assert np.all(np.diff(CLOCK.business_days(np.arange(0, 800 * 86_400, 3_600.0))) > 0)


def test_christmas_is_the_busiest_time() -> None:
    assert business("2025-12-08", "2025-12-22") > 1.7 * business("2025-09-08", "2025-09-22")


def test_business_grows_from_year_to_year() -> None:
    growth = business("2025-03-03", "2025-04-28") / business("2024-03-04", "2024-04-29")

    assert growth == pytest.approx(1.06, abs=0.01)


def test_a_day_of_business_is_an_average_day_of_the_first_year() -> None:
    assert business("2024-01-02", "2025-01-01") == pytest.approx(365, rel=0.12)


def test_nights_are_quiet() -> None:
    night = business("2025-05-06T01:00:00", "2025-05-06T05:00:00")

    assert night < 0.1 * business("2025-05-06T17:00:00", "2025-05-06T21:00:00")
