from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.errors import ImmatureLabelsError
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from features.labels import observed_until, outcomes
from tests.features.hand_made import DAY, MICROSECOND, SECOND, Row, T, ago, order, orders_of

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

HORIZON = 28
END = T.plus_days(HORIZON)


def happened(
    *rows: Row, customers: tuple[str, ...] = ("ann",), until: AsOf = END
) -> list[tuple[float, float]]:
    """Return orders and spend of each customer in the 28 days from the moment."""
    found = outcomes(
        orders_of(*rows), customers, as_of=T, horizon_days=HORIZON, observed_until=until
    )
    return list(zip(found.orders.tolist(), found.spend.tolist(), strict=True))


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        pytest.param(T.moment - MICROSECOND, False, id="just before the moment"),
        pytest.param(T.moment, True, id="at the moment"),
        pytest.param(END.moment - MICROSECOND, True, id="just before the end"),
        pytest.param(END.moment, False, id="at the end"),
    ],
)
def test_the_horizon_starts_at_the_moment_and_stops_short_of_its_end(
    at: datetime, counts: bool
) -> None:
    assert happened(order(at, "7"), until=END.plus_days(9)) == [(counts, 7.0 * counts)]


def test_an_order_is_either_in_the_features_or_in_the_label() -> None:
    """Two moments a horizon apart share no order, and miss none."""
    rows = [order(T.moment + hours * SECOND * 3600) for hours in range(2 * HORIZON * 24)]
    orders = orders_of(*rows)
    counted = [
        outcomes(
            orders, ("ann",), as_of=start, horizon_days=HORIZON, observed_until=END.plus_days(99)
        ).orders[0]
        for start in (T, END)
    ]

    assert counted == [HORIZON * 24, HORIZON * 24]


def test_customers_come_in_the_order_asked_for_and_zero_where_nothing_happened() -> None:
    rows = [order(ago(days=-3), "5", customer="bob"), order(ago(days=-4), "6", customer="bob")]

    assert happened(*rows, customers=("zoe", "bob", "ann")) == [(0, 0), (2, 11), (0, 0)]


def test_nobody_asked_for_is_nobody_answered() -> None:
    assert happened(order(ago(days=-3)), customers=()) == []


def test_returns_are_taken_off_and_cancellations_never_counted() -> None:
    rows = [
        order(ago(days=-1), "50.25"),
        order(ago(days=-2), "-20.15", status=RETURNED),
        order(ago(days=-3), "99", status=CANCELLED),
    ]

    assert happened(*rows) == [(1, 30.1)]


def test_spend_is_never_below_zero() -> None:
    returned = order(ago(days=-2), "-20", status=RETURNED)

    assert happened(returned) == [(0, 0)]
    assert happened(returned, order(ago(days=-1), "5")) == [(1, 0)]


def test_without_amounts_orders_are_counted_and_spend_is_zero() -> None:
    row = order(ago(days=-1))

    assert happened(Row("orders", {**row.values, "amount": None})) == [(1, 0)]


def test_what_was_learnt_after_the_data_end_is_not_seen() -> None:
    in_time = order(ago(days=-1), "5", known_at=END.moment)
    too_late = order(ago(days=-2), "8", known_at=END.moment + SECOND)

    assert happened(in_time, too_late) == [(1, 5)]
    assert happened(in_time, too_late, until=END.plus_days(1)) == [(2, 13)]


@pytest.mark.parametrize("short", [1 / 86_400, 1, 28, 100])
def test_labels_that_are_not_mature_are_refused(short: float) -> None:
    with pytest.raises(ImmatureLabelsError) as caught:
        happened(order(ago(days=-1)), until=END.plus_days(-short))

    message = str(caught.value)
    assert f"28 days from {T} is known at {END}" in message
    assert "choose an earlier moment or a shorter horizon" in message


EDGES = (T.moment - MICROSECOND, T.moment, END.moment - MICROSECOND, END.moment)
HOURS = st.integers(-72, 24 * HORIZON + 72).map(lambda hours: T.moment + timedelta(hours=hours))


@st.composite
def orders_around_the_horizon(draw: st.DrawFn) -> Row:
    at = draw(HOURS | st.sampled_from(EDGES))
    status = draw(st.sampled_from((COMPLETED, COMPLETED, CANCELLED, RETURNED)))
    amount = draw(st.decimals(0, 10**6, places=4))
    return order(
        at,
        str(-amount if status == RETURNED else amount),
        customer=draw(st.sampled_from(("ann", "bob"))),
        status=status,
        known_at=at + draw(st.sampled_from((0 * DAY, DAY, 40 * DAY))),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(orders_around_the_horizon(), max_size=20))
def test_outcomes_agree_with_adding_up_by_hand(rows: list[Row]) -> None:
    expected = []
    for customer in ("ann", "bob"):
        own = [
            row.values
            for row in rows
            if row.values["customer_id"] == customer
            and T.moment <= row.values["ordered_at"] < END.moment
            and row.values["known_at"] <= END.moment
        ]
        bought = [row["amount"] for row in own if row["status"] == COMPLETED]
        returned = [row["amount"] for row in own if row["status"] == RETURNED]
        spend = max(Decimal(0), sum(bought, Decimal(0)) + sum(returned, Decimal(0)))
        expected.append((len(bought), float(spend)))

    assert happened(*rows, customers=("ann", "bob")) == expected


@pytest.mark.parametrize(
    ("last_event", "timezone", "end"),
    [
        ("2026-03-01T00:00:00Z", "UTC", "2026-03-02T00:00:00Z"),
        ("2026-03-01T23:59:59Z", "UTC", "2026-03-02T00:00:00Z"),
        ("2026-03-01T23:59:59Z", "Asia/Tokyo", "2026-03-02T15:00:00Z"),
        ("2026-03-01T04:00:00Z", "America/New_York", "2026-03-01T05:00:00Z"),
        pytest.param(
            "2026-03-29T12:00:00Z", "Europe/London", "2026-03-29T23:00:00Z", id="a day of 23 hours"
        ),
        pytest.param(
            "2026-10-25T12:00:00Z", "Europe/London", "2026-10-26T00:00:00Z", id="a day of 25 hours"
        ),
        pytest.param(
            "2026-10-24T23:30:00Z", "Europe/London", "2026-10-26T00:00:00Z", id="its first hour"
        ),
        pytest.param(
            "2018-11-03T12:00:00Z",
            "America/Sao_Paulo",
            "2018-11-04T03:00:00Z",
            id="the next day has no midnight",
        ),
        pytest.param(
            "2011-12-29T12:00:00Z",
            "Pacific/Apia",
            "2011-12-30T10:00:00Z",
            id="the next day never came",
        ),
    ],
)
def test_the_data_end_with_the_last_orders_day_where_the_business_is(
    last_event: str, timezone: str, end: str
) -> None:
    assert str(observed_until(AsOf.parse(last_event), timezone)) == end


@given(
    st.datetimes(datetime(1995, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 # zones come apart
    st.timezone_keys(allow_prefix=False),
)
def test_the_data_never_end_before_the_last_order(moment: datetime, timezone: str) -> None:
    last_event = AsOf.parse(moment.isoformat(), "UTC")

    assert 0 < observed_until(last_event, timezone).days_since(last_event) <= 2
