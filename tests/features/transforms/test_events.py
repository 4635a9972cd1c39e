import pytest

from features.contracts.tables import CANCELLED
from features.transforms.events import SINCE_ORDER, WORDS
from tests.features.hand_made import DAY, MICROSECOND, SECOND, T, ago, event, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_window_holds_an_event_of_exactly_its_days_and_none_older(days: int) -> None:
    edge = ago(days=days)

    found = features_of(event(edge), event(edge - MICROSECOND), event(edge + SECOND, "view"))

    assert (found[f"events_{days}d"], found[f"visits_{days}d"], found[f"views_{days}d"]) == (
        *(2, 1, 1),
    )
    assert found["events_total"] == 3


@pytest.mark.parametrize("kind", WORDS)
def test_each_type_is_counted_by_itself(kind: str) -> None:
    found = features_of(event(ago(days=3), kind), event(ago(days=2), kind))

    counted = {name for name, _ in WORDS.values() if found[f"{name}_7d"] == 2}
    assert counted == {WORDS[kind][0]}  # type: ignore[index] # types are words
    assert found[f"days_since_last_{kind}"] == 2
    others = [other for other in WORDS if other != kind]
    assert [found[f"days_since_last_{other}"] for other in others] == [None] * len(others)


def test_an_event_of_another_type_counts_among_all() -> None:
    found = features_of(event(ago(days=3), "jump"))

    assert (found["events_7d"], found["events_total"], found["visits_7d"]) == (1, 1, 0)
    assert found["days_since_last_event"] == found["days_since_first_event"] == 3


@pytest.mark.parametrize("kind", SINCE_ORDER)
def test_events_since_the_last_order_come_after_it(kind: str) -> None:
    bought = ago(days=5)

    found = features_of(
        order(ago(days=50)),
        order(bought),
        event(ago(days=20), kind),
        event(bought - MICROSECOND, kind),
        event(bought, kind),
        event(bought + MICROSECOND, kind),
        event(ago(days=1), kind),
        event(ago(days=1), "other"),
    )

    assert found["events_since_order"] == 3
    assert found[f"{WORDS[kind][0]}_since_order"] == 2  # type: ignore[index] # types are words


def test_an_order_that_was_learnt_later_did_not_end_the_count_yet() -> None:
    rows = [
        order(ago(days=50)),
        event(ago(days=20)),
        order(ago(days=5), known_at=T.moment + SECOND),
        event(ago(days=1)),
    ]

    assert features_of(*rows)["visits_since_order"] == 2
    assert features_of(*rows, as_of=T.plus_days(1))["visits_since_order"] == 1


def test_a_cancelled_order_does_not_end_the_count() -> None:
    found = features_of(
        order(ago(days=50)), event(ago(days=20)), order(ago(days=5), status=CANCELLED)
    )

    assert found["visits_since_order"] == 1


def test_without_a_completed_order_there_is_nothing_to_count_from() -> None:
    found = features_of(order(ago(days=50), status=CANCELLED), event(ago(days=20)))

    assert found["events_since_order"] is None
    assert found["visits_since_order"] is None


def test_with_no_event_since_the_last_order_the_count_is_zero() -> None:
    found = features_of(event(ago(days=20)), order(ago(days=5)))

    assert found["events_since_order"] == found["visits_since_order"] == 0


def test_a_cart_is_open_until_a_completed_order_follows() -> None:
    filled = event(ago(days=9), "add_to_cart")

    left = features_of(order(ago(days=50)), filled, order(ago(days=3), status=CANCELLED))
    bought = features_of(order(ago(days=50)), filled, order(ago(days=9) + SECOND))

    assert (left["is_cart_open"], left["days_since_open_cart"]) == (1, 9)
    assert (bought["is_cart_open"], bought["days_since_open_cart"]) == (0, None)
    assert bought["days_since_last_add_to_cart"] == 9


def test_a_cart_without_any_order_is_open() -> None:
    found = features_of(
        order(ago(days=50), status=CANCELLED),
        event(ago(days=9), "add_to_cart"),
        event(ago(days=4), "add_to_cart"),
    )

    assert (found["is_cart_open"], found["days_since_open_cart"]) == (1, 4)


def test_carts_are_set_against_views_and_orders_against_carts_and_visits() -> None:
    found = features_of(
        *(event(ago(days=9), "view") for _ in range(8)),
        *(event(ago(days=9), "add_to_cart") for _ in range(4)),
        *(event(ago(days=9)) for _ in range(2)),
        *(event(ago(days=91), kind) for kind in ("view", "add_to_cart", "visit")),
        order(ago(days=9)),
    )

    assert found["cart_adds_per_view_90d"] == 0.5
    assert found["orders_per_cart_add_90d"] == 0.25
    assert found["orders_per_visit_90d"] == 0.5


def test_without_a_view_a_cart_or_a_visit_lately_nothing_is_set_against_them() -> None:
    found = features_of(order(ago(days=9)), event(ago(days=9), "search"))

    names = ("cart_adds_per_view_90d", "orders_per_cart_add_90d", "orders_per_visit_90d")
    assert [found[name] for name in names] == [None] * 3


def test_the_trend_is_positive_for_who_comes_more_than_before() -> None:
    found = features_of(
        *(event(ago(days=days)) for days in (1, 5, 30, 31, 60)), event(ago(days=90), "view")
    )

    assert found["visits_trend_30d"] == 3 - 2 / 2
    assert found["events_trend_30d"] == 3 - 3 / 2


def test_an_event_at_or_after_the_moment_or_learnt_later_is_not_there_yet() -> None:
    found = features_of(
        event(ago(days=9)),
        event(T.moment),
        event(T.moment + DAY, known_at=ago(days=1)),
        event(ago(days=1), known_at=T.moment + MICROSECOND),
    )

    assert found["events_total"] == 1
    assert found["days_since_last_visit"] == 9


def test_a_customer_without_events_has_no_event_features() -> None:
    found = features_of(order(ago(days=3)), event(ago(days=3), customer="bob"))

    names = ("events_7d", "visits_30d", "events_total", "is_cart_open", "events_since_order")
    assert [found[name] for name in names] == [None] * 5
