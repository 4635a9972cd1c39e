"""Whatever may happen in a shop beside orders, drawn by hypothesis.

Each strategy draws one row of one table for a customer, given when it happened and how much later
it was learnt. Times of outcomes come from `times`: they may lie before the row or after any moment.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from features.contracts.tables import CONSENT_CHANNELS, EventType
from tests.features.hand_made import Row, event, line, message, profile, subscription, ticket

Drawn = Callable[[datetime, timedelta, str], st.SearchStrategy[Row]]

SOME_WORD = st.sampled_from((None, "a", "b", "c"))
YES_NO = st.sampled_from((None, False, True))
KINDS_OF_EVENT = st.sampled_from(
    (*EventType, EventType.VISIT, EventType.VIEW, EventType.VIEW, EventType.ADD_TO_CART, "other")
)


def other_rows(times: st.SearchStrategy[datetime]) -> tuple[Drawn, ...]:
    """Return the strategies of all tables but orders, each several times if it is to be common."""
    later = st.none() | times

    @st.composite
    def lines(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
        return line(
            at,
            draw(st.sampled_from(("tea", "cup", "pot"))),
            customer=customer,
            order_id=draw(st.sampled_from(("first", "second", "third"))),
            category=draw(SOME_WORD),
            quantity=draw(st.sampled_from((None, 1.0, 2.0, 0.5, 0.1, 0.0, -1.0))),
            amount=draw(st.sampled_from((None, "5", "3.3333", "0", "-5"))),
            known_at=at + delay,
        )

    @st.composite
    def events(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
        return event(
            at,
            str(draw(KINDS_OF_EVENT)),
            customer=customer,
            product=draw(SOME_WORD),
            channel=draw(SOME_WORD),
            device=draw(SOME_WORD),
            known_at=at + delay,
        )

    @st.composite
    def messages(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
        return message(
            at,
            customer=customer,
            campaign=draw(SOME_WORD),
            channel=draw(st.sampled_from((None, "email", "Email", "SMS", "push", "post"))),
            opened_at=draw(later),
            clicked_at=draw(later),
            unsubscribed_at=draw(later),
            redeemed_at=draw(later),
            is_held_out=draw(YES_NO),
            known_at=at + delay,
        )

    @st.composite
    def tickets(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
        return ticket(
            at,
            customer=customer,
            closed_at=draw(later),
            topic=draw(SOME_WORD),
            satisfaction=draw(st.sampled_from((None, 1.0, 2.5, 0.1))),
            known_at=at + delay,
        )

    @st.composite
    def subscriptions(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
        price = draw(st.none() | st.decimals(0, 1000, places=4) | st.just(Decimal("9.99")))
        return subscription(
            at,
            customer=customer,
            ended_at=draw(later),
            plan=draw(SOME_WORD),
            price=None if price is None else str(price),
            known_at=at + delay,
        )

    return (lines, events, events, messages, tickets, subscriptions, profiles)


@st.composite
def profiles(draw: st.DrawFn, at: datetime, delay: timedelta, customer: str) -> Row:
    return profile(
        draw(st.sampled_from((None, at))),
        customer=customer,
        age=draw(st.sampled_from((None, 1.0, 2.0))),
        country=draw(SOME_WORD),
        acquisition=draw(SOME_WORD),
        consents={channel: draw(YES_NO) for channel in CONSENT_CHANNELS},
        known_at=draw(st.sampled_from((None, at + delay))),
    )
