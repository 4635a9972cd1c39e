"""Schemas, values and rows for the tests of the online store."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from features.online_store.packing import ARROW_TYPES, pack
from features.online_store.schema import RowSchema, ValueType

DAY_US = 86_400_000_000

TWO_FLOATS = RowSchema.of({"orders_30d": ValueType.FLOAT64, "spend_30d": ValueType.FLOAT64})

EVERY_TYPE = RowSchema.of({f"a_{kind.value}": kind for kind in reversed(ValueType)})

MICROSECONDS = st.integers(-(2**63), 2**63 - 1)

VALUES: dict[ValueType, st.SearchStrategy[Any]] = {
    ValueType.FLOAT64: st.floats(),
    ValueType.FLOAT32: st.floats(width=32),
    ValueType.INT64: st.integers(-(2**63), 2**63 - 1),
    ValueType.INT32: st.integers(-(2**31), 2**31 - 1),
    ValueType.BOOL: st.booleans(),
    ValueType.TIMESTAMP: MICROSECONDS,
    ValueType.STRING: st.text(),
    ValueType.BYTES: st.binary(),
    ValueType.BLOB: st.binary(max_size=300),
}


def column(kind: ValueType, values: Sequence[Any]) -> "pa.Array[Any]":
    """Return values (None for null) as an Arrow array of a type."""
    if kind is ValueType.TIMESTAMP:
        return pa.array(values, pa.int64()).view(ARROW_TYPES[kind])
    return pa.array(values, ARROW_TYPES[kind], from_pandas=False)


def pack_values(
    schema: RowSchema, customers: Sequence[Sequence[Any]], event_us: Sequence[int] | None = None
) -> list[bytes]:
    """Return one row per customer, from their values in the order of the schema."""
    columns = [
        column(kind, [values[place] for values in customers])
        for place, kind in enumerate(schema.types)
    ]
    times = np.zeros(len(customers)) if event_us is None else event_us
    return pack(schema, columns, np.asarray(times, dtype=np.int64))


def float_rows(first: Sequence[float], *, event_us: int = 0, created_us: int = 0) -> list[bytes]:
    """Return rows of `TWO_FLOATS` with these values of the first feature, and of one moment."""
    n = len(first)
    values = np.asarray(first, dtype=np.float64)
    return pack(TWO_FLOATS, [values, -values], np.full(n, event_us), np.full(n, created_us))
