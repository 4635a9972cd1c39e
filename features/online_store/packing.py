"""Columns to packed rows: one byte string per customer.

A row, in order:

    2 bytes   magic and version of the layout
    4         fingerprint of the schema
    8         event time   } microseconds since 1970, UTC, big-endian with the sign bit turned over,
    8         created time } so that newer times are greater byte strings in any store's language
    fixed     the fixed-width values and the lengths of the others, as `layout.py` lays them out
    variable  strings, bytes and blobs, one behind the other
    4         CRC-32 of all the bytes before

A null float is a NaN with a bit pattern of its own; every other type has a presence bit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.online_store.schema import RowSchema

NO_TIME = np.iinfo(np.int64).min
"""Stands for a created time that is not known; older than any other."""

Column = "pa.Array[Any] | pa.ChunkedArray[Any] | NDArray[Any]"


def pack(
    schema: RowSchema,
    columns: Sequence[Any],
    event_us: NDArray[np.int64],
    created_us: NDArray[np.int64] | None = None,
) -> list[bytes]:
    """Return n packed rows.

    Args:
        schema: names and types of the f features.
        columns: f columns of n values in the order of the schema, Arrow (with nulls) or NumPy
            (without); cast to the schema's types where that loses nothing.
        event_us: n event times in microseconds since 1970, UTC.
        created_us: n created times, `NO_TIME` (or None for all) where there is none.

    Raises:
        FeatureStoreError: if a column has another length or cannot be cast to its type.
    """
    raise NotImplementedError


def row_times(row: bytes) -> tuple[int, int]:
    """Return the event and created time of a row, in microseconds since 1970, UTC."""
    raise NotImplementedError
