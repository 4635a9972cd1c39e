"""Feast's words in ours: its types, entity keys and values, and columns of packed rows.

Six scalar types, strings, bytes and timestamps have a type of their own in a row. Everything else
that Feast knows (lists, sets, maps, decimals...) is kept as the bytes of its own message.

A NaN is a null here: Feast's own writer makes nulls of them too.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast.base_feature_view import BaseFeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import NULL_TIMESTAMP_INT_VALUE, python_values_to_proto_values
from feast.value_type import ValueType as FeastType

from features.contracts.errors import FeatureStoreError
from features.online_store.schema import RowSchema, ValueType

MICROS = 1_000_000
EPOCH = datetime.fromtimestamp(0, UTC)
KEY_VERSION = 3
"""Version of Feast's serialization of entity keys."""

STORED_AS = {
    FeastType.DOUBLE: ValueType.FLOAT64,
    FeastType.FLOAT: ValueType.FLOAT32,
    FeastType.INT64: ValueType.INT64,
    FeastType.INT32: ValueType.INT32,
    FeastType.BOOL: ValueType.BOOL,
    FeastType.UNIX_TIMESTAMP: ValueType.TIMESTAMP,
    FeastType.STRING: ValueType.STRING,
    FeastType.BYTES: ValueType.BYTES,
}

ARROW_TYPES: Mapping[ValueType, Any] = {
    ValueType.FLOAT64: pa.float64(),
    ValueType.FLOAT32: pa.float32(),
    ValueType.INT64: pa.int64(),
    ValueType.INT32: pa.int32(),
    ValueType.BOOL: pa.bool_(),
    ValueType.TIMESTAMP: pa.int64(),
    ValueType.STRING: pa.string(),
    ValueType.BYTES: pa.binary(),
    ValueType.BLOB: pa.binary(),
}

