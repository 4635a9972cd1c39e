from datetime import datetime
from typing import Any

import pytest

from features.transforms.messages import OUTCOMES
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


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_outcome_counts_from_its_own_time_on(outcome: str) -> None:
    time, name, _ = OUTCOMES[outcome]
    times = (ago(days=90, seconds=1), ago(days=90), ago(days=30), T.moment, None)
    answers: list[dict[str, Any]] = [{time: at} for at in times]

    found = features_of(*(message(ago(days=200), **answer) for answer in answers))

    counts = [found[f"{name}_{window}"] for window in ("30d", "90d", "total")]
    assert counts == [1, 2, 3]
    assert found[f"days_since_last_{outcome}"] == 30
    assert found[f"{outcome}_rate"] == 3 / 5
    others = [other for other in OUTCOMES if other != outcome]
    assert [found[f"{OUTCOMES[other][1]}_total"] for other in others] == [0] * 3


def test_rates_lately_are_of_the_messages_sent_lately() -> None:
    answered: dict[str, Any] = {"opened_at": ago(days=1), "clicked_at": ago(days=1)}

    found = features_of(
        *(message(ago(days=91), **answered) for _ in range(6)),
        *(message(ago(days=90)) for _ in range(2)),
        message(ago(days=9), opened_at=ago(days=8)),
        message(ago(days=9), **answered),
    )

    assert (found["open_rate_90d"], found["click_rate_90d"]) == (0.5, 0.25)
    assert (found["open_rate"], found["click_rate"]) == (0.8, 0.7)
    assert found["clicks_per_open"] == 7 / 8


def test_messages_of_long_ago_have_no_rate_lately() -> None:
    found = features_of(message(ago(days=91)))

    names = ("open_rate_90d", "click_rate_90d", "clicks_per_open", "days_to_open_mean")
    assert [found[name] for name in names] == [None] * 4
    assert found["open_rate"] == 0


def test_time_to_open_is_that_of_opened_messages() -> None:
    found = features_of(
        message(ago(days=9), opened_at=ago(days=8)),
        message(ago(days=9), opened_at=ago(days=6)),
        message(ago(days=9), opened_at=ago(days=-1)),
    )

    assert found["days_to_open_mean"] == 2


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_each_channel_is_counted_by_itself_however_it_is_written(channel: str) -> None:
    found = features_of(
        message(ago(days=9), channel=channel.upper(), opened_at=ago(days=8)),
        message(ago(days=9), channel=channel, clicked_at=ago(days=8)),
        message(ago(days=31), channel=channel),
        message(ago(days=91), channel=channel),
        message(ago(days=9), channel="post", opened_at=ago(days=8)),
        message(ago(days=9), channel=None, opened_at=ago(days=8)),
    )

    counts = (found[f"messages_{channel}_30d"], found[f"messages_{channel}_90d"])
    assert counts == (2, 3)
    assert (found[f"open_rate_{channel}"], found[f"click_rate_{channel}"]) == (0.25, 0.25)
    others = {"email", "sms", "push"} - {channel}
    assert [found[f"messages_{other}_90d"] for other in others] == [0, 0]
    assert [found[f"open_rate_{other}"] for other in others] == [None, None]


def test_messages_that_were_withheld_are_counted_apart() -> None:
    found = features_of(
        message(ago(days=95), is_held_out=True, campaign="a"),
        message(ago(days=9), is_held_out=True, campaign="a", redeemed_at=ago(days=8)),
        message(ago(days=10), is_held_out=False, campaign="b"),
        message(ago(days=11), campaign="c"),
    )

    assert (found["messages_held_out_total"], found["messages_held_out_90d"]) == (2, 1)
    assert found["messages_total"] == found["messages_30d"] == found["campaigns_total"] == 2
    assert found["messages_email_90d"] == 2
    assert found["days_since_last_message"] == 10
    assert found["redemptions_total"] == found["redemption_rate"] == 0


def test_who_was_only_withheld_was_sent_nothing() -> None:
    found = features_of(message(ago(days=9), is_held_out=True))

    assert (found["messages_total"], found["opens_total"]) == (0, 0)
    names = ("days_since_last_message", "open_rate", "redemption_rate", "open_rate_email")
    assert [found[name] for name in names] == [None] * 4


def test_a_message_that_was_learnt_later_is_not_there_yet() -> None:
    late = message(ago(days=2), redeemed_at=ago(days=1), known_at=T.moment + SECOND)

    found = features_of(message(ago(days=10)), late)

    assert (found["messages_total"], found["redemptions_total"]) == (1, 0)


def test_a_customer_who_was_never_contacted_has_no_message_features() -> None:
    found = features_of(order(ago(days=3)), message(ago(days=3), customer="bob"))

    names = ("messages_30d", "messages_total", "campaigns_total", "redemptions_total")
    assert [found[name] for name in names] == [None] * 4
