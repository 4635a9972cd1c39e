from datetime import timedelta

import pytest

from features.contracts.goals import GoalName, ScoreStatus
from monitoring.alerts import Alert, AlertLevel, AlertThresholds, DriftReport, assess
from monitoring.results import ColumnDrift, DriftResult, WindowSummary
from tests.monitoring.planted import FEBRUARY, JANUARY


def column(name: str, statistic: float, *, broken: str | None = None) -> ColumnDrift:
    return ColumnDrift(
        name=name,
        kind="score" if name == "probability" else "feature",
        method="psi",
        statistic=statistic,
        threshold=0.1,
        drifted=statistic >= 0.1 or broken is not None,
        broken=broken is not None,
        null_share_reference=0.0,
        null_share_current=0.0,
        mean_reference=1.0,
        mean_current=1.0,
        note=broken,
    )


def summary(version: str, refused: dict[ScoreStatus, float] | None, rows: int) -> WindowSummary:
    moment = (JANUARY if version == "1" else FEBRUARY).moment
    return WindowSummary(
        start=moment,
        end=moment + timedelta(seconds=1),
        moments=1,
        rows=rows,
        model_versions=(version,),
        refused_shares=refused or {},
    )


def result(
    *,
    drifted: int = 0,
    score: float = 0.0,
    broken: str | None = None,
    refused: tuple[dict[ScoreStatus, float], dict[ScoreStatus, float]] | None = None,
    version: str = "1",
    rows: int = 5000,
) -> DriftResult:
    columns = [column(f"orders_{i}d", 0.2 + i / 100 if i < drifted else 0.0) for i in range(9)]
    columns.append(column("visits_30d", 0.0, broken=broken))
    then, now = refused or (None, None)
    return DriftResult(
        goal=GoalName.CHURN,
        reference=summary("1", then, rows),
        current=summary(version, now, rows),
        columns=tuple(columns),
        score=column("probability", score),
        share_drifted=sum(c.drifted for c in columns) / len(columns),
        sample_rows=20_000,
        seed=1,
    )


def test_nothing_moved_is_ok_without_a_word() -> None:
    assert assess(result()) == Alert(level=AlertLevel.OK, reasons=())


@pytest.mark.parametrize(
    ("drifted", "level"),
    [
        (0, AlertLevel.OK),
        (1, AlertLevel.WARN),
        (2, AlertLevel.WARN),
        (3, AlertLevel.RETRAIN),
        (9, AlertLevel.RETRAIN),
    ],
)
def test_the_share_of_drifted_features_decides(drifted: int, level: AlertLevel) -> None:
    assert assess(result(drifted=drifted)).level is level


def test_the_reason_names_what_drifted_most() -> None:
    (reason,) = assess(result(drifted=4)).reasons

    assert reason == (
        "40% of the features drifted, most of all orders_3d, orders_2d, orders_1d, ..."
    )


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.05, AlertLevel.OK), (0.15, AlertLevel.WARN), (0.4, AlertLevel.RETRAIN)],
)
def test_a_drifted_score_decides_by_its_size(score: float, level: AlertLevel) -> None:
    assert assess(result(score=score)).level is level


def test_the_reason_of_a_drifted_score_gives_its_numbers() -> None:
    assert assess(result(score=0.4)).reasons == ("the score drifted: PSI 0.40, threshold 0.10",)


def test_a_score_of_another_model_is_no_reason_to_retrain() -> None:
    alert = assess(result(score=0.9, version="2"))

    assert alert.level is AlertLevel.WARN
    assert alert.reasons[0].endswith("but its model changed too")
    assert alert.notes == ("the model changed from version 1 to 2 between the windows",)


def test_a_changed_model_alone_is_only_noted() -> None:
    alert = assess(result(version="2"))

    assert (alert.level, alert.reasons, len(alert.notes)) == (AlertLevel.OK, (), 1)


def test_a_broken_column_asks_for_repair_and_holds_retraining_back() -> None:
    alert = assess(result(drifted=5, score=0.9, broken="all null in current"))

    assert alert.level is AlertLevel.WARN
    assert alert.reasons[0] == (
        "visits_30d: all null in current; repair its source before retraining"
    )
    assert len(alert.reasons) == 3


@pytest.mark.parametrize(("now", "level"), [(0.13, AlertLevel.OK), (0.3, AlertLevel.WARN)])
def test_a_jump_of_refusals_is_worth_a_look(now: float, level: AlertLevel) -> None:
    then = {ScoreStatus.NOT_ELIGIBLE: 0.1}
    current = {ScoreStatus.NOT_ELIGIBLE: 0.1, ScoreStatus.FEATURES_STALE: now - 0.1}

    assert assess(result(refused=(then, current))).level is level


def test_the_reason_of_refusals_names_what_rose() -> None:
    then = {ScoreStatus.NOT_ELIGIBLE: 0.2}
    current = {ScoreStatus.NOT_ELIGIBLE: 0.2, ScoreStatus.FEATURES_STALE: 0.15}

    assert assess(result(refused=(then, current))).reasons == (
        "customers without a score rose from 20% to 35%, mostly features_stale",
    )


def test_fewer_refusals_are_no_alarm() -> None:
    assert assess(result(refused=({ScoreStatus.NOT_ELIGIBLE: 0.5}, {}))).level is AlertLevel.OK


def test_small_windows_are_noted() -> None:
    assert assess(result(rows=30)).notes == (
        "a window has only 30 rows, so only large changes can be told from chance",
    )


def test_thresholds_can_be_chosen() -> None:
    strict = AlertThresholds(warn_share=0.05, retrain_share=0.1)

    assert assess(result(drifted=1), strict).level is AlertLevel.RETRAIN


def test_a_report_survives_json() -> None:
    drift = result(drifted=3, version="2")
    report = DriftReport(alert=assess(drift), drift=drift)

    assert DriftReport.model_validate_json(report.model_dump_json()) == report
