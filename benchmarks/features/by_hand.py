"""The order features as one would write them by hand in DuckDB's SQL, for one moment."""

from features.contracts.as_of import AsOf

WINDOWS = (7, 14, 30, 60, 90, 180, 365, 730)
DAY = 86_400
YEAR = 365 * DAY


def query(as_of: AsOf) -> str:
    """Return the query: one row per customer, in order, with all features."""
    moment = f"TIMESTAMPTZ '{as_of.moment.isoformat()}'"
    features = ",\n  ".join(f"{sql} AS {name}" for name, sql in {**_plain(), **_gaps()}.items())
    days = ",\n  ".join(f"{sql} AS {name}" for name, sql in _days().items())
    derived = ",\n  ".join(f"{sql} AS {name}" for name, sql in _derived().items())
    return f"""
WITH known AS (
  SELECT customer_id, ordered_at, amount, status, status = 'completed' AS ok,
    floor(epoch(ordered_at))::BIGINT AS seconds,
    {int(as_of.moment.timestamp())} - floor(epoch(ordered_at))::BIGINT AS age
  FROM orders WHERE ordered_at < {moment} AND known_at <= {moment}
), gaps AS (
  SELECT *, seconds - lag(seconds) OVER (PARTITION BY customer_id, ok ORDER BY ordered_at) AS apart
  FROM known
), ruled AS (
  SELECT *, CASE WHEN ok AND apart >= {DAY} THEN apart END AS gap, (age - 1) // {7 * DAY} AS week
  FROM gaps
), own AS (
  SELECT customer_id,
  {features}
  FROM ruled GROUP BY customer_id
), by_day AS (
  SELECT customer_id, seconds // {DAY} AS day, sum(CASE WHEN ok THEN 1 ELSE 0 END) AS orders,
    sum(CASE WHEN ok THEN amount ELSE 0 END) AS spend,
    max(age) FILTER (ok) AS oldest, min(age) FILTER (ok) AS newest
  FROM known GROUP BY ALL
), days AS (
  SELECT customer_id,
  {days}
  FROM by_day GROUP BY customer_id
)
SELECT own.*, days.* EXCLUDE (customer_id),
  {derived}
FROM own JOIN days USING (customer_id) ORDER BY customer_id
""".replace("$TODAY", str(int(as_of.moment.timestamp()) // DAY))


def names() -> set[str]:
    """Return the names of the features that the query computes."""
    return {*_plain(), *_gaps(), *_days(), *_derived()}


def _pair(name: str, condition: str) -> dict[str, str]:
    return {
        f"orders_{name}": f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)::DOUBLE",
        f"spend_{name}": f"sum(CASE WHEN {condition} THEN amount ELSE 0 END)::DOUBLE",
    }


def _plain() -> dict[str, str]:
    found: dict[str, str] = {}
    for days in WINDOWS:
        found |= _pair(f"{days}d", f"ok AND age <= {days * DAY}")
    for days in (30, 90):
        before = f"age - {YEAR} <= {days * DAY} AND age > {YEAR}"
        after = f"age <= {YEAR} AND age - {YEAR} > {-days * DAY}"
        found |= _pair(f"{days}d_last_year", f"ok AND {before}")
        found |= _pair(f"next_{days}d_last_year", f"ok AND {after}")
    for days in (15, 60, 240):
        weight = f"CASE WHEN ok THEN exp(-age / {days * DAY}.0) ELSE 0.0 END"
        found[f"orders_decayed_{days}d"] = f"sum(round({weight} / 1e-9)::BIGINT) * 1e-9"
    found |= _pair("total", "ok")
    for days in (90, 365):
        of = f"status = 'returned' AND age <= {days * DAY}"
        found[f"returns_{days}d"] = f"sum(CASE WHEN {of} THEN 1 ELSE 0 END)::DOUBLE"
        found[f"returned_{days}d"] = f"sum(CASE WHEN {of} THEN -amount ELSE 0 END)::DOUBLE"
    return found | {
        "order_weeks_90d": f"count(DISTINCT week) FILTER (ok AND age <= {90 * DAY})::DOUBLE",
        "days_since_last_order": f"min(age) FILTER (ok) / {DAY}",
        "days_since_first_order": f"max(age) FILTER (ok) / {DAY}",
        "cancellations_365d": f"count(*) FILTER (status = 'cancelled' AND age <= {YEAR})::DOUBLE",
        "cancellations_total": "count(*) FILTER (status = 'cancelled')::DOUBLE",
        "days_since_last_cancellation": f"min(age) FILTER (status = 'cancelled') / {DAY}",
        "order_value_largest": "max(amount) FILTER (ok)::DOUBLE",
        "order_value_smallest": "min(amount) FILTER (ok)::DOUBLE",
        "returns_total": "count(*) FILTER (status = 'returned')::DOUBLE",
        "returned_total": "sum(CASE WHEN status = 'returned' THEN -amount ELSE 0 END)::DOUBLE",
        "days_since_last_return": f"min(age) FILTER (status = 'returned') / {DAY}",
    }


def _gaps() -> dict[str, str]:
    hours = "(gap // 3600)"
    squares = f"(count(gap) * sum({hours} * {hours}) - sum({hours}) * sum({hours}))"
    age = "CASE WHEN gap IS NOT NULL THEN age END"
    return {
        "gaps_total": "count(gap)::DOUBLE",
        "gap_days_longest": f"max(gap) / {DAY}",
        "gap_days_shortest": f"min(gap) / {DAY}",
        "gap_days_median": f"median(gap) / {DAY}",
        "gap_days_spread": f"sqrt({squares}::DOUBLE) / nullif(count(gap) * 24, 0)",
        "gap_days_first": f"arg_max(gap, {age}) / {DAY}",
        "gap_days_last": f"arg_min(gap, {age}) / {DAY}",
    }


def _days() -> dict[str, str]:
    some = "FILTER (orders > 0)"
    weekend = f"(day + 3 + {7 * DAY}) % 7 >= 5"
    first = f"arg_min(spend, day) {some}"
    return {
        "order_days_90d": f"sum(CASE WHEN newest <= {90 * DAY} THEN 1 ELSE 0 END)::DOUBLE",
        "order_days_365d": f"sum(CASE WHEN newest <= {YEAR} THEN 1 ELSE 0 END)::DOUBLE",
        "order_days_total": f"count(*) {some}::DOUBLE",
        "gap_days_mean": "(max(oldest) - min(newest))::DOUBLE "
        f"/ nullif((count(*) {some} - 1) * {DAY}, 0)",
        "btyd_repeat_days": f"nullif(count(*) {some}, 0)::DOUBLE - 1",
        "btyd_days_first_to_last": f"(max(day) {some} - min(day) {some})::DOUBLE",
        "btyd_days_observed": f"($TODAY - min(day) {some})::DOUBLE",
        "weekend_orders_share": f"sum(CASE WHEN {weekend} THEN orders ELSE 0 END)::DOUBLE "
        "/ nullif(sum(orders), 0)",
        "spend_first_order_day": f"({first})::DOUBLE",
        "spend_last_order_day": f"(arg_max(spend, day) {some})::DOUBLE",
        "spend_per_repeat_day_mean": f"(sum(spend) - {first})::DOUBLE "
        f"/ nullif(count(*) {some} - 1, 0)",
    }


def _derived() -> dict[str, str]:
    means = {
        f"order_value_mean_{days}d": f"spend_{days}d / nullif(orders_{days}d, 0)"
        for days in (90, 180, 365)
    }
    return {
        "cancelled_share": "cancellations_total / nullif(cancellations_total + orders_total, 0)",
        "orders_trend_30d": "orders_30d - (orders_60d - orders_30d)",
        "orders_trend_60d": "orders_60d - (orders_180d - orders_60d) / 2.0",
        "orders_trend_365d": "orders_365d - (orders_730d - orders_365d)",
        "orders_acceleration_30d": "orders_30d - 2 * (orders_60d - orders_30d) "
        "+ orders_90d - orders_60d",
        "spend_trend_60d": "spend_60d - (spend_180d - spend_60d) / 2.0",
        "spend_per_30d": "spend_total * 30 / greatest(coalesce(days_since_first_order, 0.0), 30.0)",
        "order_value_mean": "spend_total / nullif(orders_total, 0)",
        **means,
        "order_value_spread": "order_value_largest - order_value_smallest",
        "basket_trend": "(spend_180d / nullif(orders_180d, 0)) "
        "/ nullif(spend_total / nullif(orders_total, 0), 0)",
        "returned_share": "returned_total / nullif(spend_total, 0)",
        "returned_share_365d": "returned_365d / nullif(spend_365d, 0)",
    }
