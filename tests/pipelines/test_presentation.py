import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from features.contracts.goals import GoalName, ScoreStatus
from pipelines.backtest import Backtest, GoalBacktest
from pipelines.batch_score import BatchResult
from pipelines.presentation import (
    EVENT_COLUMNS,
    SPEND_COLUMNS,
    backtest_tables,
    batch_lines,
    quality_table,
    trained_tables,
)
from pipelines.train import TrainedGoal
from tests.fakes import make_card
from tests.pipelines.projects import CLOCK

CHURN, CLV = GoalName.CHURN, GoalName.CLV
CHURN_METRICS: dict[str, dict[str, float | int | None]] = {
    "model": {"customers": 2464, "base_rate": 0.1372, "auc": 0.8584, "log_loss": 0.2909},
    "rfm": {"customers": 2464, "base_rate": 0.1372, "auc": 0.8278, "log_loss": None},
    "a_new_baseline": {"auc": 0.5},
}
CLV_METRICS: dict[str, dict[str, float | int | None]] = {
    "model": {"customers": 10, "mean_spend": 151.9, "normalised_gini": 0.8, "total_bias": -0.035},
}


def shown(table: Table, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO, see above
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


def found(goal: GoalName, metrics: dict[str, dict[str, Any]]) -> GoalBacktest:
    return GoalBacktest(goal, 28, None, metrics, (), "backtest-1", {})


def test_table_says_whom_it_is_about_and_shows_the_model_with_its_baselines() -> None:
    assert shown(quality_table(CHURN, 28, CHURN_METRICS)) == [
        "churn, 28 days: 2,464 customers, base rate 0.137",
        "AUC log loss calib. error top-10 % lift",
        "model 0.858 0.291",
        "RFM rule 0.828",
        "a_new_baseline 0.500",
    ]


def test_value_is_told_in_its_own_metrics() -> None:
    assert shown(quality_table(CLV, 365, CLV_METRICS)) == [
        "clv, 365 days: 10 customers, mean spend 151.900",
        "norm. Gini decile error bias in 80 % int.",
        "model 0.800 -0.035",
    ]


@pytest.mark.parametrize(("goal", "columns"), [(CHURN, EVENT_COLUMNS), (CLV, SPEND_COLUMNS)])
def test_full_table_fits_a_narrow_terminal(goal: GoalName, columns: Sequence[str]) -> None:
    everything = dict.fromkeys([*columns, "base_rate", "mean_spend"], -1234.5) | {"customers": 1}
    table = quality_table(goal, 28, {"model": everything, "bg_nbd_gamma_gamma": everything})

    assert "…" not in "".join(shown(table, width=80))


def test_goals_that_were_not_judged_have_no_table(tmp_path: Path) -> None:
    judged = make_card(CHURN).model_copy(update={"metrics": CHURN_METRICS})
    unjudged = make_card(CLV).model_copy(update={"metrics": {}})

    tables = trained_tables([TrainedGoal(card, "1", tmp_path) for card in (judged, unjudged)])

    assert [str(table.title).split(",")[0] for table in tables] == ["churn"]


def test_goals_that_were_not_compared_have_no_table(tmp_path: Path) -> None:
    result = Backtest(CLOCK, tmp_path, 5, (found(CLV, CLV_METRICS), found(CHURN, {})))

    assert [str(table.title).split(",")[0] for table in backtest_tables(result)] == ["clv"]


def test_batch_tells_counts_and_reasons(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    outcomes = {
        CHURN: {ScoreStatus.SCORED: 1200, ScoreStatus.NOT_ELIGIBLE: 34},
        CLV: {ScoreStatus.MODEL_UNAVAILABLE: 1234},
    }
    result = BatchResult(CLOCK, out, 1234, outcomes, {CLV: "no champion; run: this"})

    assert batch_lines(result) == [
        f"1,234 customers as of 1998-04-01T00:00:00Z -> {out}",
        "churn: 1,200 scored, 34 not_eligible",
        "clv: 1,234 model_unavailable",
        "clv: note: no champion; run: this",
    ]
