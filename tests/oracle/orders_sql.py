"""The slow, obvious twins of the features of orders: counts, money, discounts, returns."""

from tests.oracle.harness import known
from tests.oracle.phrases import days

COMPLETED = known("orders", "status = 'completed'")
CANCELLED = known("orders", "status = 'cancelled'")
RETURNED = known("orders", "status = 'returned'")
DISCOUNTED = known("orders", "status = 'completed' AND discount > 0")
EARNING = known("orders", "status = 'completed' AND margin IS NOT NULL")
CHANNELLED = known("orders", "status = 'completed' AND channel IS NOT NULL")
DEVICED = known("orders", "status = 'completed' AND device IS NOT NULL")


def count(rows: str, condition: str = "true") -> str:
    return f"(SELECT count(*) FROM {rows} WHERE {condition})"


def money(rows: str, condition: str = "true", column: str = "amount") -> str:
    return f"(SELECT coalesce(sum({column}), 0) FROM {rows} WHERE {condition})"


def over(dividend: str, divisor: str) -> str:
    return f"SELECT {dividend} / nullif({divisor}, 0)"


def as_float(number: str) -> str:
    """Return the number where a feature goes on with what was already rounded to a float."""
    return f"CAST({number} AS DOUBLE)"


def days_since_last(rows: str) -> str:
    return f"SELECT min(age) / 86400 FROM {rows}"


def different(column: str, rows: str, condition: str = "true") -> str:
    return f"SELECT count(DISTINCT {column}) FROM {rows} WHERE {condition}"


def within(number: int) -> str:
    return f"age <= {days(number)}"


def between(older: int, newer: int) -> str:
    return f"age <= {days(older)} AND age > {days(newer)}"


def _top_share(column: str, rows: str) -> str:
    return f"SELECT max(n) / sum(n) FROM (SELECT count(*) AS n FROM {rows} GROUP BY {column})"


DAYS_SINCE_FIRST = f"(SELECT max(age) / 86400 FROM {COMPLETED})"
DAYS_AS_CUSTOMER = f"greatest(coalesce({DAYS_SINCE_FIRST}, 0), 30)"

TWINS: dict[str, str] = {
    "orders_total": count(COMPLETED),
    "spend_total": money(COMPLETED),
    "order_weeks_90d": different(f"ceil(age / ({days(7)}))", COMPLETED, within(90)),
    "days_since_last_order": days_since_last(COMPLETED),
    "days_since_first_order": f"SELECT {DAYS_SINCE_FIRST}",
    "cancellations_365d": count(CANCELLED, within(365)),
    "cancellations_total": count(CANCELLED),
    "days_since_last_cancellation": days_since_last(CANCELLED),
    "cancelled_share": over(
        count(CANCELLED), count(known("orders", "status IN ('completed', 'cancelled')"))
    ),
    "orders_trend_30d": f"SELECT {count(COMPLETED, within(30))} - "
    f"{count(COMPLETED, between(60, 30))}",
    "orders_trend_60d": f"SELECT {count(COMPLETED, within(60))} - "
    f"{count(COMPLETED, between(180, 60))} / 2",
    "orders_trend_365d": f"SELECT {count(COMPLETED, within(365))} - "
    f"{count(COMPLETED, between(730, 365))}",
    "orders_acceleration_30d": f"SELECT "
    f"({count(COMPLETED, within(30))} - {count(COMPLETED, between(60, 30))}) - "
    f"({count(COMPLETED, between(60, 30))} - {count(COMPLETED, between(90, 60))})",
    "spend_trend_60d": f"SELECT {as_float(money(COMPLETED, within(60)))} - "
    f"({as_float(money(COMPLETED, within(180)))} - {as_float(money(COMPLETED, within(60)))}) / 2",
    "spend_per_30d": over(f"{as_float(money(COMPLETED))} * 30", DAYS_AS_CUSTOMER),
    "order_value_largest": f"SELECT max(amount) FROM {COMPLETED}",
    "order_value_smallest": f"SELECT min(amount) FROM {COMPLETED}",
    "order_value_spread": f"SELECT {as_float('max(amount)')} - {as_float('min(amount)')} "
    f"FROM {COMPLETED}",
    "order_value_mean": over(money(COMPLETED), count(COMPLETED)),
    "basket_trend": over(
        f"({over(money(COMPLETED, within(180)), count(COMPLETED, within(180)))})",
        f"({over(money(COMPLETED), count(COMPLETED))})",
    ),
    "margin_total": money(COMPLETED, column="margin"),
    "margin_share": over(money(EARNING, column="margin"), money(EARNING)),
    "orders_discounted_total": count(DISCOUNTED),
    "discount_total": money(COMPLETED, column="discount"),
    "days_since_last_discounted_order": days_since_last(DISCOUNTED),
    "discounted_share": over(count(DISCOUNTED), count(COMPLETED)),
    "discounted_share_365d": over(count(DISCOUNTED, within(365)), count(COMPLETED, within(365))),
    "discount_rate": over(
        money(COMPLETED, column="discount"),
        f"({money(COMPLETED)} + {money(COMPLETED, column='discount')})",
    ),
    "returns_total": count(RETURNED),
    "returned_total": f"SELECT -{money(RETURNED)}",
    "days_since_last_return": days_since_last(RETURNED),
    "returned_share": over(f"-{money(RETURNED)}", money(COMPLETED)),
    "returned_share_365d": over(f"-{money(RETURNED, within(365))}", money(COMPLETED, within(365))),
    "channels_365d": different("channel", COMPLETED, within(365)),
    "channels_total": different("channel", COMPLETED),
    "channel_top_share": _top_share("channel", CHANNELLED),
    "devices_365d": different("device", COMPLETED, within(365)),
    "devices_total": different("device", COMPLETED),
    "device_top_share": _top_share("device", DEVICED),
    **{
        name: query
        for number in (7, 14, 30, 60, 90, 180, 365, 730)
        for name, query in {
            f"orders_{number}d": count(COMPLETED, within(number)),
            f"spend_{number}d": money(COMPLETED, within(number)),
        }.items()
    },
    **{
        name: query
        for number in (30, 90)
        for name, query in {
            f"orders_{number}d_last_year": count(COMPLETED, between(365 + number, 365)),
            f"spend_{number}d_last_year": money(COMPLETED, between(365 + number, 365)),
            f"orders_next_{number}d_last_year": count(COMPLETED, between(365, 365 - number)),
            f"spend_next_{number}d_last_year": money(COMPLETED, between(365, 365 - number)),
        }.items()
    },
    **{
        f"orders_decayed_{number}d": "SELECT coalesce(sum(round("
        f"exp(-age / ({days(number)})), 9)), 0) FROM {COMPLETED}"
        for number in (15, 60, 240)
    },
    **{
        f"order_value_mean_{number}d": over(
            money(COMPLETED, within(number)), count(COMPLETED, within(number))
        )
        for number in (90, 180, 365)
    },
    **{f"margin_{number}d": money(COMPLETED, within(number), "margin") for number in (30, 90, 365)},
    **{
        f"discount_{number}d": money(COMPLETED, within(number), "discount")
        for number in (30, 90, 180, 365)
    },
    **{
        name: query
        for number in (90, 365)
        for name, query in {
            f"orders_discounted_{number}d": count(DISCOUNTED, within(number)),
            f"returns_{number}d": count(RETURNED, within(number)),
            f"returned_{number}d": f"SELECT -{money(RETURNED, within(number))}",
        }.items()
    },
}
NEARLY = frozenset({"discount_rate", *(f"orders_decayed_{number}d" for number in (15, 60, 240))})
