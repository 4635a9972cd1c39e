"""Features of the whole base: what all customers of a moment say together, one row per moment.

They are aggregates over the customers' own features: `aggregate` receives a table with one row per
customer and moment, grouped by moment. Names start with `base_`, and `needs_features` says what is
read.
"""

from functools import partial

from features.contracts.features import Feature

_base = partial(Feature, table="orders")

FEATURES: tuple[Feature, ...] = (
    _base(
        "base_orders_30d",
        "orders",
        "Completed orders of all customers in the last 30 days.",
        aggregate=lambda rows: rows.orders_30d.sum(),
        needs_features=("orders_30d",),
    ),
)
