"""Features from tickets: how often help was needed, and how it went."""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.known import rows_known_at


def prepare(tickets: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the tickets known at each moment."""
    return rows_known_at(tickets, moments, event_time="opened_at")


_ticket = partial(Feature, table="tickets")

FEATURES: tuple[Feature, ...] = (
    _ticket(
        "tickets_total",
        "tickets",
        "Requests for help ever opened.",
        aggregate=lambda rows: rows.count(),
        when_null="never asked for help",
    ),
)
