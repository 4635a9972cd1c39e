"""Features from tickets: how often help was needed, how long it took, how satisfied it left.

A ticket is open until its `closed_at` has passed (see `features/transforms/outcomes.py`), and what
the customer thought of it counts only from then on: nothing tells when it was asked.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.exact import STEPS, count, in_steps, ratio, within
from features.transforms.known import rows_known_at
from features.transforms.outcomes import seconds_since

WINDOWS_DAYS = (30, 90, 365)

NO_TICKET = "never asked for help"
NONE_CLOSED = "no ticket closed yet"
NONE_JUDGED = "no closed ticket with a satisfaction yet"

CUSTOMER = ibis.window(group_by=["customer_id", "as_of"])


def prepare(tickets: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the tickets known at each moment, with what had come of them by then.

    `judged` is the satisfaction in steps; null where the ticket is open or has none.
    """
    rows = rows_known_at(tickets, moments, event_time="opened_at")
    rows = rows.mutate(closed_age_seconds=seconds_since(rows, "closed_at"))
    is_closed = rows.closed_age_seconds.notnull()
    rows = rows.mutate(
        is_closed=is_closed,
        # Closed before it was opened: a slip of the pen, and no time at all.
        open_seconds=ibis.greatest(rows.age_seconds - rows.closed_age_seconds, 0),
        judged=is_closed.ifelse(in_steps(rows.satisfaction), ibis.null("int64")),
    )
    judged_age = rows.judged.notnull().ifelse(rows.closed_age_seconds, ibis.null("int64"))
    return rows.mutate(is_last_judged=judged_age == judged_age.min().over(CUSTOMER))


def prepare_topics(tickets: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the topics of tickets by customer and moment."""
    rows = rows_known_at(tickets, moments, event_time="opened_at")
    return rows.filter(rows.topic.notnull()).select("customer_id", "as_of", "topic").distinct()


_ticket = partial(Feature, table="tickets", when_null=NO_TICKET)
_closed = partial(Feature, table="tickets", when_null=NONE_CLOSED, needs=("closed_at",))
_judged = partial(
    Feature, table="tickets", when_null=NONE_JUDGED, needs=("closed_at", "satisfaction")
)


def _tickets(days: int) -> Feature:
    return _ticket(
        f"tickets_{days}d",
        "tickets",
        f"Requests for help opened in the last {days} days.",
        aggregate=lambda rows: count(within(rows.age_seconds, days)),
    )


FEATURES: tuple[Feature, ...] = (
    *(_tickets(days) for days in WINDOWS_DAYS),
    _ticket(
        "tickets_total",
        "tickets",
        "Requests for help ever opened.",
        aggregate=lambda rows: rows.count(),
    ),
    _ticket(
        "days_since_last_ticket",
        "days",
        "Days since help was last asked for.",
        aggregate=lambda rows: rows.age_seconds.min() / DAY_SECONDS,
        ages=True,
    ),
    _ticket(
        "tickets_open",
        "tickets",
        "Requests for help that are not closed yet.",
        aggregate=lambda rows: count(~rows.is_closed),
        needs=("closed_at",),
    ),
    _ticket(
        "days_since_oldest_open_ticket",
        "days",
        "Days since the oldest request that is not closed yet was opened.",
        aggregate=lambda rows: rows.age_seconds.max(where=~rows.is_closed) / DAY_SECONDS,
        when_null="no request for help is open",
        needs=("closed_at",),
        ages=True,
    ),
    _closed(
        "days_since_last_ticket_closed",
        "days",
        "Days since a request for help was last closed.",
        aggregate=lambda rows: rows.closed_age_seconds.min() / DAY_SECONDS,
        ages=True,
    ),
    _closed(
        "days_to_close_mean",
        "days",
        "Mean time from the opening of a closed ticket to its closing.",
        aggregate=lambda rows: ratio(
            rows.open_seconds.sum(where=rows.is_closed), count(rows.is_closed) * DAY_SECONDS
        ),
    ),
    _closed(
        "days_to_close_longest",
        "days",
        "Longest time from the opening of a closed ticket to its closing.",
        aggregate=lambda rows: rows.open_seconds.max(where=rows.is_closed) / DAY_SECONDS,
    ),
    _judged(
        "satisfaction_mean",
        "points",
        "Mean satisfaction with closed tickets.",
        aggregate=lambda rows: ratio(rows.judged.sum(), rows.judged.count() * STEPS),
    ),
    _judged(
        "satisfaction_last",
        "points",
        "Satisfaction with the ticket that was closed last; of several, the lowest.",
        aggregate=lambda rows: rows.judged.min(where=rows.is_last_judged).cast("float64") / STEPS,
    ),
    _judged(
        "satisfaction_lowest",
        "points",
        "Lowest satisfaction with a closed ticket.",
        aggregate=lambda rows: rows.judged.min().cast("float64") / STEPS,
    ),
)

TOPIC_FEATURES: tuple[Feature, ...] = (
    _ticket(
        "ticket_topics_total",
        "topics",
        "Different topics of requests for help.",
        aggregate=lambda rows: rows.count(),
        when_null="no ticket of a known topic yet",
        needs=("topic",),
    ),
)

STANDING_FEATURES: tuple[Feature, ...] = (
    _ticket(
        "tickets_per_order_365d",
        "ratio",
        "Requests for help over completed orders, in the last 365 days.",
        derive=lambda t: ratio(t.tickets_365d, t.orders_365d),
        when_null="never asked for help, or no completed order in the last 365 days",
        needs_features=("tickets_365d", "orders_365d"),
    ),
)
