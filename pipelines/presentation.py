"""How results look in a terminal."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from features.contracts.goals import GoalName

if TYPE_CHECKING:
    from pipelines.backtest import Backtest
    from pipelines.batch_score import BatchResult
    from pipelines.train import TrainedGoal

Metrics = Mapping[str, Mapping[str, float | int | None]]

EVENT_COLUMNS = {
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "calib. error",
    "lift_top_tenth": "top-10 % lift",
}
SPEND_COLUMNS = {
    "normalised_gini": "norm. Gini",
    "decile_error": "decile error",
    "total_bias": "bias",
    "interval_coverage": "in 80 % int.",
}

NAMES = {
    "days_since_last_order": "days since last order",
    "rfm": "RFM rule",
    "bg_nbd": "BG/NBD",
    "bg_nbd_gamma_gamma": "BG/NBD + Gamma-Gamma",
    "naive_rate": "rate so far",
}


def quality_table(goal: GoalName, horizon_days: int, metrics: Metrics) -> Table:
    """Return the model and its baselines, one row each."""
    columns = SPEND_COLUMNS if goal is GoalName.CLV else EVENT_COLUMNS
    model = metrics["model"]
    level = "mean_spend" if goal is GoalName.CLV else "base_rate"
    title = (
        f"{goal.value}, {horizon_days} days: {model['customers']:,} customers, "
        f"{level.replace('_', ' ')} {_number(model[level])}"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, values in metrics.items():
        row = [_number(values.get(metric)) for metric in columns]
        table.add_row(NAMES.get(name, name), *row, style="bold" if name == "model" else "")
    return table


def trained_tables(trained: "Iterable[TrainedGoal]") -> list[Table]:
    """Return the quality table of each trained goal that was judged."""
    return [
        quality_table(t.card.goal, t.card.horizon_days, t.card.metrics)
        for t in trained
        if t.card.metrics
    ]


def backtest_tables(result: "Backtest") -> list[Table]:
    """Return the quality table of each goal that was compared with what happened."""
    return [quality_table(g.goal, g.horizon_days, g.metrics) for g in result.goals if g.metrics]


def batch_lines(result: "BatchResult") -> list[str]:
    """Return what a batch did, one line per goal."""
    lines = [f"{result.customers:,} customers as of {result.as_of} -> {result.out}"]
    for goal, outcomes in result.outcomes.items():
        parts = ", ".join(f"{count:,} {status.value}" for status, count in outcomes.items())
        lines.append(f"{goal.value}: {parts}")
    lines += [f"{goal.value}: note: {why}" for goal, why in result.without_champion.items()]
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
