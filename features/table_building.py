"""Makes the canonical tables other than orders of the user's rows."""

from typing import Any

import ibis

from features.column_mapping import attribute_levels
from features.contracts.settings import TableSettings
from features.contracts.tables import TABLES

ALWAYS_KNOWN = "1970-01-01 00:00:00"
"""`known_at` of customers without any time: before everything, so always known."""


def build_table(connection: Any, name: str, usable: Any, settings: TableSettings) -> Any:
    """Make the canonical table `name` of the `usable` typed rows, in order of time, and return it.

    Lines of orders that are equal all count: somebody may buy the same thing twice.
    """
    contract = TABLES[name]
    present = [c.name for c in contract.columns if c.name in usable.columns]
    absent = {c.name: ibis.null(c.type) for c in contract.columns if c.name not in usable.columns}
    attributes = list(attribute_levels(settings))
    columns = [*(column.name for column in contract.columns), *attributes]
    rows = usable.select(*present, *attributes, **absent)
    known_at = learnt_at(rows.known_at, rows[contract.event_time])
    if name == "customers":
        known_at = known_at.fill_null(ibis.timestamp(ALWAYS_KNOWN, timezone="UTC"))
    rows = rows.mutate(known_at=known_at).select(*columns)
    key = [contract.event_time, "customer_id"]
    rest = [column for column in columns if column not in key]
    return connection.create_table(name, rows.order_by(*key, *rest))


def learnt_at(known_at: Any, event_time: Any) -> Any:
    """Return when a row was learnt: not before it happened, and just then where nothing is said."""
    early = (known_at < event_time).fill_null(False)
    return early.ifelse(event_time, known_at.coalesce(event_time))
