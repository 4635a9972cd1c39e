from typing import Any

import numpy as np
import pytest

from features.contracts.errors import FeatureVectorError
from features.contracts.vectors import FeatureVectors, Presence


def vectors(**changed: Any) -> FeatureVectors:
    """Return three customers with two features, but for what is changed."""
    content: dict[str, Any] = {
        "customer_ids": ("ann", "bob", "cy"),
        "columns": ("orders_30d", "spend_30d"),
        "values": np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]]),
        "presence": np.full(3, Presence.PRESENT, dtype=np.int8),
        "features_as_of": np.full(3, np.datetime64("2026-03-01", "us")),
    }
    return FeatureVectors(**{**content, **changed})


def test_length_is_the_number_of_customers() -> None:
    assert len(vectors()) == 3


def test_columns_are_selected_in_the_order_asked_for() -> None:
    selected = vectors().select(["spend_30d", "orders_30d"])

    np.testing.assert_array_equal(selected, [[10.0, 1.0], [np.nan, 2.0], [30.0, 3.0]])
    assert selected.flags.c_contiguous


def test_a_column_can_be_left_out() -> None:
    np.testing.assert_array_equal(vectors().select(["orders_30d"]), [[1.0], [2.0], [3.0]])


def test_all_columns_in_their_own_order_are_not_copied() -> None:
    some = vectors()

    assert some.select(["orders_30d", "spend_30d"]) is some.values


def test_a_missing_column_is_named_with_the_next_step() -> None:
    with pytest.raises(FeatureVectorError, match=r"visits_7d.*bellwether features build"):
        vectors().select(["orders_30d", "visits_7d"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": np.zeros((3, 3))}, r"\(3, 3\), but there are 3 customers and 2 columns"),
        ({"values": np.zeros((2, 2))}, r"\(2, 2\), but there are 3 customers and 2 columns"),
        ({"presence": np.zeros(2, dtype=np.int8)}, "one value per customer"),
        ({"features_as_of": np.zeros(4, "datetime64[us]")}, "one value per customer"),
    ],
    ids=["a column too many", "a customer short", "presence", "features_as_of"],
)
def test_shapes_that_do_not_agree_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureVectorError, match=message):
        vectors(**changed)


def test_nobody_is_a_fine_answer() -> None:
    nobody = vectors(
        customer_ids=(),
        values=np.empty((0, 2)),
        presence=np.empty(0, dtype=np.int8),
        features_as_of=np.empty(0, "datetime64[us]"),
    )

    assert nobody.select(["spend_30d"]).shape == (0, 1)
