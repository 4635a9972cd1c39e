"""Features from events: what a customer does between orders."""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.known import rows_known_at


def prepare(events: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the events known at each moment."""
    return rows_known_at(events, moments, event_time="occurred_at")


_event = partial(Feature, table="events")

FEATURES: tuple[Feature, ...] = (
    _event(
        "events_total",
        "events",
        "Events ever.",
        aggregate=lambda rows: rows.count(),
        when_null="no event yet",
    ),
)
