from datetime import datetime

import pytest

from features.contracts.tables import CANCELLED
from tests.features.hand_made import DAY, MICROSECOND, SECOND, T, ago, features_of, order, ticket

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [30, 90, 365])
def test_a_window_holds_a_ticket_of_exactly_its_days_and_none_older(days: int) -> None:
    edge = ago(days=days)

    found = features_of(ticket(edge), ticket(edge - MICROSECOND), ticket(edge + SECOND))

    assert (found[f"tickets_{days}d"], found["tickets_total"]) == (2, 3)


@pytest.mark.parametrize(
    ("closed_at", "is_open"),
    [
        pytest.param(None, True, id="never closed"),
        pytest.param(T.moment - MICROSECOND, False, id="closed just before"),
        pytest.param(T.moment, True, id="closed at the moment"),
        pytest.param(T.moment + DAY, True, id="closed later"),
    ],
)
def test_a_ticket_is_open_until_its_closing_has_passed(
    closed_at: datetime | None, is_open: bool
) -> None:
    found = features_of(ticket(ago(days=9), closed_at=closed_at, satisfaction=3))

    assert found["tickets_open"] == is_open
    assert found["days_since_oldest_open_ticket"] == (9 if is_open else None)
    nulls = ("days_to_close_mean", "days_to_close_longest", "days_since_last_ticket_closed")
    for name in (*nulls, "satisfaction_mean", "satisfaction_last", "satisfaction_lowest"):
        assert (found[name] is None) == is_open


def test_time_to_close_is_that_of_closed_tickets() -> None:
    found = features_of(
        ticket(ago(days=20), closed_at=ago(days=19)),
        ticket(ago(days=10), closed_at=ago(days=7)),
        ticket(ago(days=400)),
    )

    assert (found["days_to_close_mean"], found["days_to_close_longest"]) == (2, 3)
    assert found["days_since_last_ticket_closed"] == 7
    assert found["days_since_last_ticket"] == 10
    assert found["days_since_oldest_open_ticket"] == 400


def test_a_ticket_closed_before_it_was_opened_took_no_time() -> None:
    assert features_of(ticket(ago(days=5), closed_at=ago(days=6)))["days_to_close_mean"] == 0


def test_satisfaction_is_that_of_closed_tickets_and_the_last_is_the_last_closed() -> None:
    found = features_of(
        ticket(ago(days=20), closed_at=ago(days=2), satisfaction=4),
        ticket(ago(days=10), closed_at=ago(days=7), satisfaction=1.5),
        ticket(ago(days=9), closed_at=ago(days=1)),
        ticket(ago(days=8), satisfaction=5),
    )

    assert found["satisfaction_mean"] == 2.75
    assert found["satisfaction_last"] == 4
    assert found["satisfaction_lowest"] == 1.5


def test_of_tickets_closed_in_one_second_the_lowest_satisfaction_is_the_last() -> None:
    closed = [ticket(ago(days=9), closed_at=ago(days=2), satisfaction=s) for s in (3, 2, 5)]

    assert features_of(*closed)["satisfaction_last"] == 2


def test_satisfaction_adds_up_exactly() -> None:
    rows = [ticket(ago(days=9), closed_at=ago(days=2), satisfaction=0.1) for _ in range(3)]

    assert features_of(*rows)["satisfaction_mean"] == 0.1


def test_topics_are_counted_once_and_only_where_named() -> None:
    found = features_of(*(ticket(ago(days=9), topic=topic) for topic in ("a", "a", "b", None)))

    assert found["ticket_topics_total"] == 2
    assert features_of(ticket(ago(days=9)))["ticket_topics_total"] is None


def test_tickets_are_set_against_the_orders_of_a_year() -> None:
    tickets = [ticket(ago(days=days)) for days in (9, 366)]

    found = features_of(*tickets, order(ago(days=8)), order(ago(days=3)))
    idle = features_of(*tickets, order(ago(days=8), status=CANCELLED))

    assert found["tickets_per_order_365d"] == 0.5
    assert idle["tickets_per_order_365d"] is None


def test_a_ticket_that_was_learnt_later_is_not_there_yet() -> None:
    late = ticket(ago(days=2), topic="b", known_at=T.moment + SECOND)

    found = features_of(ticket(ago(days=3), topic="a"), late)

    assert (found["tickets_total"], found["ticket_topics_total"]) == (1, 1)


def test_a_customer_who_never_asked_has_no_ticket_features() -> None:
    found = features_of(order(ago(days=3)), ticket(ago(days=3), customer="bob"))

    names = ("tickets_30d", "tickets_total", "tickets_open", "tickets_per_order_365d")
    assert [found[name] for name in names] == [None] * 4
