"""What to do about drift: nothing, look at it, or retrain, with the reasons in words."""

from enum import StrEnum

from monitoring.drift import DRIFTED_SHARE
from monitoring.results import ColumnDrift, DriftResult, Record, WindowSummary


class AlertLevel(StrEnum):
    """What the findings ask for, from nothing to a new model."""

    OK = "ok"
    WARN = "warn"
    RETRAIN = "retrain"


class AlertThresholds(Record):
    """From where on findings ask for something."""

    warn_share: float = 0.1
    """Share of drifted features that is worth a look."""
    retrain_share: float = DRIFTED_SHARE
    """Share of drifted features that asks for a new model."""
    retrain_score: float = 0.25
    """PSI of the score that asks for a new model (0.25 is the conventional large shift)."""
    refused_jump: float = 0.05
    """Rise of the share of customers without a score that is worth a look."""
    few_rows: int = 500
    """Windows with fewer rows show large changes only, which is noted."""


class Alert(Record):
    """A level, why, and what else to know."""

    level: AlertLevel
    reasons: tuple[str, ...]
    """Why the level is not `ok`; empty when it is."""
    notes: tuple[str, ...] = ()
    """What changes no level, but how to read the findings."""


class DriftReport(Record):
    """What is stored about one goal: the alert and the findings behind it."""

    alert: Alert
    drift: DriftResult


_Finding = tuple[AlertLevel, str]
_SEVERITY = list(AlertLevel)


def assess(drift: DriftResult, thresholds: AlertThresholds | None = None) -> Alert:
    """Return what `drift` asks for.

    A broken column never asks for a new model, which would learn the fault: until it is repaired,
    the level is `warn` at most.
    """
    limits = thresholds or AlertThresholds()
    broken = [column for column in (*drift.columns, drift.score) if column.broken]
    findings = [
        *_broken_columns(broken),
        *_drifted_features(drift, limits),
        *_drifted_score(drift, limits),
        *_refusals(drift, limits),
    ]
    level = max((level for level, _ in findings), key=_SEVERITY.index, default=AlertLevel.OK)
    return Alert(
        level=min(level, AlertLevel.WARN, key=_SEVERITY.index) if broken else level,
        reasons=tuple(reason for _, reason in findings),
        notes=(*_model_change(drift), *_few_rows(drift, limits)),
    )


def _broken_columns(broken: list[ColumnDrift]) -> list[_Finding]:
    return [
        (AlertLevel.WARN, f"{column.name}: {column.note}; repair its source before retraining")
        for column in broken
    ]


def _drifted_features(drift: DriftResult, limits: AlertThresholds) -> list[_Finding]:
    share = drift.share_drifted
    if share < limits.warn_share:
        return []
    level = AlertLevel.RETRAIN if share >= limits.retrain_share else AlertLevel.WARN
    names = [column.name for column in drift.drifted]
    most = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [(level, f"{share:.0%} of the features drifted, most of all {most}")]


def _drifted_score(drift: DriftResult, limits: AlertThresholds) -> list[_Finding]:
    score = drift.score
    if not score.drifted or score.statistic is None:
        return []
    words = f"the score drifted: PSI {score.statistic:.2f}, threshold {score.threshold:.2f}"
    if _changed_models(drift):
        # Scores of two models differ even for the same customers: no reason for a third model.
        return [(AlertLevel.WARN, f"{words}, but its model changed too")]
    large = score.statistic >= limits.retrain_score
    return [(AlertLevel.RETRAIN if large else AlertLevel.WARN, words)]


def _refusals(drift: DriftResult, limits: AlertThresholds) -> list[_Finding]:
    then, now = (sum(w.refused_shares.values()) for w in (drift.reference, drift.current))
    if now - then < limits.refused_jump:
        return []
    rises = {
        status: share - drift.reference.refused_shares.get(status, 0.0)
        for status, share in drift.current.refused_shares.items()
    }
    most = max(rises, key=lambda status: rises[status])
    words = f"customers without a score rose from {then:.0%} to {now:.0%}, mostly {most.value}"
    return [(AlertLevel.WARN, words)]


def _changed_models(drift: DriftResult) -> bool:
    return set(drift.reference.model_versions) != set(drift.current.model_versions)


def _model_change(drift: DriftResult) -> list[str]:
    if not _changed_models(drift):
        return []
    then, now = (_versions(window) for window in (drift.reference, drift.current))
    return [f"the model changed from version {then} to {now} between the windows"]


def _versions(window: WindowSummary) -> str:
    return ", ".join(window.model_versions) or "unknown"


def _few_rows(drift: DriftResult, limits: AlertThresholds) -> list[str]:
    rows = min(drift.reference.rows, drift.current.rows)
    if rows >= limits.few_rows:
        return []
    return [f"a window has only {rows} rows, so only large changes can be told from chance"]
