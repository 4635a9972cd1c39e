"""Cutting time: which as-of moments a model may learn from, and which one calibrates it.

Worked example, knowledge as of 2018-01-01, horizon 28 days, a moment every 14 days:

* the newest moment whose labels have matured is 2017-12-04; it calibrates;
* the model that is calibrated learns from moments up to 2017-11-06, so that its last label window
  ends just as the calibration moment begins: that gap of one horizon is the embargo;
* the final model then learns from all moments up to 2017-12-04 and keeps the calibration.
"""

from dataclasses import dataclass

from features.contracts.as_of import AsOf
from features.contracts.errors import HistoryError
from features.contracts.settings import TrainingSettings


@dataclass(frozen=True)
class Split:
    """As-of moments of one training, oldest first.

    Attributes:
        fit: moments that the final model learns from; their labels have matured.
        calibration: the newest of them, which calibrates.
        embargoed_fit: moments whose labels ended before `calibration`; empty if history is short.
    """

    fit: tuple[AsOf, ...]
    calibration: AsOf
    embargoed_fit: tuple[AsOf, ...]


def step_days(horizon_days: int, settings: TrainingSettings) -> float:
    """Return the days between moments: about `step_days`, and a whole fraction of the horizon.

    So the moments of a training as of T and of one a horizon earlier lie on the same grid. Half of
    the moments reach back over one horizon, so that enough of them are left beyond the embargo.
    """
    per_horizon = round(horizon_days / settings.step_days)
    return horizon_days / max(1, min(per_horizon, settings.moments // 2))


def make_split(
    as_of: AsOf, *, horizon_days: int, first_event: AsOf, settings: TrainingSettings
) -> Split:
    """Return the moments to learn from with what was known at `as_of`.

    Raises:
        HistoryError: if no moment has both some history before it and a matured horizon after it.
    """
    step = step_days(horizon_days, settings)
    newest = as_of.plus_days(-horizon_days)
    earliest = first_event.plus_days(settings.min_history_days)
    candidates = (newest.plus_days(-step * k) for k in range(settings.moments))
    fit = tuple(reversed([moment for moment in candidates if moment >= earliest]))
    if not fit:
        enough = earliest.plus_days(horizon_days)
        raise HistoryError(
            f"as of {as_of} no horizon of {horizon_days} days has matured that begins at least "
            f"{settings.min_history_days} days after the first order ({first_event}); "
            f"train as of {enough} or later, or shorten the horizon"
        )
    latest_embargoed = newest.plus_days(-horizon_days)
    return Split(
        fit=fit,
        calibration=newest,
        embargoed_fit=tuple(moment for moment in fit if moment <= latest_embargoed),
    )
