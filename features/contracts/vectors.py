"""Feature vectors: what the feature store hands to the scorer, online and in batch alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from features.contracts.errors import FeatureVectorError

FloatMatrix = NDArray[np.float64]

SNAPSHOT_EPOCH = "snapshot_epoch_seconds"
"""Column of every snapshot: its moment in seconds since 1970. Never null for a known customer."""


class Presence(IntEnum):
    """What the store knew about a customer: told apart from a null feature, which is NaN."""

    PRESENT = 0
    UNKNOWN_CUSTOMER = 1
    STALE = 2


@dataclass(frozen=True)
class FeatureVectors:
    """Feature values of n customers, in the order they were asked for.

    Attributes:
        customer_ids: n identifiers.
        columns: names of the f features, in the order of the matrix columns.
        values: n x f, float64 in C order; NaN where a feature is null or the customer unknown.
        presence: n values of `Presence`.
        features_as_of: n moments (datetime64[us], UTC) the features speak of; NaT when unknown.

    Raises:
        FeatureVectorError: if the shapes do not agree.
    """

    customer_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatMatrix
    presence: NDArray[np.int8]
    features_as_of: NDArray[np.datetime64]

    def __post_init__(self) -> None:
        n = len(self.customer_ids)
        if self.values.shape != (n, len(self.columns)):
            raise FeatureVectorError(
                f"feature matrix is {self.values.shape}, but there are {n} customers "
                f"and {len(self.columns)} columns"
            )
        if self.presence.shape != (n,) or self.features_as_of.shape != (n,):
            raise FeatureVectorError("presence and features_as_of need one value per customer")

    def __len__(self) -> int:
        return len(self.customer_ids)

    def select(self, columns: Sequence[str]) -> FloatMatrix:
        """Return the values of `columns`, in that order.

        Raises:
            FeatureVectorError: if a column is not among the features.
        """
        if tuple(columns) == self.columns:
            return self.values
        position = {name: i for i, name in enumerate(self.columns)}
        missing = [name for name in columns if name not in position]
        if missing:
            raise FeatureVectorError(
                f"features {', '.join(missing)} are not in the feature vectors; "
                "build the features again with `bellwether features build`"
            )
        return np.ascontiguousarray(self.values[:, [position[name] for name in columns]])
