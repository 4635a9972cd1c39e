"""How results look in a terminal."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName

if TYPE_CHECKING:
    from features.online_store.row_store import ViewStatus
    from features.store import StoreStatus
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


def store_lines(status: "StoreStatus") -> list[str]:
    """Return what the feature store holds, in lines."""
    customers = f"{status.online_customers:,} customers"
    lines = [
        f"newest snapshot: {status.newest_snapshot or 'none'}",
        f"online as of: {status.online_as_of or 'none'} ({customers})",
    ]
    for view, online in status.online.items():
        lines += _view_lines(view, online)
    lines += [f"{service}: {len(columns)} features" for service, columns in status.services.items()]
    return lines


def _view_lines(view: str, online: "ViewStatus") -> list[str]:
    if online.oldest_event_us is None or online.newest_event_us is None:
        return [f"{view}: no rows"]
    oldest, newest = _moment(online.oldest_event_us), _moment(online.newest_event_us)
    sample = "" if online.looked_at == online.rows else f" (of {online.looked_at:,} looked at)"
    lines = [f"{view}: {online.rows:,} rows, features from {oldest} to {newest}{sample}"]
    lines += [
        f"{view}: {rows:,} rows of schema version {fingerprint:08x}{sample}"
        for fingerprint, rows in sorted(online.rows_by_fingerprint.items())
    ]
    if online.refreshing is not None:
        lines.append(f"{view}: a refresh is under way, or was cut short: build again to finish it")
    return lines


def _moment(micros: int) -> AsOf:
    return AsOf(datetime.fromtimestamp(micros / 1_000_000, UTC))


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
