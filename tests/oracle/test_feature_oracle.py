"""Every feature agrees with its slow, obvious twin on whatever may happen in a shop."""

import math
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.features import Feature
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from tests.features.hand_made import (
    CATALOGUE,
    DAY,
    MICROSECOND,
    SECOND,
    Features,
    Row,
    T,
    features_at,
    line,
    message,
    order,
    profile,
)
from tests.oracle.oracle import ORACLE, Known

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

MOMENTS = (T.plus_days(-75), T.plus_days(-0.3), T)
CUSTOMERS = ("ann", "bob", "cy")
NEVER_NULL = "never null"

# Times where features change their mind: the edges of windows, of days and of the moment itself.
AGES = st.one_of(
    st.builds(
        lambda days, nudge: days * DAY + nudge,
        st.sampled_from((0, 1, 2, 7, 14, 30, 60, 84, 90, 91, 180, 365, 366, 800)),
        st.sampled_from((0 * SECOND, SECOND, -SECOND, MICROSECOND, -MICROSECOND)),
    ),
    st.integers(-3, 100).map(lambda days: days * DAY),  # many shops know dates only
    st.integers(-20 * 86_400, 500 * 86_400).map(lambda seconds: seconds * SECOND),
    st.integers(0, 3 * 10**6).map(lambda microseconds: microseconds * MICROSECOND),
)
TIMES = AGES.map(lambda age: T.moment - age)
DELAYS = st.sampled_from((*[0 * DAY] * 5, MICROSECOND, SECOND, DAY, 30 * DAY, 400 * DAY))
MONEY = st.decimals(0, 10**7, places=4) | st.sampled_from((Decimal(0), Decimal("9.99")))
SOME_WORD = st.sampled_from((None, "a", "b", "c"))


@st.composite
def orders(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    status = draw(st.sampled_from((COMPLETED, COMPLETED, COMPLETED, CANCELLED, RETURNED)))
    amount = draw(MONEY)
    if status == RETURNED:
        amount = -amount - Decimal("0.01")
    discount = draw(st.none() | MONEY)
    return order(
        at,
        str(amount),
        customer=customer,
        status=status,
        known_at=at + delay,
        discount=None if discount is None else str(discount),
        channel=draw(SOME_WORD),
    )


@st.composite
def lines(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    return line(
        at,
        draw(st.sampled_from(("tea", "cup", "pot"))),
        customer=customer,
        order_id=draw(st.sampled_from(("first", "second"))),
        category=draw(SOME_WORD),
        quantity=draw(st.sampled_from((None, 1.0, 0.5, 0.0, -1.0))),
        amount=draw(st.sampled_from((None, "5", "0", "-5"))),
        known_at=at + delay,
    )


@st.composite
def messages(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    return message(
        at,
        customer=customer,
        campaign=draw(SOME_WORD),
        redeemed_at=draw(st.none() | TIMES),
        known_at=at + delay,
    )


@st.composite
def profiles(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    created_at = draw(st.sampled_from((None, at)))
    return profile(
        created_at,
        customer=customer,
        age=draw(st.sampled_from((None, 1.0, 2.0))),
        known_at=draw(st.sampled_from((None, at + delay))),
    )


KINDS = st.sampled_from((orders, orders, orders, lines, messages, profiles))


@st.composite
def events(draw: st.DrawFn) -> Row:
    kind, at, delay = draw(KINDS), draw(TIMES), draw(DELAYS)
    event: Row = draw(kind(at, delay, draw(st.sampled_from(CUSTOMERS))))
    return event


HISTORIES = st.lists(events(), min_size=15, max_size=60)


def disagreements(found: Features, known: Known) -> dict[str, tuple[float | None, object]]:
    return {
        name: (found[name], ORACLE[name](known))
        for name, feature in CATALOGUE.items()
        if not agrees(feature, found[name], ORACLE[name](known))
    }


def agrees(feature: Feature, found: float | None, expected: object) -> bool:
    """Counts, money and days agree to the last bit; what is divided or weighted, nearly."""
    if found is None or expected is None:
        return found is expected
    number = float(expected)  # type: ignore[arg-type] # any of Python's numbers
    if feature.name.startswith("orders_decayed"):
        return math.isclose(found, number, rel_tol=0.0, abs_tol=40e-9)
    is_divided = feature.derive is not None or feature.unit == "ratio"
    if is_divided or feature.name in ("gap_days_mean", "gap_days_median", "lines_per_order"):
        return math.isclose(found, number, rel_tol=1e-12, abs_tol=1e-12)
    return found == number


def test_every_feature_has_a_twin() -> None:
    assert set(CATALOGUE) <= set(ORACLE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_features_agree_with_their_twins(rows: list[Row]) -> None:
    for (customer, as_of), found in features_at(rows, MOMENTS).items():
        assert disagreements(found, Known(rows, customer, as_of)) == {}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_a_customer_has_features_from_the_first_known_order_on(rows: list[Row]) -> None:
    with_a_row = {
        (customer, as_of)
        for customer in CUSTOMERS
        for as_of in MOMENTS
        if Known(rows, customer, as_of).rows
    }

    assert set(features_at(rows, MOMENTS)) == with_a_row


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_features_are_finite_and_null_only_where_they_say_so(rows: list[Row]) -> None:
    for found in features_at(rows, MOMENTS).values():
        known = {name for name, value in found.items() if value is not None}

        assert all(math.isfinite(value) for value in found.values() if value is not None)
        assert {name for name, f in CATALOGUE.items() if f.when_null == NEVER_NULL} <= known


def test_moments_computed_together_agree_with_moments_computed_alone() -> None:
    rows = [order(T.moment - days * DAY, str(days)) for days in range(-5, 120, 7)]
    together = features_at(rows, MOMENTS)

    alone: dict[tuple[str, AsOf], Features] = {}
    for moment in MOMENTS:
        alone |= features_at(rows, [moment])

    assert together == alone
