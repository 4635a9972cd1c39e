import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.contracts.eligibility import Condition, Eligibility
from features.contracts.errors import FeatureVectorError
from features.contracts.vectors import FeatureVectors, Presence


def vectors(**features: list[float]) -> FeatureVectors:
    values = np.array(list(features.values()), dtype=np.float64).T.copy()
    n = len(values)
    return FeatureVectors(
        customer_ids=tuple(map(str, range(n))),
        columns=tuple(features),
        values=values,
        presence=np.full(n, Presence.PRESENT, dtype=np.int8),
        features_as_of=np.full(n, np.datetime64("2026-03-01", "us")),
    )


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (Condition(feature="f", minimum=1), [False, True, True, False]),
        (Condition(feature="f", maximum=1), [True, True, False, False]),
        (Condition(feature="f", minimum=1, maximum=1), [False, True, False, False]),
        (Condition(feature="f"), [True, True, True, False]),
    ],
    ids=str,
)
def test_bounds_include_their_edges_and_never_a_null(
    condition: Condition, held: list[bool]
) -> None:
    assert condition.holds(np.array([0.5, 1.0, 1.5, np.nan])).tolist() == held


def test_the_first_condition_that_fails_is_named() -> None:
    rule = Eligibility(
        conditions=(Condition(feature="orders", minimum=1), Condition(feature="days", maximum=60))
    )
    customers = vectors(days=[10, 90, 10, 90, np.nan], orders=[1, 1, 0, 0, 3])

    assert rule.failed_condition(customers).tolist() == [-1, 1, 0, 0, 1]


def test_without_conditions_everybody_is_eligible() -> None:
    rule = Eligibility(conditions=())

    assert rule.failed_condition(vectors(orders=[0, np.nan])).tolist() == [-1, -1]


def test_a_condition_on_a_missing_feature_is_an_error_not_a_verdict() -> None:
    rule = Eligibility(conditions=(Condition(feature="visits_7d", minimum=1),))

    with pytest.raises(FeatureVectorError, match="visits_7d"):
        rule.failed_condition(vectors(orders=[1]))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition(feature="orders_total", minimum=1), "orders_total must be at least 1"),
        (Condition(feature="f", maximum=60.5), "f must be at most 60.5"),
        (Condition(feature="f", minimum=0, maximum=3), "f must be at least 0 and at most 3"),
        (Condition(feature="f"), "f must be known"),
    ],
    ids=str,
)
def test_a_condition_says_what_it_wants(condition: Condition, words: str) -> None:
    assert str(condition) == words


BOUNDS = st.none() | st.floats(-1e12, 1e12)
CONDITIONS = st.builds(Condition, feature=st.text(), minimum=BOUNDS, maximum=BOUNDS)


@given(st.lists(CONDITIONS, max_size=4))
def test_a_rule_travels_as_json_without_loss(conditions: list[Condition]) -> None:
    rule = Eligibility(conditions=tuple(conditions))

    assert Eligibility.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{"conditions": [{"feature": "f", "min": 1}]}', id="unknown key"),
        pytest.param('{"conditions": [{"feature": "f", "minimum": NaN}]}', id="not a number"),
        pytest.param('{"conditions": [{"feature": "f", "maximum": Infinity}]}', id="infinite"),
        pytest.param("{}", id="no conditions"),
    ],
)
def test_a_rule_that_could_be_misread_is_refused(content: str) -> None:
    with pytest.raises(ValidationError):
        Eligibility.model_validate_json(content)
