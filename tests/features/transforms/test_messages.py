from datetime import datetime

import pytest

from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, message, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [30, 90])
def test_a_window_holds_a_message_of_exactly_its_days_and_none_older(days: int) -> None:
    edge = ago(days=days)

    found = features_of(message(edge), message(edge - MICROSECOND), message(edge + SECOND))

    assert found[f"messages_{days}d"] == 2
    assert found["messages_total"] == 3


def test_campaigns_are_counted_once_and_only_where_named() -> None:
    campaigns = ("spring", "spring", "sale", None)

    found = features_of(*(message(ago(days=5), campaign=campaign) for campaign in campaigns))

    assert found["campaigns_total"] == 2


def test_time_since_the_last_message_is_in_days() -> None:
    assert (
        features_of(message(ago(days=9)), message(ago(hours=6)))["days_since_last_message"] == 0.25
    )


def test_an_offer_counts_once_it_was_used() -> None:
    found = features_of(
        message(ago(days=200), redeemed_at=ago(days=90, seconds=1)),
        message(ago(days=100), redeemed_at=ago(days=90)),
        message(ago(days=50), redeemed_at=ago(days=20)),
        message(ago(days=10)),
    )

    assert (found["redemptions_total"], found["redemptions_90d"]) == (3, 2)
    assert found["days_since_last_redemption"] == 20
    assert found["redemption_rate"] == 0.75


@pytest.mark.parametrize(
    "redeemed_at",
    [pytest.param(T.moment, id="at the moment"), pytest.param(ago(days=-5), id="days after it")],
)
def test_an_offer_used_later_is_not_used_yet(redeemed_at: datetime) -> None:
    found = features_of(message(ago(days=10), redeemed_at=redeemed_at))

    assert found["redemptions_total"] == found["redemptions_90d"] == found["redemption_rate"] == 0
    assert found["days_since_last_redemption"] is None


def test_an_offer_used_just_before_the_moment_is_used() -> None:
    found = features_of(message(ago(days=10), redeemed_at=T.moment - MICROSECOND))

    assert found["redemptions_total"] == 1


def test_a_message_that_was_learnt_later_is_not_there_yet() -> None:
    late = message(ago(days=2), redeemed_at=ago(days=1), known_at=T.moment + SECOND)

    found = features_of(message(ago(days=10)), late)

    assert (found["messages_total"], found["redemptions_total"]) == (1, 0)


def test_a_customer_who_was_never_contacted_has_no_message_features() -> None:
    found = features_of(order(ago(days=3)), message(ago(days=3), customer="bob"))

    names = ("messages_30d", "messages_total", "campaigns_total", "redemptions_total")
    assert [found[name] for name in names] == [None] * 4
