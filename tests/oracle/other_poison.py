"""Rows of all tables beside orders around a real sale, and rows that would move their features."""

from datetime import datetime
from random import Random
from typing import Any

from features.contracts.tables import CONSENT_CHANNELS, EventType
from tests.features.hand_made import (
    DAY,
    SECOND,
    Row,
    event,
    line,
    message,
    profile,
    subscription,
    ticket,
)

TIMES = {
    "orders": "ordered_at",
    "order_lines": "ordered_at",
    "events": "occurred_at",
    "messages": "sent_at",
    "tickets": "opened_at",
    "subscriptions": "started_at",
    "customers": "created_at",
}
"""When a row of each table happened."""

OUTCOMES = {
    "messages": ("opened_at", "clicked_at", "unsubscribed_at", "redeemed_at"),
    "tickets": ("closed_at",),
    "subscriptions": ("ended_at",),
}
"""What may come of a row later."""


def around_a_sale(number: int, at: datetime, bought: dict[str, Any]) -> list[Row]:
    """Return made-up rows of the customer around the sale of this number."""
    made_up = Random(number)
    answer: dict[str, Any] = {time: made_up.choice((None, at)) for time in OUTCOMES["messages"]}
    browsed = [
        event(
            at - hours * 3600 * SECOND,
            made_up.choice(list(EventType)),
            product=made_up.choice((None, "t", "c")),
            channel=made_up.choice((None, "web", "app")),
            device=made_up.choice((None, "phone")),
            **bought,
        )
        for hours in range(1, 12, 2)
    ]
    return [
        line(at, made_up.choice("tc"), order_id=str(number), category="old", **bought),
        line(at, "back", order_id=str(number), amount="-1", **bought),
        *browsed,
        message(
            at - 10 * DAY,
            campaign=made_up.choice((None, "spring")),
            channel=made_up.choice(CONSENT_CHANNELS),
            is_held_out=made_up.choice((None, False, True)),
            **answer,
            **bought,
        ),
        ticket(
            at - 5 * DAY,
            closed_at=made_up.choice((None, at)),
            topic="late",
            satisfaction=made_up.choice((None, 1.0, 5.0)),
            **bought,
        ),
        subscription(
            at - 100 * DAY, ended_at=made_up.choice((None, at)), plan="small", price="3", **bought
        ),
        *_record(number, at, bought["customer"]),
    ]


def _record(number: int, at: datetime, customer: str) -> list[Row]:
    if number % 3:
        return []
    consents = dict.fromkeys(CONSENT_CHANNELS, False)
    return [
        profile(
            at - 30 * DAY,
            customer=customer,
            age=1.0,
            country="old",
            acquisition="old",
            consents=consents,
        )
    ]


def poisonous_others(at: datetime, customer: str, known_at: datetime) -> list[Row]:
    """Return rows that would move every feature of these tables, if they were let in."""
    named: dict[str, Any] = {"customer": customer, "known_at": known_at}
    word: dict[str, Any] = {"product": "poison", "channel": "poison", "device": "poison"}
    basket: dict[str, Any] = {"category": "poison", "order_id": "poison", **named}
    answer: dict[str, Any] = dict.fromkeys(OUTCOMES["messages"], at + SECOND)
    return [
        *(line(at, "poison", quantity=77, **basket) for _ in range(40)),
        line(at, f"new {at}", **{**basket, "category": f"new {at}"}),
        line(at, "poison", amount="-1", **named),
        *(event(at, kind, **word, **named) for kind in EventType for _ in range(3)),
        *(
            message(at, campaign="poison", channel=channel, **answer, **named)
            for channel in CONSENT_CHANNELS
        ),
        message(at, is_held_out=True, **named),
        ticket(at, topic="poison", closed_at=at + SECOND, satisfaction=0.25, **named),
        ticket(at, **named),
        subscription(at, ended_at=at + SECOND, plan="poison", price="777", **named),
        subscription(at, price="777", **named),
        profile(
            at,
            age=99.0,
            country="poison",
            acquisition="poison",
            consents=dict.fromkeys(CONSENT_CHANNELS, True),
            **named,
        ),
    ]
