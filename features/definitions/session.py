"""An open Feast: what is registered, and the two ways to read it. Importing this imports Feast."""

import io
import threading
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from feast import FeatureStore, RepoConfig
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import SNAPSHOT_EPOCH, FloatMatrix
from features.definitions import CUSTOMER_ID, FEATURES_VIEW

ROW = "bellwether_row"
MOMENT = "event_timestamp"


class Session:
    """An open Feast. Definitions are read when it is opened; threads may share one to `read`.

    Attributes:
        services: columns of each registered feature service, in order.
        ttls: lifetime of each registered feature view.
    """

    def __init__(self, config: RepoConfig) -> None:
        self._feast = FeatureStore(config=config)
        self.services = {
            service.name: tuple(
                feature.name
                for projection in service.feature_view_projections
                for feature in projection.features
                if feature.name != SNAPSHOT_EPOCH
            )
            for service in self._feast.list_feature_services()
        }
        self.ttls: dict[str, timedelta | None] = {
            view.name: view.ttl for view in self._feast.list_feature_views()
        }
        # Feast has one SQLite connection for all threads. Most of a read is Python code that
        # threads would take in turns anyway, so a lock costs next to nothing.
        self._reading = threading.Lock()

    def register(self, definitions: list[Any], *, services: Collection[str]) -> None:
        """Register definitions, and drop every service that is not among `services`."""
        self._feast.apply(definitions)
        for name in self.services.keys() - set(services):
            self._feast.delete_feature_service(name)

    def materialize(self, as_of: AsOf) -> None:
        """Write the snapshot of a moment to the online store."""
        # Feast reports progress by printing.
        with redirect_stdout(io.StringIO()):
            self._feast.materialize(as_of.moment, as_of.moment, feature_views=[FEATURES_VIEW])

    def join(
        self, customer_ids: Sequence[str], as_of: AsOf, view: str, columns: Sequence[str]
    ) -> FloatMatrix:
        """Return n x f features as they were known at a moment; NaN where there are none.

        Args:
            customer_ids: n customers, each once.
            as_of: the moment.
            view: name of the feature view.
            columns: names of the f features.

        Raises:
            FeatureStoreError: if Feast answers with other rows than it was asked for.
        """
        if not customer_ids:
            return np.empty((0, len(columns)))
        asked = pd.DataFrame({CUSTOMER_ID: customer_ids, ROW: np.arange(len(customer_ids))})
        asked[MOMENT] = pd.Timestamp(as_of.moment).as_unit("us")
        answer = self._feast.get_historical_features(
            entity_df=asked,
            features=[f"{view}:{column}" for column in columns],
            # Event time alone would let what was learnt later leak into the past.
            filter_by_created_timestamp=True,
        ).to_arrow()
        answer = answer.sort_by(ROW)
        if not np.array_equal(answer[ROW].to_numpy(), asked[ROW].to_numpy()):
            raise FeatureStoreError(
                f"Feast answered with {answer.num_rows} rows for {len(asked)} customers as of "
                f"{as_of}; run `bellwether features build` and ask again"
            )
        return np.column_stack([answer[column].to_numpy() for column in columns]).astype(np.float64)

    def read(
        self, customer_ids: Sequence[str], columns: Sequence[str]
    ) -> tuple[FloatMatrix, NDArray[np.bool_]]:
        """Return n x f features from the online store, and for each whether it is there.

        A null feature is there and NaN; one that was never published is not there.
        """
        if not customer_ids:
            return np.empty((0, len(columns))), np.empty((0, len(columns)), dtype=np.bool_)
        with self._reading:
            answer = self._feast.get_online_features(
                features=[f"{FEATURES_VIEW}:{column}" for column in columns],
                entity_rows={CUSTOMER_ID: list(customer_ids)},
            ).proto
        place = {name: row for row, name in enumerate(answer.metadata.feature_names.val)}
        results = [answer.results[place[column]] for column in columns]
        # The plain dictionary that Feast offers hides what is missing and what is null.
        values = [[_number(v) for v in r.values] for r in results]  # noqa: PD011 - not pandas
        found = [[status == FieldStatus.PRESENT for status in r.statuses] for r in results]
        return np.array(values, dtype=np.float64).T, np.array(found, dtype=np.bool_).T


def _number(value: Any) -> float:
    return value.double_val if value.HasField("double_val") else np.nan
