"""Features from the money of orders: what an order is worth, earns, is discounted and taken back.

They read the rows that `orders.prepare` returns.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import RETURNED
from features.transforms.exact import count, ratio, total, within
from features.transforms.orders import NO_ORDER, recent

MARGIN_DAYS = (30, 90, 365)
DISCOUNT_DAYS = (30, 90, 180, 365)
COUNTED_DAYS = (90, 365)
MEAN_DAYS = (90, 180, 365)

_money = partial(Feature, table="orders", unit="money", needs=("amount",))
_margin = partial(Feature, table="orders", needs=("amount", "margin"))
_discount = partial(Feature, table="orders", needs=("discount",))
_return = partial(Feature, table="orders", needs=("amount",))


def _known_margin(rows: ir.Table) -> ir.BooleanValue:
    return rows.is_order & rows.margin.notnull()


def _is_discounted(rows: ir.Table) -> ir.BooleanValue:
    return rows.is_order & (rows.discount > 0)


def _is_return(rows: ir.Table) -> ir.BooleanValue:
    return rows.status == RETURNED


def _mean(days: int) -> Feature:
    return _money(
        name=f"order_value_mean_{days}d",
        meaning=f"Mean amount of a completed order in the last {days} days.",
        derive=lambda t: ratio(t[f"spend_{days}d"], t[f"orders_{days}d"]),
        when_null=f"no completed order in the last {days} days",
    )


def _margin_of(days: int) -> Feature:
    return _margin(
        f"margin_{days}d",
        "money",
        f"Margin of completed orders in the last {days} days; not recorded counts as none.",
        aggregate=lambda rows: total(recent(rows, days).ifelse(rows.margin.fill_null(0), 0)),
    )


def _discount_of(days: int) -> Feature:
    return _discount(
        f"discount_{days}d",
        "money",
        f"Discounts on completed orders in the last {days} days; not recorded counts as none.",
        aggregate=lambda rows: total(recent(rows, days).ifelse(rows.discount, 0)),
    )


def _discounted_orders(days: int) -> Feature:
    return _discount(
        f"orders_discounted_{days}d",
        "orders",
        f"Completed orders in the last {days} days with a discount above zero.",
        aggregate=lambda rows: count(_is_discounted(rows) & within(rows.age_seconds, days)),
    )


def _returned(days: int) -> list[Feature]:
    return [
        _return(
            f"returns_{days}d",
            "returns",
            f"Rows that took value back in the last {days} days.",
            aggregate=lambda rows: count(_is_return(rows) & within(rows.age_seconds, days)),
        ),
        _return(
            f"returned_{days}d",
            "money",
            f"Value taken back in the last {days} days, as a positive amount.",
            aggregate=lambda rows: total(
                (_is_return(rows) & within(rows.age_seconds, days)).ifelse(-rows.amount, 0)
            ),
        ),
    ]


VALUE_FEATURES: tuple[Feature, ...] = (
    _money(
        name="order_value_largest",
        meaning="Amount of the largest completed order.",
        aggregate=lambda rows: rows.amount.max(where=rows.is_order).cast("float64"),
        when_null=NO_ORDER,
    ),
    _money(
        name="order_value_smallest",
        meaning="Amount of the smallest completed order.",
        aggregate=lambda rows: rows.amount.min(where=rows.is_order).cast("float64"),
        when_null=NO_ORDER,
    ),
    _money(
        name="order_value_mean",
        meaning="Mean amount of a completed order.",
        derive=lambda t: ratio(t.spend_total, t.orders_total),
        when_null=NO_ORDER,
    ),
    *(_mean(days) for days in MEAN_DAYS),
    _money(
        name="order_value_spread",
        meaning="Amount of the largest completed order, less that of the smallest.",
        derive=lambda t: t.order_value_largest - t.order_value_smallest,
        when_null=NO_ORDER,
    ),
    Feature(
        "basket_trend",
        "ratio",
        "Mean amount of a completed order in the last 180 days over that of all.",
        "orders",
        derive=lambda t: ratio(t.order_value_mean_180d, t.order_value_mean),
        when_null="no completed order in the last 180 days, or nothing paid yet",
        needs=("amount",),
        needs_features=("order_value_mean_180d", "order_value_mean"),
    ),
)

MARGIN_FEATURES: tuple[Feature, ...] = (
    *(_margin_of(days) for days in MARGIN_DAYS),
    _margin(
        "margin_total",
        "money",
        "Margin of completed orders ever; not recorded counts as none.",
        aggregate=lambda rows: total(rows.is_order.ifelse(rows.margin.fill_null(0), 0)),
    ),
    _margin(
        "margin_share",
        "ratio",
        "Margin over the amount, of completed orders whose margin is recorded.",
        aggregate=lambda rows: ratio(
            _known_margin(rows).ifelse(rows.margin, 0).sum(),
            _known_margin(rows).ifelse(rows.amount, 0).sum(),
        ),
        when_null="nothing paid yet for an order whose margin is recorded",
    ),
)

DISCOUNT_FEATURES: tuple[Feature, ...] = (
    *(_discounted_orders(days) for days in COUNTED_DAYS),
    _discount(
        "orders_discounted_total",
        "orders",
        "Completed orders with a discount above zero.",
        aggregate=lambda rows: count(_is_discounted(rows)),
    ),
    *(_discount_of(days) for days in DISCOUNT_DAYS),
    _discount(
        "discount_total",
        "money",
        "Discounts on completed orders ever; not recorded counts as none.",
        aggregate=lambda rows: total(rows.is_order.ifelse(rows.discount, 0)),
    ),
    _discount(
        "days_since_last_discounted_order",
        "days",
        "Days since the last completed order with a discount above zero.",
        aggregate=lambda rows: rows.age_seconds.min(where=_is_discounted(rows)) / DAY_SECONDS,
        when_null="no completed order with a discount yet",
        ages=True,
    ),
    _discount(
        "discounted_share",
        "ratio",
        "Share of completed orders with a discount above zero.",
        derive=lambda t: ratio(t.orders_discounted_total, t.orders_total),
        when_null=NO_ORDER,
    ),
    _discount(
        "discounted_share_365d",
        "ratio",
        "Share of completed orders of the last 365 days with a discount above zero.",
        derive=lambda t: ratio(t.orders_discounted_365d, t.orders_365d),
        when_null="no completed order in the last 365 days",
    ),
    Feature(
        "discount_rate",
        "ratio",
        "Discounts on completed orders over what they would have cost without.",
        "orders",
        derive=lambda t: ratio(t.discount_total, t.spend_total + t.discount_total),
        when_null="nothing paid and nothing taken off yet",
        needs=("amount", "discount"),
    ),
)

RETURN_FEATURES: tuple[Feature, ...] = (
    *(feature for days in COUNTED_DAYS for feature in _returned(days)),
    _return(
        "returns_total",
        "returns",
        "Rows that took value back, ever.",
        aggregate=lambda rows: count(_is_return(rows)),
    ),
    _return(
        "returned_total",
        "money",
        "Value ever taken back, as a positive amount.",
        aggregate=lambda rows: total(_is_return(rows).ifelse(-rows.amount, 0)),
    ),
    _return(
        "days_since_last_return",
        "days",
        "Days since value was last taken back.",
        aggregate=lambda rows: rows.age_seconds.min(where=_is_return(rows)) / DAY_SECONDS,
        when_null="nothing taken back yet",
        ages=True,
    ),
    _return(
        "returned_share",
        "ratio",
        "Value ever taken back over the amount of completed orders ever.",
        derive=lambda t: ratio(t.returned_total, t.spend_total),
        when_null="nothing paid yet",
    ),
    _return(
        "returned_share_365d",
        "ratio",
        "Value taken back in the last 365 days over the amount of completed orders in them.",
        derive=lambda t: ratio(t.returned_365d, t.spend_365d),
        when_null="nothing paid in the last 365 days",
    ),
)

FEATURES = (*VALUE_FEATURES, *MARGIN_FEATURES, *DISCOUNT_FEATURES, *RETURN_FEATURES)
