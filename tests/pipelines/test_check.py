"""What `bellwether check` finds out about a project."""

import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import PROJECT_FILE, Settings, validate_settings
from pipelines.check import PAGE, RECORD, REFUSED, CheckResult, check_project, write_report
from tests.pipelines.command_line import run

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


def test_completeness_of_each_source_is_told(tmp_path: Path) -> None:
    lines = check(tmp_path, days=210).lines

    (months,) = [line for line in lines if line.startswith("  months:")]
    assert months == "  months: 2025-01 to 2025-07 without a gap"


def test_clock_of_the_project_says_how_old_rows_are(tmp_path: Path) -> None:
    settings = project(tmp_path, days=210)
    serving = settings.serving.model_copy(update={"clock": "2025-08-01"})

    result = check_project(settings.model_copy(update={"serving": serving}), Layout(tmp_path))

    (orders,) = result.completeness.sources
    assert orders.age_days == 2
    assert result.completeness.now == AsOf.parse("2025-08-01")


def test_report_holds_everything_as_json(tmp_path: Path) -> None:
    result = check(tmp_path, days=100)

    page, record = write_report(result, tmp_path / "deep" / "report", project="shop")

    assert (page.name, record.name) == (PAGE, RECORD)
    stored = json.loads(record.read_text())
    assert stored == result.to_dict()
    assert stored["ok"] is False
    assert [goal["will_do_from"] for goal in stored["goals"]] == [None, "2025-07-30T00:00:00Z"]
    assert stored["quality"]["tables"][0]["quarantined"][0]["reason"] == "guest"
    assert len(stored["completeness"]["sources"][0]["months"]) == 4


def test_command_names_the_files_of_the_report(tmp_path: Path) -> None:
    settings = project(tmp_path, days=100)
    (tmp_path / PROJECT_FILE).write_text(settings.model_dump_json(exclude_unset=True))

    ended = run("check", "--project", tmp_path, "--report", tmp_path / "report")

    assert ended.code == 3  # a goal is not carried, and yet there is a report
    assert ended.out[-3:] == [str(tmp_path / "report" / name) for name in (PAGE, RECORD, REFUSED)]
    assert all(Path(line).exists() for line in ended.out[-3:])


def test_rows_that_were_put_aside_can_be_looked_at(tmp_path: Path) -> None:
    settings = project(tmp_path, days=210)

    check_project(settings, Layout(tmp_path), report=tmp_path / "report")

    (row,) = pq.read_table(tmp_path / "report" / REFUSED).to_pylist()
    assert (row["table"], row["reason"], row["row"]) == ("orders", "guest", 121)
    assert json.loads(row["content"]) == {"who": None, "when": "2025-01-01", "paid": "5"}
    assert [file.name for file in (tmp_path / "report").iterdir()] == [REFUSED]


def test_report_that_cannot_be_written_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")

    with pytest.raises(ConfigurationError, match=r"report .* cannot be written"):
        write_report(check(tmp_path, days=100), tmp_path / "report", project="shop")
