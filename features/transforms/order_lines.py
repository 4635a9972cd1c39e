"""Features from order lines: what is bought, how wide, and how much of it again.

Lines are many, so they are first added up by product and by category; counting different products
is then counting rows.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.known import rows_known_at

WINDOWS_DAYS = (30, 90)

NO_LINE = "no line bought yet"
NO_CATEGORY = "no line of a known category bought yet"


def prepare(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the bought lines known at each moment; lines that take goods back are left out."""
    bought = order_lines.filter(
        order_lines.quantity.fill_null(1.0) > 0, order_lines.amount.fill_null(0) >= 0
    )
    return rows_known_at(bought, moments, event_time="ordered_at")


def prepare_products(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the lines by customer, moment and product: how many, and the age of the latest."""
    return _added_up(prepare(order_lines, moments), "product_id")


def prepare_categories(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the lines by customer, moment and category: how many, and the age of the latest."""
    rows = prepare(order_lines, moments)
    return _added_up(rows.filter(rows.category.notnull()), "category")


def _added_up(rows: ir.Table, subject: str) -> ir.Table:
    counts = {
        f"lines_{days}d": (rows.age_seconds <= days * DAY_SECONDS).ifelse(1, 0).sum()
        for days in WINDOWS_DAYS
    }
    return rows.group_by(["customer_id", "as_of", subject]).aggregate(
        age_seconds=rows.age_seconds.min(), lines=rows.count(), **counts
    )


def _different(rows: ir.Table, days: int) -> ir.Value:
    return (rows.age_seconds <= days * DAY_SECONDS).ifelse(1, 0).sum()


_line = partial(Feature, table="order_lines", when_null=NO_LINE)
_categorised = partial(Feature, table="order_lines", when_null=NO_CATEGORY, needs=("category",))


def _products(days: int) -> Feature:
    return _line(
        f"products_{days}d",
        "products",
        f"Different products bought in the last {days} days.",
        aggregate=lambda rows: _different(rows, days),
    )


def _lines(days: int) -> Feature:
    return _line(
        f"order_lines_{days}d",
        "lines",
        f"Lines bought in the last {days} days.",
        aggregate=lambda rows: rows[f"lines_{days}d"].sum(),
    )


LINE_FEATURES: tuple[Feature, ...] = (
    _line(
        "lines_per_order",
        "lines",
        "Lines ever bought over the orders they were bought in.",
        aggregate=lambda rows: rows.count() / rows.order_id.nunique().cast("float64"),
        needs=("order_id",),
    ),
)

PRODUCT_FEATURES: tuple[Feature, ...] = (
    *(_products(days) for days in WINDOWS_DAYS),
    _line(
        "products_total",
        "products",
        "Different products ever bought.",
        aggregate=lambda rows: rows.count(),
    ),
    *(_lines(days) for days in WINDOWS_DAYS),
    _line(
        "order_lines_total",
        "lines",
        "Lines ever bought.",
        aggregate=lambda rows: rows.lines.sum(),
    ),
    _line(
        "repeat_lines_share",
        "ratio",
        "Share of lines that were not the customer's first of their product.",
        derive=lambda t: 1 - t.products_total / t.order_lines_total.cast("float64"),
    ),
)

CATEGORY_FEATURES: tuple[Feature, ...] = (
    _categorised(
        "categories_90d",
        "categories",
        "Different categories bought in the last 90 days.",
        aggregate=lambda rows: _different(rows, 90),
    ),
    _categorised(
        "categories_total",
        "categories",
        "Different categories ever bought.",
        aggregate=lambda rows: rows.count(),
    ),
    _categorised(
        "category_top_share",
        "ratio",
        "Lines of the most frequent category over all lines of a known category.",
        aggregate=lambda rows: rows.lines.max() / rows.lines.sum().cast("float64"),
    ),
)
