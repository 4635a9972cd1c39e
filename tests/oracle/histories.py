"""Whatever may happen in a shop, drawn by hypothesis: rows of all tables, some learnt late."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from tests.features.hand_made import DAY, MICROSECOND, SECOND, Row, T, order
from tests.oracle.other_rows import SOME_WORD, other_rows

MOMENTS = (T.plus_days(-75), T.plus_days(-0.3), T)
CUSTOMERS = ("ann", "bob", "cy", "di")

# Times where features change their mind: the edges of windows, of days and of the moment itself.
EDGES_DAYS = (*(0, 1, 2, 7, 14, 30, 60, 84, 90, 91, 180, 275, 335, 365, 366, 395, 455, 730, 800),)
AGES = st.one_of(
    st.builds(
        lambda days, nudge: days * DAY + nudge,
        st.sampled_from(EDGES_DAYS),
        st.sampled_from((0 * SECOND, SECOND, -SECOND, MICROSECOND, -MICROSECOND)),
    ),
    st.integers(-3, 100).map(lambda days: days * DAY),  # many shops know dates only
    st.integers(-20 * 86_400, 500 * 86_400).map(lambda seconds: seconds * SECOND),
    st.integers(0, 3 * 10**6).map(lambda microseconds: microseconds * MICROSECOND),
)
TIMES = AGES.map(lambda age: T.moment - age)
DELAYS = st.sampled_from((*[0 * DAY] * 5, MICROSECOND, SECOND, DAY, 30 * DAY, 400 * DAY))
MONEY = st.decimals(0, 10**7, places=4) | st.sampled_from((Decimal(0), Decimal("9.99")))
STATUSES = st.sampled_from((COMPLETED, COMPLETED, COMPLETED, CANCELLED, RETURNED))


@st.composite
def orders(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    status, amount = draw(STATUSES), draw(MONEY)
    if status == RETURNED:
        amount = -amount - Decimal("0.01")
    discount, margin = draw(st.none() | MONEY), draw(st.none() | MONEY)
    return order(
        at,
        str(amount),
        customer=customer,
        status=status,
        known_at=at + delay,
        discount=None if discount is None else str(discount),
        margin=None if margin is None else str(margin - 5),
        channel=draw(SOME_WORD),
        device=draw(SOME_WORD),
    )


OTHERS = other_rows(TIMES)
KINDS = st.sampled_from((*[orders] * len(OTHERS), *OTHERS))  # half of the rows are orders


@st.composite
def rows(draw: st.DrawFn) -> Row:
    kind, at, delay = draw(KINDS), draw(TIMES), draw(DELAYS)
    row: Row = draw(kind(at, delay, draw(st.sampled_from(CUSTOMERS))))
    return row


HISTORIES = st.lists(rows(), min_size=30, max_size=90)
