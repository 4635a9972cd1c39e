"""The slow, obvious twins of what the moment says, the whole base, and who stands where in it."""

from tests.oracle.harness import everyones
from tests.oracle.orders_sql import COMPLETED, between, count, money, over, within
from tests.oracle.rhythm_sql import DAY, LAST, LAST_GAP, MEAN, MEDIAN, ORDER_DAYS

TODAY = "CAST(asked.as_of AS DATE)"
ALL_ROWS = everyones("orders")
ALL_ORDERS = everyones("orders", "status = 'completed'")
EVERYBODY = f"(SELECT count(DISTINCT customer_id) FROM {ALL_ROWS})"

PEAKS = {
    "valentines_day": "month(day) = 2 AND dayofmonth(day) = 14",
    # The day after the fourth Thursday of November.
    "black_friday": "isodow(day) = 5 AND month(day - 1) = 11 "
    "AND dayofmonth(day - 1) BETWEEN 22 AND 28",
    "christmas": "month(day) = 12 AND dayofmonth(day) = 25",
}
A_PEAK = " OR ".join(f"({condition})" for condition in PEAKS.values())


def _peak_days(condition: str) -> str:
    days = f"SELECT {TODAY} + CAST(n AS INT) AS day FROM range(-400, 400) AS numbers(n)"
    return f"(SELECT day FROM ({days}) WHERE {condition})"


def _days_to(condition: str) -> str:
    return f"SELECT min(day - {TODAY}) FROM {_peak_days(condition)} WHERE day >= {TODAY}"


CALENDAR: dict[str, str] = {
    "month": "SELECT month(asked.as_of)",
    "month_sin": "SELECT sin(2 * pi() * (month(asked.as_of) - 1) / 12)",
    "month_cos": "SELECT cos(2 * pi() * (month(asked.as_of) - 1) / 12)",
    "day_of_week": "SELECT isodow(asked.as_of)",
    "day_of_month": "SELECT dayofmonth(asked.as_of)",
    "day_of_year": "SELECT dayofyear(asked.as_of)",
    "days_to_next_peak": _days_to(A_PEAK),
    "days_since_last_peak": f"SELECT min({TODAY} - day) FROM {_peak_days(A_PEAK)} "
    f"WHERE day <= {TODAY}",
    **{f"days_to_{name}": _days_to(condition) for name, condition in PEAKS.items()},
}


def _by_customer(value: str, condition: str = "true") -> str:
    """Return one value for every customer, from their completed orders; none where null."""
    return f"(SELECT {value} AS v FROM {ALL_ORDERS} GROUP BY customer_id HAVING {condition})"


DAYS_SINCE_LAST = _by_customer("min(age) // 86400")
# Who has no completed order has bought on no day, and for nothing.
ZEROS = f"""
    SELECT 0 FROM {ALL_ROWS} GROUP BY customer_id
    HAVING count(*) FILTER (status = 'completed') = 0
"""
DAYS_BOUGHT = f"({_by_customer(f'count(DISTINCT {DAY})')} UNION ALL {ZEROS})"
SPENT = f"({_by_customer('CAST(floor(sum(amount)) AS BIGINT)')} UNION ALL {ZEROS})"
MEAN_GAPS = _by_customer(
    f"(max(age) - min(age)) // ((count(DISTINCT {DAY}) - 1) * 86400)", f"count(DISTINCT {DAY}) > 1"
)
MEDIAN_MEAN_GAP = f"(SELECT median(v) FROM {MEAN_GAPS})"


def _edges(values: str) -> list[str]:
    """Return the quintiles: so many fifths of the way along the sorted values."""
    sorted_values = f"(SELECT list_sort(list(v)) AS l, len(l) - 1 AS last FROM {values})"
    return [
        f"(SELECT (l[last * {k} // 5 + 1] * (5 - last * {k} % 5) "
        f"+ coalesce(l[last * {k} // 5 + 2], 0) * (last * {k} % 5)) / 5 FROM {sorted_values})"
        for k in (1, 2, 3, 4)
    ]


EDGES = {
    "days_since_last_order": _edges(DAYS_SINCE_LAST),
    "order_days_total": _edges(DAYS_BOUGHT),
    "spend_total": _edges(SPENT),
}


def _reaching(days: int, query: str) -> str:
    reach = f"SELECT max(age) >= {days} * 86400 FROM {ALL_ORDERS}"
    return f"SELECT CASE WHEN ({reach}) THEN ({query}) END"


