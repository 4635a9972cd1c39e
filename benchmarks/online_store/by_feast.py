"""The same customers through Feast: its own stores, and ours under the same calls."""

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.types import Float64

from benchmarks.online_store.contest import Place
from benchmarks.online_store.customers import AS_OF, FEATURES, VIEW

MOMENT = pa.timestamp("us", "UTC")
STOCK_CUSTOMERS = 20_000
"""So many are written to stock stores; its rate does not change with their number."""


class _ByFeast:
    """Materializes Parquet files, and reads with `get_online_features`."""

    name = ""
    most_customers: ClassVar[int | None] = None

    def __init__(self, place: Place, online_store: dict[str, Any], **config: Any) -> None:
        self._folder = place.folder / "source"
        self._folder.mkdir()
        self._files = 0
        registry = {"path": str(place.folder / "registry.db"), "cache_ttl_seconds": 3600}
        self._store = FeatureStore(
            config=RepoConfig(
                project="benchmark",
                provider="local",
                registry=registry,
                offline_store={"type": "duckdb"},
                online_store=online_store,
                entity_key_serialization_version=3,
                **config,
            )
        )

    def prepare(self, batch: pa.RecordBatch) -> object:
        """Write a file of the source."""
        moments = pa.repeat(pa.scalar(AS_OF, MOMENT), batch.num_rows)
        table = pa.Table.from_batches([batch])
        table = table.append_column("as_of", moments).append_column("known_at", moments)
        pq.write_table(table, self._folder / f"{self._files:04d}.parquet")
        self._files += 1
        if self._files == 1:
            self._register()
        return None

    def write(self, prepared: Any) -> None:
        """Wait for the last file."""

    def finish(self) -> None:
        """Materialize all of it."""
        self._materialize(AS_OF)
        self._service = self._store.get_feature_service("all")

    def read(self, customer_ids: Sequence[str]) -> object:
        """Read Feast's own answer."""
        return self._store.get_online_features(self._service, {"customer_id": list(customer_ids)})

    def _materialize(self, moment: datetime) -> None:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self._store.materialize(moment, moment)

    def _register(self) -> None:
        customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
        source = FileSource(
            name="files",
            path=str(self._folder / "*.parquet"),
            timestamp_field="as_of",
            created_timestamp_column="known_at",
        )
        fields = [Field(name=name, dtype=Float64) for name in FEATURES]
        view = FeatureView(
            name=VIEW, entities=[customer], schema=fields, source=source, ttl=timedelta(0)
        )
        self._store.apply([customer, source, view, FeatureService(name="all", features=[view])])
        self._materialize(AS_OF - timedelta(days=1))  # nothing, but now everything is imported


class _Ours(_ByFeast):
    """Our store and our engine, with a full refresh."""

    def __init__(self, place: Place, online_store: dict[str, Any]) -> None:
        engine = "features.online_store.materialization.ColumnarComputeEngine"
        own = {"type": engine, "refresh": "full", "show_progress": False}
        super().__init__(place, online_store, batch_engine=own)


class OursByFeastOnSqlite(_Ours):
    """Our SQLite store under Feast."""

    name = "SQLite, ours by Feast"

    def __init__(self, place: Place) -> None:
        kind = "features.online_store.feast_sqlite.ColumnarSqliteOnlineStore"
        super().__init__(place, {"type": kind, "path": str(place.folder / "ours.db")})


class OursByFeastOnRedis(_Ours):
    """Our Redis store under Feast."""

    name = "Redis, ours by Feast"

    def __init__(self, place: Place) -> None:
        kind = "features.online_store.feast_redis.ColumnarRedisOnlineStore"
        super().__init__(place, {"type": kind, "url": place.redis_url})


class StockFeastOnSqlite(_ByFeast):
    """Feast's own SQLite store."""

    name = "SQLite, stock Feast"
    most_customers = STOCK_CUSTOMERS

    def __init__(self, place: Place) -> None:
        super().__init__(place, {"type": "sqlite", "path": str(place.folder / "stock.db")})


class StockFeastOnRedis(_ByFeast):
    """Feast's own Redis store."""

    name = "Redis, stock Feast"
    most_customers = STOCK_CUSTOMERS

    def __init__(self, place: Place) -> None:
        address = place.redis_url.removeprefix("redis://").removesuffix("/0")
        super().__init__(place, {"type": "redis", "connection_string": address})
