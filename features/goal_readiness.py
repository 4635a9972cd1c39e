"""Whether the data can carry the goals, and if not, what is short and from when it will do."""

from collections.abc import Mapping
from typing import NamedTuple

from features.contracts.goals import GoalName
from features.contracts.settings import GoalSettings, TrainingSettings
from features.quality import TableQuality

MIN_CUSTOMERS = 100
"""Fewer customers than this teach a model nothing that would hold for the next ones."""


class GoalReadiness(NamedTuple):
    """Whether the data can carry a goal, and why not."""

    goal: GoalName
    carried: bool
    reason: str


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
        short = _shortages(name, goal, orders, training, has_amounts=has_amounts)
        readiness.append(GoalReadiness(name, not short, "; ".join(short) or _enough(goal, orders)))
    return readiness


def _shortages(
    name: GoalName,
    goal: GoalSettings,
    orders: TableQuality,
    training: TrainingSettings,
    *,
    has_amounts: bool,
) -> list[str]:
    short = []
    if name is GoalName.CLV and not has_amounts:
        short.append("orders have no amount: map `amount` under data.tables.orders.columns")
    if orders.customers < MIN_CUSTOMERS:
        short.append(f"{orders.customers} customers have an order, {MIN_CUSTOMERS} are needed")
    if orders.first_event is None or orders.last_event is None:
        return [*short, "there are no orders"]
    needed = training.min_history_days + 2 * goal.horizon_days
    days = orders.last_event.days_since(orders.first_event)
    if days < needed:
        short.append(
            f"{needed} days of orders are needed ({training.min_history_days} before the first "
            f"training moment, {goal.horizon_days} until its outcome is known, "
            f"{goal.horizon_days} to test on), there are {days:.0f}; data up to "
            f"{orders.first_event.plus_days(needed)} will do"
            + _shorter_horizon(name, days, training)
        )
    return short


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