TO_PROTO: Mapping[ValueType, Callable[[Any], Value]] = {
    ValueType.FLOAT64: lambda value: Value(double_val=value),
    ValueType.FLOAT32: lambda value: Value(float_val=value),
    ValueType.INT64: lambda value: Value(int64_val=value),
    ValueType.INT32: lambda value: Value(int32_val=value),
    ValueType.BOOL: lambda value: Value(bool_val=value),
    ValueType.TIMESTAMP: lambda value: Value(unix_timestamp_val=value // MICROS),
    ValueType.STRING: lambda value: Value(string_val=value),
    ValueType.BYTES: lambda value: Value(bytes_val=value),
    ValueType.BLOB: Value.FromString,
}


def schema_of(view: BaseFeatureView) -> RowSchema:
    """Return the schema of a view's rows."""
    return RowSchema(
        tuple(field.name for field in view.features),
        tuple(
            STORED_AS.get(field.dtype.to_value_type(), ValueType.BLOB) for field in view.features
        ),
    )


def key_of(entity_key: EntityKey) -> bytes:
    """Return the key of an entity: the UTF-8 of a single string, else Feast's own bytes."""
    if len(entity_key.entity_values) == 1 and entity_key.entity_values[0].HasField("string_val"):
        return bytes(entity_key.entity_values[0].string_val.encode())
    return bytes(serialize_entity_key(entity_key, KEY_VERSION))


def keys_of_values(values: Mapping[str, Sequence[Value]]) -> list[bytes]:
    """Return the n keys of entities given as join key -> n values, as `key_of` does."""
    if len(values) == 1:
        (column,) = values.values()
        if all(value.HasField("string_val") for value in column):
            return [value.string_val.encode() for value in column]
    names = list(values)
    rows = zip(*values.values(), strict=True)
    return [key_of(EntityKey(join_keys=names, entity_values=row)) for row in rows]


def keys_of_batch(batch: pa.RecordBatch, join_keys: Mapping[str, FeastType]) -> list[bytes]:
    """Return the n keys of the rows of a batch; a view without entities has one customer only.

    Raises:
        FeatureStoreError: if a key is null.
    """
    if not join_keys:
        return [b""] * batch.num_rows
    for name in join_keys:
        if batch.column(name).null_count:
            raise FeatureStoreError(f"a row has no {name}; mend the source of the feature view")
    if len(join_keys) == 1:
        ((name, kind),) = join_keys.items()
        if kind is FeastType.STRING:
            texts = batch.column(name).cast(pa.string()).cast(pa.binary())
            return [text for text in texts.to_pylist() if text is not None]
        if kind is FeastType.INT64:
            return _integer_keys(name, batch.column(name))
    return keys_of_values(
        {name: _protos(batch.column(name), kind) for name, kind in join_keys.items()}
    )


def _integer_keys(name: str, column: "pa.Array[Any]") -> list[bytes]:
    """Return what `key_of` does for a 64-bit integer: only the last eight bytes differ."""
    start = serialize_entity_key(
        EntityKey(join_keys=[name], entity_values=[Value(int64_val=0)]), KEY_VERSION
    )[:-8]
    pack = struct.Struct("<q").pack
    return [start + pack(number) for number in column.cast(pa.int64()).to_pylist()]


def columns_of_protos(
    schema: RowSchema, rows: Sequence[Mapping[str, Value]]
) -> list["pa.Array[Any]"]:
    """Return the columns of n rows of Feast's values; null where a row lacks a feature.

    Raises:
        FeatureStoreError: if a value is of another type than its feature.
    """
    nothing = Value()
    columns = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        values = [_plain(row.get(name, nothing), kind) for row in rows]
        try:
            columns.append(pa.array(values, ARROW_TYPES[kind]))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise FeatureStoreError(
                f"a value of the feature {name} is not {kind.value}: {error}; "
                "write what the feature view declares"
            ) from error
    return columns


def _plain(value: Value, kind: ValueType) -> Any:
    field = value.WhichOneof("val")
    if field is None or field == "null_val":
        return None
    if kind is ValueType.BLOB:
        return value.SerializeToString()
    plain = getattr(value, field)
    if kind is ValueType.TIMESTAMP:
        return None if plain == NULL_TIMESTAMP_INT_VALUE else plain * MICROS
    return None if plain != plain else plain  # a NaN


def columns_of_batch(
    schema: RowSchema, types: Sequence[FeastType], batch: pa.RecordBatch
) -> list["pa.Array[Any]"]:
    """Return the columns of a batch from an offline store, in the types of the schema.

    Raises:
        FeatureStoreError: if a column is missing or cannot be cast to its type.
    """
    columns = []
    for name, kind, feast_type in zip(schema.names, schema.types, types, strict=True):
        try:
            columns.append(_column(batch.column(name), kind, feast_type))
        except (KeyError, pa.ArrowException, TypeError, AssertionError) as error:
            raise FeatureStoreError(
                f"the feature {name} cannot be read as {kind.value}: {error}; "
                "mend the source or the feature view"
            ) from error
    return columns


def _column(column: "pa.Array[Any]", kind: ValueType, feast_type: FeastType) -> "pa.Array[Any]":
    if kind is ValueType.BLOB:
        values = _protos(column, feast_type)
        return pa.array([value.SerializeToString() or None for value in values], pa.binary())
    if kind is ValueType.TIMESTAMP:
        return micros_of(column)
    return column.cast(ARROW_TYPES[kind])


def _protos(column: "pa.Array[Any]", feast_type: FeastType) -> list[Value]:
    values: Any = column.to_numpy(zero_copy_only=False)
    return python_values_to_proto_values(values, feast_type)


def micros(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, UTC; one without a zone is in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def micros_of(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return moments as microseconds since 1970, UTC; whole numbers are taken for seconds."""
    if pa.types.is_integer(column.type):
        return pc.multiply(column.cast(pa.int64()), pa.scalar(MICROS, pa.int64()))
    zone = getattr(column.type, "tz", None)
    # Nanoseconds are cut off: rows keep microseconds.
    return column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())


def payloads(
    kind: ValueType, values: "np.ndarray[Any, Any] | list[Any]", present: Sequence[bool]
) -> list[bytes]:
    """Return n values as the bytes of Feast's messages; none where a value is not present."""
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    if kind is ValueType.BLOB:
        return [value if there else b"" for value, there in zip(plain, present, strict=True)]
    make = TO_PROTO[kind]
    return [
        make(value).SerializeToString() if there else b""
        for value, there in zip(plain, present, strict=True)
    ]
