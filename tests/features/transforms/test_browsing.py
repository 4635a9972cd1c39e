from datetime import timedelta
from typing import Any

import pytest

from tests.features.hand_made import DAY, MICROSECOND, SECOND, T, ago, event, features_of

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_day_with_many_events_is_one_day(days: int) -> None:
    edge = ago(days=days)

    found = features_of(
        event(edge),
        event(edge + timedelta(hours=23)),
        event(edge - MICROSECOND),
        event(edge + DAY),
        event(ago(days=500)),
    )

    assert found[f"event_days_{days}d"] == 2
    assert found["event_days_total"] == 4


@pytest.mark.parametrize("days", [30, 90])
def test_a_product_was_looked_at_lately_if_its_last_view_is(days: int) -> None:
    edge = ago(days=days)

    found = features_of(
        event(ago(days=300), "view", product="tea"),
        event(edge, "view", product="tea"),
        event(edge - MICROSECOND, "view", product="cup"),
    )

    assert found[f"products_viewed_{days}d"] == 1
    assert found["products_viewed_total"] == 2
    assert found["products_viewed_again_total"] == 1
    assert found["product_views_top_share"] == 2 / 3


def test_products_of_other_events_and_views_of_no_product_are_left_out() -> None:
    found = features_of(
        event(ago(days=3), "add_to_cart", product="tea"), event(ago(days=3), "view")
    )

    assert found["products_viewed_total"] is None
    assert found["products_viewed_30d"] is None


@pytest.mark.parametrize("column", ["channel", "device"])
def test_the_mix_tells_how_many_and_how_much_of_the_most_frequent(column: str) -> None:
    words: list[dict[str, Any]] = [{column: word} for word in ("a", "a", "a", "b", None)]
    lately: dict[str, Any] = {column: "b"}

    found = features_of(
        *(event(ago(days=100), **word) for word in words), event(ago(days=90), **lately)
    )

    assert found[f"event_{column}s_total"] == 2
    assert found[f"event_{column}_top_share"] == 3 / 5
    assert found[f"event_{column}_top_share_90d"] == 1


@pytest.mark.parametrize("column", ["channel", "device"])
def test_a_mix_of_long_ago_says_nothing_of_lately(column: str) -> None:
    word: dict[str, Any] = {column: "a"}

    found = features_of(event(ago(days=91), **word))

    assert found[f"event_{column}_top_share"] == 1
    assert found[f"event_{column}_top_share_90d"] is None


def test_events_without_channel_and_device_have_no_mix() -> None:
    found = features_of(event(ago(days=3)))

    assert found["event_channels_total"] is None
    assert found["event_devices_total"] is None


def test_what_was_learnt_later_was_not_browsed_yet() -> None:
    late = event(
        ago(days=2), "view", product="cup", channel="b", device="b", known_at=T.moment + SECOND
    )

    found = features_of(event(ago(days=3), "view", product="tea", channel="a", device="a"), late)

    names = ("event_days_total", "products_viewed_total", "event_channels_total")
    assert [found[name] for name in (*names, "event_devices_total")] == [1] * 4
