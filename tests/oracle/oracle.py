"""The slow, obvious twin of every feature: plain Python over lists, exact numbers, no engine.

Each entry says again, in other words, what the meaning of its feature in the catalogue says. Counts
are integers, money is decimal, days and ratios are fractions: nothing is rounded on the way.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

from features.contracts.as_of import AsOf
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from tests.features.hand_made import SECOND, Row

Number = int | Decimal | Fraction | float | None
Event = Mapping[str, Any]


class Known:
    """What was known of one customer as of a moment."""

    def __init__(self, rows: Iterable[Row], customer: str, as_of: AsOf) -> None:
        self.now = as_of.moment
        own = [row for row in rows if row.values["customer_id"] == customer]
        self.rows = self._of(own, "orders", "ordered_at")
        self.orders = [row for row in self.rows if row["status"] == COMPLETED]
        self.returns = [row for row in self.rows if row["status"] == RETURNED]
        self.cancellations = [row for row in self.rows if row["status"] == CANCELLED]
        self.lines = [
            row
            for row in self._of(own, "order_lines", "ordered_at")
            if (row["quantity"] is None or row["quantity"] > 0)
            and (row["amount"] is None or row["amount"] >= 0)
        ]
        self.messages = self._of(own, "messages", "sent_at")
        self.used = [
            row["redeemed_at"]
            for row in self.messages
            if row["redeemed_at"] is not None and row["redeemed_at"] < self.now
        ]
        self.profile = self._of(own, "customers", "created_at")

    def _of(self, rows: Iterable[Row], table: str, time: str) -> list[Event]:
        found = [row.values for row in rows if row.table == table and self._is_known(row, time)]
        return sorted(found, key=lambda row: row[time] or self.now)

    def _is_known(self, row: Row, time: str) -> bool:
        happened, learnt = row.values[time], row.values["known_at"]
        return (happened is None or happened < self.now) and (learnt is None or learnt <= self.now)

    def seconds(self, time: datetime) -> int:
        """Return the whole seconds since `time`; a started second of the clock counts whole."""
        return (self.now - time.replace(microsecond=0)) // SECOND

    def days(self, time: datetime) -> Fraction:
        return Fraction(self.seconds(time), 86_400)

    def recent(self, rows: list[Event], days: int, time: str = "ordered_at") -> list[Event]:
        return [row for row in rows if self.days(row[time]) <= days]

    def order_days(self) -> int:
        return len({order["ordered_at"].date() for order in self.orders})

    def gaps(self) -> list[Fraction]:
        """Return the days from each completed order to the next, if a day or more."""
        ages = [self.days(order["ordered_at"]) for order in self.orders]
        gaps = [before - after for before, after in pairwise(ages)]
        return [gap for gap in gaps if gap >= 1]

    def last(self) -> Fraction | None:
        return min((self.days(order["ordered_at"]) for order in self.orders), default=None)

    def first(self) -> Fraction | None:
        return max((self.days(order["ordered_at"]) for order in self.orders), default=None)

    def mean_gap(self) -> Fraction | None:
        first, last, days = self.first(), self.last(), self.order_days()
        return None if first is None or last is None or days < 2 else (first - last) / (days - 1)

    def days_as_customer(self) -> Fraction:
        return max(self.first() or Fraction(0), Fraction(30))


def amounts(rows: list[Event], column: str = "amount") -> Decimal:
    return sum((row[column] for row in rows if row[column] is not None), Decimal(0))


def different(rows: list[Event], column: str) -> int:
    return len({row[column] for row in rows if row[column] is not None})


def over(dividend: Number, divisor: Number) -> Fraction | None:
    """Return the ratio, or None where there is nothing to divide, or to divide by."""
    if dividend is None or not divisor:
        return None
    return Fraction(dividend) / Fraction(divisor)


def discounted(known: Known) -> int:
    return sum(1 for order in known.orders if (order["discount"] or 0) > 0)


def weeks(known: Known, days: int) -> int:
    """Return in how many of the weeks (0 days, 7 days], (7 days, 14 days] ... there is an order."""
    ages = [known.days(order["ordered_at"]) for order in known.recent(known.orders, days)]
    counted = range(0, days, 7)
    return sum(any(start < age <= start + 7 for age in ages) for start in counted)


def decayed(known: Known, days: int) -> float:
    return math.fsum(math.exp(-known.days(order["ordered_at"]) / days) for order in known.orders)


def active_share(known: Known) -> Fraction | None:
    first, last = known.first(), known.last()
    return None if first is None or last is None else (first - last) / first


def trend(known: Known) -> Fraction:
    newer = len(known.recent(known.orders, 60))
    return newer - Fraction(len(known.recent(known.orders, 180)) - newer, 2)


def mean_amount(orders: list[Event]) -> Fraction | None:
    return over(amounts(orders), len(orders))


def lines_or_none(known: Known, count: int) -> int | None:
    return count if known.lines else None


def sorts(known: Known) -> Counter[str]:
    return Counter(row["category"] for row in known.lines if row["category"] is not None)


def messages_or_none(known: Known, count: int) -> int | None:
    return count if known.messages else None


ORACLE: dict[str, Callable[[Known], Number]] = {
    "orders_total": lambda k: len(k.orders),
    "spend_total": lambda k: amounts(k.orders),
    "order_days_total": lambda k: k.order_days(),
    "order_weeks_90d": lambda k: weeks(k, 90),
    "days_since_last_order": lambda k: k.last(),
    "days_since_first_order": lambda k: k.first(),
    "gap_days_longest": lambda k: max(k.gaps(), default=None),
    "gap_days_shortest": lambda k: min(k.gaps(), default=None),
    "gap_days_median": lambda k: median(k.gaps()) if k.gaps() else None,
    "gap_days_mean": lambda k: k.mean_gap(),
    "order_value_largest": lambda k: max((o["amount"] for o in k.orders), default=None),
    "orders_discounted_total": discounted,
    "discount_180d": lambda k: amounts(k.recent(k.orders, 180), "discount"),
    "discount_total": lambda k: amounts(k.orders, "discount"),
    "returns_total": lambda k: len(k.returns),
    "returned_total": lambda k: -amounts(k.returns),
    "cancellations_total": lambda k: len(k.cancellations),
    "channels_total": lambda k: different(k.orders, "channel"),
    "overdue_ratio": lambda k: over(k.last(), k.mean_gap()),
    "overdue_ratio_longest": lambda k: over(k.last(), max(k.gaps(), default=None)),
    "active_share": active_share,
    "order_days_per_30d": lambda k: over(k.order_days() * 30, k.days_as_customer()),
    "orders_trend_60d": trend,
    "order_value_mean": lambda k: mean_amount(k.orders),
    "order_value_mean_180d": lambda k: mean_amount(k.recent(k.orders, 180)),
    "spend_per_30d": lambda k: over(amounts(k.orders) * 30, k.days_as_customer()),
    "discounted_share": lambda k: over(discounted(k), len(k.orders)),
    "returned_share": lambda k: over(-amounts(k.returns), amounts(k.orders)),
    "lines_per_order": lambda k: over(len(k.lines) or None, different(k.lines, "order_id")),
    "products_total": lambda k: lines_or_none(k, different(k.lines, "product_id")),
    "order_lines_total": lambda k: lines_or_none(k, len(k.lines)),
    "repeat_lines_share": lambda k: over(
        len(k.lines) - different(k.lines, "product_id"), len(k.lines)
    ),
    "categories_90d": lambda k: different(k.recent(k.lines, 90), "category") if sorts(k) else None,
    "categories_total": lambda k: len(sorts(k)) or None,
    "category_top_share": lambda k: over(max(sorts(k).values(), default=None), sorts(k).total()),
    "messages_total": lambda k: messages_or_none(k, len(k.messages)),
    "campaigns_total": lambda k: messages_or_none(k, different(k.messages, "campaign_id")),
    "days_since_last_message": lambda k: min(
        (k.days(row["sent_at"]) for row in k.messages), default=None
    ),
    "redemptions_total": lambda k: messages_or_none(k, len(k.used)),
    "redemptions_90d": lambda k: messages_or_none(k, sum(k.days(at) <= 90 for at in k.used)),
    "days_since_last_redemption": lambda k: min((k.days(at) for at in k.used), default=None),
    "redemption_rate": lambda k: over(messages_or_none(k, len(k.used)), len(k.messages)),
    "days_since_created": lambda k: max(
        (k.days(row["created_at"]) for row in k.profile if row["created_at"]), default=None
    ),
    "attribute_age": lambda k: max(
        (row["attribute_age"] for row in k.profile if row["attribute_age"] is not None),
        default=None,
    ),
}


def _windows(days: int) -> dict[str, Callable[[Known], Number]]:
    return {
        f"orders_{days}d": lambda k: len(k.recent(k.orders, days)),
        f"spend_{days}d": lambda k: amounts(k.recent(k.orders, days)),
        f"orders_decayed_{days}d": lambda k: decayed(k, days),
        f"products_{days}d": lambda k: lines_or_none(
            k, different(k.recent(k.lines, days), "product_id")
        ),
        f"order_lines_{days}d": lambda k: lines_or_none(k, len(k.recent(k.lines, days))),
        f"messages_{days}d": lambda k: messages_or_none(
            k, len(k.recent(k.messages, days, "sent_at"))
        ),
    }


for _days in (7, 14, 15, 30, 60, 90, 180, 240, 365):
    ORACLE |= _windows(_days)
