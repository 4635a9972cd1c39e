"""From packed rows to what Feast answers: names, values, statuses and event times of a view."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
from feast.feature_view import FeatureView
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType as FeastType
from numpy.typing import NDArray

from features.online_store.feast_response import (
    NOT_FOUND,
    NULL_VALUE,
    OUTSIDE_MAX_AGE,
    PRESENT,
    ViewAnswer,
)
from features.online_store.feast_values import EPOCH, MICROS, TO_PROTO, payloads, schema_of
from features.online_store.row_store import Rows
from features.online_store.schema import RowSchema, ValueType
from features.online_store.unpacking import MatrixUnpacker, RowColumns, RowMatrix, unpack_columns

Schemas = Mapping[int, RowSchema]
FeastRow = tuple[datetime | None, dict[str, Value] | None]

MOST_PLANS = 256


class ReadingPlan:
    """What is wanted of a view, worked out once.

    Attributes:
        features: the features wanted, in order.
        full_names: their names in a response that says the view as well.
        wanted: the features with the types that the view declares.
        floats: those that are float64, read as one matrix; `float_places` says which they are.
        unpacker: reads that matrix.
        others: the rest, read as columns; `other_places` says which they are.
        ttl: how old values may be; None if they never age.
    """

    def __init__(self, view: FeatureView, features: Sequence[str]) -> None:
        prefix = _prefix(view)
        self.features = tuple(features)
        self.full_names = tuple(f"{prefix}__{name}" for name in features)
        self.wanted = _part(schema_of(view), features)
        is_float = [kind is ValueType.FLOAT64 for kind in self.wanted.types]
        self.float_places = tuple(place for place, yes in enumerate(is_float) if yes)
        self.other_places = tuple(place for place, yes in enumerate(is_float) if not yes)
        self.floats = _part(self.wanted, [features[place] for place in self.float_places])
        self.unpacker = MatrixUnpacker(self.floats)
        self.others = _part(self.wanted, [features[place] for place in self.other_places])
        self.ttl = view.ttl or None


class ReadingPlans:
    """Plans by view and features.

    Feast hands out the same view objects until its registry changes, and comparing two of them
    takes longer than reading a row: so they are told apart by identity.
    """

    def __init__(self) -> None:
        self._plans: dict[tuple[int, tuple[str, ...]], tuple[ReferenceType[Any], ReadingPlan]] = {}

    def of(self, view: FeatureView, features: Sequence[str]) -> ReadingPlan:
        """Return the plan of a view, made at the first call."""
        key = (id(view), tuple(features))
        known = self._plans.get(key)
        if known is not None and known[0]() is view:
            return known[1]
        plan = ReadingPlan(view, features)
        if len(self._plans) >= MOST_PLANS:
            self._plans = {}
        self._plans[key] = (ref(view), plan)
        return plan


def answer(
    plan: ReadingPlan, rows: Rows, schemas: Schemas, *, full_names: bool
) -> tuple[ViewAnswer, int]:
    """Return what is answered about n customers from their rows, and how many rows were refused.

    A value older than the ttl of its view is blanked and says OUTSIDE_MAX_AGE, as the historical
    join of Feast blanks it; a null says NULL_VALUE.
    """
    matrix = plan.unpacker.unpack(rows, schemas)
    statuses = np.empty((len(plan.features), len(rows)), dtype=np.uint8)
    numbers = np.ascontiguousarray(matrix.values.T)
    statuses[list(plan.float_places)] = _statuses(matrix.stored.T, ~np.isnan(numbers))
    refused, others = matrix.refused, dict[int, list[bytes]]()
    if plan.other_places:
        read = unpack_columns(rows, plan.others, schemas)
        refused = max(refused, read.refused)
        for place, name, kind in zip(
            plan.other_places, plan.others.names, plan.others.types, strict=True
        ):
            there = _there(read, name)
            others[place] = payloads(kind, read.values[name], there.tolist())
            statuses[place] = _statuses(read.stored[name], there)
    stale = _stale(matrix, plan.ttl)
    if stale.any():
        statuses[(statuses != NOT_FOUND) & stale] = OUTSIDE_MAX_AGE
        others = {place: _blanked(column, stale) for place, column in others.items()}
    told = ViewAnswer(
        event_micros=np.where(matrix.known, matrix.event_us, 0),
        statuses=statuses,
        names=plan.full_names if full_names else plan.features,
        floats=numbers,
        float_rows=plan.float_places,
        others=others,
    )
    return told, refused


def feast_rows(plan: ReadingPlan, rows: Rows, schemas: Schemas) -> tuple[list[FeastRow], int]:
    """Return event time and values of n customers, and how many rows were refused.

    A null is an empty value, and what the row does not know is left out.
    """
    read = unpack_columns(rows, plan.wanted, schemas)
    values: list[dict[str, Value]] = [{} for _ in rows]
    for name, kind in zip(plan.wanted.names, plan.wanted.types, strict=True):
        column, make = read.values[name], TO_PROTO[kind]
        plain = column.tolist() if isinstance(column, np.ndarray) else column
        there, stored = _there(read, name).tolist(), read.stored[name].tolist()
        for row, value in enumerate(plain):
            if stored[row]:
                values[row][name] = make(value) if there[row] else Value()
    moments = [EPOCH + timedelta(microseconds=m) if k else None for m, k in _moments(read)]
    told: list[FeastRow] = [
        (None, None) if moment is None else (moment, own)
        for moment, own in zip(moments, values, strict=True)
    ]
    return told, read.refused


class FeatureTypes(dict[str, FeastType]):
    """Feast's types of the features in a response, worked out when first asked for.

    Only `to_dict` and its kin ask, and working them out takes as long as reading a customer.
    """

    def __init__(self, grouped: Sequence[tuple[FeatureView, Sequence[str]]]) -> None:
        super().__init__()
        self._grouped = grouped

    def __bool__(self) -> bool:
        return True

    def __missing__(self, name: str) -> FeastType:
        found = self._found.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return the type of a feature, by its bare or its full name."""
        return self._found.get(name, default)

    @cached_property
    def _found(self) -> dict[str, FeastType]:
        found = {}
        for view, names in self._grouped:
            prefix = _prefix(view)
            for field in view.features:
                if field.name in names:
                    kind = field.dtype.to_value_type()
                    found[field.name] = found[f"{prefix}__{field.name}"] = kind
        return found


