"""The slow, obvious twins of the features of order days, gaps and buy-till-you-die models."""

from tests.oracle.orders_sql import (
    COMPLETED,
    DAYS_AS_CUSTOMER,
    DAYS_SINCE_FIRST,
    count,
    different,
    over,
    within,
)

DAY = "CAST(ordered_at AS DATE)"
FIRST_DAY = f"(SELECT min({DAY}) FROM {COMPLETED})"
LAST_DAY = f"(SELECT max({DAY}) FROM {COMPLETED})"
ORDER_DAYS = f"({different(DAY, COMPLETED)})"
LAST = f"(SELECT min(age) / 86400 FROM {COMPLETED})"

GAPS = f"""
    (SELECT newer.age AS ended, min(older.age) - newer.age AS gap
    FROM {COMPLETED} AS newer, {COMPLETED} AS older WHERE older.age > newer.age
    GROUP BY newer.age HAVING min(older.age) - newer.age >= 86400)
"""
MEAN = f"(SELECT (max(age) - min(age)) / nullif(({ORDER_DAYS} - 1) * 86400, 0) FROM {COMPLETED})"
MEDIAN = f"(SELECT median(gap) / 86400 FROM {GAPS})"
LONGEST = f"(SELECT max(gap) / 86400 FROM {GAPS})"
LAST_GAP = f"(SELECT gap / 86400 FROM {GAPS} ORDER BY ended LIMIT 1)"

# The squares of the differences between all pairs of n numbers add up to twice n squares of their
# standard deviation.
APART = "(one.gap // 3600 - other.gap // 3600)"
SPREAD = f"""
    (SELECT sqrt(sum({APART} * {APART}) / 2) / (24 * sqrt(count(*)))
    FROM {GAPS} AS one, {GAPS} AS other)
"""

TWINS: dict[str, str] = {
    "order_days_90d": different(DAY, COMPLETED, within(90)),
    "order_days_365d": different(DAY, COMPLETED, within(365)),
    "order_days_total": ORDER_DAYS,
    "order_days_per_30d": over(f"{ORDER_DAYS} * 30", DAYS_AS_CUSTOMER),
    "weekend_orders_share": over(count(COMPLETED, "isodow(ordered_at) >= 6"), count(COMPLETED)),
    "btyd_repeat_days": f"SELECT nullif({ORDER_DAYS}, 0) - 1",
    "btyd_days_first_to_last": f"SELECT {LAST_DAY} - {FIRST_DAY}",
    "btyd_days_observed": f"SELECT CAST(asked.as_of AS DATE) - {FIRST_DAY}",
    "spend_first_order_day": f"SELECT sum(amount) FROM {COMPLETED} WHERE {DAY} = {FIRST_DAY}",
    "spend_last_order_day": f"SELECT sum(amount) FROM {COMPLETED} WHERE {DAY} = {LAST_DAY}",
    "spend_per_repeat_day_mean": f"SELECT sum(amount) / ({ORDER_DAYS} - 1) FROM {COMPLETED} "
    f"WHERE {DAY} > {FIRST_DAY}",
    "discount_first_order_day": "SELECT sum(coalesce(discount, 0)) "
    f"FROM {COMPLETED} WHERE {DAY} = {FIRST_DAY}",
    "gaps_total": f"SELECT count(*) FROM {GAPS}",
    "gap_days_mean": MEAN,
    "gap_days_median": MEDIAN,
    "gap_days_longest": LONGEST,
    "gap_days_shortest": f"SELECT min(gap) / 86400 FROM {GAPS}",
    "gap_days_spread": SPREAD,
    "gap_days_first": f"SELECT gap / 86400 FROM {GAPS} ORDER BY ended DESC LIMIT 1",
    "gap_days_last": LAST_GAP,
    "overdue_ratio": f"SELECT {LAST} / {MEAN}",
    "overdue_ratio_median": f"SELECT {LAST} / {MEDIAN}",
    "overdue_ratio_longest": f"SELECT {LAST} / {LONGEST}",
    "overdue_spreads": f"SELECT ({LAST} - {MEAN}) / nullif({SPREAD}, 0)",
    "gap_irregularity": f"SELECT {SPREAD} / {MEAN}",
    "gap_trend": f"SELECT {LAST_GAP} / {MEDIAN}",
    "active_share": f"SELECT 1 - {LAST} / {DAYS_SINCE_FIRST}",
}
NEARLY: frozenset[str] = frozenset()
