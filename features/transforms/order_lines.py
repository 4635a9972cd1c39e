"""Features from order lines: how large the baskets are, what a piece costs, what comes back.

Lines are many, so they are first added up by order. Lines that take goods back are left out, but
where they are counted. What is in the baskets is told by `features/transforms/assortment.py`.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms.exact import STEPS, count, in_steps, ratio, total, within
from features.transforms.known import rows_known_at

NO_LINE = "no line bought yet"
NO_RECENT_LINE = "no line bought in the last 90 days"

CUSTOMER = ibis.window(group_by=["customer_id", "as_of"])


def prepare_returns(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return all lines known at each moment, and whether they take goods back."""
    rows = rows_known_at(order_lines, moments, event_time="ordered_at")
    return rows.mutate(is_returned=~_is_bought(rows))


def prepare(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the bought lines known at each moment, with the quantity in steps.

    A quantity that was not recorded is one.
    """
    bought = order_lines.filter(_is_bought(order_lines))
    rows = rows_known_at(bought, moments, event_time="ordered_at")
    return rows.mutate(steps=in_steps(rows.quantity.fill_null(1.0)))


def prepare_baskets(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the lines by customer, moment and order, and which orders are the last.

    Orders of one second are one visit to the shop: all of them are the last.
    """
    rows = prepare(order_lines, moments)
    is_priced = rows.amount.notnull()
    baskets = rows.group_by(["customer_id", "as_of", "order_id"]).aggregate(
        age_seconds=rows.age_seconds.min(),
        lines=rows.count(),
        lines_90d=count(within(rows.age_seconds, 90)),
        steps=rows.steps.sum(),
        priced_steps=is_priced.ifelse(rows.steps, 0).sum(),
        priced=rows.amount.fill_null(0).sum(),
    )
    return baskets.mutate(is_last=baskets.age_seconds == baskets.age_seconds.min().over(CUSTOMER))


def _is_bought(rows: ir.Table) -> ir.BooleanValue:
    return (rows.quantity.fill_null(1.0) > 0) & (rows.amount.fill_null(0) >= 0)


_line = partial(Feature, table="order_lines", when_null=NO_LINE)
_recent = partial(Feature, table="order_lines", when_null=NO_RECENT_LINE)


RETURN_FEATURES: tuple[Feature, ...] = (
    _line(
        "lines_returned_total",
        "lines",
        "Lines that took goods back, ever.",
        aggregate=lambda rows: count(rows.is_returned),
        when_null="no line known yet",
        needs=("amount",),
    ),
    _line(
        "lines_returned_share",
        "ratio",
        "Lines that took goods back over all lines.",
        aggregate=lambda rows: ratio(count(rows.is_returned), rows.count()),
        when_null="no line known yet",
        needs=("amount",),
    ),
)

BASKET_FEATURES: tuple[Feature, ...] = (
    _line(
        "lines_per_order",
        "lines",
        "Lines ever bought over the orders they were bought in.",
        aggregate=lambda rows: ratio(rows.lines.sum(), rows.count()),
    ),
    _recent(
        "lines_per_order_90d",
        "lines",
        "Lines bought in the last 90 days over the orders they were bought in.",
        aggregate=lambda rows: ratio(rows.lines_90d.sum(), count(within(rows.age_seconds, 90))),
    ),
    _line(
        "basket_lines_largest",
        "lines",
        "Lines of the order with the most.",
        aggregate=lambda rows: rows.lines.max(),
    ),
    _line(
        "basket_lines_last",
        "lines",
        "Lines of the last order; orders of one second are one.",
        aggregate=lambda rows: rows.is_last.ifelse(rows.lines, 0).sum(),
    ),
    _line(
        "basket_lines_last_ratio",
        "ratio",
        "Lines of the last order over the mean of all orders; above 1 is more than usual.",
        derive=lambda t: ratio(t.basket_lines_last, t.lines_per_order),
    ),
    _line(
        "quantity_total",
        "pieces",
        "Quantity ever bought; a line without a quantity is one.",
        aggregate=lambda rows: total(rows.steps) / STEPS,
        needs=("quantity",),
    ),
    _line(
        "quantity_per_order",
        "pieces",
        "Quantity ever bought over the orders it was bought in.",
        aggregate=lambda rows: ratio(rows.steps.sum(), rows.count() * STEPS),
        needs=("quantity",),
    ),
    _line(
        "basket_quantity_last",
        "pieces",
        "Quantity of the last order; orders of one second are one.",
        aggregate=lambda rows: total(rows.is_last.ifelse(rows.steps, 0)) / STEPS,
        needs=("quantity",),
    ),
    _line(
        "unit_price_mean",
        "money",
        "Amount of the lines ever bought over their quantity.",
        aggregate=lambda rows: ratio(total(rows.priced) * STEPS, rows.priced_steps.sum()),
        when_null="no line of a known amount bought yet",
        needs=("amount", "quantity"),
    ),
    _line(
        "unit_price_last",
        "money",
        "Amount of the lines of the last order over their quantity.",
        aggregate=lambda rows: ratio(
            total(rows.is_last.ifelse(rows.priced, 0)) * STEPS,
            rows.is_last.ifelse(rows.priced_steps, 0).sum(),
        ),
        when_null="no line bought yet, or none of a known amount in the last order",
        needs=("amount", "quantity"),
    ),
)
