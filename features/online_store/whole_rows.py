"""Telling whole rows from broken ones, and sorting them by the schema they were written with."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from features.online_store.layout import (
    CHECK_BYTES,
    CREATED_AT,
    EVENT_AT,
    FINGERPRINT_AT,
    HEADER_BYTES,
    MAGIC,
    SIGN_BIT,
    RowLayout,
    layout_of,
)
from features.online_store.schema import RowSchema

WHOLE = 0x2144DF1C
"""CRC-32 of any bytes that end in their own CRC-32, lowest byte first."""


@dataclass(frozen=True)
class RowGroup:
    """Whole rows of one schema.

    Attributes:
        schema: the schema.
        rows: k rows.
        places: their k positions among the rows that were asked for.
    """

    schema: RowSchema
    rows: Sequence[bytes]
    places: Sequence[int]

    @cached_property
    def layout(self) -> RowLayout:
        """Where the values are."""
        return layout_of(self.schema)

    @cached_property
    def fixed(self) -> NDArray[np.uint8]:
        """The rows as k x width bytes, at least as far as their fixed part goes."""
        if self.layout.variable:
            width = self.layout.fixed_bytes
            joined = b"".join([row[:width] for row in self.rows])
        else:
            width = self.layout.fixed_bytes + CHECK_BYTES
            joined = b"".join(self.rows)
        return np.ndarray((len(self.rows), width), np.uint8, joined)

    def times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the event and created times, microseconds since 1970, UTC."""
        shape, strides = (len(self.rows), 2), (self.fixed.strides[0], CREATED_AT - EVENT_AT)
        stored = np.ndarray(shape, ">u8", self.fixed, EVENT_AT, strides).astype(np.uint64)
        times = (stored ^ SIGN_BIT).view(np.int64)
        return times[:, 0], times[:, 1]


def whole_rows(
    rows: Sequence[bytes | None], schemas: Mapping[int, RowSchema]
) -> tuple[list[RowGroup], int]:
    """Return the whole rows, by schema, and the number of refused ones.

    Refused is what was cut short or altered, and what is of an unknown layout or schema.
    """
    groups, refused = [], 0
    for head, places in _places_by_head(rows).items():
        own = [rows[place] for place in places] if len(places) < len(rows) else rows
        schema = schemas.get(int.from_bytes(head[FINGERPRINT_AT:], "little"))
        if schema is None or not head.startswith(MAGIC):
            refused += len(places)
            continue
        group = _whole(RowGroup(schema, own, places))  # type: ignore[arg-type] # no None has a head
        refused += len(places) - len(group.places)
        groups.append(group)
    return [group for group in groups if group.rows], refused


def has_unknown_schema(rows: Sequence[bytes | None], schemas: Mapping[int, RowSchema]) -> bool:
    """Return whether a row is of a schema that is not among `schemas`."""
    heads = {row[:EVENT_AT] for row in rows if row is not None}
    return any(
        head.startswith(MAGIC) and int.from_bytes(head[FINGERPRINT_AT:], "little") not in schemas
        for head in heads
    )


def _places_by_head(rows: Sequence[bytes | None]) -> Mapping[bytes, Sequence[int]]:
    heads = {row and row[:EVENT_AT] for row in rows}
    if len(heads) == 1 and (head := next(iter(heads))) is not None:
        return {head: range(len(rows))}
    by_head = defaultdict(list)
    for place, row in enumerate(rows):
        if row is not None:
            by_head[row[:EVENT_AT]].append(place)
    return by_head


def _whole(group: RowGroup) -> RowGroup:
    """Return the group without its broken rows."""
    widths = _widths(group)
    checks = list(map(crc32, group.rows))
    lengths = list(map(len, group.rows))
    if checks.count(WHOLE) == len(checks) and all(map(widths.__contains__, set(lengths))):
        return group
    kept = [
        number
        for number, (check, length) in enumerate(zip(checks, lengths, strict=True))
        if check == WHOLE and length in widths
    ]
    return RowGroup(
        group.schema,
        [group.rows[number] for number in kept],
        [group.places[number] for number in kept],
    )


def _widths(group: RowGroup) -> range:
    least = max(group.layout.fixed_bytes, HEADER_BYTES) + CHECK_BYTES
    return range(least, 1 << 62) if group.layout.variable else range(least, least + 1)
