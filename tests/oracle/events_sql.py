"""The slow, obvious twins of the features of events."""

from tests.oracle.harness import known
from tests.oracle.phrases import days, if_any

EVENTS = known("events")
COMPLETED = known("orders", "status = 'completed'")
LAST_ORDER = f"(SELECT max(ordered_at) FROM {COMPLETED})"
VIEWED = known("events", "type = 'view' AND product_id IS NOT NULL")

NAMES = {
    "visits": "visit",
    "views": "view",
    "searches": "search",
    "cart_adds": "add_to_cart",
    "sign_ups": "sign_up",
    "downloads": "download",
    "app_opens": "app_open",
    "quote_requests": "quote_request",
    "help_views": "help_view",
}


def _count(condition: str = "true") -> str:
    return f"(SELECT count(*) FROM {known('events', condition)})"


def _typed(kind: str, number: int) -> str:
    return _count(f"type = '{kind}' AND age <= {days(number)}")


def _since_order(condition: str) -> str:
    return f"""
        SELECT CASE WHEN {LAST_ORDER} IS NOT NULL AND {_count()} > 0 THEN (
            SELECT count(*) FROM {known("events", condition)} WHERE occurred_at > {LAST_ORDER}
        ) END
    """


_OPEN_CART = f"""
    SELECT min(age) FROM {known("events", "type = 'add_to_cart'")}
    WHERE occurred_at > {LAST_ORDER} OR {LAST_ORDER} IS NULL
"""


def _trend(condition: str) -> str:
    newer = _count(f"{condition} AND age <= {days(30)}")
    older = _count(f"{condition} AND age > {days(30)} AND age <= {days(90)}")
    return if_any(EVENTS, f"SELECT {newer} - {older} / 2")


def _top_share(column: str, condition: str) -> str:
    counts = (
        f"SELECT count(*) AS n FROM {known('events', f'{column} IS NOT NULL AND {condition}')} "
        f"GROUP BY {column}"
    )
    return f"SELECT max(n) / sum(n) FROM ({counts})"


_ORDERS_LATELY = f"(SELECT count(*) FROM {COMPLETED} WHERE age <= {days(90)})"

TWINS: dict[str, str] = {
    "events_total": if_any(EVENTS, f"SELECT {_count()}"),
    "days_since_last_event": f"SELECT min(age) / 86400 FROM {EVENTS}",
    "days_since_first_event": f"SELECT max(age) / 86400 FROM {EVENTS}",
    "events_since_order": _since_order("true"),
    "is_cart_open": if_any(EVENTS, f"SELECT CASE WHEN ({_OPEN_CART}) > 0 THEN 1 ELSE 0 END"),
    "days_since_open_cart": f"SELECT ({_OPEN_CART}) / 86400",
    "cart_adds_per_view_90d": (
        f"SELECT {_typed('add_to_cart', 90)} / nullif({_typed('view', 90)}, 0)"
    ),
    "events_trend_30d": _trend("true"),
    "visits_trend_30d": _trend("type = 'visit'"),
    "orders_per_visit_90d": f"SELECT {_ORDERS_LATELY} / nullif({_typed('visit', 90)}, 0)",
    "orders_per_cart_add_90d": f"SELECT {_ORDERS_LATELY} / nullif({_typed('add_to_cart', 90)}, 0)",
    "event_days_total": if_any(
        EVENTS, f"SELECT count(DISTINCT CAST(occurred_at AS DATE)) FROM {EVENTS}"
    ),
    "products_viewed_total": if_any(VIEWED, f"SELECT count(DISTINCT product_id) FROM {VIEWED}"),
    "products_viewed_again_total": if_any(
        VIEWED,
        "SELECT count(*) FROM "
        f"(SELECT product_id FROM {VIEWED} GROUP BY product_id HAVING count(*) > 1)",
    ),
    "product_views_top_share": _top_share("product_id", "type = 'view'"),
}
NEARLY: frozenset[str] = frozenset()


def _windows(number: int) -> dict[str, str]:
    return {
        f"events_{number}d": if_any(EVENTS, f"SELECT {_count(f'age <= {days(number)}')}"),
        f"event_days_{number}d": if_any(
            EVENTS,
            "SELECT count(DISTINCT CAST(occurred_at AS DATE)) "
            f"FROM {EVENTS} WHERE age <= {days(number)}",
        ),
        **{
            f"{name}_{number}d": if_any(EVENTS, f"SELECT {_typed(kind, number)}")
            for name, kind in NAMES.items()
        },
    }


def _mix(column: str) -> dict[str, str]:
    recorded = known("events", f"{column} IS NOT NULL")
    return {
        f"event_{column}s_total": if_any(
            recorded, f"SELECT count(DISTINCT {column}) FROM {recorded}"
        ),
        f"event_{column}_top_share": _top_share(column, "true"),
        f"event_{column}_top_share_90d": _top_share(column, f"age <= {days(90)}"),
    }


for _days in (7, 30, 90):
    TWINS |= _windows(_days)
for _days in (30, 90):
    TWINS[f"products_viewed_{_days}d"] = if_any(
        VIEWED, f"SELECT count(DISTINCT product_id) FROM {VIEWED} WHERE age <= {days(_days)}"
    )
for _name, _kind in NAMES.items():
    _is_kind = f"type = '{_kind}'"
    TWINS[f"days_since_last_{_kind}"] = f"SELECT min(age) / 86400 FROM {known('events', _is_kind)}"
    if _kind not in ("app_open", "quote_request"):
        TWINS[f"{_name}_since_order"] = _since_order(_is_kind)
for _column in ("channel", "device"):
    TWINS |= _mix(_column)
