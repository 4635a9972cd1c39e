"""Who is eligible to be scored as of a moment.

The rule is a set of bounds on features. It makes the training cohort, goes into the model card, and
is applied again by the scorer: one definition for training, batch and online.
"""

import numpy as np
from numpy.typing import NDArray

from features.contracts.eligibility import Condition, Eligibility
from features.contracts.settings import GoalSettings
from features.contracts.vectors import FeatureVectors, Presence

EVER_ORDERED = Condition(feature="orders_total", minimum=1)


def eligibility(goal: GoalSettings) -> Eligibility:
    """Return the rule of a goal: at least one order, and an order lately where the goal says so."""
    if goal.active_within_days is None:
        return Eligibility(conditions=(EVER_ORDERED,))
    recent = Condition(feature="days_since_last_order", maximum=goal.active_within_days)
    return Eligibility(conditions=(EVER_ORDERED, recent))


def eligible_rows(rule: Eligibility, vectors: FeatureVectors) -> NDArray[np.intp]:
    """Return the positions of the customers in `vectors` that are known, fresh and eligible."""
    present = vectors.presence == Presence.PRESENT
    return np.flatnonzero(present & (rule.failed_condition(vectors) < 0))