def _season(number: int) -> dict[str, str]:
    now = count(ALL_ORDERS, within(number))
    then = count(ALL_ORDERS, between(365 + number, 365))
    then_next = count(ALL_ORDERS, between(365, 365 - number))
    return {
        f"base_orders_{number}d": now,
        f"base_orders_{number}d_last_year": then,
        f"base_orders_next_{number}d_last_year": then_next,
        f"base_level_{number}d": _reaching(365 + number, over(now, then)),
        f"base_season_{number}d": _reaching(365 + number, over(then_next, then)),
    }


def _buyers(number: int) -> str:
    return f"(SELECT count(DISTINCT customer_id) FROM {ALL_ORDERS} WHERE {within(number)})"


BASE: dict[str, str] = {
    "base_customers": EVERYBODY,
    "base_days_since_first_order": f"SELECT max(age) / 86400 FROM {ALL_ORDERS}",
    **_season(30),
    **_season(90),
    "base_trend_30d": over(f"{count(ALL_ORDERS, within(30))} * 3", count(ALL_ORDERS, within(90))),
    **{
        f"base_active_share_{number}d": over(_buyers(number), EVERYBODY) for number in (30, 90, 365)
    },
    "base_new_share_90d": over(
        f"(SELECT count(*) FROM {_by_customer('max(age)')} WHERE v <= 90 * 86400)", EVERYBODY
    ),
    "base_gap_days_median": MEDIAN_MEAN_GAP,
    **{
        f"base_{feature}_{place}_quintile": edge
        for feature, edges in EDGES.items()
        for place, edge in zip(("first", "second", "third", "fourth"), edges, strict=True)
    },
}


def _if_ordered(query: str) -> str:
    return f"(SELECT CASE WHEN {count(COMPLETED)} > 0 THEN {query} END)"


def _edges_below(value: str, feature: str) -> str:
    return " + ".join(f"CAST({value} > {edge} AS INT)" for edge in EDGES[feature])


LAST_ORDER_QUINTILE = _if_ordered(
    f"5 - ({_edges_below(f'floor({LAST})', 'days_since_last_order')})"
)
ORDER_DAYS_QUINTILE = _if_ordered(f"1 + {_edges_below(ORDER_DAYS, 'order_days_total')}")
PACE = _if_ordered(f"greatest(coalesce({MEDIAN}, {MEAN}, {MEDIAN_MEAN_GAP}), 7)")

STANDING: dict[str, str] = {
    "rfm_last_order_quintile": LAST_ORDER_QUINTILE,
    "rfm_order_days_quintile": ORDER_DAYS_QUINTILE,
    "rfm_spend_quintile": _if_ordered(
        f"1 + {_edges_below(f'floor({money(COMPLETED)})', 'spend_total')}"
    ),
    "rfm_segment": f"""
        SELECT CASE
            WHEN r <= 2 AND d <= 2 THEN 1 WHEN r = 3 AND d <= 2 THEN 2
            WHEN r <= 2 AND d <= 4 THEN 3 WHEN r <= 2 THEN 4 WHEN r = 3 AND d = 3 THEN 5
            WHEN r = 4 AND d = 1 THEN 6 WHEN r = 5 AND d = 1 THEN 7
            WHEN d <= 3 THEN 8 WHEN r <= 4 THEN 9 WHEN r = 5 THEN 10
        END FROM (SELECT {LAST_ORDER_QUINTILE} AS r, {ORDER_DAYS_QUINTILE} AS d)
    """,
    "lifecycle_pace_days": PACE,
    "lifecycle_silence": f"SELECT {LAST} / {PACE}",
    "lifecycle_stage": f"""
        SELECT CASE
            WHEN silence > 3 THEN 1 WHEN silence > 1.5 THEN 2 WHEN bought = 1 THEN 3
            WHEN gap > 3 * pace THEN 4 WHEN bought > 1 THEN 5
        END FROM (
            SELECT {LAST} / {PACE} AS silence, {PACE} AS pace,
                {LAST_GAP} AS gap, {ORDER_DAYS} AS bought
        )
    """,
    "orders_relative_90d": over(
        f"{count(COMPLETED, within(90))} * {EVERYBODY}", count(ALL_ORDERS, within(90))
    ),
}

TWINS: dict[str, str] = {**CALENDAR, **BASE, **STANDING}
NEARLY: frozenset[str] = frozenset({"month_sin", "month_cos"})
