"""A Feast batch engine that streams columns into packed rows.

    batch_engine:
      type: features.online_store.materialization.ColumnarComputeEngine
      refresh: full

Only a few batches are in memory at a time: while one is written, the next is read and packed.
Feature views that need more than copying (transformations, aggregations, validation...) and other
online stores are left to Feast's own local engine.
"""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
from feast import FeatureView
from feast.infra.common.materialization_job import (
    MaterializationJobStatus,
    MaterializationTask,
)
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from numpy.typing import NDArray

from features.online_store.feast_lookups import stored_name
from features.online_store.feast_store import ColumnarOnlineStore
from features.online_store.feast_values import (
    columns_of_batch,
    keys_of_batch,
    micros,
    micros_of,
)
from features.online_store.offline_window import OfflineWindow
from features.online_store.packing import NO_TIME, pack
from features.online_store.refresh_names import refresh_name
from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema

BATCH_ROWS = 20_000
"""Rows in memory at a time, two or three times over: 10 MB each with sixty features."""

Refresh = Literal["rows", "full", "replace"]
Item = TypeVar("Item")


class ColumnarComputeEngineConfig(FeastConfigBaseModel):
    """The `batch_engine` section of feature_store.yaml."""

    type: Literal["features.online_store.materialization.ColumnarComputeEngine"] = (
        "features.online_store.materialization.ColumnarComputeEngine"
    )
    """Class path of the engine."""
    refresh: Refresh = "rows"
    """What materializing does.

    * rows: writes row by row, newest wins; entities outside of the window keep what they have.
    * full: the window becomes all there is, at once, but for rows pushed since its end.
    * replace: as full, and what was pushed since goes as well, so that it may go back in time.
    """
    batch_rows: int = BATCH_ROWS
    """Rows in memory at a time."""
    show_progress: bool = True
    """Whether to draw Feast's progress bar."""


@dataclass(frozen=True)
class PackedBatch:
    """Rows that are ready to be written."""

    keys: list[bytes]
    rows: list[bytes]


class ColumnarComputeEngine(LocalComputeEngine):
    """Materializes feature views into a `ColumnarOnlineStore`."""

    def __init__(
        self,
        *,
        refresh: Refresh = "rows",
        batch_rows: int = BATCH_ROWS,
        show_progress: bool = True,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self._refresh = refresh
        self._batch_rows = batch_rows
        self._show_progress = show_progress

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **options: Any
    ) -> LocalMaterializationJob:
        if not (isinstance(self.online_store, ColumnarOnlineStore) and _is_copied(task)):
            return super()._materialize_one(registry, task, **options)
        job_id = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        try:
            self._stream(registry, task, self.online_store)
        except Exception as error:  # Feast asks the job for it, and raises it
            return LocalMaterializationJob(job_id, MaterializationJobStatus.ERROR, error)
        return LocalMaterializationJob(job_id, MaterializationJobStatus.SUCCEEDED)

    def _stream(
        self, registry: BaseRegistry, task: MaterializationTask, store: ColumnarOnlineStore
    ) -> None:
        view, config = task.feature_view, self.repo_config
        start, end = task.start_time, task.end_time
        if task.disable_event_timestamp:
            start, end = datetime.fromtimestamp(0, UTC), datetime.now(UTC)
        entities = tuple(registry.get_entity(name, task.project) for name in view.entities)
        window = OfflineWindow(config, self.offline_store, view, entities, start, end)
        target = Target(
            store.rows(config), stored_name(config, view), store.registered(config, view)
        )
        drawn = self._show_progress
        bar = task.tqdm_builder(window.count) if drawn and task.tqdm_builder else None
        try:
            for written in target.fill(window, self._refresh, self._batch_rows):
                if bar is not None:
                    bar.update(written)
        finally:
            if bar is not None:
                bar.close()


@dataclass(frozen=True)
class Target:
    """A view in a store of rows, to be filled."""

    rows: RowStore
    view: str
    schema: RowSchema

    def fill(self, window: OfflineWindow, refresh: Refresh, batch_rows: int) -> Iterator[int]:
        """Write a window and yield the number of rows after each batch.

        A full refresh goes live after the last one. If it stops before, what was live stays so,
        and the same refresh goes on behind the last batch that was written.
        """
        content = f"{window.fingerprint()}-{self.schema.fingerprint:08x}-{batch_rows}"
        name = refresh_name(window.end, content)
        is_live = self.rows.live_refresh(self.view) == name
        if refresh == "rows" or (refresh == "full" and is_live):
            for batch in _ahead(self._packed(window, batch_rows, skip=0)):
                self.rows.write_rows(self.view, batch.keys, batch.rows)
                yield len(batch.rows)
            return
        if is_live:
            name = f"{name}-{uuid.uuid4().hex}"
        done = self.rows.begin_refresh(self.view, name)
        yield min(done * batch_rows, window.count)
        packed = self._packed(window, batch_rows, skip=done)
        for number, batch in enumerate(_ahead(packed), done + 1):
            self.rows.write_rows(self.view, batch.keys, batch.rows, refresh=name, progress=number)
            yield len(batch.rows)
        kept = None if refresh == "replace" else micros(window.end)
        self.rows.publish_refresh(self.view, name, keep_after_us=kept)

    def _packed(
        self, window: OfflineWindow, batch_rows: int, *, skip: int
    ) -> Iterator[PackedBatch]:
        types = [field.dtype.to_value_type() for field in window.view.features]
        for number, batch in enumerate(window.batches(batch_rows)):
            if number < skip or batch.num_rows == 0:
                continue
            columns = columns_of_batch(self.schema, types, batch)
            keys = keys_of_batch(batch, window.join_keys)
            yield PackedBatch(keys, pack(self.schema, columns, *_times(window, batch)))


def _is_copied(task: MaterializationTask) -> bool:
    """Return whether a view takes its rows as they are in its source."""
    view: Any = task.feature_view
    worked_on = ("feature_transformation", "aggregations", "filter", "source_views")
    return (
        isinstance(view, FeatureView)
        and view.batch_source is not None
        and view.online
        and not view.offline
        and not view.enable_validation
        and not any(getattr(view, work, None) for work in worked_on)
    )


def _times(
    window: OfflineWindow, batch: pa.RecordBatch
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    events = micros_of(batch.column(window.timestamp_field)).to_numpy()
    if window.created_field is None:
        return events, None
    created = micros_of(batch.column(window.created_field)).fill_null(NO_TIME)
    return events, created.to_numpy()


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items; while the caller is busy with one, a thread works out the next."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = thread.submit(next, items, None)
            yield item
