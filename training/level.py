"""Is the level of the business moving? What no model can foresee is at least said beforehand."""

import numpy as np

from features.contracts.as_of import AsOf
from training.dataset import TrainingSet

YEAR_DAYS = 365
RELATIVE_MOVE = 0.1
"""A level that moved by more than this between the oldest and newest moments is reported."""
SLICES_COMPARED = 3


def level_warnings(
    training_set: TrainingSet, horizon_days: int, as_of: AsOf, first_event: AsOf
) -> tuple[str, ...]:
    """Return what a user must know about level and season before the outcome is known."""
    return (
        *_season_warnings(horizon_days, as_of, first_event),
        *_move_warnings(training_set),
    )


def _season_warnings(horizon_days: int, as_of: AsOf, first_event: AsOf) -> tuple[str, ...]:
    history = as_of.days_since(first_event)
    if history >= YEAR_DAYS:
        return ()
    return (
        f"history of {history:.0f} days does not contain the coming {horizon_days} days of the "
        "year: a season that was never seen cannot be foreseen, and levels may be off",
    )


def _move_warnings(training_set: TrainingSet) -> tuple[str, ...]:
    slices = training_set.slices
    if len(slices) < 2 * SLICES_COMPARED:
        return ()
    old = float(np.mean([part.event.mean() for part in slices[:SLICES_COMPARED]]))
    new = float(np.mean([part.event.mean() for part in slices[-SLICES_COMPARED:]]))
    if abs(new - old) <= RELATIVE_MOVE * max(old, 1e-9):
        return ()
    return (
        f"the level is moving: the event rate went from {old:.3f} to {new:.3f} over the training "
        "moments, so chances may be off by as much again",
    )
