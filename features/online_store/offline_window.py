"""The rows of a feature view in a window of time, as Arrow batches from any offline store.

Stores that Feast reads through Ibis (DuckDB among them) stream, so memory holds a few batches and
not the window. The others hand over a whole table, which is then cut.
"""

import glob
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast import Entity, FeatureView, FileSource, RepoConfig, utils
from feast.data_source import DataSource
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.value_type import ValueType as FeastType

from features.contracts.errors import FeatureStoreError

VIEWS = "SELECT view_name, sql FROM duckdb_views() WHERE temporary AND NOT internal"


@dataclass(frozen=True)
class OfflineWindow:
    """Rows of a view with event times from `start` to `end`, both included.

    Attributes:
        config: Feast's configuration.
        store: the offline store.
        view: the feature view.
        entities: its entities.
        start: the earliest event time.
        end: the latest event time.
    """

    config: RepoConfig
    store: OfflineStore
    view: FeatureView
    entities: tuple[Entity, ...]
    start: datetime
    end: datetime

    @property
    def join_keys(self) -> Mapping[str, FeastType]:
        """The join keys and their types; none for a view without entities."""
        return {
            column.name: column.dtype.to_value_type()
            for column in self.view.entity_columns
            if column.name != DUMMY_ENTITY_ID
        }

    @property
    def timestamp_field(self) -> str:
        """The column of event times in the batches."""
        return self._source.timestamp_field

    @property
    def created_field(self) -> str | None:
        """The column of created times in the batches."""
        return self._source.created_timestamp_column or None

    @cached_property
    def count(self) -> int:
        """The number of rows that `batches` gives."""
        return self._counts[1]

    @property
    def is_distinct(self) -> bool:
        """Whether no entity has more than one row, so that all rows are the latest ones."""
        rows, entities = self._counts
        return rows == entities

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the latest row of each entity, in batches of just so many rows but for the last."""
        table = getattr(self._job, "table", None)
        if table is None:
            read = iter(self._arrow.to_batches())
        else:
            latest: Any = table if self.is_distinct else getattr(self._latest, "table", None)
            read = _stream(latest, rows)
        mapping = self._source.field_mapping or {}
        for batch in _evenly(read, rows):
            yield batch.rename_columns([mapping.get(name, name) for name in batch.schema.names])

    def fingerprint(self) -> str:
        """Return what tells one content of the window from another.

        Local files are told by name, size and time of change; of anything else nothing is known,
        so that no two windows are alike.
        """
        files = self._files()
        if not files or not self.is_distinct:
            return uuid.uuid4().hex  # no order to rely on, either
        told = [f"{self.start}/{self.end}/{self._columns}"]
        for file in files:
            state = file.stat()
            told.append(f"{file}/{state.st_size}/{state.st_mtime_ns}")
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]

    @property
    def _source(self) -> DataSource:
        source = self.view.batch_source
        if source is None:
            raise FeatureStoreError(f"{self.view.name} has no source to be materialized from")
        return source

    @cached_property
    def _columns(self) -> tuple[list[str], list[str], str, str | None]:
        return utils._get_column_names(self.view, list(self.entities))

    @cached_property
    def _job(self) -> RetrievalJob:
        return self._pull(self.store.pull_all_from_table_or_query)

    @cached_property
    def _latest(self) -> RetrievalJob:
        return self._pull(self.store.pull_latest_from_table_or_query)

    def _pull(self, pull: Any) -> RetrievalJob:
        join_keys, features, moment, created = self._columns
        job: RetrievalJob = pull(
            config=self.config,
            data_source=self._source,
            join_key_columns=join_keys,
            feature_name_columns=features,
            timestamp_field=moment,
            created_timestamp_column=created,
            start_date=self.start,
            end_date=self.end,
        )
        return job

    @cached_property
    def _arrow(self) -> pa.Table:
        return self._latest.to_arrow()

    @cached_property
    def _counts(self) -> tuple[int, int]:
        """Rows and entities; looks at nothing but the join keys and the event times."""
        table = getattr(self._job, "table", None)
        if table is None:
            return self._arrow.num_rows, self._arrow.num_rows
        join_keys = self._columns[0]
        if len(join_keys) == 1:  # one query is faster than two
            counts = {"rows": table.count(), "entities": table[join_keys[0]].nunique()}
            (counted,) = table.aggregate(**counts).to_pyarrow().to_pylist()
            return counted["rows"], counted["entities"]
        rows = int(table.count().to_pyarrow().as_py())
        if not join_keys:
            return rows, min(rows, 1)
        return rows, int(table.select(*join_keys).distinct().count().to_pyarrow().as_py())

    def _files(self) -> list[Path]:
        if not isinstance(self._source, FileSource):
            return []
        path = str(FileSource.get_uri_for_file_path(self.config.repo_path, self._source.path))
        return [Path(name) for name in sorted(glob.glob(path))]  # noqa: PTH207 - a pattern's string


def _stream(table: Any, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an Ibis table as they come."""
    backend = table.get_backend()
    if backend.name != "duckdb":
        yield from table.to_pyarrow_batches(chunk_size=rows)
        return
    # Ibis cannot stream from DuckDB's current releases, so we do, on a connection of our own: while
    # one streams it answers nobody else. It has to be told what Ibis calls the files.
    query = backend.compile(table)
    views = backend.con.execute(VIEWS).fetchall()
    with backend.con.cursor() as own:
        own.execute("SET TimeZone = 'UTC'")
        for name, definition in views:
            if name in query:
                own.execute(definition)
        with own.sql(query).to_arrow_reader(rows) as reader:
            yield from reader


def _evenly(read: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of one size: engines cut them as they like."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in read:
        waiting.append(batch)
        count += batch.num_rows
        while count >= rows:
            whole = pa.Table.from_batches(waiting)
            yield _as_one(whole.slice(0, rows))
            waiting = whole.slice(rows).to_batches()
            count -= rows
    if count:
        yield _as_one(pa.Table.from_batches(waiting))


def _as_one(table: pa.Table) -> pa.RecordBatch:
    (batch,) = table.combine_chunks().to_batches()
    return batch
