"""Features from where orders come from: the channels and devices, and how settled they are.

Orders are first added up by channel and by device; counting different ones is then counting rows.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.contracts.tables import COMPLETED
from features.transforms.exact import count, ratio, within
from features.transforms.known import rows_known_at


def prepare_channels(orders: ir.Table, moments: ir.Table) -> ir.Table:
    """Return how many completed orders each customer made as of each moment, by channel."""
    return _added_up(orders, moments, "channel")


def prepare_devices(orders: ir.Table, moments: ir.Table) -> ir.Table:
    """Return how many completed orders each customer made as of each moment, by device."""
    return _added_up(orders, moments, "device")


def _added_up(orders: ir.Table, moments: ir.Table, column: str) -> ir.Table:
    rows = rows_known_at(orders, moments, event_time="ordered_at")
    is_named = (rows.status == COMPLETED) & rows[column].notnull()
    return rows.group_by(["customer_id", "as_of", column]).aggregate(
        orders=count(is_named), orders_365d=count(is_named & within(rows.age_seconds, 365))
    )


def _habits(column: str) -> tuple[Feature, ...]:
    counted = partial(Feature, unit=f"{column}s", table="orders", needs=(column,))
    return (
        counted(
            f"{column}s_365d",
            meaning=f"Different {column}s of completed orders in the last 365 days.",
            aggregate=lambda rows: count(rows.orders_365d > 0),
        ),
        counted(
            f"{column}s_total",
            meaning=f"Different {column}s of completed orders.",
            aggregate=lambda rows: count(rows.orders > 0),
        ),
        Feature(
            f"{column}_top_share",
            "ratio",
            f"Completed orders of the most frequent {column} over all whose {column} is recorded.",
            "orders",
            aggregate=lambda rows: ratio(rows.orders.max(), rows.orders.sum()),
            when_null=f"no completed order whose {column} is recorded yet",
            needs=(column,),
        ),
    )


CHANNEL_FEATURES = _habits("channel")
DEVICE_FEATURES = _habits("device")
