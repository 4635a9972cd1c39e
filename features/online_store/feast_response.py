"""The answer of Feast's `get_online_features`, written as protobuf bytes by NumPy.

Feast makes one message per feature and customer in Python, at two microseconds each or more. The
bytes of those messages are plain: a number of a fixed width behind a few constant bytes. So they
are laid out for all features and customers at once, and protobuf parses them in C: a thousand
customers with sixty features take six milliseconds instead of hundreds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from features.contracts.vectors import FloatMatrix

MICROS = 1_000_000

# Looking names up in Feast's enumeration takes longer than reading a feature.
PRESENT = int(FieldStatus.PRESENT)
NULL_VALUE = int(FieldStatus.NULL_VALUE)
NOT_FOUND = int(FieldStatus.NOT_FOUND)
OUTSIDE_MAX_AGE = int(FieldStatus.OUTSIDE_MAX_AGE)

LENGTH_DELIMITED, FIXED_64 = 2, 1


def _tag(message: type, name: str, wire_type: int) -> bytes:
    """Return what stands before a field; all numbers here are small enough for one byte."""
    return bytes([message.DESCRIPTOR.fields_by_name[name].number << 3 | wire_type])  # type: ignore[attr-defined] # every message has one


_VECTOR = GetOnlineFeaturesResponse.FeatureVector
RESULTS = _tag(GetOnlineFeaturesResponse, "results", LENGTH_DELIMITED)
VALUES = _tag(_VECTOR, "values", LENGTH_DELIMITED)
STATUSES = _tag(_VECTOR, "statuses", LENGTH_DELIMITED)
TIMESTAMPS = _tag(_VECTOR, "event_timestamps", LENGTH_DELIMITED)

_DOUBLE = VALUES + bytes([9]) + _tag(Value, "double_val", FIXED_64)
"""What stands before the eight bytes of a float: field, length of the message, its field."""


@dataclass
class ViewAnswer:
    """What is answered about n asked customers from one view.

    Attributes:
        event_micros: n event times in microseconds since 1970; 0 where nothing was found.
        statuses: f x n values of `FieldStatus`, features in the order of `names`.
        names: names of the f features in the answer.
        floats: k x n values of the features that are floats.
        float_rows: which of the f features those are, ascending.
        others: the n values of every other feature by its place, each a serialized `Value`.
    """

    event_micros: NDArray[np.int64]
    statuses: NDArray[np.uint8]
    names: tuple[str, ...]
    floats: FloatMatrix
    float_rows: tuple[int, ...]
    others: Mapping[int, Sequence[bytes]] = field(default_factory=dict)


def extend(response: GetOnlineFeaturesResponse, answer: ViewAnswer) -> None:
    """Append the features of a view to a response."""
    response.metadata.feature_names.val.extend(answer.names)
    is_one = answer.statuses.shape[1] == 1 and not answer.others
    response.MergeFromString(_results_of_one(answer) if is_one else _results(answer))


def _results_of_one(answer: ViewAnswer) -> bytes:
    """Return what `_results` returns: for one customer NumPy takes longer than plain bytes."""
    moment = _moments(answer)
    tails = [STATUSES + bytes([1, status]) + moment for status in range(OUTSIDE_MAX_AGE + 1)]
    blanks = [_result(VALUES + bytes([0]) + tail) for tail in tails]
    head = RESULTS + _varint(len(_DOUBLE) + 8 + len(tails[PRESENT])) + _DOUBLE
    tail = tails[PRESENT]
    numbers = np.ascontiguousarray(answer.floats, dtype="<f8").tobytes()
    return b"".join(
        [
            head + numbers[8 * place : 8 * place + 8] + tail
            if status == PRESENT
            else blanks[status]
            for place, status in enumerate(answer.statuses.ravel().tolist())
        ]
    )


def _result(content: bytes) -> bytes:
    return RESULTS + _varint(len(content)) + content


def _results(answer: ViewAnswer) -> bytes:
    count = answer.statuses.shape[1]
    numbers = dict(zip(answer.float_rows, _float_values(answer), strict=True))
    statuses = answer.statuses.tobytes()
    before = STATUSES + _varint(count)
    moments = _moments(answer)
    parts: list[bytes] = []
    for place in range(len(answer.names)):
        values = numbers[place] if place in numbers else _messages(answer.others[place])
        start = place * count
        size = len(values) + len(before) + count + len(moments)
        own = statuses[start : start + count]
        parts += (RESULTS, _varint(size), values, before, own, moments)
    return b"".join(parts)


def _float_values(answer: ViewAnswer) -> list[bytes]:
    """Return for each feature that is a float the bytes of its n values; not present ones empty."""
    features, count = answer.floats.shape
    message = len(_DOUBLE) + 8
    laid = np.empty((features, count, message), dtype=np.uint8)
    laid[..., : len(_DOUBLE)] = np.frombuffer(_DOUBLE, dtype=np.uint8)
    little = np.ascontiguousarray(answer.floats, dtype="<f8")
    laid[..., len(_DOUBLE) :] = little.view(np.uint8).reshape(features, count, 8)
    absent = answer.statuses[list(answer.float_rows)] != PRESENT
    if not absent.any():
        return [own.tobytes() for own in laid]
    laid[..., 1][absent] = 0  # a message of no bytes: nothing after the length is kept
    kept = np.ones(laid.shape, dtype=np.bool_)
    kept[..., 2:] = ~absent[..., np.newaxis]
    everything = laid[kept].tobytes()
    ends = np.cumsum(message * count - (message - 2) * absent.sum(axis=1)).tolist()
    return [everything[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _messages(payloads: Iterable[bytes]) -> bytes:
    return b"".join([VALUES + _varint(len(payload)) + payload for payload in payloads])


def _moments(answer: ViewAnswer) -> bytes:
    """Return the n event times, the same for every feature of the view."""
    micros = answer.event_micros
    if len(micros) and (micros == micros[0]).all():
        return _moment(int(micros[0])) * len(micros)
    different, places = np.unique(micros, return_inverse=True)
    written = [_moment(moment) for moment in different.tolist()]
    return b"".join([written[place] for place in places.tolist()])


def _moment(micros: int) -> bytes:
    seconds, rest = divmod(micros, MICROS)
    stamp: bytes = Timestamp(seconds=seconds, nanos=rest * 1_000).SerializeToString()
    return TIMESTAMPS + _varint(len(stamp)) + stamp


@lru_cache(maxsize=4_096)
def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
