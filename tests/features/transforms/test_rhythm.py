from datetime import timedelta

import pytest

from features.contracts.tables import CANCELLED, RETURNED
from tests.features.hand_made import SECOND, ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

RHYTHM = ("gap_days_longest", "gap_days_shortest", "gap_days_median")


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


def test_the_first_and_the_last_gap_are_told_apart() -> None:
    found = features_of(*(order(ago(days=age)) for age in (100, 70, 20, 12)))

    assert (found["gap_days_first"], found["gap_days_last"], found["gaps_total"]) == (30, 8, 3)
    assert found["gap_trend"] == 8 / 30


def test_the_last_gap_is_the_last_between_visits() -> None:
    found = features_of(
        order(ago(days=30)), order(ago(days=20)), order(ago(days=20) + timedelta(hours=5))
    )

    assert found["gap_days_last"] == 10
    assert found["gaps_total"] == 1


def test_the_spread_is_the_standard_deviation_of_the_gaps() -> None:
    found = features_of(*(order(ago(days=age)) for age in (100, 96, 90, 82)))

    assert found["gap_days_spread"] == pytest.approx((8 / 3) ** 0.5)
    assert found["gap_irregularity"] == pytest.approx((8 / 3) ** 0.5 / 6)
    assert found["overdue_spreads"] == pytest.approx((82 - 6) / (8 / 3) ** 0.5)


def test_a_clockwork_customer_has_no_spread_to_measure_a_delay_by() -> None:
    found = features_of(*(order(ago(days=age)) for age in (100, 90, 80)))

    assert found["gap_days_spread"] == found["gap_irregularity"] == 0
    assert found["overdue_spreads"] is None


def test_a_long_pause_leaves_the_median_ratio_as_it_is() -> None:
    found = features_of(*(order(ago(days=age)) for age in (330, 320, 20, 10)))

    assert found["overdue_ratio_median"] == 1
    assert found["overdue_ratio"] == 10 / (320 / 3)
