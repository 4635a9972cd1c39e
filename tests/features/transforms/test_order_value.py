import pytest

from features.contracts.tables import CANCELLED, RETURNED
from tests.features.hand_made import ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_returns_are_counted_apart_from_orders_and_cancellations() -> None:
    found = features_of(
        order(ago(days=50), "10"),
        order(ago(days=6), "-1.50", status=RETURNED),
        order(ago(days=5), "-1", status=RETURNED),
        order(ago(days=3), "80", status=CANCELLED),
    )

    assert (found["returns_total"], found["returned_total"]) == (2, 2.5)
    assert found["returned_share"] == 0.25
    assert (found["returns_90d"], found["returned_90d"]) == (2, 2.5)
    assert found["days_since_last_return"] == 5


def test_returns_count_in_the_window_they_came_in() -> None:
    found = features_of(
        order(ago(days=366), "80"),
        order(ago(days=300), "10"),
        order(ago(days=91), "-3", status=RETURNED),
        order(ago(days=90), "-2", status=RETURNED),
    )

    assert (found["returns_90d"], found["returns_365d"]) == (1, 2)
    assert (found["returned_90d"], found["returned_365d"]) == (2, 5)
    assert found["returned_share_365d"] == 5 / 10


def test_the_mean_order_of_a_window_without_orders_is_null() -> None:
    found = features_of(order(ago(days=181), "30"))

    assert found["order_value_mean"] == 30
    assert found["order_value_mean_180d"] is None


def test_the_basket_trend_is_below_one_for_who_buys_less_at_a_time() -> None:
    found = features_of(order(ago(days=400), "30"), order(ago(days=10), "10"))

    assert found["basket_trend"] == 10 / 20
    assert found["order_value_mean_365d"] == 10


def test_the_spread_lies_between_the_smallest_and_the_largest_order() -> None:
    found = features_of(order(ago(days=9), "30"), order(ago(days=8), "4"), order(ago(days=7), "6"))

    assert (found["order_value_smallest"], found["order_value_largest"]) == (4, 30)
    assert found["order_value_spread"] == 26


def test_a_margin_that_was_not_recorded_earns_nothing_and_is_no_part_of_the_share() -> None:
    found = features_of(
        order(ago(days=91), "100", margin="50"),
        order(ago(days=90), "100", margin="10"),
        order(ago(days=30), "100", margin="-20"),
        order(ago(days=2), "100"),
        order(ago(days=1), "100", margin="70", status=CANCELLED),
    )

    assert (found["margin_30d"], found["margin_90d"], found["margin_365d"]) == (-20, -10, 40)
    assert found["margin_total"] == 40
    assert found["margin_share"] == 40 / 300


def test_without_any_recorded_margin_the_share_is_null_and_the_sum_zero() -> None:
    found = features_of(order(ago(days=2), "100"))

    assert found["margin_total"] == 0
    assert found["margin_share"] is None


def test_a_discount_that_was_not_recorded_is_none() -> None:
    found = features_of(
        order(ago(days=181), discount="4"),
        order(ago(days=180), discount="2.50"),
        order(ago(days=5), discount="0"),
        order(ago(days=4)),
    )

    assert (found["discount_total"], found["discount_180d"]) == (6.5, 2.5)
    assert found["orders_discounted_total"] == 2
    assert found["orders_discounted_90d"] == 0
    assert found["discounted_share"] == 0.5
    assert found["days_since_last_discounted_order"] == 180


def test_the_discount_rate_is_the_part_taken_off_the_price() -> None:
    found = features_of(order(ago(days=4), "60", discount="20"), order(ago(days=3), "20"))

    assert found["discount_rate"] == 20 / 100


def test_without_any_recorded_discount_discounts_are_zero_not_null() -> None:
    found = features_of(order(ago(days=4)))

    names = ("discount_total", "discount_180d", "orders_discounted_total", "discounted_share")
    assert [found[name] for name in names] == [0] * 4


def test_discounts_of_cancelled_orders_do_not_count() -> None:
    found = features_of(order(ago(days=4)), order(ago(days=3), discount="5", status=CANCELLED))

    assert found["discount_total"] == found["orders_discounted_total"] == 0


def test_orders_that_cost_nothing_leave_no_share_to_speak_of() -> None:
    found = features_of(order(ago(days=9), "0"), order(ago(days=8), "-3", status=RETURNED))

    assert found["order_value_mean"] == 0
    assert found["returned_share"] is None
