"""The scorer's reader: matrices in model order from whichever store."""

import asyncio

import numpy as np
import pytest

from features.contracts.errors import FeatureStoreError
from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema, ValueType
from features.online_store.vector_reader import VectorReader
from tests.features.online_store.packed_rows import TWO_FLOATS, float_rows, pack_values

VIEW = "customers"
SPEND_FIRST = RowSchema(TWO_FLOATS.names[::-1], TWO_FLOATS.types)


@pytest.fixture
def rows(store: RowStore) -> RowStore:
    """A store with two customers."""
    store.register(VIEW, TWO_FLOATS)
    store.write_rows(VIEW, [b"ann", "zoë".encode()], float_rows([1.0, 2.0], event_us=5))
    return store


def test_rows_and_columns_come_in_the_order_asked_for(rows: RowStore) -> None:
    answer = VectorReader(rows, VIEW).read(["zoë", "nobody", "ann"], SPEND_FIRST)

    assert answer.values.flags.c_contiguous
    assert answer.known.tolist() == [True, False, True]
    assert answer.values[answer.known].tolist() == [[-2.0, 2.0], [-1.0, 1.0]]
    assert np.isnan(answer.values[1]).all()
    assert answer.event_us[answer.known].tolist() == [5, 5]


def test_reading_in_an_event_loop_gives_the_same(rows: RowStore) -> None:
    reader = VectorReader(rows, VIEW)

    async def read() -> list[list[float]]:
        answer = await reader.read_async(["ann", "zoë"], TWO_FLOATS)
        await rows.close_async()
        return answer.values.tolist()  # type: ignore[no-any-return] # NumPy does not say of what

    assert asyncio.run(read()) == reader.read(["ann", "zoë"], TWO_FLOATS).values.tolist()


def test_a_schema_that_came_later_is_looked_up(rows: RowStore) -> None:
    reader = VectorReader(rows, VIEW)
    reader.read(["ann"], TWO_FLOATS)
    newer = RowSchema.of({"orders_90d": ValueType.FLOAT64, **TWO_FLOATS.by_name})
    rows.register(VIEW, newer)
    rows.write_rows(VIEW, [b"ann"], pack_values(newer, [[7.0, 8.0, 9.0]], [6]))

    answer = reader.read(["ann", "zoë"], newer)

    assert answer.refused == 0
    assert answer.values[0].tolist() == [7.0, 8.0, 9.0]
    assert answer.stored.tolist() == [[True, True, True], [False, True, True]]
    assert reader.read(["ann"], TWO_FLOATS).values.tolist() == [[8.0, 9.0]]


def test_broken_rows_are_refused_and_counted(rows: RowStore) -> None:
    strange = RowSchema.of({"unheard_of": ValueType.FLOAT64})
    rows.write_rows(VIEW, [b"broken"], [float_rows([1.0])[0][:-1] + b"\0"])
    rows.write_rows(VIEW, [b"strange"], pack_values(strange, [[1.0]]))

    answer = VectorReader(rows, VIEW).read(["broken", "ann", "strange"], TWO_FLOATS)

    assert answer.refused == 2
    assert answer.known.tolist() == [False, True, False]


def test_a_feature_that_is_no_number_is_refused(rows: RowStore) -> None:
    with pytest.raises(FeatureStoreError, match="feature country is a string, not a number"):
        VectorReader(rows, VIEW).read(["ann"], RowSchema.of({"country": ValueType.STRING}))
