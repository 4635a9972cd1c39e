"""How rows of one schema become the columns of numbers that a reader wants."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contracts.vectors import FloatMatrix
from features.online_store.layout import NULL_32, NULL_64, Block, RowLayout
from features.online_store.schema import RowSchema
from features.online_store.whole_rows import RowGroup

NULL_NUMBER = NULL_64.view(np.float64)
"""Stands for every null in a matrix, whatever the type it was stored in."""


@dataclass(frozen=True)
class _Take:
    """Which values of a block go into which columns, and which bits tell their presence."""

    block: Block
    source: NDArray[np.intp]
    target: NDArray[np.intp]
    bits: NDArray[np.intp]


class MatrixPlan:
    """Takes wanted numbers out of rows of one schema.

    Attributes:
        stored: f booleans: rows of the schema have the wanted feature, in the wanted type.
        retyped: how many of the wanted features they have in another type.
    """

    def __init__(self, schema: RowSchema, layout: RowLayout, wanted: RowSchema) -> None:
        shared = schema.shared_with(wanted)
        self.stored = np.array([name in shared for name in wanted.names], dtype=np.bool_)
        self.retyped = len(schema.retyped_in(wanted))
        self._takes = [
            take for block in layout.blocks for take in _takes(block, schema, layout, wanted)
        ]

    def numbers(self, group: RowGroup) -> FloatMatrix:
        """Return k x f numbers of k rows."""
        values = np.full((len(group.rows), len(self.stored)), np.nan)
        for take in self._takes:
            numbers = take.block.view(group.fixed)[:, take.source]
            values[:, take.target] = numbers
            if take.block.dtype != "<f8":  # their nulls have the bits of a null already
                rows, places = np.nonzero(_nulls(numbers, take, group))
                values[rows, take.target[places]] = NULL_NUMBER
        return values

    def block_in_order(self) -> tuple[Block, NDArray[np.intp] | None] | None:
        """Return the one block of doubles that has every wanted feature, if there is such a one.

        With it come the places of the wanted features in it, None if it is the matrix as it stands.
        """
        if len(self._takes) != 1 or not self.stored.all() or self._takes[0].block.dtype != "<f8":
            return None
        take = self._takes[0]
        order = take.source[np.argsort(take.target)]
        is_matrix = np.array_equal(order, np.arange(len(take.block.features)))
        return take.block, None if is_matrix else order


def presence_bits(group: RowGroup) -> NDArray[np.uint8]:
    """Return k rows of presence bits, 0 or 1, in the order of the layout's flagged features."""
    packed = group.fixed[:, group.layout.bits_offset : group.layout.fixed_bytes]
    return np.unpackbits(packed, axis=1, bitorder="little")


def _takes(
    block: Block, schema: RowSchema, layout: RowLayout, wanted: RowSchema
) -> Iterator[_Take]:
    shared = schema.shared_with(wanted)
    bit_of = {feature: bit for bit, feature in enumerate(layout.flagged)}
    used = [
        (place, wanted.place[schema.names[feature]], bit_of.get(feature, 0))
        for place, feature in enumerate(block.features)
        if schema.names[feature] in shared
    ]
    if used:
        source, target, bits = np.array(used, dtype=np.intp).T
        yield _Take(block, source, target, bits)


def _nulls(numbers: NDArray[np.generic], take: _Take, group: RowGroup) -> NDArray[np.bool_]:
    if take.block.dtype == "<f4":
        return np.asarray(numbers.view(np.uint32) == NULL_32)
    return np.asarray(presence_bits(group)[:, take.bits] == 0)
