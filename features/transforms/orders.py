"""Features from orders: counts and spend over windows, time since, rhythm, discounts, returns."""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from features.transforms.known import epoch_seconds, rows_known_at

WINDOWS_DAYS = (7, 14, 30, 60, 90, 180, 365)
DECAY_DAYS = (15, 60, 240)
DECAY_UNIT = 1e-9
"""Decayed counts are added up in integers of this unit: a float sum would depend on row order."""

NO_ORDER = "no completed order yet"
ONE_DAY = "no completed orders on two different days (UTC) yet"
NO_GAP = "no two completed orders in a row that lie a day or more apart"


def prepare(orders: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the orders known at each moment, with the columns that the features below read."""
    rows = rows_known_at(orders, moments, event_time="ordered_at")
    rows = rows.mutate(
        is_order=rows.status == COMPLETED,
        discount=rows.discount.fill_null(0),
        day=epoch_seconds(rows.ordered_at) // DAY_SECONDS,
        # Like the windows: an order of exactly seven days ago is of the last week.
        weeks_ago=(rows.age_seconds - 1) // (7 * DAY_SECONDS),
    )
    # From one completed order to the next. Orders of one moment may come in any order: no gap.
    own = ibis.window(group_by=["customer_id", "as_of", "is_order"], order_by="ordered_at")
    rows = rows.mutate(gap_seconds=rows.age_seconds.lag().over(own) - rows.age_seconds)
    # Orders less than a day apart are one visit: they say nothing of the customer's rhythm.
    is_rhythm = rows.is_order & (rows.gap_seconds >= DAY_SECONDS)
    return rows.mutate(
        rhythm_gap_days=is_rhythm.ifelse(rows.gap_seconds / DAY_SECONDS, ibis.null("float64"))
    )


def _count(condition: ir.BooleanValue) -> ir.Value:
    return condition.ifelse(1, 0).sum()


def _within(rows: ir.Table, days: int) -> ir.BooleanValue:
    return rows.is_order & (rows.age_seconds <= days * DAY_SECONDS)


def _decayed(rows: ir.Table, days: int) -> ir.Value:
    # Spark would divide a whole number by a number in the query as decimals of few digits.
    weight = (-rows.age_seconds.cast("float64") / float(days * DAY_SECONDS)).exp()
    steps = (rows.is_order.ifelse(weight, 0.0) / DECAY_UNIT).round().cast("int64")
    return steps.sum() * DECAY_UNIT


def _money(value: ir.Value) -> ir.Value:
    return value.sum().cast("float64")


def _days_as_customer(t: ir.Table) -> ir.Value:
    # Engines differ in what the greatest of a null and a number is.
    return ibis.greatest(t.days_since_first_order.fill_null(0.0), 30.0)


_order = partial(Feature, table="orders")


def _decayed_orders(days: int) -> Feature:
    return _order(
        f"orders_decayed_{days}d",
        "orders",
        f"Completed orders, each weighted by exp(-age / {days} days).",
        aggregate=lambda rows: _decayed(rows, days),
    )


def _windowed(days: int) -> list[Feature]:
    return [
        _order(
            f"orders_{days}d",
            "orders",
            f"Completed orders in the last {days} days.",
            aggregate=lambda rows: _count(_within(rows, days)),
        ),
        _order(
            f"spend_{days}d",
            "money",
            f"Amount of completed orders in the last {days} days.",
            aggregate=lambda rows: _money(_within(rows, days).ifelse(rows.amount, 0)),
            needs=("amount",),
        ),
    ]


FEATURES: tuple[Feature, ...] = (
    *(feature for days in WINDOWS_DAYS for feature in _windowed(days)),
    *(_decayed_orders(days) for days in DECAY_DAYS),
    _order(
        "orders_total",
        "orders",
        "Completed orders ever.",
        aggregate=lambda rows: _count(rows.is_order),
    ),
    _order(
        "spend_total",
        "money",
        "Amount of completed orders ever.",
        aggregate=lambda rows: _money(rows.is_order.ifelse(rows.amount, 0)),
        needs=("amount",),
    ),
    _order(
        "order_days_total",
        "days",
        "Different days (UTC) with a completed order.",
        aggregate=lambda rows: rows.day.nunique(where=rows.is_order),
    ),
    _order(
        "order_weeks_90d",
        "weeks",
        "Weeks, counted back from the moment, with a completed order in the last 90 days.",
        aggregate=lambda rows: rows.weeks_ago.nunique(where=_within(rows, 90)),
    ),
    _order(
        "days_since_last_order",
        "days",
        "Days since the last completed order.",
        aggregate=lambda rows: rows.age_seconds.min(where=rows.is_order) / DAY_SECONDS,
        when_null=NO_ORDER,
    ),
    _order(
        "days_since_first_order",
        "days",
        "Days since the first completed order.",
        aggregate=lambda rows: rows.age_seconds.max(where=rows.is_order) / DAY_SECONDS,
        when_null=NO_ORDER,
    ),
    _order(
        "gap_days_longest",
        "days",
        "Longest time from a completed order to the next one, if a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_days.max(),
        when_null=NO_GAP,
    ),
    _order(
        "gap_days_shortest",
        "days",
        "Shortest time from a completed order to the next one, of those of a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_days.min(),
        when_null=NO_GAP,
    ),
    _order(
        "gap_days_median",
        "days",
        "Median time from a completed order to the next one, of those of a day or more.",
        aggregate=lambda rows: rows.rhythm_gap_days.median(),
        when_null=NO_GAP,
    ),
    _order(
        "order_value_largest",
        "money",
        "Amount of the largest completed order.",
        aggregate=lambda rows: rows.amount.max(where=rows.is_order).cast("float64"),
        when_null=NO_ORDER,
        needs=("amount",),
    ),
    _order(
        "orders_discounted_total",
        "orders",
        "Completed orders with a discount above zero.",
        aggregate=lambda rows: _count(rows.is_order & (rows.discount > 0)),
        needs=("discount",),
    ),
    _order(
        "discount_180d",
        "money",
        "Discounts on completed orders in the last 180 days; not recorded counts as none.",
        aggregate=lambda rows: _money(_within(rows, 180).ifelse(rows.discount, 0)),
        needs=("discount",),
    ),
    _order(
        "discount_total",
        "money",
        "Discounts on completed orders ever; not recorded counts as none.",
        aggregate=lambda rows: _money(rows.is_order.ifelse(rows.discount, 0)),
        needs=("discount",),
    ),
    _order(
        "returns_total",
        "returns",
        "Rows that took value back, ever.",
        aggregate=lambda rows: _count(rows.status == RETURNED),
        needs=("amount",),
    ),
    _order(
        "returned_total",
        "money",
        "Value ever taken back, as a positive amount.",
        aggregate=lambda rows: _money((rows.status == RETURNED).ifelse(-rows.amount, 0)),
        needs=("amount",),
    ),
    _order(
        "cancellations_total",
        "orders",
        "Orders ever cancelled.",
        aggregate=lambda rows: _count(rows.status == CANCELLED),
        needs=("status",),
    ),
    _order(
        "channels_total",
        "channels",
        "Different channels of completed orders.",
        aggregate=lambda rows: rows.channel.nunique(where=rows.is_order),
        needs=("channel",),
    ),
    _order(
        "gap_days_mean",
        "days",
        "Time from the first completed order to the last, "
        "over the days (UTC) with an order less one.",
        aggregate=lambda rows: (
            (rows.age_seconds.max(where=rows.is_order) - rows.age_seconds.min(where=rows.is_order))
            / (rows.day.nunique(where=rows.is_order) - 1).nullif(0).cast("float64")
            / DAY_SECONDS
        ),
        when_null=ONE_DAY,
    ),
    _order(
        "overdue_ratio",
        "ratio",
        "Days since the last completed order over the mean gap; above 1 is overdue.",
        derive=lambda t: t.days_since_last_order / t.gap_days_mean,
        when_null=ONE_DAY,
    ),
    _order(
        "overdue_ratio_longest",
        "ratio",
        "Days since the last completed order over the longest gap.",
        derive=lambda t: t.days_since_last_order / t.gap_days_longest,
        when_null=NO_GAP,
    ),
    _order(
        "active_share",
        "ratio",
        "Time from the first completed order to the last, over that from the first to the moment.",
        derive=lambda t: 1 - t.days_since_last_order / t.days_since_first_order,
        when_null=NO_ORDER,
    ),
    _order(
        "order_days_per_30d",
        "days",
        "Days (UTC) with a completed order, per 30 days since the first (30 days at least).",
        derive=lambda t: t.order_days_total * 30 / _days_as_customer(t),
    ),
    _order(
        "orders_trend_60d",
        "orders",
        "Completed orders in the last 60 days, less half of those in the 120 days before.",
        derive=lambda t: t.orders_60d - (t.orders_180d - t.orders_60d) / 2.0,
    ),
    _order(
        "order_value_mean",
        "money",
        "Mean amount of a completed order.",
        derive=lambda t: t.spend_total / t.orders_total.nullif(0).cast("float64"),
        when_null=NO_ORDER,
        needs=("amount",),
    ),
    _order(
        "order_value_mean_180d",
        "money",
        "Mean amount of a completed order in the last 180 days.",
        derive=lambda t: t.spend_180d / t.orders_180d.nullif(0).cast("float64"),
        when_null="no completed order in the last 180 days",
        needs=("amount",),
    ),
    _order(
        "spend_per_30d",
        "money",
        "Amount of completed orders, per 30 days since the first (30 days at least).",
        derive=lambda t: t.spend_total * 30 / _days_as_customer(t),
        needs=("amount",),
    ),
    _order(
        "discounted_share",
        "ratio",
        "Share of completed orders with a discount above zero.",
        derive=lambda t: t.orders_discounted_total / t.orders_total.nullif(0).cast("float64"),
        when_null=NO_ORDER,
        needs=("discount",),
    ),
    _order(
        "returned_share",
        "ratio",
        "Value ever taken back over the amount of completed orders ever.",
        derive=lambda t: t.returned_total / t.spend_total.nullif(0.0),
        when_null="nothing paid yet",
        needs=("amount",),
    ),
)
