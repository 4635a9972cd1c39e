"""Features from what the baskets hold: products and categories, how wide, and how much of it again.

Lines are first added up by product and by category; counting different products is then counting
rows.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.exact import count, ratio, within
from features.transforms.order_lines import CUSTOMER, NO_LINE, NO_RECENT_LINE, prepare

WINDOWS_DAYS = (30, 90, 365)

NO_CATEGORY = "no line of a known category bought yet"
NO_RECENT_CATEGORY = "no line of a known category bought in the last 90 days"


def prepare_products(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the lines by customer, moment and product: how many, first and last age."""
    return _added_up(prepare(order_lines, moments), "product_id")


def prepare_categories(order_lines: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the lines by customer, moment and category: how many, first and last age."""
    rows = prepare(order_lines, moments)
    sorts = _added_up(rows.filter(rows.category.notnull()), "category")
    return sorts.mutate(is_favourite=sorts.lines == sorts.lines.max().over(CUSTOMER))


def _added_up(rows: ir.Table, subject: str) -> ir.Table:
    counts = {f"lines_{days}d": count(within(rows.age_seconds, days)) for days in WINDOWS_DAYS}
    return rows.group_by(["customer_id", "as_of", subject]).aggregate(
        age_seconds=rows.age_seconds.min(),
        first_age_seconds=rows.age_seconds.max(),
        lines=rows.count(),
        **counts,
    )


_line = partial(Feature, table="order_lines", when_null=NO_LINE)
_recent = partial(Feature, table="order_lines", when_null=NO_RECENT_LINE)
_categorised = partial(Feature, table="order_lines", when_null=NO_CATEGORY, needs=("category",))
_recently_categorised = partial(_categorised, when_null=NO_RECENT_CATEGORY)


def _products(days: int) -> Feature:
    return _line(
        f"products_{days}d",
        "products",
        f"Different products bought in the last {days} days.",
        aggregate=lambda rows: count(within(rows.age_seconds, days)),
    )


def _lines(days: int) -> Feature:
    return _line(
        f"order_lines_{days}d",
        "lines",
        f"Lines bought in the last {days} days.",
        aggregate=lambda rows: rows[f"lines_{days}d"].sum(),
    )


def _categories(days: int) -> Feature:
    return _categorised(
        f"categories_{days}d",
        "categories",
        f"Different categories bought in the last {days} days.",
        aggregate=lambda rows: count(within(rows.age_seconds, days)),
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
        "products_repeated_total",
        "products",
        "Different products bought at two different times or more.",
        aggregate=lambda rows: count(rows.first_age_seconds > rows.age_seconds),
    ),
    _line(
        "products_new_90d",
        "products",
        "Different products bought for the first time in the last 90 days.",
        aggregate=lambda rows: count(within(rows.first_age_seconds, 90)),
    ),
    _line(
        "product_top_share",
        "ratio",
        "Lines of the most frequent product over all lines.",
        aggregate=lambda rows: ratio(rows.lines.max(), rows.lines.sum()),
    ),
    _line(
        "days_since_new_product",
        "days",
        "Days since a product was last bought for the first time.",
        aggregate=lambda rows: rows.first_age_seconds.min() / DAY_SECONDS,
        ages=True,
    ),
    _line(
        "repeat_lines_share",
        "ratio",
        "Share of lines that were not the customer's first of their product.",
        derive=lambda t: 1 - t.products_total / t.order_lines_total.cast("float64"),
    ),
    _line(
        "products_repeated_share",
        "ratio",
        "Share of the different products that were bought at two different times or more.",
        derive=lambda t: ratio(t.products_repeated_total, t.products_total),
    ),
    _recent(
        "products_new_share_90d",
        "ratio",
        "Share of the products of the last 90 days that were never bought before them.",
        derive=lambda t: ratio(t.products_new_90d, t.products_90d),
    ),
)

CATEGORY_FEATURES: tuple[Feature, ...] = (
    *(_categories(days) for days in WINDOWS_DAYS),
    _categorised(
        "categories_total",
        "categories",
        "Different categories ever bought.",
        aggregate=lambda rows: rows.count(),
    ),
    _categorised(
        "categories_new_90d",
        "categories",
        "Different categories bought for the first time in the last 90 days.",
        aggregate=lambda rows: count(within(rows.first_age_seconds, 90)),
    ),
    _categorised(
        "days_since_new_category",
        "days",
        "Days since a category was last bought for the first time.",
        aggregate=lambda rows: rows.first_age_seconds.min() / DAY_SECONDS,
        ages=True,
    ),
    _categorised(
        "category_top_share",
        "ratio",
        "Lines of the most frequent category over all lines of a known category.",
        aggregate=lambda rows: rows.lines.max() / rows.lines.sum().cast("float64"),
    ),
    _categorised(
        "category_concentration",
        "ratio",
        "Chance that two lines drawn with replacement are of one category: 1 is one category only.",
        aggregate=lambda rows: ratio(
            (rows.lines * rows.lines).sum(), rows.lines.sum() * rows.lines.sum()
        ),
    ),
    _recently_categorised(
        "category_top_share_90d",
        "ratio",
        "Lines of the most frequent category of the last 90 days over all lines in them.",
        aggregate=lambda rows: ratio(rows.lines_90d.max(), rows.lines_90d.sum()),
    ),
    _recently_categorised(
        "category_favourite_share_90d",
        "ratio",
        "Share of the most frequent category ever in the lines of the last 90 days; "
        "of several, the more frequent one lately.",
        aggregate=lambda rows: ratio(
            rows.lines_90d.max(where=rows.is_favourite), rows.lines_90d.sum()
        ),
    ),
    _recently_categorised(
        "category_affinity_90d",
        "ratio",
        "Share of the most frequent category ever in the lines of the last 90 days, "
        "over its share ever; below 1 is a fading favourite.",
        derive=lambda t: ratio(t.category_favourite_share_90d, t.category_top_share),
    ),
)
