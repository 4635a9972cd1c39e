"""Features from orders: how many and how much, lately, a year ago and ever."""

from collections.abc import Callable, Sequence
from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import CANCELLED, COMPLETED
from features.transforms.exact import count, ratio, total, within
from features.transforms.known import Moments, epoch_seconds, rows_known_at

WINDOWS_DAYS = (7, 14, 30, 60, 90, 180, 365, 730)
SEASON_DAYS = (30, 90)
YEAR_DAYS = 365
DECAY_DAYS = (15, 60, 240)
DECAY_UNIT = 1e-9
"""Decayed counts are added up in integers of this unit: a float sum would depend on row order."""
WEEKS_90D = 13
"""Weeks that ninety days touch."""

NO_ORDER = "no completed order yet"


def prepare(orders: ir.Table, moments: Moments) -> ir.Table:
    """Return the orders known at each moment, with the columns that the features below read."""
    rows = rows_known_at(orders, moments, event_time="ordered_at")
    if "rhythm_gap_seconds" not in rows.columns:
        rows = arrange(rows, ["customer_id", "as_of"])
    return rows.mutate(
        discount=rows.discount.fill_null(0),
        # Like the windows: an order of exactly seven days ago is of the last week.
        weeks_ago=(rows.age_seconds - 1) // (7 * DAY_SECONDS),
    )


