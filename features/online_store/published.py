"""What a project has online about its customers, read without Feast."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.layout import Layout
from features.contracts.settings import Settings
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.definitions import FEATURES_VIEW
from features.freshness import StoredFeatures
from features.online_store.opening import open_rows
from features.online_store.packing import pack
from features.online_store.refresh_names import moment_of
from features.online_store.row_store import ViewStatus
from features.online_store.schema import RowSchema, ValueType
from features.online_store.vector_reader import VectorReader

if TYPE_CHECKING:
    from features.recomputation import FreshFeatures

BUILD = "run `bellwether features build`"


class PublishedFeatures:
    """The online features of a project. Threads may share one.

    Args:
        settings: the project file.
        layout: where the project keeps its files.
    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._rows = open_rows(settings, layout)
        self._vectors = VectorReader(self._rows, FEATURES_VIEW)
        self._wanted: dict[tuple[str, ...], RowSchema] = {}
        self._is_published = False

    def as_of(self) -> AsOf | None:
        """Return the moment that was published last, None when nothing was.

        Raises:
            FeatureStoreError: if the online store is missing or does not answer.
        """
        live = self._rows.live_refresh(FEATURES_VIEW)
        return None if live is None else AsOf(moment_of(live))

    def require(self) -> None:
        """Raise when nothing is online; asked once, for what is online stays online.

        Raises:
            FeatureStoreError: if nothing was published, or the online store does not answer.
        """
        if not self._is_published:
            self._is_published = self.as_of() is not None
        if not self._is_published:
            raise FeatureStoreError(f"no features are online; {BUILD}")

    def read(
        self, customer_ids: tuple[str, ...], columns: tuple[str, ...]
    ) -> tuple[StoredFeatures, NDArray[np.bool_]]:
        """Return features of n customers, and n x f whether each is there, null or not.

        Args:
            customer_ids: n customers, each once.
            columns: names of the f features.

        Raises:
            FeatureStoreError: if nothing was published, or the online store does not answer.
        """
        self.require()
        wanted = self._wanted.get(columns)
        if wanted is None:
            wanted = RowSchema(columns, (ValueType.FLOAT64,) * len(columns))
            self._wanted[columns] = wanted
        read = self._vectors.read(customer_ids, wanted)
        seconds = np.where(read.known, read.event_us / 1e6, np.nan)
        read.values[np.isnan(read.values)] = np.nan  # a stored null has bits of its own
        return StoredFeatures(customer_ids, columns, read.values, seconds), read.stored

    def push(self, fresh: "FreshFeatures") -> None:
        """Write features of some customers over older ones of theirs; newer ones stay.

        Raises:
            FeatureStoreError: if nothing was published, or the online store cannot be written.
        """
        self.require()
        n, names = len(fresh.customer_ids), (*fresh.columns, SNAPSHOT_EPOCH)
        schema = RowSchema(names, (ValueType.FLOAT64,) * len(names))
        moment = int(fresh.as_of.moment.timestamp())
        event_us = np.full(n, moment * 1_000_000)
        # Of two pushes as of one moment (a clock that stands still) the later one knows more.
        created_us = np.maximum(event_us, time.time_ns() // 1_000)
        columns = [pa.array(values, from_pandas=True) for values in fresh.values.T]
        columns.append(pa.array(np.full(n, float(moment))))
        self._rows.register(FEATURES_VIEW, schema)
        self._rows.write_rows(
            FEATURES_VIEW,
            [customer_id.encode() for customer_id in fresh.customer_ids],
            pack(schema, columns, event_us, created_us),
        )

    def status(self) -> Mapping[str, ViewStatus]:
        """Return what is online by view: customers, versions of their rows, ages.

        Raises:
            FeatureStoreError: if the online store is missing or does not answer.
        """
        return {view: self._rows.status(view) for view in self._rows.views()}
