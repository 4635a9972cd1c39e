import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName, ScoreStatus
from features.contracts.layout import Layout
from features.contracts.settings import Settings, validate_settings
from features.contracts.vectors import FeatureVectors, Presence
from monitoring.alerts import AlertLevel, DriftReport
from pipelines.monitor import DriftOutcome, monitor_drift
from serving.score_log import ScoreLog
from serving.scorer import GoalScores, Scores

pytestmark = pytest.mark.integration

JANUARY, FEBRUARY = AsOf.parse("2026-01-01"), AsOf.parse("2026-02-01")
CUSTOMERS = 600


@pytest.fixture(scope="module")
def settings() -> Settings:
    columns = {name: name for name in ("order_id", "customer_id", "ordered_at", "amount")}
    content = {
        "version": 1,
        "timezone": "UTC",
        "data": {"tables": {"orders": {"path": "orders.parquet", "columns": columns}}},
        "goals": {"churn": {"horizon_days": 28}},
    }
    return validate_settings(content, "test")


def log_scores(
    layout: Layout,
    as_of: AsOf,
    *,
    factor: float = 1.0,
    wanted: tuple[GoalName, ...] = (GoalName.CHURN, GoalName.CLV),
) -> None:
    """Log scores of a churn and a CLV model with the real writer."""
    random = np.random.default_rng(int(as_of.moment.timestamp()))
    spend = factor * random.lognormal(3, 1, CUSTOMERS)
    customers = tuple(f"c{i:04d}" for i in range(CUSTOMERS))
    moments = np.full(CUSTOMERS, np.datetime64(as_of.naive_utc, "us"))
    vectors = FeatureVectors(
        customer_ids=customers,
        columns=("spend_30d", "visits_7d"),
        values=np.column_stack([spend, random.poisson(2, CUSTOMERS).astype(np.float64)]),
        presence=np.full(CUSTOMERS, Presence.PRESENT, dtype=np.int8),
        features_as_of=moments,
    )
    goals = {goal: goal_scores(goal, spend) for goal in wanted}
    scores = Scores(customers, as_of, moments, goals)
    ScoreLog(layout.score_log).write_now(
        scores, vectors, request_id=f"batch {as_of}", scored_at=as_of.moment + timedelta(hours=1)
    )


def goal_scores(goal: GoalName, spend: np.ndarray) -> GoalScores:
    nothing = np.full(CUSTOMERS, np.nan)
    return GoalScores(
        goal=goal,
        model_version="1",
        status=(ScoreStatus.SCORED,) * CUSTOMERS,
        details=(None,) * CUSTOMERS,
        probability=1 / (1 + spend) if goal is GoalName.CHURN else nothing,
        expected_value=2 * spend if goal is GoalName.CLV else nothing,
        lower=nothing,
        upper=nothing,
        percentile=np.linspace(0, 100, CUSTOMERS),
        band=("middle",) * CUSTOMERS,
    )


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("drifted"))
    log_scores(layout, JANUARY)
    log_scores(layout, FEBRUARY, factor=4.0)
    return layout


@pytest.fixture(scope="module")
def outcomes(drifted: Layout, settings: Settings) -> list[DriftOutcome]:
    return monitor_drift(settings, drifted)


def test_every_goal_of_the_log_gets_a_page_and_a_record(
    outcomes: list[DriftOutcome], drifted: Layout
) -> None:
    written = sorted(path.name for path in (drifted.reports / "drift").iterdir())

    assert written == ["churn.html", "churn.json", "clv.html", "clv.json"]
    assert [outcome.goal for outcome in outcomes] == [GoalName.CHURN, GoalName.CLV]


def test_the_drifted_feature_and_score_are_found(outcomes: list[DriftOutcome]) -> None:
    for outcome in outcomes:
        drift = outcome.report.drift
        assert [column.name for column in drift.drifted] == ["spend_30d"]
        assert outcome.report.alert.level is AlertLevel.RETRAIN
    assert [o.report.drift.score.name for o in outcomes] == ["probability", "expected_value"]


def test_the_record_is_what_was_returned(outcomes: list[DriftOutcome]) -> None:
    text = outcomes[0].record.read_text(encoding="utf-8")

    assert DriftReport.model_validate_json(text) == outcomes[0].report
    assert json.loads(text)["drift"]["reference"]["start"] == "2026-01-01T00:00:00Z"


def test_the_page_starts_with_the_alert(outcomes: list[DriftOutcome]) -> None:
    page = outcomes[0].page.read_text(encoding="utf-8")

    assert "<title>Drift of churn: retrain</title>" in page
    body = page[page.index("<body>") :]
    assert body.index("most of all spend_30d") < body.index("<script")


def test_the_lines_say_what_was_compared_and_why(outcomes: list[DriftOutcome]) -> None:
    assert outcomes[0].lines[0] == (
        "churn: retrain; 1 of 2 features drifted between 2026-01-01 00:00 (600 customers) "
        "and 2026-02-01 00:00 (600 customers)"
    )
    assert outcomes[0].lines[1] == "50% of the features drifted, most of all spend_30d"


def test_one_goal_and_a_folder_can_be_chosen(
    drifted: Layout, settings: Settings, tmp_path: Path
) -> None:
    found = monitor_drift(settings, drifted, goal=GoalName.CLV, out=tmp_path / "here")

    assert [outcome.goal for outcome in found] == [GoalName.CLV]
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["clv.html", "clv.json"]


def test_ranges_choose_the_windows(drifted: Layout, settings: Settings, tmp_path: Path) -> None:
    (outcome,) = monitor_drift(
        settings,
        drifted,
        goal=GoalName.CHURN,
        reference=(FEBRUARY, FEBRUARY.plus_days(2)),
        current=(JANUARY, JANUARY.plus_days(2)),
        out=tmp_path,
    )

    assert outcome.report.drift.reference.start == FEBRUARY.moment
    assert outcome.report.drift.current.start == JANUARY.moment


def test_an_empty_log_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="is empty; score customers first"):
        monitor_drift(settings, Layout(tmp_path))


def test_a_single_moment_is_refused(settings: Settings, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    log_scores(layout, JANUARY)

    with pytest.raises(
        HistoryError, match=r"needs two as-of moments, .* holds 1 .* another moment"
    ):
        monitor_drift(settings, layout)


def test_a_goal_with_a_single_moment_holds_up_no_other(settings: Settings, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    log_scores(layout, JANUARY, wanted=(GoalName.CLV,))
    log_scores(layout, FEBRUARY)

    with capture_logs() as logged:
        outcomes = monitor_drift(settings, layout)

    assert [outcome.goal for outcome in outcomes] == [GoalName.CLV]
    assert [(entry["event"], entry["goal"]) for entry in logged] == [
        ("drift_not_compared", "churn")
    ]


def test_a_goal_that_was_never_scored_is_refused(drifted: Layout, settings: Settings) -> None:
    with pytest.raises(HistoryError, match="no purchase_propensity scores, only churn, clv"):
        monitor_drift(settings, drifted, goal=GoalName.PURCHASE_PROPENSITY)


def test_a_folder_that_cannot_be_written_is_refused(
    drifted: Layout, settings: Settings, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        monitor_drift(settings, drifted, goal=GoalName.CHURN, out=taken)
