"""Features from subscriptions: which contracts run, and since when."""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.known import rows_known_at


def prepare(subscriptions: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the subscriptions known at each moment."""
    return rows_known_at(subscriptions, moments, event_time="started_at")


_subscription = partial(Feature, table="subscriptions")

FEATURES: tuple[Feature, ...] = (
    _subscription(
        "subscriptions_total",
        "subscriptions",
        "Contracts ever begun.",
        aggregate=lambda rows: rows.count(),
        when_null="no contract yet",
    ),
)
