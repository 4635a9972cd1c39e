"""Training sets: eligible customers x features x labels, at several as-of moments."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.cohort import eligible_rows
from features.contracts.as_of import AsOf
from features.contracts.eligibility import Eligibility
from features.contracts.errors import EmptyCohortError, FeatureVectorError, OneClassError
from features.contracts.vectors import FeatureVectors
from features.labels import Outcomes
from training.specs import GoalSpec

Values = NDArray[np.float64]

LabelReader = Callable[[tuple[str, ...], AsOf, AsOf], Outcomes]
"""Reads what happened to customers after a moment, as far as it was known at a later moment."""


@dataclass(frozen=True)
class Slice:
    """The eligible customers of one moment.

    Attributes:
        as_of: the moment.
        customer_ids: n customers.
        matrix: n x f feature values.
        event: n labels, 1 where the goal's event happened within the horizon.
        spend: n amounts spent within the horizon.
    """

    as_of: AsOf
    customer_ids: tuple[str, ...]
    matrix: Values
    event: Values
    spend: Values

    def __len__(self) -> int:
        return len(self.customer_ids)


@dataclass(frozen=True)
class TrainingSet:
    """Slices of several moments, oldest first, with the same columns."""

    columns: tuple[str, ...]
    slices: tuple[Slice, ...]

    @property
    def matrix(self) -> Values:
        """Feature values of all slices, one below the other."""
        return np.concatenate([part.matrix for part in self.slices])

    @property
    def event(self) -> Values:
        """Event labels of all slices."""
        return np.concatenate([part.event for part in self.slices])

    @property
    def spend(self) -> Values:
        """Spend labels of all slices."""
        return np.concatenate([part.spend for part in self.slices])

    def at(self, moments: Sequence[AsOf]) -> "TrainingSet":
        """Return the part of the set at `moments`."""
        wanted = set(moments)
        return TrainingSet(self.columns, tuple(s for s in self.slices if s.as_of in wanted))

    def content_hash(self) -> str:
        """Return the SHA-256 of columns, moments, customers, features and labels."""
        # JSON, because names and identifiers may hold any character that a separator could be.
        digest = hashlib.sha256(json.dumps(self.columns).encode())
        for part in self.slices:
            digest.update(json.dumps([str(part.as_of), part.customer_ids]).encode())
            for values in (part.matrix, part.event, part.spend):
                digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def make_slice(
    spec: GoalSpec,
    rule: Eligibility,
    vectors: FeatureVectors,
    *,
    as_of: AsOf,
    known_at: AsOf,
    labels: LabelReader,
) -> Slice:
    """Return the eligible customers among `vectors` with what was known at `known_at` to happen.

    Raises:
        EmptyCohortError: if nobody is eligible.
        FeatureVectorError: if a feature is infinite.
        ImmatureLabelsError: from the label reader, if the horizon has not matured.
    """
    rows = eligible_rows(rule, vectors)
    if len(rows) == 0:
        conditions = " and ".join(str(condition) for condition in rule.conditions)
        raise EmptyCohortError(
            f"nobody is eligible for {spec.goal.value} as of {as_of} ({conditions}); "
            "widen `active_within_days` of the goal or choose another moment"
        )
    customers = tuple(vectors.customer_ids[row] for row in rows)
    matrix = np.ascontiguousarray(vectors.values[rows])
    _require_finite(matrix, vectors.columns, as_of)
    outcomes = labels(customers, as_of, known_at)
    return Slice(
        as_of=as_of,
        customer_ids=customers,
        matrix=matrix,
        event=spec.event(outcomes),
        spend=outcomes.spend,
    )


def make_training_set(
    spec: GoalSpec,
    rule: Eligibility,
    vectors: Mapping[AsOf, FeatureVectors],
    moments: Sequence[AsOf],
    *,
    known_at: AsOf,
    labels: LabelReader,
) -> TrainingSet:
    """Return the training set of a goal at `moments`, with labels as known at `known_at`.

    Raises:
        EmptyCohortError: if nobody is eligible at a moment.
        FeatureVectorError: if a feature is infinite, or the features of the moments differ.
        ImmatureLabelsError: from the label reader, if a horizon has not matured.
        OneClassError: if the event happened to all or to none.
    """
    columns = vectors[moments[0]].columns
    for moment in moments:
        if vectors[moment].columns != columns:
            raise FeatureVectorError(
                f"the features as of {moment} differ from those as of {moments[0]}; "
                "build the features again with `bellwether features build`"
            )
    slices = tuple(
        make_slice(spec, rule, vectors[moment], as_of=moment, known_at=known_at, labels=labels)
        for moment in moments
    )
    training_set = TrainingSet(columns, slices)
    require_two_classes(spec, training_set)
    return training_set


def require_two_classes(spec: GoalSpec, training_set: TrainingSet) -> None:
    """Check that the event happened to some and not to others.

    Raises:
        OneClassError: if every label is the same.
    """
    event = training_set.event
    if event.min() == event.max():
        what = "all" if event.min() == 1 else "none"
        raise OneClassError(
            f"the event of {spec.goal.value} happened to {what} of {len(event)} customers; there "
            "is nothing to tell apart: change the goal's horizon_days or active_within_days"
        )


def _require_finite(matrix: Values, columns: tuple[str, ...], as_of: AsOf) -> None:
    infinite = np.flatnonzero(np.isinf(matrix).any(axis=0))
    if infinite.size:
        raise FeatureVectorError(
            f"the feature {columns[infinite[0]]} is infinite as of {as_of}; correct the values it "
            "is computed from and build the features again with `bellwether features build`"
        )
