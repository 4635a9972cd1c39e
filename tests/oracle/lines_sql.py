"""The slow, obvious twins of the features of order lines."""

from tests.oracle.harness import known
from tests.oracle.phrases import days, if_any

LINES = known("order_lines")
IS_BOUGHT = "coalesce(quantity, 1) > 0 AND coalesce(amount, 0) >= 0"
BOUGHT = known("order_lines", IS_BOUGHT)
LATELY = known("order_lines", f"{IS_BOUGHT} AND age <= {days(90)}")
CATEGORISED = known("order_lines", f"{IS_BOUGHT} AND category IS NOT NULL")
CATEGORISED_LATELY = known(
    "order_lines", f"{IS_BOUGHT} AND category IS NOT NULL AND age <= {days(90)}"
)
PRICED = known("order_lines", f"{IS_BOUGHT} AND amount IS NOT NULL")
LAST_ORDERS = f"SELECT order_id FROM {BOUGHT} WHERE age = (SELECT min(age) FROM {BOUGHT})"
QUANTITY = "CAST(coalesce(quantity, 1) AS DECIMAL(18, 4))"
RETURNED = known("order_lines", "coalesce(quantity, 1) <= 0 OR coalesce(amount, 0) < 0")


def _share_of_all(part: str, whole: str) -> str:
    return f"(SELECT count(*) FROM {part}) / nullif((SELECT count(*) FROM {whole}), 0)"


def _new(column: str, rows: str) -> str:
    """Things bought in the last 90 days that had not been bought before them."""
    return (
        f"SELECT count(DISTINCT {column}) FROM {rows} WHERE {column} NOT IN "
        f"(SELECT {column} FROM {rows} WHERE age > {days(90)} AND {column} IS NOT NULL)"
    )


def _days_since_new(column: str, rows: str) -> str:
    first = f"SELECT max(age) AS age FROM {rows} GROUP BY {column}"
    return f"SELECT min(age) / 86400 FROM ({first})"


def _top_share(column: str, rows: str) -> str:
    counts = f"SELECT count(*) AS n FROM {rows} GROUP BY {column}"
    return f"SELECT max(n) / sum(n) FROM ({counts})"


def _unit_price(rows: str) -> str:
    return f"SELECT sum(amount) / sum({QUANTITY}) FROM {rows}"


_LINES_BY_ORDER = f"SELECT count(*) AS n FROM {BOUGHT} GROUP BY order_id"
_LINES_PER_ORDER = f"SELECT count(*) / nullif(count(DISTINCT order_id), 0) FROM {BOUGHT}"
_LAST_LINES = f"SELECT count(*) FROM {BOUGHT} WHERE order_id IN ({LAST_ORDERS})"
_AGAIN = f"SELECT product_id FROM {BOUGHT} GROUP BY product_id HAVING count(DISTINCT age) > 1"
_PRODUCTS = f"SELECT count(DISTINCT product_id) FROM {BOUGHT}"
_FAVOURITE_SHARE = f"""
    SELECT arg_max(lately, (ever, lately)) / nullif(sum(lately), 0) FROM (
        SELECT count(*) AS ever, count(*) FILTER (age <= {days(90)}) AS lately
        FROM {CATEGORISED} GROUP BY category
    )
"""

TWINS: dict[str, str] = {
    "lines_returned_total": if_any(LINES, f"SELECT count(*) FROM {RETURNED}"),
    "lines_returned_share": f"SELECT {_share_of_all(RETURNED, LINES)}",
    "lines_per_order": _LINES_PER_ORDER,
    "lines_per_order_90d": f"SELECT count(*) / nullif(count(DISTINCT order_id), 0) FROM {LATELY}",
    "basket_lines_largest": f"SELECT max(n) FROM ({_LINES_BY_ORDER})",
    "basket_lines_last": if_any(BOUGHT, _LAST_LINES),
    "basket_lines_last_ratio": f"SELECT ({_LAST_LINES}) / ({_LINES_PER_ORDER})",
    "quantity_total": f"SELECT sum({QUANTITY}) FROM {BOUGHT}",
    "quantity_per_order": (
        f"SELECT CAST(sum({QUANTITY}) AS DOUBLE) / count(DISTINCT order_id) FROM {BOUGHT} "
        "HAVING count(*) > 0"
    ),
    "basket_quantity_last": (
        f"SELECT sum({QUANTITY}) FROM {BOUGHT} WHERE order_id IN ({LAST_ORDERS})"
    ),
    "unit_price_mean": _unit_price(PRICED),
    "unit_price_last": f"{_unit_price(PRICED)} WHERE order_id IN ({LAST_ORDERS})",
    "products_total": if_any(BOUGHT, _PRODUCTS),
    "order_lines_total": if_any(BOUGHT, f"SELECT count(*) FROM {BOUGHT}"),
    "products_repeated_total": if_any(BOUGHT, f"SELECT count(*) FROM ({_AGAIN})"),
    "products_repeated_share": (
        f"SELECT (SELECT count(*) FROM ({_AGAIN})) / nullif(({_PRODUCTS}), 0)"
    ),
    "products_new_90d": if_any(BOUGHT, _new("product_id", BOUGHT)),
    "products_new_share_90d": (
        f"SELECT ({_new('product_id', BOUGHT)}) "
        f"/ nullif((SELECT count(DISTINCT product_id) FROM {LATELY}), 0)"
    ),
    "product_top_share": _top_share("product_id", BOUGHT),
    "days_since_new_product": _days_since_new("product_id", BOUGHT),
    "repeat_lines_share": (
        f"SELECT 1 - count(DISTINCT product_id) / nullif(count(*), 0) FROM {BOUGHT}"
    ),
    "categories_total": if_any(CATEGORISED, f"SELECT count(DISTINCT category) FROM {CATEGORISED}"),
    "categories_new_90d": if_any(CATEGORISED, _new("category", CATEGORISED)),
    "days_since_new_category": _days_since_new("category", CATEGORISED),
    "category_top_share": _top_share("category", CATEGORISED),
    "category_top_share_90d": _top_share("category", CATEGORISED_LATELY),
    "category_concentration": f"""
        SELECT sum(share * share) FROM (
            SELECT count(*) / (SELECT count(*) FROM {CATEGORISED}) AS share
            FROM {CATEGORISED} GROUP BY category
        )
    """,
    "category_favourite_share_90d": _FAVOURITE_SHARE,
    "category_affinity_90d": (
        f"SELECT ({_FAVOURITE_SHARE}) / ({_top_share('category', CATEGORISED)})"
    ),
}
NEARLY: frozenset[str] = frozenset(
    {
        *("basket_lines_last_ratio", "unit_price_mean", "unit_price_last"),
        *("quantity_per_order", "category_concentration", "category_affinity_90d"),
    }
)


def _windows(number: int) -> dict[str, str]:
    lately = f"age <= {days(number)}"
    return {
        f"products_{number}d": if_any(BOUGHT, f"{_PRODUCTS} WHERE {lately}"),
        f"order_lines_{number}d": if_any(BOUGHT, f"SELECT count(*) FROM {BOUGHT} WHERE {lately}"),
        f"categories_{number}d": if_any(
            CATEGORISED, f"SELECT count(DISTINCT category) FROM {CATEGORISED} WHERE {lately}"
        ),
    }


for _days in (30, 90, 365):
    TWINS |= _windows(_days)
