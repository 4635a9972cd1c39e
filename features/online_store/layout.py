"""Where each value stands in a packed row: the values of one type lie side by side.

So a whole batch of rows is read as a few strided NumPy blocks, without a loop over the values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from features.online_store.schema import RowSchema, ValueType

MAGIC = b"\xb7\x01"
"""What every row starts with; the second byte is the version of the layout."""

FINGERPRINT_AT = 2
EVENT_AT = 6
CREATED_AT = 14
HEADER_BYTES = 22
CHECK_BYTES = 4

SIGN_BIT = np.uint64(1 << 63)
"""Turned over in stored times, so that byte strings order like the times they stand for."""

NULL_64 = np.uint64(0x7FF8_0000_4E75_6C6C)
"""The NaN that stands for a null, in 64 bits; other NaNs are values that are not a number."""

NULL_32 = np.uint32(0x7FC0_4E75)
"""The same in 32 bits."""

DTYPES: Mapping[ValueType, str] = {
    ValueType.FLOAT64: "<f8",
    ValueType.INT64: "<i8",
    ValueType.TIMESTAMP: "<i8",
    ValueType.FLOAT32: "<f4",
    ValueType.INT32: "<i4",
    ValueType.STRING: "<u4",
    ValueType.BYTES: "<u4",
    ValueType.BLOB: "<u4",
    ValueType.BOOL: "u1",
}
"""How a value stands in the fixed part; of values of variable length it is the length."""

BLOCK_ORDER = ("<f8", "<i8", "<f4", "<i4", "<u4", "u1")


@dataclass(frozen=True)
class Block:
    """Values of one NumPy type, side by side.

    Attributes:
        dtype: their type.
        offset: where in the row they start.
        features: positions in the schema, in the order of the values.
    """

    dtype: str
    offset: int
    features: tuple[int, ...]

    @property
    def end(self) -> int:
        """Where in the row they end."""
        return self.offset + len(self.features) * np.dtype(self.dtype).itemsize

    def view(self, rows: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Return the block of n rows, given as n x width bytes, as n x k values: a view."""
        shape = (len(rows), len(self.features))
        strides = (rows.strides[0], np.dtype(self.dtype).itemsize)
        return np.ndarray(shape, self.dtype, rows, self.offset, strides)


@dataclass(frozen=True)
class RowLayout:
    """Where the parts of the rows of one schema are.

    Attributes:
        blocks: the values, by type.
        flagged: positions in the schema of the features with a presence bit, in bit order.
        bits_offset: where the presence bits start.
        fixed_bytes: where the fixed part ends, and with it the row, but for what is variable.
        variable: positions in the schema of the values of variable length, in the order they lie.
    """

    blocks: tuple[Block, ...]
    flagged: tuple[int, ...]
    bits_offset: int
    fixed_bytes: int
    variable: tuple[int, ...]


@lru_cache(maxsize=256)
def layout_of(schema: RowSchema) -> RowLayout:
    """Return the layout of rows of a schema."""
    by_dtype = {
        dtype: tuple(i for i, kind in enumerate(schema.types) if DTYPES[kind] == dtype)
        for dtype in BLOCK_ORDER
    }
    used = {dtype: features for dtype, features in by_dtype.items() if features}
    sizes = [np.dtype(dtype).itemsize * len(features) for dtype, features in used.items()]
    *offsets, bits_offset = accumulate(sizes, initial=HEADER_BYTES)
    flagged = tuple(i for i, kind in enumerate(schema.types) if not kind.is_float)
    return RowLayout(
        blocks=tuple(
            Block(dtype, offset, features)
            for (dtype, features), offset in zip(used.items(), offsets, strict=True)
        ),
        flagged=flagged,
        bits_offset=bits_offset,
        fixed_bytes=bits_offset + (len(flagged) + 7) // 8,
        variable=tuple(i for i, kind in enumerate(schema.types) if kind.is_variable),
    )
