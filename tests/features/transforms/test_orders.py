import math
from datetime import timedelta

import pytest

from features.contracts.tables import CANCELLED, RETURNED
from features.transforms.orders import DECAY_DAYS, WINDOWS_DAYS
from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

RHYTHM = ("gap_days_longest", "gap_days_shortest", "gap_days_median")


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


def test_two_orders_on_one_day_are_two_orders_on_one_order_day() -> None:
    found = features_of(order(ago(days=1, hours=-1)), order(ago(days=1, hours=-5)))

    assert found["orders_7d"] == 2
    assert found["order_days_total"] == 1
    assert found["order_weeks_90d"] == 1


def test_days_are_those_of_utc() -> None:
    midnight = ago(days=10)

    apart = features_of(order(midnight - MICROSECOND), order(midnight))
    together = features_of(order(midnight), order(midnight + timedelta(hours=24) - MICROSECOND))

    assert apart["order_days_total"] == 2
    assert together["order_days_total"] == 1


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


def test_returns_and_cancellations_are_counted_apart() -> None:
    found = features_of(
        order(ago(days=50), "10"),
        order(ago(days=6), "-1.50", status=RETURNED),
        order(ago(days=5), "-1", status=RETURNED),
        order(ago(days=3), "80", status=CANCELLED),
    )

    assert (found["returns_total"], found["returned_total"]) == (2, 2.5)
    assert found["returned_share"] == 0.25
    assert found["cancellations_total"] == 1


@pytest.mark.parametrize("status", [CANCELLED, RETURNED])
def test_without_a_completed_order_counts_are_zero_and_times_null(status: str) -> None:
    found = features_of(order(ago(days=3), "-4" if status == RETURNED else "4", status=status))

    zeros = ("orders_total", "spend_total", "orders_trend_60d", "order_days_total")
    nulls = ("days_since_last_order", "days_since_first_order", "order_value_mean", *RHYTHM)
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


def test_gaps_lie_between_one_order_and_the_next() -> None:
    in_any_order = {70: "3", 12: "1", 100: "2", 20: "4"}

    found = features_of(*(order(ago(days=age), amount) for age, amount in in_any_order.items()))

    assert found["gap_days_longest"] == 50
    assert found["gap_days_shortest"] == 8
    assert found["gap_days_median"] == 30
    assert found["gap_days_mean"] == pytest.approx(88 / 3)


def test_orders_less_than_a_day_apart_are_one_visit() -> None:
    found = features_of(
        order(ago(days=30)), order(ago(days=30) + timedelta(hours=23)), order(ago(days=9))
    )

    assert [found[name] for name in RHYTHM] == [20 + 1 / 24] * 3


def test_a_gap_of_exactly_a_day_counts() -> None:
    found = features_of(order(ago(days=4)), order(ago(days=3)), order(ago(days=2) - SECOND))

    assert [found[name] for name in RHYTHM] == [1] * 3


def test_orders_at_one_moment_leave_the_gaps_as_they_are() -> None:
    once = [order(ago(days=20)), order(ago(days=10))]
    twice = [*once, order(ago(days=20), order_id="b"), order(ago(days=10), order_id="a")]

    assert [features_of(*twice)[name] for name in RHYTHM] == [10] * 3


def test_cancelled_and_returned_orders_do_not_cut_a_gap_in_two() -> None:
    found = features_of(
        order(ago(days=40)),
        order(ago(days=30), status=CANCELLED),
        order(ago(days=20), "-5", status=RETURNED),
        order(ago(days=10)),
    )

    assert [found[name] for name in (*RHYTHM, "gap_days_mean")] == [30] * 4


def test_a_single_order_has_no_rhythm() -> None:
    found = features_of(order(ago(days=40)))

    nulls = (*RHYTHM, "gap_days_mean", "overdue_ratio", "overdue_ratio_longest")
    assert [found[name] for name in nulls] == [None] * len(nulls)
    assert found["active_share"] == 0


def test_two_orders_around_midnight_have_a_mean_gap_but_no_rhythm() -> None:
    found = features_of(order(ago(days=10, hours=1)), order(ago(days=10, hours=-1)))

    assert found["gap_days_mean"] == pytest.approx(2 / 24)
    assert [found[name] for name in RHYTHM] == [None] * 3


def test_a_customer_is_overdue_once_the_wait_exceeds_the_usual_gap() -> None:
    found = features_of(*(order(ago(days=age)) for age in (60, 50, 30)))

    assert found["overdue_ratio"] == 30 / 15
    assert found["overdue_ratio_longest"] == 30 / 20


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


def test_the_mean_order_of_a_window_without_orders_is_null() -> None:
    found = features_of(order(ago(days=181), "30"))

    assert found["order_value_mean"] == 30
    assert found["order_value_mean_180d"] is None


def test_a_discount_that_was_not_recorded_is_none() -> None:
    found = features_of(
        order(ago(days=181), discount="4"),
        order(ago(days=180), discount="2.50"),
        order(ago(days=5), discount="0"),
        order(ago(days=4)),
    )

    assert (found["discount_total"], found["discount_180d"]) == (6.5, 2.5)
    assert found["orders_discounted_total"] == 2
    assert found["discounted_share"] == 0.5


def test_without_any_recorded_discount_discounts_are_zero_not_null() -> None:
    found = features_of(order(ago(days=4)))

    names = ("discount_total", "discount_180d", "orders_discounted_total", "discounted_share")
    assert [found[name] for name in names] == [0] * 4


def test_discounts_of_cancelled_orders_do_not_count() -> None:
    found = features_of(order(ago(days=4)), order(ago(days=3), discount="5", status=CANCELLED))

    assert found["discount_total"] == found["orders_discounted_total"] == 0


def test_channels_are_those_of_completed_orders() -> None:
    found = features_of(
        order(ago(days=9), channel="web"),
        order(ago(days=8), channel="web"),
        order(ago(days=7), channel="shop"),
        order(ago(days=6), channel=None),
        order(ago(days=5), channel="phone", status=CANCELLED),
    )

    assert found["channels_total"] == 2


def test_orders_that_cost_nothing_leave_no_share_to_speak_of() -> None:
    found = features_of(order(ago(days=9), "0"), order(ago(days=8), "-3", status=RETURNED))

    assert found["order_value_mean"] == 0
    assert found["returned_share"] is None
