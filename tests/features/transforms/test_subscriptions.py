from datetime import datetime

import pytest

from tests.features.hand_made import (
    DAY,
    MICROSECOND,
    SECOND,
    T,
    ago,
    features_of,
    order,
    subscription,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize(
    ("ended_at", "runs"),
    [
        pytest.param(None, True, id="no end"),
        pytest.param(T.moment - MICROSECOND, False, id="ended just before"),
        pytest.param(T.moment, True, id="ends at the moment"),
        pytest.param(T.moment + 30 * DAY, True, id="notice given, ends later"),
    ],
)
def test_a_contract_runs_until_its_end_has_passed(ended_at: datetime | None, runs: bool) -> None:
    found = features_of(subscription(ago(days=40), ended_at=ended_at, price="12.50"))

    assert found["subscriptions_active"] == runs
    assert found["subscriptions_ended_total"] == found["subscriptions_ended_share"] == (not runs)
    assert found["days_since_subscription_start"] == (40 if runs else None)
    assert found["subscription_price"] == (12.5 if runs else 0)
    assert (found["days_since_last_subscription_end"] is None) == runs
    assert (found["days_subscribed_mean"] is None) == runs


def test_contracts_are_counted_and_the_newest_that_runs_is_the_current_one() -> None:
    found = features_of(
        subscription(ago(days=900), ended_at=ago(days=500)),
        subscription(ago(days=400), price="3"),
        subscription(ago(days=200), price="4"),
        subscription(ago(days=100), ended_at=ago(days=20)),
    )

    assert (found["subscriptions_total"], found["subscriptions_active"]) == (4, 2)
    assert (found["subscriptions_ended_total"], found["subscriptions_ended_365d"]) == (2, 1)
    assert found["subscriptions_ended_share"] == 0.5
    assert found["days_since_first_subscription"] == 900
    assert found["days_since_subscription_start"] == 200
    assert found["days_since_last_subscription_end"] == 20
    assert found["days_subscribed_total"] == 400 + 400 + 200 + 80
    assert found["days_subscribed_mean"] == 240
    assert found["subscription_price"] == 7


@pytest.mark.parametrize(
    ("age", "counted"), [(365, 1), (365 + 1 / 86_400, 0)], ids=["in a year", "a second more"]
)
def test_an_end_of_exactly_a_year_ago_is_of_the_last_year(age: float, counted: int) -> None:
    found = features_of(subscription(ago(days=900), ended_at=ago(days=age)))

    assert found["subscriptions_ended_365d"] == counted


def test_a_contract_that_ended_before_it_began_ran_no_time() -> None:
    found = features_of(subscription(ago(days=5), ended_at=ago(days=6)))

    assert found["days_subscribed_total"] == found["days_subscribed_mean"] == 0


@pytest.mark.parametrize(
    ("begun", "ended", "change"),
    [
        pytest.param(91, None, 0, id="ran then and runs"),
        pytest.param(90, None, 10, id="begun since"),
        pytest.param(91, 5, -10, id="ended since"),
        pytest.param(91, 90, -10, id="ended ninety days ago"),
        pytest.param(95, 91, 0, id="ended before"),
        pytest.param(50, 5, 0, id="begun and ended since"),
    ],
)
def test_the_change_of_price_is_what_was_begun_less_what_was_ended(
    begun: float, ended: float | None, change: float
) -> None:
    ended_at = None if ended is None else ago(days=ended)

    found = features_of(subscription(ago(days=begun), ended_at=ended_at, price="10"))

    assert found["subscription_price_change_90d"] == change


def test_a_price_that_was_not_recorded_is_none() -> None:
    found = features_of(subscription(ago(days=9), price=None), subscription(ago(days=9)))

    assert found["subscription_price"] == found["subscription_price_change_90d"] == 10


def test_plans_are_counted_once_and_only_where_named() -> None:
    found = features_of(*(subscription(ago(days=9), plan=plan) for plan in ("a", "a", "b", None)))

    assert found["plans_total"] == 2
    assert features_of(subscription(ago(days=9)))["plans_total"] is None


def test_a_contract_that_was_learnt_later_is_not_there_yet() -> None:
    late = subscription(ago(days=2), plan="b", known_at=T.moment + SECOND)

    found = features_of(subscription(ago(days=3), plan="a"), late)

    assert (found["subscriptions_total"], found["plans_total"]) == (1, 1)


def test_a_customer_without_a_contract_has_no_subscription_features() -> None:
    found = features_of(order(ago(days=3)), subscription(ago(days=3), customer="bob"))

    names = ("subscriptions_total", "subscriptions_active", "subscription_price", "plans_total")
    assert [found[name] for name in names] == [None] * 4
