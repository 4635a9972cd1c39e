"""What `bellwether check` finds out about a project."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from features.contracts.errors import SourceError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import Settings, validate_settings
from pipelines.check import CheckResult, check_project

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def project(tmp_path: Path, *, days: int, amount: bool = True) -> Settings:
    """120 customers with an order each, spread over so many days; one more row is a guest's."""
    orders = [f"{n},{date(2025, 1, 1) + timedelta(days=n * days // 119)},{n}" for n in range(120)]
    (tmp_path / "orders.csv").write_text("\n".join(["who,when,paid", *orders, ",2025-01-01,5"]))
    columns = {"customer_id": "who", "ordered_at": "when"} | ({"amount": "paid"} if amount else {})
    content = {
        "version": 1,
        "timezone": "UTC",
        "data": {"tables": {"orders": {"path": "orders.csv", "columns": columns}}},
        "goals": {"churn": {"horizon_days": 28}, "clv": {"horizon_days": 90}},
    }
    return validate_settings(content, "test")


def check(tmp_path: Path, *, days: int, amount: bool = True) -> CheckResult:
    return check_project(project(tmp_path, days=days, amount=amount), Layout(tmp_path))


def test_project_whose_goals_are_all_carried_is_ok(tmp_path: Path) -> None:
    result = check(tmp_path, days=210)

    assert result.ok
    assert result.lines[0] == "orders (orders.csv): 121 rows read: 120 kept, 1 quarantined"
    assert "  quarantined: 1 with no customer id" in result.lines
    assert result.lines[-2].startswith("churn: ready: 120 customers")
    assert result.lines[-1].startswith("clv: ready: 120 customers")


def test_goal_that_is_not_carried_is_told_with_what_is_short(tmp_path: Path) -> None:
    result = check(tmp_path, days=100)

    assert not result.ok
    assert [goal.carried for goal in result.goals] == [True, False]
    assert result.lines[-1].startswith("clv: not yet: 210 days of orders are needed")


def test_value_without_amounts_is_not_carried(tmp_path: Path) -> None:
    result = check(tmp_path, days=210, amount=False)

    assert {goal.goal: goal.carried for goal in result.goals} == {
        GoalName.CHURN: True,
        GoalName.CLV: False,
    }


def test_project_without_its_data_is_an_error(tmp_path: Path) -> None:
    settings = project(tmp_path, days=210)
    (tmp_path / "orders.csv").unlink()

    with pytest.raises(SourceError, match=r"there is no file orders\.csv"):
        check_project(settings, Layout(tmp_path))
