"""Features from events: what a customer does between orders, how lately, and what became of it.

Events are many, so they are first added up by type. What was looked at, on which days and on what
is told by `features/transforms/browsing.py`.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import COMPLETED, EventType
from features.transforms.exact import count, ratio, within
from features.transforms.known import rows_known_at

WINDOWS_DAYS = (7, 30, 90)

NO_EVENT = "no event yet"
NO_ORDER = "no event yet, or no completed order yet"

WORDS = {
    EventType.VISIT: ("visits", "Visits"),
    EventType.VIEW: ("views", "Products or pages looked at"),
    EventType.SEARCH: ("searches", "Searches"),
    EventType.ADD_TO_CART: ("cart_adds", "Things put in the cart"),
    EventType.SIGN_UP: ("sign_ups", "Sign-ups"),
    EventType.DOWNLOAD: ("downloads", "Downloads"),
    EventType.APP_OPEN: ("app_opens", "Openings of the app"),
    EventType.QUOTE_REQUEST: ("quote_requests", "Requests for a quote"),
    EventType.HELP_VIEW: ("help_views", "Help pages looked at"),
}
"""What events of each type are called in the names and in the meanings of features."""

SINCE_ORDER = (
    EventType.VISIT,
    EventType.VIEW,
    EventType.SEARCH,
    EventType.ADD_TO_CART,
    EventType.DOWNLOAD,
    EventType.SIGN_UP,
    EventType.HELP_VIEW,
)


def prepare(events: ir.Table, moments: ir.Table, orders: ir.Table) -> ir.Table:
    """Return the events known at each moment by customer, moment and type.

    `since_order` counts those after the last completed order that was known at the moment, and is
    null without one; `in_cycle` counts them all where there is none.
    """
    rows = rows_known_at(events, moments, event_time="occurred_at")
    last = _last_order(orders, moments)
    rows = rows.left_join(last, ["customer_id", "as_of"]).drop("customer_id_right", "as_of_right")
    is_since = rows.occurred_at > rows.last_ordered_at
    counts = {f"events_{days}d": count(within(rows.age_seconds, days)) for days in WINDOWS_DAYS}
    return rows.group_by(["customer_id", "as_of", "type"]).aggregate(
        age_seconds=rows.age_seconds.min(),
        first_age_seconds=rows.age_seconds.max(),
        events=rows.count(),
        since_order=is_since.cast("int64").sum(),
        in_cycle=count(is_since | rows.last_ordered_at.isnull()),
        **counts,
    )


def _last_order(orders: ir.Table, moments: ir.Table) -> ir.Table:
    completed = orders.filter(orders.status == COMPLETED)
    rows = rows_known_at(completed, moments, event_time="ordered_at")
    return rows.group_by(["customer_id", "as_of"]).aggregate(last_ordered_at=rows.ordered_at.max())


_event = partial(Feature, table="events", when_null=NO_EVENT)


def _sum_of(rows: ir.Table, kind: EventType, column: str) -> ir.Value:
    return (rows.type == kind.value).ifelse(rows[column], 0).sum()


def _in_window(kind: EventType, days: int) -> Feature:
    name, meaning = WORDS[kind]
    return _event(
        f"{name}_{days}d",
        "events",
        f"{meaning} in the last {days} days.",
        aggregate=lambda rows: _sum_of(rows, kind, f"events_{days}d"),
    )


def _days_since(kind: EventType) -> Feature:
    words = kind.value.replace("_", " ")
    return _event(
        f"days_since_last_{kind.value}",
        "days",
        f"Days since the last event of the type {words}.",
        aggregate=lambda rows: rows.age_seconds.min(where=rows.type == kind.value) / DAY_SECONDS,
        when_null=f"no {words} yet",
        ages=True,
    )


def _since_order(kind: EventType) -> Feature:
    name, meaning = WORDS[kind]
    return _event(
        f"{name}_since_order",
        "events",
        f"{meaning} after the last completed order.",
        aggregate=lambda rows: (
            rows.since_order.notnull()
            .any()
            .ifelse(_sum_of(rows, kind, "since_order"), ibis.null("int64"))
        ),
        when_null=NO_ORDER,
    )


def _total(days: int) -> Feature:
    return _event(
        f"events_{days}d",
        "events",
        f"Events of any type in the last {days} days.",
        aggregate=lambda rows: rows[f"events_{days}d"].sum(),
    )


FEATURES: tuple[Feature, ...] = (
    *(_total(days) for days in WINDOWS_DAYS),
    _event(
        "events_total",
        "events",
        "Events of any type ever.",
        aggregate=lambda rows: rows.events.sum(),
    ),
    *(_in_window(kind, days) for kind in WORDS for days in WINDOWS_DAYS),
    _event(
        "days_since_last_event",
        "days",
        "Days since the last event of any type.",
        aggregate=lambda rows: rows.age_seconds.min() / DAY_SECONDS,
        ages=True,
    ),
    _event(
        "days_since_first_event",
        "days",
        "Days since the first event of any type.",
        aggregate=lambda rows: rows.first_age_seconds.max() / DAY_SECONDS,
        ages=True,
    ),
    *(_days_since(kind) for kind in WORDS),
    _event(
        "events_since_order",
        "events",
        "Events of any type after the last completed order.",
        aggregate=lambda rows: rows.since_order.sum(),
        when_null=NO_ORDER,
    ),
    *(_since_order(kind) for kind in SINCE_ORDER),
    _event(
        "is_cart_open",
        "yes or no",
        "Whether something was put in the cart after the last completed order, or ever if none.",
        aggregate=lambda rows: (_sum_of(rows, EventType.ADD_TO_CART, "in_cycle") > 0).ifelse(1, 0),
    ),
    _event(
        "days_since_open_cart",
        "days",
        "Days since something was put in the cart that no completed order followed.",
        aggregate=lambda rows: (
            rows.age_seconds.min(
                where=(rows.type == EventType.ADD_TO_CART.value) & (rows.in_cycle > 0)
            )
            / DAY_SECONDS
        ),
        when_null="nothing in the cart since the last completed order",
        ages=True,
    ),
    _event(
        "cart_adds_per_view_90d",
        "ratio",
        "Things put in the cart over those looked at, in the last 90 days.",
        derive=lambda t: ratio(t.cart_adds_90d, t.views_90d),
        when_null="nothing looked at in the last 90 days",
    ),
    _event(
        "events_trend_30d",
        "events",
        "Events in the last 30 days, less half of those in the 60 days before.",
        derive=lambda t: t.events_30d - (t.events_90d - t.events_30d) / 2.0,
    ),
    _event(
        "visits_trend_30d",
        "events",
        "Visits in the last 30 days, less half of those in the 60 days before.",
        derive=lambda t: t.visits_30d - (t.visits_90d - t.visits_30d) / 2.0,
    ),
)

STANDING_FEATURES: tuple[Feature, ...] = (
    _event(
        "orders_per_visit_90d",
        "ratio",
        "Completed orders over visits, in the last 90 days.",
        derive=lambda t: ratio(t.orders_90d, t.visits_90d),
        when_null="no visit in the last 90 days",
        needs_features=("orders_90d", "visits_90d"),
    ),
    _event(
        "orders_per_cart_add_90d",
        "ratio",
        "Completed orders over things put in the cart, in the last 90 days.",
        derive=lambda t: ratio(t.orders_90d, t.cart_adds_90d),
        when_null="nothing put in the cart in the last 90 days",
        needs_features=("orders_90d", "cart_adds_90d"),
    ),
)
