"""An open Feast: what is registered, joined and materialized. Importing this imports Feast."""

import io
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from feast import FeatureStore, RepoConfig

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import SNAPSHOT_EPOCH, FloatMatrix
from features.definitions import CUSTOMER_ID, FEATURES_VIEW

ROW = "bellwether_row"
MOMENT = "event_timestamp"


class Session:
    """An open Feast. Definitions are read when it is opened.

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

    def register(self, definitions: list[Any], *, services: Collection[str]) -> None:
        """Register definitions, and drop every service that is not among `services`."""
        self._feast.apply(definitions)
        for name in self.services.keys() - set(services):
            self._feast.delete_feature_service(name)

    def materialize(self, start: AsOf, end: AsOf) -> None:
        """Write the newest snapshot row of each customer in a window to the online store."""
        # Feast reports progress by printing.
        with redirect_stdout(io.StringIO()):
            self._feast.materialize(start.moment, end.moment, feature_views=[FEATURES_VIEW])

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
