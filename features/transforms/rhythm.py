"""Features from the rhythm of orders: the gaps between them, and how overdue the next one is.

A gap is the time from one completed order to the next, if a day or more: orders less than a day
apart are one visit. Gaps are read from the rows that `orders.prepare` returns.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.exact import count, ratio
from features.transforms.order_days import ONE_DAY
from features.transforms.orders import NO_ORDER, days_as_customer

HOUR_SECONDS = 3_600
NO_GAP = "no two completed orders in a row that lie a day or more apart"
NO_SPREAD = "fewer than two gaps, or all of the same hours"

_gap = partial(Feature, unit="days", table="orders", when_null=NO_GAP)
_ratio = partial(Feature, unit="ratio", table="orders")


def _age_of_gap(rows: ir.Table) -> ir.Value:
    """Return the age of the order that ended a gap; null where the row ended none."""
    return rows.rhythm_gap_seconds.notnull().ifelse(rows.age_seconds, ibis.null("int64"))


def _spread(rows: ir.Table) -> ir.Value:
    # In whole hours, so that squares add up exactly: a float sum would depend on row order.
    hours = rows.rhythm_gap_seconds // HOUR_SECONDS
    gaps = hours.count()
    of_squares = gaps * (hours * hours).sum() - hours.sum() * hours.sum()
    return ratio(of_squares.cast("float64").sqrt(), gaps * 24)


FEATURES: tuple[Feature, ...] = (
    Feature(
        "gaps_total",
        "gaps",
        "Times of a day or more between a completed order and the next one.",
        "orders",
        aggregate=lambda rows: count(rows.rhythm_gap_seconds.notnull()),
    ),
    _gap(
        "gap_days_longest",
        meaning="Longest time from a completed order to the next one, if a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_seconds.max() / DAY_SECONDS,
    ),
    _gap(
        "gap_days_shortest",
        meaning="Shortest time from a completed order to the next one, of those of a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_seconds.min() / DAY_SECONDS,
    ),
    _gap(
        "gap_days_median",
        meaning="Median time from a completed order to the next one, of those of a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_seconds.median() / DAY_SECONDS,
    ),
    _gap(
        "gap_days_spread",
        meaning="Standard deviation of the gaps, each in whole hours.",
        aggregate=_spread,
    ),
    _gap(
        "gap_days_first",
        meaning="The first gap of a day or more between completed orders.",
        aggregate=lambda rows: rows.rhythm_gap_seconds.argmax(_age_of_gap(rows)) / DAY_SECONDS,
    ),
    _gap(
        "gap_days_last",
        meaning="The last gap of a day or more between completed orders.",
        aggregate=lambda rows: rows.rhythm_gap_seconds.argmin(_age_of_gap(rows)) / DAY_SECONDS,
    ),
)

STANDING_FEATURES: tuple[Feature, ...] = (
    _ratio(
        "overdue_ratio",
        meaning="Days since the last completed order over the mean gap; above 1 is overdue.",
        derive=lambda t: t.days_since_last_order / t.gap_days_mean,
        when_null=ONE_DAY,
        needs_features=("days_since_last_order", "gap_days_mean"),
    ),
    _ratio(
        "overdue_ratio_median",
        meaning="Days since the last completed order over the median gap.",
        derive=lambda t: t.days_since_last_order / t.gap_days_median,
        when_null=NO_GAP,
        needs_features=("days_since_last_order", "gap_days_median"),
    ),
    _ratio(
        "overdue_ratio_longest",
        meaning="Days since the last completed order over the longest gap.",
        derive=lambda t: t.days_since_last_order / t.gap_days_longest,
        when_null=NO_GAP,
        needs_features=("days_since_last_order", "gap_days_longest"),
    ),
    _ratio(
        "overdue_spreads",
        meaning="Days since the last completed order less the mean gap, over the spread of gaps.",
        derive=lambda t: (
            (t.days_since_last_order - t.gap_days_mean) / t.gap_days_spread.nullif(0.0)
        ),
        when_null=NO_SPREAD,
        needs_features=("days_since_last_order", "gap_days_mean", "gap_days_spread"),
    ),
    _ratio(
        "gap_irregularity",
        meaning="Spread of the gaps over their mean; near 0 is as regular as a clock.",
        derive=lambda t: t.gap_days_spread / t.gap_days_mean,
        when_null=NO_GAP,
        needs_features=("gap_days_spread", "gap_days_mean"),
    ),
    _ratio(
        "gap_trend",
        meaning="The last gap over the median; above 1 is slower than usual.",
        derive=lambda t: t.gap_days_last / t.gap_days_median,
        when_null=NO_GAP,
        needs_features=("gap_days_last", "gap_days_median"),
    ),
    _ratio(
        "active_share",
        meaning="Time from the first completed order to the last, "
        "over that from the first to the moment.",
        derive=lambda t: 1 - t.days_since_last_order / t.days_since_first_order,
        when_null=NO_ORDER,
        needs_features=("days_since_last_order", "days_since_first_order"),
    ),
    Feature(
        "order_days_per_30d",
        "days",
        "Days (UTC) with a completed order, per 30 days since the first (30 days at least).",
        "orders",
        derive=lambda t: t.order_days_total * 30 / days_as_customer(t),
        needs_features=("order_days_total", "days_since_first_order"),
    ),
)
