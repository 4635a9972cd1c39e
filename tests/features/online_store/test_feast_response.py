"""The bytes laid by NumPy say what messages made one by one would say."""

import numpy as np
import pytest
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from features.online_store.feast_response import ViewAnswer, extend

PRESENT = FieldStatus.PRESENT
NAMES = ("orders_30d", "name", "spend_90d", "tags")


def answer_of(rng: np.random.Generator, count: int, moments: int) -> ViewAnswer:
    micros = rng.integers(0, 2**52, moments)[rng.integers(0, moments, count)]
    texts = [Value(string_val="é" * int(n)).SerializeToString() for n in rng.integers(0, 99, count)]
    long = Value(bytes_val=b"x" * 20_000).SerializeToString()
    return ViewAnswer(
        event_micros=micros,
        statuses=rng.integers(1, 5, (4, count)).astype(np.uint8),
        names=NAMES,
        floats=rng.normal(size=(2, count)),
        float_rows=(0, 2),
        others={1: texts, 3: [long if n % 2 else b"" for n in range(count)]},
    )


def one_by_one(answer: ViewAnswer) -> GetOnlineFeaturesResponse:
    response = GetOnlineFeaturesResponse()
    response.metadata.feature_names.val.extend(answer.names)
    for place, statuses in enumerate(answer.statuses.tolist()):
        if place in answer.others:
            values = [Value.FromString(payload) for payload in answer.others[place]]
        else:
            numbers = answer.floats[answer.float_rows.index(place)].tolist()
            values = [
                Value(double_val=number) if status == PRESENT else Value()
                for number, status in zip(numbers, statuses, strict=True)
            ]
        stamps = [Timestamp() for _ in statuses]
        for stamp, micros in zip(stamps, answer.event_micros.tolist(), strict=True):
            stamp.FromMicroseconds(micros)
        response.results.append(
            GetOnlineFeaturesResponse.FeatureVector(
                values=values, statuses=statuses, event_timestamps=stamps
            )
        )
    return response


@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 300])
@pytest.mark.parametrize("moments", [1, 5])
def test_answer_is_the_same_as_made_one_by_one(count: int, moments: int) -> None:
    answer = answer_of(np.random.default_rng(count), count, moments)
    response = GetOnlineFeaturesResponse()

    extend(response, answer)

    assert response == one_by_one(answer)
    assert len(response.results) == len(NAMES)


def test_one_customer_with_floats_alone_gets_the_same_answer() -> None:
    rng = np.random.default_rng(3)
    statuses = np.array([[1], [2], [3], [4], [1]], dtype=np.uint8)
    names = ("a", "b", "c", "d", "e")
    moment = np.array([1_772_323_200_000_001])
    answer = ViewAnswer(moment, statuses, names, rng.normal(size=(5, 1)), (0, 1, 2, 3, 4))
    response = GetOnlineFeaturesResponse()

    extend(response, answer)

    assert response == one_by_one(answer)


def test_floats_keep_their_bits_and_zero_is_not_null() -> None:
    numbers = np.array([[0.0, -0.0, 5e-324, 1.7e308, np.inf, -np.inf]])
    statuses = np.full(numbers.shape, PRESENT, dtype=np.uint8)
    answer = ViewAnswer(np.zeros(6, dtype=np.int64), statuses, ("x",), numbers, (0,))
    response = GetOnlineFeaturesResponse()

    extend(response, answer)

    read = [value.double_val for value in response.results[0].values]
    assert np.array(read).tobytes() == numbers.tobytes()
    assert all(value.HasField("double_val") for value in response.results[0].values)


def test_views_follow_one_another_in_one_response() -> None:
    rng = np.random.default_rng(1)
    answers = [answer_of(rng, 3, 2) for _ in range(2)]
    response = GetOnlineFeaturesResponse()

    for answer in answers:
        extend(response, answer)

    expected = one_by_one(answers[0])
    expected.MergeFrom(one_by_one(answers[1]))
    assert response == expected