def arrange(orders: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Return the orders with what each says of those before it in its group of `keys`.

    Whoever computes many moments may do this once, with the customer as the only key, for customers
    all of whose orders were learnt in time for each moment: what is said looks back only, so that
    the orders after a moment change nothing of those before it.
    """
    rows = orders.mutate(
        is_order=orders.status == COMPLETED,
        seconds=epoch_seconds(orders.ordered_at),
    )
    rows = rows.mutate(day=rows.seconds // DAY_SECONDS)
    # From one completed order to the next. Orders of one moment may come in any order: no gap.
    own = ibis.window(group_by=[*keys, "is_order"], order_by="ordered_at")
    rows = rows.mutate(gap_seconds=rows.seconds - rows.seconds.lag().over(own))
    # Orders less than a day apart are one visit: they say nothing of the customer's rhythm.
    is_rhythm = rows.is_order & (rows.gap_seconds >= DAY_SECONDS)
    return rows.mutate(rhythm_gap_seconds=is_rhythm.ifelse(rows.gap_seconds, ibis.null("int64")))


def recent(rows: ir.Table, days: int) -> ir.BooleanValue:
    """Return whether a row is a completed order of the last `days` days."""
    return rows.is_order & within(rows.age_seconds, days)


def _a_year_ago(rows: ir.Table, start: int, end: int) -> ir.BooleanValue:
    # In days before the moment. An order at the very end of a window is not of it but of the next.
    age = rows.age_seconds - YEAR_DAYS * DAY_SECONDS
    return rows.is_order & (age <= start * DAY_SECONDS) & (age > end * DAY_SECONDS)


def _decayed(rows: ir.Table, days: int) -> ir.Value:
    # Spark would divide a whole number by a number in the query as decimals of few digits.
    weight = (-rows.age_seconds.cast("float64") / float(days * DAY_SECONDS)).exp()
    steps = (rows.is_order.ifelse(weight, 0.0) / DECAY_UNIT).round().cast("int64")
    return steps.sum() * DECAY_UNIT


def _weeks(rows: ir.Table) -> ir.Value:
    # One flag a week: to count different weeks would be to keep them all.
    lately = recent(rows, 90)
    flags = [(lately & (rows.weeks_ago == week)).ifelse(1, 0).max() for week in range(WEEKS_90D)]
    return sum(flags[1:], flags[0])


def days_as_customer(t: ir.Table) -> ir.Value:
    """Return the days since the first completed order, thirty at least."""
    # Engines differ in what the greatest of a null and a number is.
    return ibis.greatest(t.days_since_first_order.fill_null(0.0), 30.0)


_order = partial(Feature, table="orders")
_money = partial(Feature, table="orders", unit="money", needs=("amount",))


def _decayed_orders(days: int) -> Feature:
    return _order(
        f"orders_decayed_{days}d",
        "orders",
        f"Completed orders, each weighted by exp(-age / {days} days).",
        aggregate=lambda rows: _decayed(rows, days),
    )


def _counted(name: str, when: str, which: Callable[[ir.Table], ir.BooleanValue]) -> list[Feature]:
    """Return how many of the rows there are, and how much they cost."""
    return [
        _order(
            f"orders_{name}",
            "orders",
            f"Completed orders {when}.",
            aggregate=lambda rows: count(which(rows)),
        ),
        _money(
            name=f"spend_{name}",
            meaning=f"Amount of completed orders {when}.",
            aggregate=lambda rows: total(which(rows).ifelse(rows.amount, 0)),
        ),
    ]


def _windowed(days: int) -> list[Feature]:
    return _counted(f"{days}d", f"in the last {days} days", lambda rows: recent(rows, days))


def _last_year(days: int) -> list[Feature]:
    return [
        *_counted(
            f"{days}d_last_year",
            f"in the {days} days that ended {YEAR_DAYS} days before the moment",
            lambda rows: _a_year_ago(rows, days, 0),
        ),
        *_counted(
            f"next_{days}d_last_year",
            f"in the {days} days that began {YEAR_DAYS} days before the moment",
            lambda rows: _a_year_ago(rows, 0, -days),
        ),
    ]


AGGREGATES: tuple[Feature, ...] = (
    *(feature for days in WINDOWS_DAYS for feature in _windowed(days)),
    *(feature for days in SEASON_DAYS for feature in _last_year(days)),
    *(_decayed_orders(days) for days in DECAY_DAYS),
    *_counted("total", "ever", lambda rows: rows.is_order),
    _order(
        "order_weeks_90d",
        "weeks",
        "Weeks, counted back from the moment, with a completed order in the last 90 days.",
        aggregate=_weeks,
    ),
    _order(
        "days_since_last_order",
        "days",
        "Days since the last completed order.",
        aggregate=lambda rows: rows.age_seconds.min(where=rows.is_order) / DAY_SECONDS,
        when_null=NO_ORDER,
        ages=True,
    ),
    _order(
        "days_since_first_order",
        "days",
        "Days since the first completed order.",
        aggregate=lambda rows: rows.age_seconds.max(where=rows.is_order) / DAY_SECONDS,
        when_null=NO_ORDER,
        ages=True,
    ),
    _order(
        "cancellations_365d",
        "orders",
        "Orders of the last 365 days that were cancelled.",
        aggregate=lambda rows: count((rows.status == CANCELLED) & within(rows.age_seconds, 365)),
        needs=("status",),
    ),
    _order(
        "cancellations_total",
        "orders",
        "Orders ever cancelled.",
        aggregate=lambda rows: count(rows.status == CANCELLED),
        needs=("status",),
    ),
    _order(
        "days_since_last_cancellation",
        "days",
        "Days since the last order that was cancelled.",
        aggregate=lambda rows: rows.age_seconds.min(where=rows.status == CANCELLED) / DAY_SECONDS,
        when_null="no order was cancelled yet",
        needs=("status",),
        ages=True,
    ),
)

DERIVED: tuple[Feature, ...] = (
    _order(
        "cancelled_share",
        "ratio",
        "Share of orders that were cancelled, of those cancelled or completed.",
        derive=lambda t: ratio(t.cancellations_total, t.cancellations_total + t.orders_total),
        when_null="no order completed or cancelled yet",
        needs=("status",),
    ),
    _order(
        "orders_trend_30d",
        "orders",
        "Completed orders in the last 30 days, less those in the 30 days before.",
        derive=lambda t: t.orders_30d - (t.orders_60d - t.orders_30d),
    ),
    _order(
        "orders_trend_60d",
        "orders",
        "Completed orders in the last 60 days, less half of those in the 120 days before.",
        derive=lambda t: t.orders_60d - (t.orders_180d - t.orders_60d) / 2.0,
    ),
    _order(
        "orders_trend_365d",
        "orders",
        "Completed orders in the last 365 days, less those in the 365 days before.",
        derive=lambda t: t.orders_365d - (t.orders_730d - t.orders_365d),
    ),
    _order(
        "orders_acceleration_30d",
        "orders",
        "How the trend of 30 days has changed: now, less what it was 30 days ago.",
        derive=lambda t: (
            t.orders_30d - 2 * (t.orders_60d - t.orders_30d) + t.orders_90d - t.orders_60d
        ),
    ),
    _money(
        name="spend_trend_60d",
        meaning="Amount of completed orders in the last 60 days, "
        "less half of that in the 120 days before.",
        derive=lambda t: t.spend_60d - (t.spend_180d - t.spend_60d) / 2.0,
    ),
    _money(
        name="spend_per_30d",
        meaning="Amount of completed orders, per 30 days since the first (30 days at least).",
        derive=lambda t: t.spend_total * 30 / days_as_customer(t),
    ),
)

FEATURES = (*AGGREGATES, *DERIVED)
