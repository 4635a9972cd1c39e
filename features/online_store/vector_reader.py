"""The fast road for scoring: a float64 matrix in model order, straight from the store's bytes."""

import asyncio
from collections.abc import Mapping, Sequence

from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema
from features.online_store.unpacking import MatrixUnpacker, RowMatrix
from features.online_store.whole_rows import has_unknown_schema


class VectorReader:
    """Reads features of one view as numbers. Threads may share one.

    Schemas are remembered; a row of an unknown one makes the reader ask the store once more.

    Args:
        store: where the rows are.
        view: name of the view.
    """

    def __init__(self, store: RowStore, view: str) -> None:
        self._store = store
        self._view = view
        self._schemas: Mapping[int, RowSchema] = {}
        self._unpackers: dict[RowSchema, MatrixUnpacker] = {}

    def read(self, customer_ids: Sequence[str], wanted: RowSchema) -> RowMatrix:
        """Return the wanted features of customers, rows and columns in the order asked for.

        Keys are the identifiers in UTF-8.

        Raises:
            FeatureStoreError: if the store cannot answer, or a wanted feature is not a number.
        """
        unpacker = self._unpacker(wanted)
        (rows,) = self._store.read_rows((self._view,), _keys(customer_ids))
        answer = unpacker.unpack(rows, self._schemas)
        if answer.refused and has_unknown_schema(rows, self._schemas):
            self._schemas = self._store.schemas(self._view)
            answer = unpacker.unpack(rows, self._schemas)
        return answer

    async def read_async(self, customer_ids: Sequence[str], wanted: RowSchema) -> RowMatrix:
        """Return what `read` returns, without blocking the event loop."""
        unpacker = self._unpacker(wanted)
        (rows,) = await self._store.read_rows_async((self._view,), _keys(customer_ids))
        answer = unpacker.unpack(rows, self._schemas)
        if answer.refused and has_unknown_schema(rows, self._schemas):
            self._schemas = await asyncio.to_thread(self._store.schemas, self._view)
            answer = unpacker.unpack(rows, self._schemas)
        return answer

    def _unpacker(self, wanted: RowSchema) -> MatrixUnpacker:
        unpacker = self._unpackers.get(wanted)
        if unpacker is None:
            unpacker = self._unpackers[wanted] = MatrixUnpacker(wanted)
        return unpacker


def _keys(customer_ids: Sequence[str]) -> list[bytes]:
    return [customer_id.encode() for customer_id in customer_ids]
