from datetime import timedelta

import pytest

from features.contracts.tables import CANCELLED
from tests.features.hand_made import MICROSECOND, T, ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


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


def test_a_day_is_of_a_window_if_one_of_its_orders_is() -> None:
    found = features_of(
        order(ago(days=90, hours=2)),
        order(ago(days=90, hours=-2)),
        order(ago(days=91, hours=2)),
        order(ago(days=3), status=CANCELLED),
        as_of=T.plus_days(0.25),
    )

    assert found["orders_90d"] == 0
    assert features_of(order(ago(days=90, hours=2)), order(ago(days=90)))["order_days_90d"] == 1


def test_buy_till_you_die_counts_days_not_orders() -> None:
    found = features_of(
        order(ago(days=40), "50"),
        order(ago(days=40, hours=-3), "60"),
        order(ago(days=30, hours=-3), "10"),
        order(ago(days=30, hours=-4), "20"),
        order(ago(days=10), "40"),
        as_of=T.plus_days(0.5),
    )

    assert found["btyd_repeat_days"] == 2
    assert found["btyd_days_first_to_last"] == 30
    assert found["btyd_days_observed"] == 40
    assert found["spend_per_repeat_day_mean"] == (30 + 40) / 2


def test_without_a_repeat_there_is_nothing_to_expect_of_one() -> None:
    found = features_of(order(ago(days=40), "50"))

    assert (found["btyd_repeat_days"], found["btyd_days_first_to_last"]) == (0, 0)
    assert found["spend_per_repeat_day_mean"] is None


def test_without_a_completed_order_buy_till_you_die_knows_nothing() -> None:
    found = features_of(order(ago(days=40), status=CANCELLED))

    names = ("btyd_repeat_days", "btyd_days_first_to_last", "btyd_days_observed")
    assert [found[name] for name in (*names, "spend_first_order_day")] == [None] * 4
    assert found["order_days_total"] == 0


def test_the_first_and_the_last_day_are_worth_all_their_orders() -> None:
    found = features_of(
        order(ago(days=40), "50", discount="5"),
        order(ago(days=40, hours=-3), "60"),
        order(ago(days=30), "999", discount="9"),
        order(ago(days=10), "1"),
        order(ago(days=10), "2"),
    )

    assert (found["spend_first_order_day"], found["spend_last_order_day"]) == (110, 3)
    assert found["discount_first_order_day"] == 5


def test_weekends_are_saturday_and_sunday() -> None:
    assert T.moment.strftime("%A") == "Sunday"

    found = features_of(*(order(ago(days=age, hours=-6)) for age in (1, 2, 3, 7, 8)))

    assert found["weekend_orders_share"] == 3 / 5
