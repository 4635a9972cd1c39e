"""Packed rows to columns. A row that is not whole is refused and counted, never a wrong number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FloatMatrix
from features.online_store.layout import NULL_32, NULL_64
from features.online_store.matrix_plan import MatrixPlan, presence_bits
from features.online_store.packing import NO_TIME
from features.online_store.schema import RowSchema, ValueType
from features.online_store.whole_rows import RowGroup, whole_rows


@dataclass(frozen=True)
class RowMatrix:
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

    @cached_property
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

    def unpack(self, rows: Sequence[bytes | None], schemas: Mapping[int, RowSchema]) -> RowMatrix:
        """Return the numbers in n rows (None where there is none), given the view's schemas."""
        groups, refused = whole_rows(rows, schemas)
        n = len(rows)
        if len(groups) == 1 and len(groups[0].places) == n:
            plan = self._plan(groups[0])
            stored = np.empty((n, len(plan.stored)), dtype=np.bool_)
            stored[:] = plan.stored
            values, (event_us, created_us) = plan.numbers(groups[0]), groups[0].times()
            known = np.ones(n, dtype=np.bool_)
            return RowMatrix(values, stored, known, event_us, created_us, refused, n * plan.retyped)
        return self._put_together(n, groups, refused)

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
            self._plans[fingerprint] = MatrixPlan(group.schema, group.layout, self._wanted)
        return self._plans[fingerprint]


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
