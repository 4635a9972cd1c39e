"""The fast road for scoring: a float64 matrix in model order, straight from the store's bytes."""

from collections.abc import Sequence

from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema
from features.online_store.unpacking import RowMatrix


class VectorReader:
    """Reads features of one view as numbers. Threads may share one.

    Schemas are remembered; a row of an unknown one makes the reader ask the store once more.

    Args:
        store: where the rows are.
        view: name of the view.
    """

    def __init__(self, store: RowStore, view: str) -> None:
        raise NotImplementedError

    def read(self, customer_ids: Sequence[str], wanted: RowSchema) -> RowMatrix:
        """Return the wanted features of customers, rows and columns in the order asked for.

        Keys are the identifiers in UTF-8.

        Raises:
            FeatureStoreError: if the store cannot answer, or a wanted feature is not a number.
        """
        raise NotImplementedError

    async def read_async(self, customer_ids: Sequence[str], wanted: RowSchema) -> RowMatrix:
        """Return what `read` returns, without blocking the event loop."""
        raise NotImplementedError
