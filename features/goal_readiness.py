"""Whether the data can carry the goals, and if not, what is short and from when it will do."""

from collections.abc import Mapping
from typing import NamedTuple

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from features.contracts.settings import GoalSettings, TrainingSettings
from features.quality import QualityReport, TableQuality

MIN_CUSTOMERS = 100
"""Fewer customers than this teach a model nothing that would hold for the next ones."""

STALE_DAYS = 7
"""A source whose newest row is so much older than the newest order has probably stopped."""


class GoalReadiness(NamedTuple):
    """Whether the data can carry a goal, why not, and from when they will if they go on so."""

    goal: GoalName
    carried: bool
    reason: str
    will_do_from: AsOf | None = None


class _Shortage(NamedTuple):
    """What is short, and from when it will not be; None where waiting does not help."""

    words: str
    until: AsOf | None = None


def goal_readiness(
    goals: Mapping[GoalName, GoalSettings],
    orders: TableQuality,
    *,
    training: TrainingSettings,
    has_amounts: bool,
) -> list[GoalReadiness]:
    """Return for each goal whether the orders can carry it, with what is short if they cannot.

    A goal needs `training.min_history_days` before its first training moment, one horizon after it
    so that the outcome is known, and one more to test on; at least 100 customers with an order; and
    amounts if it is about value.
    """
    readiness = []
    for name, goal in goals.items():
        short = [*_amounts(name, has_amounts=has_amounts), *_customers(orders)]
        short += _history(name, goal, orders, training)
        reason = "; ".join(each.words for each in short) or _enough(goal, orders)
        waits = [each.until for each in short]
        until = max((moment for moment in waits if moment), default=None)
        readiness.append(GoalReadiness(name, not short, reason, None if None in waits else until))
    return readiness


def source_advice(
    goals: Mapping[GoalName, GoalSettings], report: QualityReport, training: TrainingSettings
) -> list[str]:
    """Return what the other sources cannot tell the goals yet, or no longer."""
    orders = report.table("orders")
    horizon = max(goal.horizon_days for goal in goals.values())
    needed = training.min_history_days + 2 * horizon
    advice = []
    for table in report.tables:
        if table.table in ("orders", "customers"):  # customers are of no time
            continue
        advice += _advice(table, orders, needed)
    return advice


def _advice(table: TableQuality, orders: TableQuality, needed: float) -> list[str]:
    if table.first_event is None or table.last_event is None:
        return [f"{table.table}: {table.origin} has no usable row: its features say nothing"]
    if orders.first_event is None or orders.last_event is None:
        return []
    advice = []
    behind = orders.last_event.days_since(table.last_event)
    if behind > STALE_DAYS:
        advice.append(
            f"{table.table}: the newest row is {behind:,.0f} days older than the newest order; "
            "if the source has stopped, the goals learn from it what will not go on"
        )
    full = table.first_event.plus_days(needed)
    if table.first_event.days_since(orders.first_event) > needed / 2 and full > orders.last_event:
        advice.append(
            f"{table.table}: there are rows only from {_day(table.first_event)} on, so early "
            f"training moments see none; from {_day(full)} on they can teach as much as the orders"
        )
    return advice


def _amounts(name: GoalName, *, has_amounts: bool) -> list[_Shortage]:
    if name is not GoalName.CLV or has_amounts:
        return []
    return [_Shortage("orders have no amount: map `amount` under data.tables.orders.columns")]


def _customers(orders: TableQuality) -> list[_Shortage]:
    if orders.customers >= MIN_CUSTOMERS:
        return []
    words = f"{orders.customers} customers have an order, {MIN_CUSTOMERS} are needed"
    if orders.first_event is None or orders.last_event is None or not orders.customers:
        return [_Shortage(words)]
    days = orders.last_event.days_since(orders.first_event)
    if days < 1:
        return [_Shortage(words)]
    until = orders.first_event.plus_days(days * MIN_CUSTOMERS / orders.customers)
    return [_Shortage(f"{words}; at the pace so far there will be on {_day(until)}", until)]


def _history(
    name: GoalName, goal: GoalSettings, orders: TableQuality, training: TrainingSettings
) -> list[_Shortage]:
    if orders.first_event is None or orders.last_event is None:
        return [_Shortage("there are no orders")]
    needed = training.min_history_days + 2 * goal.horizon_days
    days = orders.last_event.days_since(orders.first_event)
    if days >= needed:
        return []
    until = orders.first_event.plus_days(needed)
    words = (
        f"{needed} days of orders are needed ({training.min_history_days} before the first "
        f"training moment, {goal.horizon_days} until its outcome is known, "
        f"{goal.horizon_days} to test on), there are {days:.0f}; data up to {until} will do"
    )
    return [_Shortage(words + _shorter_horizon(name, days, training), until)]


def _shorter_horizon(name: GoalName, days: float, training: TrainingSettings) -> str:
    longest = int((days - training.min_history_days) // 2)
    if longest < 1:
        return ""
    return f", or goals.{name.value}.horizon_days of {longest} at most"


def _enough(goal: GoalSettings, orders: TableQuality) -> str:
    return (
        f"{orders.customers:,} customers from {orders.first_event} to {orders.last_event} "
        f"carry a horizon of {goal.horizon_days} days"
    )


def _day(moment: AsOf) -> str:
    return str(moment)[:10]
