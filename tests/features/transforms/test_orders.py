import math
from datetime import timedelta

import pytest

from features.contracts.tables import CANCELLED, RETURNED
from features.transforms.orders import DECAY_DAYS, SEASON_DAYS, WINDOWS_DAYS
from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", WINDOWS_DAYS)
def test_a_window_holds_an_order_of_exactly_its_days_and_none_older(days: int) -> None:
    edge = ago(days=days)

    found = features_of(
        order(edge, "1"), order(edge - MICROSECOND, "10"), order(edge - SECOND, "100")
    )

    assert found[f"orders_{days}d"] == 1
    assert found[f"spend_{days}d"] == 1
    assert found["orders_total"] == 3


def test_windows_hold_what_happened_up_to_the_last_moment_before() -> None:
    found = features_of(order(T.moment - MICROSECOND), order(T.moment), order(T.moment + SECOND))

    assert found["orders_7d"] == 1
    assert found["orders_total"] == 1


def test_money_is_added_up_exactly() -> None:
    found = features_of(*(order(ago(days=day), "0.1") for day in range(1, 11)))

    assert found["spend_total"] == 1.0
    assert found["order_value_mean"] == 0.1


def test_cancelled_and_returned_orders_are_no_orders() -> None:
    found = features_of(
        order(ago(days=50), "10"),
        order(ago(days=5), "-4", status=RETURNED),
        order(ago(days=3), "80", status=CANCELLED),
    )

    assert (found["orders_total"], found["orders_7d"]) == (1, 0)
    assert (found["spend_total"], found["spend_7d"]) == (10, 0)
    assert found["days_since_last_order"] == 50
    assert found["order_value_largest"] == 10


@pytest.mark.parametrize("status", [CANCELLED, RETURNED])
def test_without_a_completed_order_counts_are_zero_and_times_null(status: str) -> None:
    found = features_of(order(ago(days=3), "-4" if status == RETURNED else "4", status=status))

    zeros = ("orders_total", "spend_total", "orders_trend_60d", "order_days_total")
    nulls = (
        "days_since_last_order",
        "days_since_first_order",
        "order_value_mean",
        "gap_days_median",
    )
    assert [found[name] for name in zeros] == [0] * len(zeros)
    assert [found[name] for name in nulls] == [None] * len(nulls)
    assert found["spend_per_30d"] == found["order_days_per_30d"] == 0


def test_an_order_that_was_learnt_later_is_not_there_yet() -> None:
    known = order(ago(days=9))
    late = order(ago(days=2), known_at=T.moment + SECOND)

    assert features_of(known, late)["orders_total"] == 1
    assert features_of(known, late, as_of=T.plus_days(1))["orders_total"] == 2


@pytest.mark.parametrize("days", DECAY_DAYS)
def test_decayed_orders_fade_with_age(days: int) -> None:
    found = features_of(order(ago(days=days)), order(ago(days=2 * days)))

    expected = math.exp(-1) + math.exp(-2)
    assert found[f"orders_decayed_{days}d"] == pytest.approx(expected, abs=2e-9)


def test_time_since_the_first_and_the_last_order_is_in_days_of_24_hours() -> None:
    found = features_of(order(ago(days=40)), order(ago(hours=36)))

    assert found["days_since_first_order"] == 40
    assert found["days_since_last_order"] == 1.5
    assert found["active_share"] == 1 - 1.5 / 40


@pytest.mark.parametrize(
    ("ages", "weeks"),
    [
        pytest.param((1, 6, 7), 1, id="the last seven days are one week"),
        pytest.param((7, 7.00002), 2, id="just over seven days is the week before"),
        pytest.param((1, 8, 15), 3, id="three weeks"),
        pytest.param((85, 90), 1, id="the thirteenth week ends after ninety days"),
        pytest.param((90.00002, 400), 0, id="older orders do not count"),
        pytest.param(range(1, 100), 13, id="ninety days touch thirteen weeks"),
    ],
)
def test_weeks_with_an_order_are_counted_back_from_the_moment(
    ages: tuple[float, ...], weeks: int
) -> None:
    assert features_of(*(order(ago(days=age)) for age in ages))["order_weeks_90d"] == weeks


def test_paces_count_at_least_thirty_days_as_a_customer() -> None:
    new = features_of(order(ago(days=3), "40"), order(ago(days=2), "20"))
    old = features_of(order(ago(days=90), "40"), order(ago(days=2), "20"))

    assert (new["order_days_per_30d"], new["spend_per_30d"]) == (2, 60)
    assert (old["order_days_per_30d"], old["spend_per_30d"]) == (2 / 3, 20)


def test_the_trend_is_positive_for_who_orders_more_than_before() -> None:
    rising = features_of(*(order(ago(days=age)) for age in (10, 20, 30, 100)))
    falling = features_of(*(order(ago(days=age)) for age in (60, 61, 90, 150, 180, 181)))

    assert rising["orders_trend_60d"] == 3 - 1 / 2
    assert falling["orders_trend_60d"] == 1 - 4 / 2


@pytest.mark.parametrize("days", SEASON_DAYS)
def test_last_year_a_window_ended_where_the_next_one_began(days: int) -> None:
    year_ago = ago(days=365)

    found = features_of(
        order(year_ago - timedelta(days=days), "1"),
        order(year_ago - SECOND, "10"),
        order(year_ago, "100"),
        order(year_ago + timedelta(days=days) - SECOND, "1000"),
        order(year_ago + timedelta(days=days), "10000"),
    )

    assert found[f"orders_{days}d_last_year"] == found[f"orders_next_{days}d_last_year"] == 2
    assert found[f"spend_{days}d_last_year"] == 11
    assert found[f"spend_next_{days}d_last_year"] == 1100


def test_acceleration_is_the_change_of_the_trend() -> None:
    found = features_of(*(order(ago(days=age)) for age in (1, 2, 3, 4, 31, 61, 62)))

    assert found["orders_trend_30d"] == 4 - 1
    assert found["orders_acceleration_30d"] == (4 - 1) - (1 - 2)


def test_trends_of_a_year_and_of_spend_compare_like_with_like() -> None:
    found = features_of(*(order(ago(days=age), "30") for age in (10, 100, 400, 500, 731)))

    assert found["orders_trend_365d"] == 2 - 2
    assert found["spend_trend_60d"] == 30 - 30 / 2


def test_cancellations_are_counted_apart() -> None:
    found = features_of(
        order(ago(days=50)),
        *(order(ago(days=age), status=CANCELLED) for age in (365, 366, 400)),
    )

    assert (found["cancellations_365d"], found["cancellations_total"]) == (1, 3)
    assert found["days_since_last_cancellation"] == 365
    assert found["cancelled_share"] == 3 / 4
