"""The slow, obvious twins of the features of orders."""

from tests.oracle.harness import known

ORDERS = known("orders")
COMPLETED = known("orders", "status = 'completed'")

TWINS: dict[str, str] = {
    "orders_total": f"SELECT count(*) FROM {COMPLETED}",
    "spend_total": f"SELECT coalesce(sum(amount), 0) FROM {COMPLETED}",
    "days_since_last_order": f"SELECT min(age) / 86400 FROM {COMPLETED}",
}
NEARLY: frozenset[str] = frozenset()


def _windows(days: int) -> dict[str, str]:
    recent = f"FROM {COMPLETED} WHERE age <= {days} * 86400"
    return {
        f"orders_{days}d": f"SELECT count(*) {recent}",
        f"spend_{days}d": f"SELECT coalesce(sum(amount), 0) {recent}",
    }


for _days in (7, 14, 30, 60, 90, 180, 365):
    TWINS |= _windows(_days)
