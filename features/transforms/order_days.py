"""Features from the days (UTC) with an order: how many, the first and the last, what repeats.

Orders are first added up by day; counting days is then counting rows. They also carry what the
buy-till-you-die models of `training/btyd.py` need to know of a customer, in their usual units.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import COMPLETED
from features.transforms.exact import count, ratio, within
from features.transforms.known import epoch_seconds, rows_known_at
from features.transforms.orders import NO_ORDER

WINDOWS_DAYS = (90, 365)

ONE_DAY = "no completed orders on two different days (UTC) yet"


def prepare(orders: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the orders known at each moment by customer and day (UTC), completed or not."""
    rows = rows_known_at(orders, moments, event_time="ordered_at")
    rows = rows.mutate(
        is_order=rows.status == COMPLETED,
        day=epoch_seconds(rows.ordered_at) // DAY_SECONDS,
        today=epoch_seconds(rows.as_of) // DAY_SECONDS,
    )
    days = rows.group_by(["customer_id", "as_of", "today", "day"]).aggregate(
        orders=count(rows.is_order),
        spend=rows.is_order.ifelse(rows.amount, 0).sum().fill_null(0),
        discount=rows.is_order.ifelse(rows.discount, 0).sum().fill_null(0),
        oldest_seconds=rows.age_seconds.max(where=rows.is_order),
        newest_seconds=rows.age_seconds.min(where=rows.is_order),
    )
    return days.mutate(is_order_day=days.orders > 0)


def _is_weekend(day: ir.IntegerValue) -> ir.BooleanValue:
    # Day 0 was a Thursday. Engines differ in what the remainder of a negative number is.
    return (day + 3 + 7 * DAY_SECONDS) % 7 >= 5


def _days_apart(days: ir.Table) -> ir.Value:
    """Return the days from the first to the last; null when there are none."""
    return days.day.max(where=days.is_order_day) - days.day.min(where=days.is_order_day)


_day = partial(Feature, table="orders", unit="days")


def _order_days(days: int) -> Feature:
    return _day(
        name=f"order_days_{days}d",
        meaning=f"Different days (UTC) with a completed order in the last {days} days.",
        aggregate=lambda rows: count(within(rows.newest_seconds, days)),
    )


FEATURES: tuple[Feature, ...] = (
    *(_order_days(days) for days in WINDOWS_DAYS),
    _day(
        name="order_days_total",
        meaning="Different days (UTC) with a completed order.",
        aggregate=lambda rows: count(rows.is_order_day),
    ),
    _day(
        name="gap_days_mean",
        meaning="Time from the first completed order to the last, "
        "over the days (UTC) with an order less one.",
        aggregate=lambda rows: ratio(
            rows.oldest_seconds.max() - rows.newest_seconds.min(),
            (count(rows.is_order_day) - 1) * DAY_SECONDS,
        ),
        when_null=ONE_DAY,
    ),
    _day(
        name="btyd_repeat_days",
        meaning="Days (UTC) with a completed order after the first; x of BG/NBD.",
        derive=lambda t: (t.order_days_total > 0).ifelse(t.order_days_total - 1, None),
        when_null=NO_ORDER,
    ),
    _day(
        name="btyd_days_first_to_last",
        meaning="Whole days from the first day (UTC) with a completed order to the last; "
        "t_x of BG/NBD.",
        aggregate=_days_apart,
        when_null=NO_ORDER,
    ),
    _day(
        name="btyd_days_observed",
        meaning="Whole days from the first day (UTC) with a completed order to that of the moment; "
        "T of BG/NBD.",
        aggregate=lambda rows: rows.today.max() - rows.day.min(where=rows.is_order_day),
        when_null=NO_ORDER,
    ),
    Feature(
        "weekend_orders_share",
        "ratio",
        "Share of completed orders on a Saturday or a Sunday (UTC).",
        "orders",
        aggregate=lambda rows: ratio(
            _is_weekend(rows.day).ifelse(rows.orders, 0).sum(), rows.orders.sum()
        ),
        when_null=NO_ORDER,
    ),
    Feature(
        "spend_first_order_day",
        "money",
        "Amount of completed orders on the first day (UTC) with one.",
        "orders",
        aggregate=lambda rows: rows.spend.argmin(rows.day, where=rows.is_order_day).cast("float64"),
        when_null=NO_ORDER,
        needs=("amount",),
    ),
    Feature(
        "spend_last_order_day",
        "money",
        "Amount of completed orders on the last day (UTC) with one.",
        "orders",
        aggregate=lambda rows: rows.spend.argmax(rows.day, where=rows.is_order_day).cast("float64"),
        when_null=NO_ORDER,
        needs=("amount",),
    ),
    Feature(
        "spend_per_repeat_day_mean",
        "money",
        "Mean amount of a day (UTC) with a completed order after the first; m_x of Gamma-Gamma.",
        "orders",
        aggregate=lambda rows: ratio(
            rows.spend.sum() - rows.spend.argmin(rows.day, where=rows.is_order_day),
            count(rows.is_order_day) - 1,
        ),
        when_null=ONE_DAY,
        needs=("amount",),
    ),
    Feature(
        "discount_first_order_day",
        "money",
        "Discounts on completed orders on the first day (UTC) with one.",
        "orders",
        aggregate=lambda rows: rows.discount.argmin(rows.day, where=rows.is_order_day).cast(
            "float64"
        ),
        when_null=NO_ORDER,
        needs=("discount",),
    ),
)
