"""Schemas of rows and what tells them apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.errors import FeatureStoreError
from features.online_store.schema import RowSchema, ValueType

SCHEMAS = st.dictionaries(st.text(), st.sampled_from(list(ValueType))).map(RowSchema.of)


@given(SCHEMAS)
def test_a_schema_comes_back_from_its_text(schema: RowSchema) -> None:
    again = RowSchema.from_json(schema.to_json())

    assert again == schema
    assert again.fingerprint == schema.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"spend": ValueType.FLOAT64, "orders": ValueType.INT64},
        {"orders": ValueType.FLOAT64, "spend": ValueType.FLOAT64},
        {"orders": ValueType.INT64},
        {"orders": ValueType.INT64, "spend_90d": ValueType.FLOAT64},
    ],
    ids=["another order", "another type", "one less", "another name"],
)
def test_whatever_differs_has_another_fingerprint(other: dict[str, ValueType]) -> None:
    schema = RowSchema.of({"orders": ValueType.INT64, "spend": ValueType.FLOAT64})

    assert RowSchema.of(other).fingerprint != schema.fingerprint


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    assert RowSchema.of({"orders": ValueType.INT64}).fingerprint == 863_059_785


@pytest.mark.parametrize("text", ["", "7", '[["orders"]]', '[["orders", "complex"]]', '{"a": 1}'])
def test_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(FeatureStoreError, match="refresh the online store"):
        RowSchema.from_json(text)


def test_a_name_stands_once() -> None:
    with pytest.raises(FeatureStoreError, match="names orders twice"):
        RowSchema(("orders", "orders"), (ValueType.INT64, ValueType.INT64))


def test_every_name_has_a_type() -> None:
    with pytest.raises(FeatureStoreError, match="1 names but 0 types"):
        RowSchema(("orders",), ())
