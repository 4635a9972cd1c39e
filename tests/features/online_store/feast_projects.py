"""Small Feast projects on any online store, and made-up rows of every type."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.types import (
    Array,
    Bool,
    Bytes,
    FeastType,
    Float32,
    Float64,
    Int32,
    Int64,
    String,
    UnixTimestamp,
)

ENGINE = "features.online_store.materialization.ColumnarComputeEngine"
SQLITE = "features.online_store.feast_sqlite.ColumnarSqliteOnlineStore"
REDIS = "features.online_store.feast_redis.ColumnarRedisOnlineStore"

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
MOMENT = pa.timestamp("us", "UTC")

CUSTOMER = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)

TYPES: Mapping[str, FeastType] = {
    "spend": Float64,
    "score": Float32,
    "orders": Int64,
    "visits": Int32,
    "is_member": Bool,
    "last_seen": UnixTimestamp,
    "segment": String,
    "token": Bytes,
    "amounts": Array(Float64),
    "labels": Array(String),
}
COLUMNS: Mapping[str, tuple[Any, Sequence[Any]]] = {
    "spend": (pa.float64(), [0.0, -1.5, None, 1e300]),
    "score": (pa.float32(), [0.5, None, -0.0, 3.25]),
    "orders": (pa.int64(), [0, 2**60, -7, 4]),
    "visits": (pa.int32(), [1, -(2**31), 3, 0]),
    "is_member": (pa.bool_(), [True, False, None, False]),
    "last_seen": (MOMENT, [NOW, NOW - 99 * HOUR, datetime(1969, 5, 1, tzinfo=UTC), NOW]),
    "segment": (pa.string(), ["", "naïve \U0001f642", None, "x" * 5_000]),
    "token": (pa.binary(), [b"", b"\x00\xff", None, b"t"]),
    "amounts": (pa.list_(pa.float64()), [[1.0, 2.5], [], None, [0.0]]),
    "labels": (pa.list_(pa.string()), [["a", "b"], [""], None, ["é"]]),
}
IDS = ("ann", "bob", "çem", "dee")


def write_rows(
    path: Path,
    columns: Mapping[str, tuple[Any, Sequence[Any]]],
    *,
    ids: Sequence[Any] = IDS,
    event: datetime | Sequence[datetime] = NOW - HOUR,
) -> None:
    events = [event] * len(ids) if isinstance(event, datetime) else list(event)
    table = {
        "customer_id": pa.array(ids),
        "happened_at": pa.array(events, MOMENT),
        "created_at": pa.array(events, MOMENT),
        **{name: pa.array(values, kind) for name, (kind, values) in columns.items()},
    }
    pq.write_table(pa.table(table), path)


def view_of(
    name: str,
    path: Path,
    types: Mapping[str, FeastType],
    *,
    ttl: timedelta = 24 * HOUR,
    entity: Entity = CUSTOMER,
    **options: Any,
) -> FeatureView:
    source = options.pop("source", None) or source_of(name, path)
    fields = [Field(name=feature, dtype=kind) for feature, kind in types.items()]
    return FeatureView(
        name=name, entities=[entity], ttl=ttl, schema=fields, source=source, **options
    )


def source_of(name: str, path: Path) -> FileSource:
    return FileSource(
        name=f"{name}_source",
        path=str(path),
        timestamp_field="happened_at",
        created_timestamp_column="created_at",
    )


def open_feast(
    root: Path, online_store: Mapping[str, Any], *, offline: str = "duckdb", **engine: Any
) -> FeatureStore:
    root.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "project": "shop",
        "provider": "local",
        "registry": {
            "path": str(root / "registry.db"),
            "serve_features_while_materializing": True,
        },
        "offline_store": {"type": offline},
        "online_store": dict(online_store),
        "entity_key_serialization_version": 3,
    }
    if online_store["type"] in (SQLITE, REDIS):
        config["batch_engine"] = {"type": ENGINE, **engine}
    return FeatureStore(config=RepoConfig(**config))


Answer = dict[str, list[tuple[bytes, int, int]]]


def answer_of(response: GetOnlineFeaturesResponse) -> Answer:
    """By feature: value, status and event time in seconds of each customer."""
    return {
        name: [
            (value.SerializeToString(), status, stamp.seconds)
            for value, status, stamp in zip(
                vector.values,
                vector.statuses,
                vector.event_timestamps,
                strict=True,
            )
        ]
        for name, vector in zip(response.metadata.feature_names.val, response.results, strict=True)
    }


def statuses_of(response: GetOnlineFeaturesResponse, feature: str) -> list[str]:
    return [FieldStatus.Name(status) for _, status, _ in answer_of(response)[feature]]
