"""Packed rows to columns. A row that is not whole is refused and counted, never a wrong number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FloatMatrix
from features.online_store.layout import (
    CHECK_BYTES,
    CREATED_AT,
    EVENT_AT,
    NULL_32,
    NULL_64,
    Block,
    RowLayout,
)
from features.online_store.matrix_plan import MatrixPlan, presence_bits
from features.online_store.packing import NO_TIME
from features.online_store.schema import RowSchema, ValueType
from features.online_store.whole_rows import WHOLE, RowGroup, whole_rows


class RowMatrix(NamedTuple):
    """Numbers of n customers, read from their rows.

    Attributes:
        values: n x f, float64 in C order; NaN wherever there is no number.
        stored: n x f, whether the customer's row knows the feature at all, be it null: false for a
            customer without a row, and for a feature added or retyped after the row was written.
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

    @property
    def null(self) -> NDArray[np.bool_]:
        """Whether each feature is stored and null (n x f); a NaN stored as such is not."""
        return np.asarray(self.values.view(np.uint64) == NULL_64)


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


class MatrixUnpacker:
    """Reads rows as numbers, and remembers per schema how. Threads may share one.

    Args:
        wanted: the f features, in the order of the matrix, with the types they are expected in.

    Raises:
        FeatureStoreError: if a wanted feature is not a number.
    """

    def __init__(self, wanted: RowSchema) -> None:
        for name, kind in zip(wanted.names, wanted.types, strict=True):
            if kind.is_variable:
                raise FeatureStoreError(
                    f"feature {name} is a {kind.value}, not a number; read it as a column instead"
                )
        self._wanted = wanted
        self._plans: dict[int, MatrixPlan] = {}
        self._short_ways: dict[bytes, _ShortWay] = {}

    def unpack(self, rows: Sequence[bytes | None], schemas: Mapping[int, RowSchema]) -> RowMatrix:
        """Return the numbers in n rows (None where there is none), given the view's schemas."""
        heads = {row and row[:EVENT_AT] for row in rows}
        if len(heads) == 1:
            short_way = self._short_ways.get(heads.pop() or b"")
            if short_way is not None:
                answer = short_way.unpack(rows)  # type: ignore[arg-type] # no None has a head
                if answer is not None:
                    return answer
        groups, refused = whole_rows(rows, schemas)
        return self._put_together(len(rows), groups, refused)

    def _put_together(self, n: int, groups: Sequence[RowGroup], refused: int) -> RowMatrix:
        shape = (n, len(self._wanted.names))
        answer = RowMatrix(
            values=np.full(shape, np.nan),
            stored=np.zeros(shape, dtype=np.bool_),
            known=np.zeros(n, dtype=np.bool_),
            event_us=np.full(n, NO_TIME),
            created_us=np.full(n, NO_TIME),
            refused=refused,
            retyped=sum(len(group.rows) * self._plan(group).retyped for group in groups),
        )
        for group in groups:
            plan, places = self._plan(group), np.asarray(group.places)
            answer.values[places] = plan.numbers(group)
            answer.stored[places] = plan.stored
            answer.known[places] = True
            answer.event_us[places], answer.created_us[places] = group.times()
        return answer

    def _plan(self, group: RowGroup) -> MatrixPlan:
        fingerprint = group.schema.fingerprint
        if fingerprint not in self._plans:
            plan = MatrixPlan(group.schema, group.layout, self._wanted)
            self._plans[fingerprint] = plan
            found = plan.block_in_order()
            if found is not None and not group.layout.variable:
                head = group.rows[0][:EVENT_AT]
                self._short_ways[head] = _ShortWay(group.layout, *found, len(plan.stored))
        return self._plans[fingerprint]


_TURNED = np.array(NO_TIME)


