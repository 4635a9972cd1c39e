"""Columns to packed rows: one byte string per customer.

A row, in order:

    2 bytes   magic and version of the layout
    4         fingerprint of the schema
    8         event time   } microseconds since 1970, UTC, big-endian with the sign bit turned over,
    8         created time } so that newer times are greater byte strings in any store's language
    fixed     the fixed-width values and the lengths of the others, as `layout.py` lays them out
    bits      presence bits of every value that is not a float
    variable  strings, bytes and blobs, one behind the other
    4         CRC-32 of all the bytes before

A null float is a NaN with a bit pattern of its own: it needs no bit, and a matrix of rows is read
without looking at one.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.contracts.errors import FeatureStoreError
from features.online_store.layout import (
    CHECK_BYTES,
    CREATED_AT,
    EVENT_AT,
    HEADER_BYTES,
    MAGIC,
    NULL_32,
    NULL_64,
    SIGN_BIT,
    RowLayout,
    layout_of,
)
from features.online_store.schema import RowSchema, ValueType

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for a created time that is not known; older than any other."""

ARROW_TYPES = {
    ValueType.FLOAT64: pa.float64(),
    ValueType.FLOAT32: pa.float32(),
    ValueType.INT64: pa.int64(),
    ValueType.INT32: pa.int32(),
    ValueType.BOOL: pa.bool_(),
    ValueType.TIMESTAMP: pa.timestamp("us", "UTC"),
    ValueType.STRING: pa.large_string(),
    ValueType.BYTES: pa.large_binary(),
    ValueType.BLOB: pa.large_binary(),
}


def _scalar(bits: np.generic, kind: Any) -> Any:
    """Return bits as an Arrow value, without a detour on which a NaN might lose them."""
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bits.tobytes())])[0]


NULL_SCALARS = {
    kind: _scalar(bits, kind) for kind, bits in ((pa.float64(), NULL_64), (pa.float32(), NULL_32))
}


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
            (without); cast to the schema's types where that loses nothing, but timestamps are cut
            to microseconds, and those without a time zone are UTC.
        event_us: n event times in microseconds since 1970, UTC.
        created_us: n created times, `NO_TIME` (or None for all) where there is none.

    Raises:
        FeatureStoreError: if a column has another length or cannot be cast to its type.
    """
    n = len(event_us)
    arrays = [_cast(column, name, kind, n) for column, name, kind in _fields(schema, columns)]
    if n == 0:
        return []
    layout = layout_of(schema)
    rows = np.zeros((n, layout.fixed_bytes + CHECK_BYTES), dtype=np.uint8)
    created = np.full(n, NO_TIME) if created_us is None else created_us
    _write_header(rows, schema.fingerprint, event_us, created)
    _write_values(rows, layout, arrays)
    _write_presence(rows, layout, arrays)
    if layout.variable:
        return _joined(rows, layout, [arrays[i] for i in layout.variable])
    checks = np.fromiter(map(crc32, _as_bytes(rows, layout.fixed_bytes)), dtype="<u4", count=n)
    rows[:, layout.fixed_bytes :] = checks.view(np.uint8).reshape(n, CHECK_BYTES)
    return _as_bytes(rows, rows.shape[1])


def row_times(row: bytes) -> tuple[int, int]:
    """Return the event and created time of a row, in microseconds since 1970, UTC."""
    return time_from_row(row[EVENT_AT:CREATED_AT]), time_from_row(row[CREATED_AT:HEADER_BYTES])


def time_from_row(stored: bytes) -> int:
    """Return a time that was cut out of a row."""
    return int.from_bytes(stored, "big") - int(SIGN_BIT)


def time_in_row(time_us: int) -> bytes:
    """Return a time as it stands in rows, where it compares as bytes."""
    return (time_us + int(SIGN_BIT)).to_bytes(8, "big")


def stored_times(times_us: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return times as rows store them; their own inverse, but for the type."""
    return np.asarray(times_us, dtype=np.int64).view(np.uint64) ^ SIGN_BIT


