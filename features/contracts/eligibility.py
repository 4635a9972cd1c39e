"""Who may be scored: bounds on features, kept as data so that the rule travels with the model."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from features.contracts.vectors import FeatureVectors


class Rule(BaseModel):
    """A part of an eligibility rule: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Condition(Rule):
    """A bound on one feature. A null feature never satisfies it."""

    feature: str
    minimum: float | None = None
    maximum: float | None = None

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each value whether it is within the bounds."""
        held = ~np.isnan(values)
        if self.minimum is not None:
            held &= values >= self.minimum
        if self.maximum is not None:
            held &= values <= self.maximum
        return held

    def __str__(self) -> str:
        bounds = []
        if self.minimum is not None:
            bounds.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            bounds.append(f"at most {self.maximum:g}")
        return f"{self.feature} must be {' and '.join(bounds) or 'known'}"


class Eligibility(Rule):
    """Who may be scored: the one rule of training cohorts, batch and online scoring."""

    conditions: tuple[Condition, ...]

    def failed_condition(self, vectors: FeatureVectors) -> NDArray[np.int64]:
        """Return for each customer the index of the first condition that fails, or -1."""
        failed = np.full(len(vectors), -1, dtype=np.int64)
        for index, condition in reversed(list(enumerate(self.conditions))):
            values = vectors.select([condition.feature])[:, 0]
            failed[~condition.holds(values)] = index
        return failed
