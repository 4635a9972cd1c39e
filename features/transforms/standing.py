"""Features of a customer's standing among all: derived from the joined row.

`derive` receives a table with the customer's own features, the calendar of the moment and what is
known of the whole base; `needs_features` says what is read of them.
"""

from functools import partial

from features.contracts.features import Feature

_standing = partial(Feature, table="orders")

FEATURES: tuple[Feature, ...] = (
    _standing(
        "orders_30d_share_of_base",
        "ratio",
        "The customer's part of all orders in the last 30 days.",
        derive=lambda t: t.orders_30d / t.base_orders_30d.nullif(0.0),
        when_null="nobody ordered in the last 30 days",
        needs_features=("orders_30d", "base_orders_30d"),
    ),
)
