import math
from pathlib import Path

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.request_time import RequestTime, RequestTimePlan, Step, load_plan, save_plan

T1 = AsOf.parse("2026-03-01")
T2 = AsOf.parse("2026-03-02T06:00:01+00:00")
PASSED = 30 * 3600 + 1
COLUMNS = ("days_since_last_order", "gap_days_mean", "month", "overdue_ratio", "orders_30d")

PLAN = RequestTimePlan(
    ages=("days_since_last_order",),
    calendar=("month",),
    steps=(
        Step("column", ("days_since_last_order",)),
        Step("column", ("gap_days_mean",)),
        Step("divide", (0, 1)),
        Step("column", ("month",)),
        Step("number", (None,)),
        Step("coalesce", (4, 3)),
    ),
    derived={"overdue_ratio": 2, "same_month": 5},
)


def request_time(plan: RequestTimePlan = PLAN) -> RequestTime:
    return RequestTime(plan, lambda as_of: {"month": float(as_of.moment.month)})


def seconds(*moments: AsOf | None) -> np.ndarray:
    return np.array([m.moment.timestamp() if m else np.nan for m in moments])


def row(days: float, *rest: float) -> list[float]:
    return [days, *rest]


def test_days_since_grow_by_the_time_that_has_passed() -> None:
    stored = np.array([row(5 / 86_400, 2.0, 2.0, 0.1, 7.0)])

    (now,) = request_time().forward(COLUMNS, stored, seconds(T1), T2)

    assert now.tolist() == [
        (5 + PASSED) / 86_400,
        2.0,
        3.0,
        ((5 + PASSED) / 86_400) / 2.0,
        7.0,
    ]


def test_what_is_stored_as_of_the_moment_keeps_every_bit() -> None:
    stored = np.array([[0.1, 0.3, 2.0, 99.0, -0.0], [math.pi, 1.0, 12.0, 1e-300, 1.0]])

    now = request_time().forward(COLUMNS, stored, seconds(T1, T1), T1)

    assert now.tobytes() == stored.tobytes()


def test_rows_move_from_their_own_moments_and_stored_values_are_left_alone() -> None:
    stored = np.array([row(1.0, 1.0, 1.0, 1.0, 1.0)] * 3)
    before = stored.copy()

    now = request_time().forward(COLUMNS, stored, seconds(T1, T2, None), T2)

    assert now[0, 0] == 1 + PASSED / 86_400
    assert now[1].tolist() == before[1].tolist()
    assert now[2].tolist() == before[2].tolist()
    assert stored.tobytes() == before.tobytes()


def test_nulls_stay_null() -> None:
    stored = np.array([row(np.nan, 2.0, 2.0, np.nan, 7.0)])

    (now,) = request_time().forward(COLUMNS, stored, seconds(T1), T2)

    assert np.isnan(now[[0, 3]]).all()


def test_features_of_a_later_moment_are_not_taken_back() -> None:
    stored = np.array([row(1.0, 1.0, 1.0, 1.0, 1.0)])

    assert request_time().forward(COLUMNS, stored, seconds(T2), T1).tolist() == stored.tolist()


def test_a_plan_names_the_columns_that_others_are_derived_from() -> None:
    assert PLAN.reads(["overdue_ratio"]) == (
        "overdue_ratio",
        "days_since_last_order",
        "gap_days_mean",
    )
    assert PLAN.reads(["same_month", "orders_30d"]) == ("same_month", "orders_30d")
    assert PLAN.moving == {"days_since_last_order", "month", "overdue_ratio", "same_month"}


def test_columns_that_nothing_reads_need_not_be_there() -> None:
    columns = ("overdue_ratio", "days_since_last_order", "gap_days_mean")

    (now,) = request_time().forward(columns, np.array([[9.0, 1.0, 4.0]]), seconds(T1), T2)

    assert now[0] == (1 + PASSED / 86_400) / 4.0


def test_a_calendar_feature_is_derived_from_without_being_stored() -> None:
    (now,) = request_time().forward(("same_month",), np.array([[1.0]]), seconds(T1), T2)

    assert now.tolist() == [3.0]


def test_a_derived_feature_without_its_inputs_is_refused() -> None:
    with pytest.raises(FeatureStoreError, match="gap_days_mean"):
        request_time().forward(
            ("overdue_ratio", "days_since_last_order"), np.zeros((1, 2)), seconds(T1), T2
        )


def test_a_calendar_that_is_not_that_of_the_plan_is_refused() -> None:
    with pytest.raises(FeatureStoreError, match="no month any more"):
        RequestTime(PLAN, lambda _: {}).forward(
            ("orders_30d", "month"), np.ones((1, 2)), seconds(T1), T2
        )


def test_the_calendar_is_that_of_each_request() -> None:
    now, stored = request_time(), np.array([[1.0]])
    months = [
        now.forward(("month",), stored, seconds(T1), AsOf.parse(day))[0, 0]
        for day in ("2026-04-01", "2026-05-01", "2026-04-01")
    ]

    assert months == [4.0, 5.0, 4.0]


def test_a_plan_survives_a_file() -> None:
    path = Path("state") / "request_time.json"
    save_plan(PLAN, path)

    assert load_plan(path) == PLAN
    assert [file.name for file in path.parent.iterdir()] == ["request_time.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1}', "cannot be read"),
        (
            '{"format": 1, "ages": [], "calendar": [], "steps": [["explode", []]], "derived": {}}',
            "no operation 'explode'",
        ),
        (
            '{"format": 1, "ages": [], "calendar": [], "steps": [["negate", [0]]], "derived": {}}',
            "does not follow",
        ),
        (
            '{"format": 1, "ages": [], "calendar": [], "steps": [], "derived": {"x": 0}}',
            "has no step",
        ),
    ],
    ids=["no json", "other format", "parts missing", "unknown", "circular", "nowhere"],
)
def test_a_damaged_plan_is_refused(text: str, said: str) -> None:
    with pytest.raises(FeatureStoreError, match=said):
        RequestTimePlan.from_json(text)
