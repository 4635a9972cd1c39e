"""Whether the user's data can carry the goals, and from when they will."""

from typing import Any

import pytest

from features.contracts.goals import GoalName
from features.contracts.settings import GoalSettings, TrainingSettings
from features.goal_readiness import GoalReadiness, goal_readiness, source_advice
from features.quality import QualityReport, TableQuality
from tests.features.test_quality import FIRST, quality

CHURN, CLV = GoalName.CHURN, GoalName.CLV


def ready(
    orders: TableQuality, *, goal: GoalName = CHURN, horizon: int = 90, has_amounts: bool = True
) -> GoalReadiness:
    (readiness,) = goal_readiness(
        {goal: GoalSettings(horizon_days=horizon)},
        orders,
        training=TrainingSettings(min_history_days=30),
        has_amounts=has_amounts,
    )
    return readiness


def test_two_horizons_after_the_first_moments_carry_a_goal() -> None:
    readiness = ready(quality())

    assert (readiness.goal, readiness.carried) == (CHURN, True)
    assert "100 customers" in readiness.reason
    assert readiness.will_do_from is None


def test_short_history_says_from_when_it_will_do() -> None:
    readiness = ready(quality(last_event=FIRST.plus_days(209)))

    assert not readiness.carried
    assert readiness.reason == (
        "210 days of orders are needed (30 before the first training moment, 90 until its outcome "
        "is known, 90 to test on), there are 209; data up to 2025-07-30T00:00:00Z will do, or "
        "goals.churn.horizon_days of 89 at most"
    )
    assert readiness.will_do_from == FIRST.plus_days(210)


def test_horizon_that_is_offered_is_carried() -> None:
    orders = quality(last_event=FIRST.plus_days(101))

    assert "goals.churn.horizon_days of 35 at most" in ready(orders).reason
    assert ready(orders, horizon=35).carried
    assert not ready(orders, horizon=36).carried


def test_no_horizon_is_offered_where_none_fits() -> None:
    assert "at most" not in ready(quality(last_event=FIRST.plus_days(30))).reason


def test_few_customers_carry_nothing() -> None:
    readiness = ready(quality(customers=50))

    assert not readiness.carried
    assert readiness.reason == (
        "50 customers have an order, 100 are needed; at the pace so far there will be on 2026-02-25"
    )
    assert readiness.will_do_from == FIRST.plus_days(420)


def test_value_needs_amounts() -> None:
    assert not ready(quality(), goal=CLV, has_amounts=False).carried
    assert ready(quality(), goal=CLV, has_amounts=False).will_do_from is None
    assert "map `amount`" in ready(quality(), goal=CLV, has_amounts=False).reason
    assert ready(quality(), goal=CLV).carried
    assert ready(quality(), goal=CHURN, has_amounts=False).carried


def test_all_that_is_short_is_told_at_once() -> None:
    readiness = ready(
        quality(customers=5, first_event=None, last_event=None), goal=CLV, has_amounts=False
    )

    assert readiness.reason.count(";") == 2
    assert readiness.reason.endswith("there are no orders")


def advice(**events: Any) -> list[str]:
    orders = quality(last_event=FIRST.plus_days(400))
    table = quality(table="events", origin="events.csv", **events)
    customers = quality(table="customers", first_event=None, last_event=None)
    return source_advice(
        {CHURN: GoalSettings(horizon_days=30), CLV: GoalSettings(horizon_days=90)},
        QualityReport((customers, orders, table)),
        TrainingSettings(min_history_days=30),
    )


def test_source_that_goes_as_far_as_the_orders_needs_no_advice() -> None:
    assert advice(last_event=FIRST.plus_days(393)) == []


def test_source_that_stopped_is_told() -> None:
    (line,) = advice(last_event=FIRST.plus_days(380))

    assert line.startswith("events: the newest row is 20 days older than the newest order")


@pytest.mark.parametrize(("start", "told"), [(105, False), (191, True), (300, True)])
def test_source_that_starts_late_is_told_with_the_day_from_when_it_will_do(
    start: int, told: bool
) -> None:
    lines = advice(first_event=FIRST.plus_days(start), last_event=FIRST.plus_days(400))

    day = str(FIRST.plus_days(start + 210))[:10]
    assert [f"from {day} on they can teach" in line for line in lines] == [True] * told


def test_source_without_a_usable_row_is_told() -> None:
    (line,) = advice(first_event=None, last_event=None)

    assert line == "events: events.csv has no usable row: its features say nothing"
