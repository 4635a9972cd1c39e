"""Features from events: what was looked at, on which days, and where and on what it was done."""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import EventType
from features.transforms.events import NO_EVENT
from features.transforms.exact import count, ratio, within
from features.transforms.known import epoch_seconds, rows_known_at

DAYS_WINDOWS = (7, 30, 90)
PRODUCT_WINDOWS = (30, 90)

NO_PRODUCT = "no known product looked at yet"


def prepare_days(events: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the days (UTC) with an event by customer and moment, with the age of the last one."""
    rows = rows_known_at(events, moments, event_time="occurred_at")
    rows = rows.mutate(day=epoch_seconds(rows.occurred_at) // DAY_SECONDS)
    return _added_up(rows, "day")


def prepare_products(events: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the products looked at by customer and moment, with the age of the last time."""
    rows = rows_known_at(events, moments, event_time="occurred_at")
    viewed = rows.filter(rows.type == EventType.VIEW.value, rows.product_id.notnull())
    return _added_up(viewed, "product_id")


def prepare_channels(events: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the channels of events by customer and moment."""
    rows = rows_known_at(events, moments, event_time="occurred_at")
    return _added_up(rows.filter(rows.channel.notnull()), "channel")


def prepare_devices(events: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the devices of events by customer and moment."""
    rows = rows_known_at(events, moments, event_time="occurred_at")
    return _added_up(rows.filter(rows.device.notnull()), "device")


def _added_up(rows: ir.Table, subject: str) -> ir.Table:
    return rows.group_by(["customer_id", "as_of", subject]).aggregate(
        age_seconds=rows.age_seconds.min(),
        events=rows.count(),
        events_90d=count(within(rows.age_seconds, 90)),
    )


_event = partial(Feature, table="events", when_null=NO_EVENT)
_viewed = partial(
    Feature, table="events", when_null=NO_PRODUCT, needs=("product_id",), unit="products"
)


def _days(days: int) -> Feature:
    return _event(
        f"event_days_{days}d",
        "days",
        f"Different days (UTC) with an event in the last {days} days.",
        aggregate=lambda rows: count(within(rows.age_seconds, days)),
    )


def _products(days: int) -> Feature:
    return _viewed(
        f"products_viewed_{days}d",
        meaning=f"Different products looked at in the last {days} days.",
        aggregate=lambda rows: count(within(rows.age_seconds, days)),
    )


def _mix(column: str) -> tuple[Feature, ...]:
    mixed = partial(_event, needs=(column,), when_null=f"no event with a known {column} yet")
    return (
        mixed(
            f"event_{column}s_total",
            f"{column}s",
            f"Different {column}s of events.",
            aggregate=lambda rows: rows.count(),
        ),
        mixed(
            f"event_{column}_top_share",
            "ratio",
            f"Events of the most frequent {column} over all events with a known one.",
            aggregate=lambda rows: ratio(rows.events.max(), rows.events.sum()),
        ),
        mixed(
            f"event_{column}_top_share_90d",
            "ratio",
            f"The same share of the most frequent {column} of the last 90 days, within them.",
            aggregate=lambda rows: ratio(rows.events_90d.max(), rows.events_90d.sum()),
            when_null=f"no event with a known {column} in the last 90 days",
        ),
    )


DAY_FEATURES: tuple[Feature, ...] = (
    *(_days(days) for days in DAYS_WINDOWS),
    _event(
        "event_days_total",
        "days",
        "Different days (UTC) with an event ever.",
        aggregate=lambda rows: rows.count(),
    ),
)

PRODUCT_FEATURES: tuple[Feature, ...] = (
    *(_products(days) for days in PRODUCT_WINDOWS),
    _viewed(
        "products_viewed_total",
        meaning="Different products ever looked at.",
        aggregate=lambda rows: rows.count(),
    ),
    _viewed(
        "products_viewed_again_total",
        meaning="Different products looked at more than once.",
        aggregate=lambda rows: count(rows.events > 1),
    ),
    _viewed(
        "product_views_top_share",
        unit="ratio",
        meaning="Views of the most viewed product over all views of a known product.",
        aggregate=lambda rows: ratio(rows.events.max(), rows.events.sum()),
    ),
)

CHANNEL_FEATURES = _mix("channel")
DEVICE_FEATURES = _mix("device")
