"""Features of the whole base: what all customers of a moment say together, one row per moment.

They are aggregates over the customers' own features: `aggregate` receives a table with one row per
customer and moment, grouped by moment. Names start with `base_`, and `needs_features` says what is
read. The level of the base now against a year ago, and what followed a year ago, let a model that
was trained in summer see Christmas come. The quintiles are the edges that `standing.py` reads.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.exact import count, ratio
from features.transforms.orders import SEASON_DAYS, YEAR_DAYS

QUINTILES = ("first", "second", "third", "fourth")

NOBODY = "nobody has a completed order yet"

_base = partial(Feature, table="orders")


def quintile_names(feature: str) -> tuple[str, ...]:
    """Return the names of the four edges that cut the base into fifths by a feature."""
    return tuple(f"base_{feature}_{place}_quintile" for place in QUINTILES)


def _quintile(values: ir.Value, place: int) -> ir.Value:
    # Between two whole numbers an edge lies at a fifth. Engines come to it by their own roundings:
    # without those it is the same number on each, and the customers at an edge fall on one side.
    edges = values.quantile([0.2, 0.4, 0.6, 0.8])
    # Spark would divide a whole number by a number in the query as decimals, and round once more.
    return (edges[place] * 5).round().cast("float64") / 5.0


def _edges(
    feature: str,
    unit: str,
    meaning: str,
    when_null: str = "never null",
    needs: tuple[str, ...] = (),
) -> list[Feature]:
    def edge(place: int, name: str) -> Feature:
        return _base(
            name,
            unit,
            f"{meaning} at the {QUINTILES[place]} quintile of all customers.",
            aggregate=lambda rows: _quintile(rows[feature].floor(), place),
            when_null=when_null,
            needs_features=(feature,),
            needs=needs,
        )

    return [edge(place, name) for place, name in enumerate(quintile_names(feature))]


def _sum(feature: str, unit: str, when: str, needs: tuple[str, ...] = ()) -> Feature:
    return _base(
        f"base_{feature}",
        unit,
        f"Completed orders of all customers {when}.",
        aggregate=lambda rows: rows[feature].sum(),
        needs_features=(feature,),
        needs=needs,
    )


def _reaches(t: ir.Table, days: int, value: ir.Value) -> ir.Value:
    return (t.base_days_since_first_order >= days).ifelse(value, None)


def _season(days: int) -> list[Feature]:
    now, then, next_then = (
        f"orders_{days}d",
        f"orders_{days}d_last_year",
        f"orders_next_{days}d_last_year",
    )
    reach = YEAR_DAYS + days
    when_null = f"no order in that window, or history is shorter than {reach} days"
    return [
        _sum(now, "orders", f"in the last {days} days"),
        _sum(then, "orders", f"in the {days} days that ended {YEAR_DAYS} days before the moment"),
        _sum(
            next_then,
            "orders",
            f"in the {days} days that began {YEAR_DAYS} days before the moment",
        ),
        _base(
            f"base_level_{days}d",
            "ratio",
            f"Completed orders of all customers in the last {days} days "
            "over those in the same days last year.",
            derive=lambda t: _reaches(t, reach, ratio(t[f"base_{now}"], t[f"base_{then}"])),
            when_null=when_null,
            needs_features=(now, then, "days_since_first_order"),
        ),
        _base(
            f"base_season_{days}d",
            "ratio",
            f"Completed orders of all customers last year, in the {days} days that follow the day "
            f"of the moment over the {days} days before it.",
            derive=lambda t: _reaches(t, reach, ratio(t[f"base_{next_then}"], t[f"base_{then}"])),
            when_null=when_null,
            needs_features=(next_then, then, "days_since_first_order"),
        ),
    ]


def _active_share(days: int) -> Feature:
    return _base(
        f"base_active_share_{days}d",
        "ratio",
        f"Share of all customers with a completed order in the last {days} days.",
        aggregate=lambda rows: ratio(count(rows[f"orders_{days}d"] > 0), rows.count()),
        needs_features=(f"orders_{days}d",),
    )


FEATURES: tuple[Feature, ...] = (
    _base(
        "base_customers",
        "customers",
        "Customers with an order, completed or not.",
        aggregate=lambda rows: rows.count(),
    ),
    _base(
        "base_days_since_first_order",
        "days",
        "Days since the first completed order of anybody.",
        aggregate=lambda rows: rows.days_since_first_order.max(),
        when_null=NOBODY,
        needs_features=("days_since_first_order",),
        ages=True,
    ),
    *(feature for days in SEASON_DAYS for feature in _season(days)),
    _base(
        "base_trend_30d",
        "ratio",
        "Completed orders of all customers in the last 30 days over a third of those in the last "
        "90 days.",
        derive=lambda t: ratio(t.base_orders_30d * 3, t.base_orders_90d),
        when_null="nobody ordered in the last 90 days",
        needs_features=("orders_30d", "orders_90d"),
    ),
    *(_active_share(days) for days in (30, 90, 365)),
    _base(
        "base_new_share_90d",
        "ratio",
        "Share of all customers whose first completed order lies in the last 90 days.",
        aggregate=lambda rows: ratio(count(rows.days_since_first_order <= 90), rows.count()),
        needs_features=("days_since_first_order",),
    ),
    _base(
        "base_gap_days_median",
        "days",
        "Median of the customers' mean gaps, each in whole days.",
        aggregate=lambda rows: rows.gap_days_mean.floor().median(),
        when_null="nobody has completed orders on two different days (UTC) yet",
        needs_features=("gap_days_mean",),
    ),
    *_edges("days_since_last_order", "days", "Whole days since the last completed order", NOBODY),
    *_edges("order_days_total", "days", "Different days (UTC) with a completed order"),
    *_edges(
        "spend_total", "money", "Amount of completed orders ever, rounded down", needs=("amount",)
    ),
)
