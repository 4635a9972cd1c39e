"""Packed rows to columns. A row that is not whole is refused and counted, never a wrong number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contracts.vectors import FloatMatrix
from features.online_store.schema import RowSchema


@dataclass(frozen=True)
class RowMatrix:
    """Numbers of n customers, read from their rows.

    Attributes:
        values: n x f, float64 in C order; NaN wherever there is no number.
        stored: n x f, whether the customer's row knows the feature at all: false for a customer
            without a row, and for a feature that was added or retyped after the row was written.
        known: n, whether there is a row.
        event_us: n event times, microseconds since 1970, UTC; `NO_TIME` without a row.
        created_us: n created times, likewise.
        refused: rows that were corrupt, or of a schema nobody knows. They count as no row.
        retyped: values not used because the row holds the feature in another type.
    """

    values: FloatMatrix
    stored: NDArray[np.bool_]
    known: NDArray[np.bool_]
    event_us: NDArray[np.int64]
    created_us: NDArray[np.int64]
    refused: int
    retyped: int


@dataclass(frozen=True)
class RowColumns:
    """Values of n customers by feature, for whoever needs more than numbers.

    Attributes:
        values: per feature n values: a NumPy array of its type (timestamps as int64 microseconds),
            or a list of str or bytes; where `present` is false the value means nothing.
        present: per feature, n booleans: there is a value, which is not null.
        stored: per feature, n booleans: the row knows the feature, be it null.
        known: as in `RowMatrix`, and so the rest.
    """

    values: Mapping[str, NDArray[Any] | list[Any]]
    present: Mapping[str, NDArray[np.bool_]]
    stored: Mapping[str, NDArray[np.bool_]]
    known: NDArray[np.bool_]
    event_us: NDArray[np.int64]
    created_us: NDArray[np.int64]
    refused: int
    retyped: int


def unpack_matrix(
    rows: Sequence[bytes | None], wanted: RowSchema, schemas: Mapping[int, RowSchema]
) -> RowMatrix:
    """Return the features in `wanted`, in that order, as numbers.

    Args:
        rows: n rows, None where the store has none.
        wanted: the features the reader wants, with the types it expects; all of them numbers,
            booleans (0 and 1) or timestamps (microseconds, exact up to the year 2255).
        schemas: the schemas of the view by fingerprint.

    Raises:
        FeatureStoreError: if a wanted feature is not a number.
    """
    raise NotImplementedError


def unpack_columns(
    rows: Sequence[bytes | None], wanted: RowSchema, schemas: Mapping[int, RowSchema]
) -> RowColumns:
    """Return the features in `wanted`, each in its own type. Arguments as in `unpack_matrix`."""
    raise NotImplementedError