class _ShortWay:
    """Reads rows that are all there, whole, of one schema and doubles alone: the usual case."""

    def __init__(
        self, layout: RowLayout, block: Block, order: NDArray[np.intp] | None, features: int
    ) -> None:
        self._width = layout.fixed_bytes + CHECK_BYTES
        self._offset = block.offset
        self._numbers = len(block.features)
        self._order = order
        self._all_stored = b"\1" * features

    def unpack(self, rows: Sequence[bytes]) -> RowMatrix | None:
        """Return the numbers, or None if a row is broken: then the long way tells which."""
        width, n = self._width, len(rows)
        if set(map(crc32, rows)) != {WHOLE} or set(map(len, rows)) != {width}:
            return None
        joined = b"".join(rows)
        block = np.ndarray((n, self._numbers), "<f8", joined, self._offset, (width, 8))
        values = block if self._order is None else block.take(self._order, axis=1)
        stored_times = np.ndarray((2, n), ">i8", joined, EVENT_AT, (CREATED_AT - EVENT_AT, width))
        event_us, created_us = np.bitwise_xor(stored_times, _TURNED)
        return RowMatrix(
            values.astype(np.float64, order="C"),
            # One byte for all customers: nothing is copied, and nothing can be written.
            np.ndarray((n, len(self._all_stored)), np.bool_, self._all_stored, 0, (0, 1)),
            np.ndarray((n,), np.bool_, b"\1", 0, (0,)),
            event_us,
            created_us,
            refused=0,
            retyped=0,
        )


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
    return MatrixUnpacker(wanted).unpack(rows, schemas)


def unpack_columns(
    rows: Sequence[bytes | None], wanted: RowSchema, schemas: Mapping[int, RowSchema]
) -> RowColumns:
    """Return the features in `wanted`, each in its own type. Arguments as in `unpack_matrix`."""
    groups, refused = whole_rows(rows, schemas)
    n = len(rows)
    answer = RowColumns(
        values={name: _empty(kind, n) for name, kind in wanted.by_name.items()},
        present={name: np.zeros(n, dtype=np.bool_) for name in wanted.names},
        stored={name: np.zeros(n, dtype=np.bool_) for name in wanted.names},
        known=np.zeros(n, dtype=np.bool_),
        event_us=np.full(n, NO_TIME),
        created_us=np.full(n, NO_TIME),
        refused=refused,
        retyped=sum(len(g.rows) * len(g.schema.retyped_in(wanted)) for g in groups),
    )
    for group in groups:
        places = np.asarray(group.places)
        answer.known[places] = True
        answer.event_us[places], answer.created_us[places] = group.times()
        _fill(answer, group, places, group.schema.shared_with(wanted))
    return answer


def _empty(kind: ValueType, n: int) -> NDArray[Any] | list[Any]:
    if kind.is_variable:
        return [None] * n
    as_numpy = {ValueType.BOOL: "bool", ValueType.TIMESTAMP: "int64"}
    return np.zeros(n, dtype=as_numpy.get(kind, kind.value))


def _fill(answer: RowColumns, group: RowGroup, places: NDArray[np.intp], names: set[str]) -> None:
    """Put what a group of rows knows of the named features in its places."""
    variable = dict(_variable_columns(group))
    for name in names:
        answer.stored[name][places] = True
        answer.present[name][places] = _present(group, name)
        column = answer.values[name]
        if isinstance(column, np.ndarray):
            column[places] = _column(group, name)
            continue
        is_text = group.schema.by_name[name] is ValueType.STRING
        for place, piece in zip(group.places, variable[name], strict=True):
            column[place] = piece.decode() if is_text else piece


def _column(group: RowGroup, name: str) -> NDArray[Any]:
    """Return a feature as it stands in the fixed part, or its lengths."""
    feature = group.schema.place[name]
    block = next(block for block in group.layout.blocks if feature in block.features)
    return np.ascontiguousarray(block.view(group.fixed)[:, block.features.index(feature)])


def _present(group: RowGroup, name: str) -> NDArray[np.bool_]:
    if group.schema.by_name[name].is_float:
        column = _column(group, name)
        null = NULL_64 if column.dtype.itemsize == 8 else NULL_32
        return np.asarray(column.view(null.dtype) != null)
    bit = group.layout.flagged.index(group.schema.place[name])
    return presence_bits(group)[:, bit].astype(np.bool_)


def _variable_columns(group: RowGroup) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each feature of variable length with its k values, null ones empty."""
    start = np.full(len(group.rows), group.layout.fixed_bytes, dtype=np.int64)
    for feature in group.layout.variable:
        name = group.schema.names[feature]
        end = start + _column(group, name)
        spans = zip(group.rows, start.tolist(), end.tolist(), strict=True)
        yield name, [row[first:last] for row, first, last in spans]
        start = end
