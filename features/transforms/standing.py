"""Features of a customer's standing among all: derived from the joined row.

`derive` receives a table with the customer's own features, the calendar of the moment and what is
known of the whole base; `needs_features` says what is read of them.

* RFM: three quintiles among all customers (5 is the best fifth), and a named segment from the first
  two: when the customer last ordered, and on how many days.
* Lifecycle: a stage from the customer's silence against their own rhythm. The pace is the median
  gap; where there is none yet the mean gap; for a customer of a single day the median mean gap of
  the base. It is a week at least.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.base_level import quintile_names
from features.transforms.exact import ratio
from features.transforms.orders import NO_ORDER

SEGMENTS = (
    *("hibernating", "about to sleep", "at risk", "cannot lose", "need attention"),
    *("promising", "new", "potentially loyal", "loyal", "champion"),
)
"""Names of `rfm_segment`: 1 is the first."""

# By the quintile of the last order, from the oldest, and of the order days, from the fewest.
_SEGMENT_OF = (
    (1, 1, 3, 3, 4),
    (1, 1, 3, 3, 4),
    (2, 2, 5, 9, 9),
    (6, 8, 8, 9, 9),
    (7, 8, 8, 10, 10),
)

STAGES = ("lapsed", "cooling", "new", "returned", "active")
"""Names of `lifecycle_stage`: 1 is the first."""

LEAST_PACE_DAYS = 7.0
COOLING_AFTER = 1.5
LAPSED_AFTER = 3.0
"""In paces: how long a silence may last before a customer is cooling, and has lapsed."""

_standing = partial(Feature, table="orders", when_null=NO_ORDER)


def _edges_below(t: ir.Table, feature: str) -> ir.Value:
    """Return how many quintiles of the base a customer's value lies above."""
    value = t[feature].floor()
    above = [(value > t[edge]).ifelse(1, 0) for edge in quintile_names(feature)]
    return sum(above[1:], above[0])


def _known(t: ir.Table, value: ir.Value) -> ir.Value:
    """Return the value; null for a customer without a completed order."""
    return t.days_since_last_order.notnull().ifelse(value, None)


def _segment(t: ir.Table) -> ir.Value:
    # One number for both quintiles, so that a segment is looked up in one step.
    place = (t.rfm_last_order_quintile - 1) * 5 + t.rfm_order_days_quintile - 1
    codes = [code for row in _SEGMENT_OF for code in row]
    return ibis.cases(*((place == at, code) for at, code in enumerate(codes)), else_=None)


def _pace(t: ir.Table) -> ir.Value:
    usual = ibis.coalesce(t.gap_days_median, t.gap_days_mean, t.base_gap_days_median)
    # Engines differ in what the greatest of a null and a number is.
    return _known(t, ibis.greatest(usual.fill_null(LEAST_PACE_DAYS), LEAST_PACE_DAYS))


def _stage(t: ir.Table) -> ir.Value:
    silence = t.lifecycle_silence
    stages = ibis.cases(
        (silence > LAPSED_AFTER, 1),
        (silence > COOLING_AFTER, 2),
        (t.order_days_total == 1, 3),
        (t.gap_days_last.fill_null(0.0) > LAPSED_AFTER * t.lifecycle_pace_days, 4),
        else_=5,
    )
    return _known(t, stages)


def _quintile(name: str, feature: str, meaning: str, needs: tuple[str, ...] = ()) -> Feature:
    return _standing(
        name,
        "quintile",
        meaning,
        derive=lambda t: _known(t, _edges_below(t, feature) + 1),
        needs_features=("days_since_last_order", feature, *quintile_names(feature)),
        needs=needs,
    )


FEATURES: tuple[Feature, ...] = (
    _standing(
        "rfm_last_order_quintile",
        "quintile",
        "Fifth of the base by the last completed order: 5 ordered last, 1 longest ago.",
        derive=lambda t: _known(t, 5 - _edges_below(t, "days_since_last_order")),
        needs_features=("days_since_last_order", *quintile_names("days_since_last_order")),
    ),
    _quintile(
        "rfm_order_days_quintile",
        "order_days_total",
        "Fifth of the base by days (UTC) with a completed order: 5 has the most.",
    ),
    _quintile(
        "rfm_spend_quintile",
        "spend_total",
        "Fifth of the base by the amount of completed orders: 5 spent the most.",
        needs=("amount",),
    ),
    _standing(
        "rfm_segment",
        "level",
        "Segment by the quintiles of last order and order days: "
        f"{', '.join(f'{code} {name}' for code, name in enumerate(SEGMENTS, 1))}.",
        derive=_segment,
        needs_features=("rfm_last_order_quintile", "rfm_order_days_quintile"),
    ),
    _standing(
        "lifecycle_pace_days",
        "days",
        "Days the customer usually takes to the next order: the median gap, else the mean gap, "
        "else the median mean gap of the base; 7 at least.",
        derive=_pace,
        needs_features=(
            *("days_since_last_order", "gap_days_median", "gap_days_mean"),
            "base_gap_days_median",
        ),
    ),
    _standing(
        "lifecycle_silence",
        "ratio",
        "Days since the last completed order over the customer's pace.",
        derive=lambda t: t.days_since_last_order / t.lifecycle_pace_days,
        needs_features=("days_since_last_order", "lifecycle_pace_days"),
    ),
    _standing(
        "lifecycle_stage",
        "level",
        "Stage of the customer: "
        f"1 lapsed (silent for more than {LAPSED_AFTER:g} paces), "
        f"2 cooling (more than {COOLING_AFTER:g}), 3 new (a single order day), "
        f"4 returned (after a gap of more than {LAPSED_AFTER:g} paces), 5 active.",
        derive=_stage,
        needs_features=(
            *("lifecycle_silence", "lifecycle_pace_days", "days_since_last_order"),
            *("order_days_total", "gap_days_last"),
        ),
    ),
    _standing(
        "orders_relative_90d",
        "ratio",
        "Completed orders in the last 90 days over the mean of all customers.",
        derive=lambda t: ratio(t.orders_90d * t.base_customers, t.base_orders_90d),
        when_null="nobody ordered in the last 90 days",
        needs_features=("orders_90d", "base_orders_90d", "base_customers"),
    ),
)
