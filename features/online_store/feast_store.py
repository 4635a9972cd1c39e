"""A Feast online store over packed rows. Which store holds the rows is for subclasses to say.

Feast's own machinery stays in charge: it resolves features, checks entities, pushes and
materializes. Only what touches values is ours, and it handles whole columns at a time.
"""

import asyncio
import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.metrics import track_feature_statuses
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from numpy.typing import NDArray

from features.online_store.feast_lookups import (
    Grouped,
    in_order,
    lookups,
    stored_name,
    tell_versions,
)
from features.online_store.feast_reading import (
    FeastRow,
    FeatureTypes,
    ReadingPlans,
    Schemas,
    answer,
    feast_rows,
)
from features.online_store.feast_response import NOT_FOUND, extend
from features.online_store.feast_values import columns_of_protos, key_of, micros, schema_of
from features.online_store.packing import NO_TIME, pack
from features.online_store.row_store import Rows, RowStore
from features.online_store.schema import RowSchema
from features.online_store.whole_rows import has_unknown_schema

FeastData = list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]]
Progress = Callable[[int], Any]
Told = TypeVar("Told")

log = logging.getLogger(__name__)


class ColumnarOnlineStore(OnlineStore):
    """What all our online stores share. Threads may share one."""

    # Views are stored under Feast's own versioned names, so reading one of a version is no more.
    _versioned_read_supported = True

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._rows: RowStore | None = None
        self._schemas: dict[str, Mapping[int, RowSchema]] = {}
        self._plans = ReadingPlans()

    @abstractmethod
    def open_rows(self, config: RepoConfig) -> RowStore:
        """Return the store of rows that the configuration names. Nothing is opened yet."""

    def rows(self, config: RepoConfig) -> RowStore:
        """Return the store of rows, the same at every call."""
        with self._opening:
            if self._rows is None:
                self._rows = self.open_rows(config)
            return self._rows

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reads wait for the store without a thread; writes take one."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: FeastData, progress: Progress | None
    ) -> None:
        """Write rows; of each entity the newest stays. A feature that is left out keeps its value.

        Raises:
            FeatureStoreError: if a value has another type than its feature, or the store is down.
        """
        if not data:
            return
        keys = [key_of(key) for key, _, _, _ in data]
        values: Sequence[Mapping[str, Value]] = [row for _, row, _, _ in data]
        schema = self.registered(config, table)
        if any(not row.keys() >= schema.place.keys() for row in values):
            stored = self.online_read(config, table, [key for key, _, _, _ in data])
            values = [{**(own or {}), **new} for (_, own), new in zip(stored, values, strict=True)]
        rows = pack(schema, columns_of_protos(schema, values), *_times(data))
        self.rows(config).write_rows(stored_name(config, table), keys, rows)
        if progress:
            progress(len(rows))

    async def online_write_batch_async(
        self, config: RepoConfig, table: FeatureView, data: FeastData, progress: Progress | None
    ) -> None:
        """Write rows as `online_write_batch` does, in a thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[FeastRow]:
        """Return event time and values of each entity; (None, None) for one that is not there."""
        view, keys = stored_name(config, table), [key_of(key) for key in entity_keys]
        (rows,) = self.rows(config).read_rows([view], keys)
        return self._feast_rows(config, table, rows, requested_features)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[FeastRow]:
        """Return what `online_read` returns, without blocking the event loop."""
        view, keys = stored_name(config, table), [key_of(key) for key in entity_keys]
        (rows,) = await self.rows(config).read_rows_async([view], keys)
        return self._feast_rows(config, table, rows, requested_features)

    def delete_entities(
        self, config: RepoConfig, table: FeatureView, entity_keys: Sequence[EntityKey]
    ) -> int:
        """Forget entities in a view and return how many of them were there."""
        keys = [key_of(key) for key in entity_keys]
        return self.rows(config).delete_rows(stored_name(config, table), keys)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Remember the schemas of the views that are kept, and drop those that are not."""
        for table in tables_to_keep:
            self.registered(config, table)
        for table in tables_to_delete:
            self._drop(config, table)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Drop the views and close the store."""
        for table in tables:
            self._drop(config, table)
        self.rows(config).close()

    async def close(self) -> None:
        """Close the store; it opens again when it is used again."""
        if self._rows is not None:
            await self._rows.close_async()
            self._rows.close()

    def registered(self, config: RepoConfig, table: FeatureView) -> RowSchema:
        """Return the schema of a view's rows, which the store knows from now on."""
        schema, view = schema_of(table), stored_name(config, table)
        if schema.fingerprint not in self._schemas.get(view, {}):
            self.rows(config).register(view, schema)
            self._schemas[view] = self.rows(config).schemas(view)
        return schema

    # What follows is called by Feast's `get_online_features`; its Redis store replaces it as well.

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: Grouped,
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        *told: Any,
    ) -> None:
        store = self.rows(config)
        asked = lookups(config, grouped_refs, join_key_values, entity_name_to_join_key_map)
        read = [store.read_rows(lookup.views, lookup.keys) for lookup in asked]
        self._respond(config, grouped_refs, in_order(asked, read), *told)

    async def _read_features_per_fv_async(
        self,
        config: RepoConfig,
        grouped_refs: Grouped,
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        *told: Any,
    ) -> None:
        store = self.rows(config)
        asked = lookups(config, grouped_refs, join_key_values, entity_name_to_join_key_map)
        read = await asyncio.gather(
            *(store.read_rows_async(lookup.views, lookup.keys) for lookup in asked)
        )
        self._respond(config, grouped_refs, in_order(asked, read), *told)

    @staticmethod
    def _build_feature_types(grouped_refs: Grouped) -> FeatureTypes:
        return FeatureTypes(grouped_refs)

    def _respond(
        self,
        config: RepoConfig,
        grouped: Grouped,
        read: Sequence[Rows],
        response: GetOnlineFeaturesResponse,
        full_names: bool,
        with_versions: bool,
    ) -> None:
        for (view, features), rows in zip(grouped, read, strict=True):
            unpack = partial(answer, self._plans.of(view, features), full_names=full_names)
            told = self._understood(config, stored_name(config, view), rows, unpack)
            extend(response, told)
            missing = int(np.count_nonzero(told.statuses == NOT_FOUND))
            track_feature_statuses(view.name, told.statuses.size - missing, missing)
        if with_versions:
            tell_versions(response, grouped)

    def _feast_rows(
        self, config: RepoConfig, view: FeatureView, rows: Rows, features: Sequence[str] | None
    ) -> list[FeastRow]:
        wanted = features or [field.name for field in view.features]
        unpack = partial(feast_rows, self._plans.of(view, wanted))
        return self._understood(config, stored_name(config, view), rows, unpack)

    def _understood(
        self,
        config: RepoConfig,
        view: str,
        rows: Rows,
        unpack: Callable[[Rows, Schemas], tuple[Told, int]],
    ) -> Told:
        """Return what rows say. One that was refused may be of a schema that is news to us."""
        known = self._schemas.get(view, {})
        told, refused = unpack(rows, known)
        if refused and has_unknown_schema(rows, known):
            self._schemas[view] = self.rows(config).schemas(view)
            told, refused = unpack(rows, self._schemas[view])
        if refused:
            log.warning("%d rows of %s are damaged and count as not found", refused, view)
        return told

    def _drop(self, config: RepoConfig, view: FeatureView) -> None:
        self.rows(config).drop_view(stored_name(config, view))
        self._schemas.pop(stored_name(config, view), None)


def _times(data: FeastData) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    events = [micros(event) for _, _, event, _ in data]
    created = [NO_TIME if moment is None else micros(moment) for _, _, _, moment in data]
    return np.array(events, dtype=np.int64), np.array(created, dtype=np.int64)