def _prefix(view: FeatureView) -> str:
    prefix: str = view.projection.name_to_use()  # type: ignore[no-untyped-call] # Feast's
    return prefix


def _part(schema: RowSchema, names: Sequence[str]) -> RowSchema:
    return RowSchema(tuple(names), tuple(schema.types[schema.place[name]] for name in names))


def _there(read: RowColumns, name: str) -> NDArray[np.bool_]:
    values, present = read.values[name], read.present[name]
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        present = present & ~np.isnan(values)
    return present


def _statuses(stored: NDArray[np.bool_], there: NDArray[np.bool_]) -> NDArray[np.uint8]:
    statuses = np.full(there.shape, NULL_VALUE, dtype=np.uint8)
    statuses[there] = PRESENT
    statuses[~stored] = NOT_FOUND
    return statuses


def _blanked(column: list[bytes], stale: NDArray[np.bool_]) -> list[bytes]:
    return [b"" if old else payload for payload, old in zip(column, stale.tolist(), strict=True)]


def _stale(matrix: RowMatrix, ttl: timedelta | None) -> NDArray[np.bool_]:
    if ttl is None:
        return np.zeros(matrix.known.shape, dtype=np.bool_)
    oldest = int(time.time() * MICROS) - ttl // timedelta(microseconds=1)
    stale: NDArray[np.bool_] = matrix.known & (matrix.event_us < oldest)
    return stale


def _moments(read: RowColumns) -> "zip[tuple[int, bool]]":
    return zip(read.event_us.tolist(), read.known.tolist(), strict=True)