def _fields(schema: RowSchema, columns: Sequence[Any]) -> Iterator[tuple[Any, str, ValueType]]:
    if len(columns) != len(schema.names):
        raise FeatureStoreError(
            f"{len(columns)} columns were given for {len(schema.names)} features; "
            "hand over one column per feature, in the order of the schema"
        )
    return zip(columns, schema.names, schema.types, strict=True)


def _cast(column: Any, name: str, kind: ValueType, n: int) -> Any:
    try:
        array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if array.type != ARROW_TYPES[kind]:
            array = array.cast(ARROW_TYPES[kind], safe=kind is not ValueType.TIMESTAMP)
    except (pa.ArrowException, TypeError) as error:
        raise FeatureStoreError(
            f"feature {name} cannot be stored as {kind.value}: {error}; "
            "declare it with the type that its source has"
        ) from error
    if len(array) != n:
        raise FeatureStoreError(
            f"feature {name} has {len(array)} values for {n} event times; hand over as many of each"
        )
    return array


def _write_header(
    rows: NDArray[np.uint8],
    fingerprint: int,
    event_us: NDArray[np.int64],
    created_us: NDArray[np.int64],
) -> None:
    start = MAGIC + fingerprint.to_bytes(4, "little")
    rows[:, :EVENT_AT] = np.frombuffer(start, dtype=np.uint8)
    for offset, times in ((EVENT_AT, event_us), (CREATED_AT, created_us)):
        big_endian = stored_times(times).astype(">u8")
        rows[:, offset : offset + 8] = big_endian.view(np.uint8).reshape(-1, 8)


def _write_values(rows: NDArray[np.uint8], layout: RowLayout, arrays: Sequence[Any]) -> None:
    for block in layout.blocks:
        target = block.view(rows)
        for place, feature in enumerate(block.features):
            target[:, place] = _numbers(arrays[feature])


def _numbers(array: Any) -> NDArray[Any]:
    if pa.types.is_floating(array.type):
        return _with_null_bits(array)
    if pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type):
        array = pc.binary_length(array)
    elif pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = array.fill_null(False if pa.types.is_boolean(array.type) else 0)
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _with_null_bits(array: Any) -> NDArray[Any]:
    """Return floats with the bits of a null where there is one, and nowhere else."""
    null = NULL_64 if pa.types.is_float64(array.type) else NULL_32
    filled = array.fill_null(NULL_SCALARS[array.type]) if array.null_count else array
    values = np.asarray(filled.to_numpy(zero_copy_only=False))
    marked = values.view(null.dtype) == null
    if np.count_nonzero(marked) != array.null_count:
        values = values.copy()
        values[marked & array.is_valid().to_numpy(zero_copy_only=False)] = np.nan
    return values


def _write_presence(rows: NDArray[np.uint8], layout: RowLayout, arrays: Sequence[Any]) -> None:
    if layout.flagged:
        flags = np.ones((len(rows), len(layout.flagged)), dtype=np.bool_)
        for bit, feature in enumerate(layout.flagged):
            if arrays[feature].null_count:
                flags[:, bit] = arrays[feature].is_valid().to_numpy(zero_copy_only=False)
        bits = np.packbits(flags, axis=1, bitorder="little")
        rows[:, layout.bits_offset : layout.fixed_bytes] = bits


def _joined(rows: NDArray[np.uint8], layout: RowLayout, variable: Sequence[Any]) -> list[bytes]:
    fixed = pa.array(_as_bytes(rows, layout.fixed_bytes), pa.large_binary())
    parts = [array.cast(pa.large_binary()).fill_null(b"") for array in variable]
    nothing = pa.scalar(b"", pa.large_binary())
    bodies = pc.binary_join_element_wise(fixed, *parts, nothing).to_pylist()
    return [body + crc32(body).to_bytes(CHECK_BYTES, "little") for body in bodies]


def _as_bytes(matrix: NDArray[np.uint8], width: int) -> list[bytes]:
    """Return the first bytes of each row of a matrix."""
    starts: list[bytes] = np.ndarray(
        (len(matrix),), f"V{width}", matrix, 0, (matrix.strides[0],)
    ).tolist()
    return starts
