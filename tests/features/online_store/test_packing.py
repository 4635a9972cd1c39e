"""Rows say what was packed, bit for bit, whatever the type."""

import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.errors import FeatureStoreError
from features.online_store.layout import NULL_32, NULL_64
from features.online_store.packing import NO_TIME, pack, row_times
from features.online_store.schema import RowSchema, ValueType
from features.online_store.unpacking import unpack_columns, unpack_matrix
from tests.features.online_store.packed_rows import (
    EVERY_TYPE,
    MICROSECONDS,
    TWO_FLOATS,
    VALUES,
    float_rows,
    pack_values,
)

NOW = np.array([1_700_000_000_000_000])


@st.composite
def schemas_and_values(draw: st.DrawFn) -> tuple[RowSchema, list[list[Any]], list[int]]:
    kinds = draw(st.lists(st.sampled_from(list(ValueType)), max_size=20))
    schema = RowSchema.of({f"f{place}": kind for place, kind in enumerate(kinds)})
    customer = st.tuples(*(st.none() | VALUES[kind] for kind in kinds)).map(list)
    customers = draw(st.lists(customer, max_size=5))
    times = draw(st.lists(MICROSECONDS, min_size=len(customers), max_size=len(customers)))
    return schema, customers, times


def as_bits(value: Any) -> Any:
    """Return a float as its bytes, but every NaN as one, so that 0.0 is not -0.0."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value)
    return value


@given(schemas_and_values())
def test_columns_come_back_as_they_were_packed(
    packed: tuple[RowSchema, list[list[Any]], list[int]],
) -> None:
    schema, customers, times = packed
    rows = pack_values(schema, customers, times)

    answer = unpack_columns(rows, schema, {schema.fingerprint: schema})

    assert answer.known.all()
    assert answer.refused == 0
    assert answer.event_us.tolist() == times
    for place, name in enumerate(schema.names):
        values = list(answer.values[name])
        assert answer.stored[name].all()
        for row, customer in enumerate(customers):
            assert answer.present[name][row] == (customer[place] is not None)
            if customer[place] is not None:
                value = values[row].item() if isinstance(values[row], np.generic) else values[row]
                assert as_bits(value) == as_bits(customer[place])


@given(schemas_and_values())
def test_numbers_come_back_as_they_were_packed(
    packed: tuple[RowSchema, list[list[Any]], list[int]],
) -> None:
    schema, customers, times = packed
    rows = pack_values(schema, customers, times)
    numbers = [name for name, kind in schema.by_name.items() if not kind.is_variable]
    wanted = RowSchema.of({name: schema.by_name[name] for name in reversed(numbers)})

    answer = unpack_matrix(rows, wanted, {schema.fingerprint: schema})

    assert answer.values.flags.c_contiguous
    assert answer.values.shape == (len(customers), len(numbers))
    for row, customer in enumerate(customers):
        for column, name in enumerate(wanted.names):
            value = customer[schema.place[name]]
            assert answer.null[row, column] == (value is None)
            expected = float("nan") if value is None else float(value)
            assert as_bits(float(answer.values[row, column])) == as_bits(expected)


@pytest.mark.parametrize("kind", [ValueType.FLOAT64, ValueType.FLOAT32])
def test_a_nan_with_the_bits_of_a_null_is_no_null(kind: ValueType) -> None:
    bits = NULL_64.view(np.float64) if kind is ValueType.FLOAT64 else NULL_32.view(np.float32)
    schema = RowSchema.of({"ratio": kind})

    rows = pack(schema, [np.array([bits])], NOW)
    answer = unpack_matrix(rows, schema, {schema.fingerprint: schema})

    assert np.isnan(answer.values[0, 0])
    assert not answer.null[0, 0]


def test_packing_leaves_the_given_columns_alone() -> None:
    given_values = pa.array([1.0, None, float("nan")], pa.float64())
    times = np.repeat(NOW, 3)

    pack(RowSchema.of({"ratio": ValueType.FLOAT64}), [given_values], times)

    assert given_values.null_count == 1
    assert given_values[0].as_py() == 1.0


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_timestamps_of_any_unit_and_zone_are_microseconds_utc(unit: str, zone: str | None) -> None:
    moment = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    schema = RowSchema.of({"first_seen": ValueType.TIMESTAMP})
    seconds = int(moment.timestamp())
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array([seconds * per_second], pa.int64()).view(pa.timestamp(unit, zone))

    answer = unpack_columns(pack(schema, [times], NOW), schema, {schema.fingerprint: schema})

    assert answer.values["first_seen"][0] == seconds * 10**6


def test_numpy_columns_and_chunks_of_arrow_are_packed_alike() -> None:
    values = np.array([1.5, 2.5, 3.5])
    chunks = pa.chunked_array([values[:1], values[1:]])
    times = np.repeat(NOW, 3)

    assert pack(TWO_FLOATS, [values, values], times) == pack(TWO_FLOATS, [chunks, chunks], times)


def test_whole_numbers_are_cast_where_nothing_is_lost() -> None:
    rows = pack(TWO_FLOATS, [np.array([3]), np.array([2**53])], NOW)

    answer = unpack_matrix(rows, TWO_FLOATS, {TWO_FLOATS.fingerprint: TWO_FLOATS})

    assert answer.values.tolist() == [[3.0, 2.0**53]]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ValueType.INT32, np.array([2**40])),
        (ValueType.INT64, np.array([0.5])),
        (ValueType.FLOAT64, np.array([2**53 + 1])),
        (ValueType.FLOAT64, pa.array(["a lot"])),
        (ValueType.STRING, pa.array([b"\xff"])),
        (ValueType.BOOL, pa.array([[True]])),
    ],
    ids=["too large", "a fraction", "not exact", "a word", "not UTF-8", "a list"],
)
def test_a_value_that_would_change_is_refused_by_name(kind: ValueType, values: Any) -> None:
    with pytest.raises(FeatureStoreError, match=f"feature answer cannot be stored as {kind.value}"):
        pack(RowSchema.of({"answer": kind}), [values], NOW)


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(FeatureStoreError, match="spend_30d has 2 values for 1 event times"):
        pack(TWO_FLOATS, [np.zeros(1), np.zeros(2)], NOW)


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(FeatureStoreError, match="1 columns were given for 2 features"):
        pack(TWO_FLOATS, [np.zeros(1)], NOW)


@given(MICROSECONDS, MICROSECONDS)
def test_rows_tell_their_times(event_us: int, created_us: int) -> None:
    (row,) = float_rows([1.0], event_us=event_us, created_us=created_us)

    assert row_times(row) == (event_us, created_us)


@given(*[st.tuples(MICROSECONDS, MICROSECONDS)] * 2)
def test_the_times_in_rows_order_like_the_times(one: tuple[int, int], two: tuple[int, int]) -> None:
    first, second = (float_rows([0.0], event_us=t[0], created_us=t[1])[0] for t in (one, two))

    assert (first[6:22] < second[6:22]) == (one < two)


def test_an_unknown_created_time_is_older_than_any_other() -> None:
    (row,) = pack(TWO_FLOATS, [np.zeros(1), np.zeros(1)], NOW)

    assert row_times(row) == (NOW[0], NO_TIME)


def test_no_customers_are_no_rows() -> None:
    assert pack_values(EVERY_TYPE, []) == []


def test_a_row_of_floats_costs_thirty_bytes_over_its_values() -> None:
    floats = RowSchema.of({f"f{place}": ValueType.FLOAT64 for place in range(60)})
    (row,) = pack(floats, [np.zeros(1)] * 60, NOW)

    assert len(row) == 60 * 8 + 26
