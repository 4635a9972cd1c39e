"""Reading rows: broken ones are refused, and schemas may differ between rows and readers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.errors import FeatureStoreError
from features.online_store.packing import NO_TIME
from features.online_store.schema import RowSchema, ValueType
from features.online_store.unpacking import unpack_columns, unpack_matrix
from tests.features.online_store.packed_rows import (
    EVERY_TYPE,
    TWO_FLOATS,
    float_rows,
    pack_values,
)

KNOWN = {schema.fingerprint: schema for schema in (TWO_FLOATS, EVERY_TYPE)}

SOMETHING = [b"blob", b"bytes", "text", 7, True, 8, 9, 0.5, 0.25]
"""A value of each type of `EVERY_TYPE`."""

ROWS = {
    "floats": float_rows([1.0])[0],
    "every type": pack_values(EVERY_TYPE, [SOMETHING])[0],
}


def test_a_customer_without_a_row_is_told_apart_from_a_null() -> None:
    rows = [None, *pack_values(TWO_FLOATS, [[None, 2.0]], [5])]

    answer = unpack_matrix(rows, TWO_FLOATS, KNOWN)

    assert answer.known.tolist() == [False, True]
    assert answer.stored.tolist() == [[False, False], [True, True]]
    assert answer.null.tolist() == [[False, False], [True, False]]
    assert answer.event_us.tolist() == [NO_TIME, 5]
    assert np.isnan(answer.values).tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize("kind", ROWS)
def test_every_flipped_bit_is_noticed(kind: str) -> None:
    row = ROWS[kind]
    for place in range(len(row) * 8):
        broken = bytearray(row)
        broken[place // 8] ^= 1 << place % 8

        answer = unpack_matrix([bytes(broken), row], TWO_FLOATS, KNOWN)

        assert answer.refused == 1
        assert answer.known.tolist() == [False, True]


@pytest.mark.parametrize("kind", ROWS)
def test_every_truncation_is_noticed(kind: str) -> None:
    row = ROWS[kind]
    pieces = [row[:length] for length in range(len(row))]

    answer = unpack_columns([*pieces, row, row + b"\0"], EVERY_TYPE, KNOWN)

    assert answer.refused == len(pieces) + 1
    assert np.flatnonzero(answer.known).tolist() == [len(pieces)]


@given(st.lists(st.binary(max_size=64)))
def test_bytes_that_are_no_rows_are_refused(rows: list[bytes]) -> None:
    answer = unpack_matrix(rows, TWO_FLOATS, KNOWN)

    assert answer.refused == len(rows)
    assert not answer.known.any()
    assert np.isnan(answer.values).all()


def test_a_row_of_an_unknown_schema_is_refused() -> None:
    answer = unpack_matrix([ROWS["every type"]], TWO_FLOATS, {TWO_FLOATS.fingerprint: TWO_FLOATS})

    assert answer.refused == 1


def test_a_checked_row_that_is_too_long_for_its_schema_is_refused() -> None:
    wider = RowSchema.of({**TWO_FLOATS.by_name, "orders_90d": ValueType.FLOAT64})
    (row,) = pack_values(wider, [[1.0, 2.0, 3.0]])

    answer = unpack_matrix([row], TWO_FLOATS, {wider.fingerprint: TWO_FLOATS})

    assert answer.refused == 1


def test_rows_from_before_a_feature_was_added_still_answer() -> None:
    newer = RowSchema.of({"orders_90d": ValueType.FLOAT64, **TWO_FLOATS.by_name})
    rows = [*float_rows([1.0]), *pack_values(newer, [[9.0, 2.0, -2.0]])]

    answer = unpack_matrix(rows, newer, {**KNOWN, newer.fingerprint: newer})

    assert answer.values[1].tolist() == [9.0, 2.0, -2.0]
    assert answer.values[0, 1:].tolist() == [1.0, -1.0]
    assert answer.stored.tolist() == [[False, True, True], [True, True, True]]
    assert not answer.null.any()
    assert answer.retyped == 0


def test_a_reader_that_does_not_know_of_a_new_feature_reads_on() -> None:
    newer = RowSchema.of({"orders_90d": ValueType.FLOAT64, **TWO_FLOATS.by_name})
    rows = pack_values(newer, [[9.0, 2.0, -2.0]])

    answer = unpack_matrix(rows, TWO_FLOATS, {newer.fingerprint: newer})

    assert answer.values.tolist() == [[2.0, -2.0]]


def test_a_retyped_feature_counts_as_not_there() -> None:
    older = RowSchema.of({"orders_30d": ValueType.INT64, "spend_30d": ValueType.FLOAT64})
    rows = [*pack_values(older, [[5, 6.0]]), *float_rows([1.0])]
    schemas = {**KNOWN, older.fingerprint: older}

    matrix = unpack_matrix(rows, TWO_FLOATS, schemas)
    columns = unpack_columns(rows, TWO_FLOATS, schemas)

    assert matrix.stored.tolist() == [[False, True], [True, True]]
    assert np.isnan(matrix.values[0, 0])
    assert columns.stored["orders_30d"].tolist() == [False, True]
    assert columns.present["orders_30d"].tolist() == [False, True]
    assert matrix.retyped == columns.retyped == 1


def test_strings_of_some_rows_only_are_read_from_those() -> None:
    wanted = RowSchema.of({"a_string": ValueType.STRING, "a_blob": ValueType.BLOB})
    rows = [None, ROWS["every type"], *float_rows([1.0])]

    answer = unpack_columns(rows, wanted, KNOWN)

    assert answer.values["a_string"] == [None, "text", None]
    assert answer.values["a_blob"] == [None, b"blob", None]
    assert answer.known.tolist() == [False, True, True]
    assert answer.present["a_blob"].tolist() == [False, True, False]


def test_booleans_and_whole_numbers_are_numbers_in_a_matrix() -> None:
    names = ("a_bool", "a_int32", "a_timestamp", "a_float64")
    wanted = RowSchema.of({name: EVERY_TYPE.by_name[name] for name in names})

    answer = unpack_matrix([ROWS["every type"]], wanted, KNOWN)

    assert answer.values.tolist() == [[1.0, 8.0, 7.0, 0.25]]


def test_a_blob_does_not_fit_into_a_matrix() -> None:
    with pytest.raises(FeatureStoreError, match="feature a_blob is a blob, not a number"):
        unpack_matrix([], EVERY_TYPE, KNOWN)


def test_nobody_asked_is_nobody_answered() -> None:
    answer = unpack_matrix([], TWO_FLOATS, KNOWN)

    assert answer.values.shape == (0, 2)
    assert answer.refused == 0
