"""Every feature agrees with its slow, obvious twin on whatever may happen in a shop."""

import atexit
import math
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings

from features.contracts.as_of import AsOf
from tests.features.hand_made import CATALOGUE, DAY, Features, Row, T, features_at, order
from tests.oracle.harness import Oracle
from tests.oracle.histories import HISTORIES, MOMENTS
from tests.oracle.twins import NEARLY, TWINS

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

NEVER_NULL = "never null"
SLOW_AND_OBVIOUS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@cache
def oracle() -> Oracle:
    atexit.register(oracle.cache_clear)  # DuckDB complains of what is still open after that
    return Oracle(TWINS)


def disagreements(found: Features, expected: Features) -> dict[str, tuple[object, object]]:
    return {
        name: (found[name], number)
        for name, number in expected.items()
        if not agrees(name, found[name], number)
    }


def agrees(name: str, found: float | None, expected: float | None) -> bool:
    if found is None or expected is None or name not in NEARLY:
        return found == expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def test_every_feature_has_a_twin() -> None:
    assert set(CATALOGUE) == set(TWINS)
    assert set(TWINS) >= NEARLY


@SLOW_AND_OBVIOUS
@given(HISTORIES)
def test_features_agree_with_their_twins(rows: list[Row]) -> None:
    oracle().fill(rows, MOMENTS)
    expected, found = oracle().answers(TWINS), features_at(rows, MOMENTS)

    assert set(found) == set(expected)
    wrong = {who: disagreements(found[who], expected[who]) for who in found}
    assert not any(wrong.values()), {who: names for who, names in wrong.items() if names}


@SLOW_AND_OBVIOUS
@given(HISTORIES)
def test_features_are_finite_and_null_only_where_they_say_so(rows: list[Row]) -> None:
    for found in features_at(rows, MOMENTS).values():
        known = {name for name, value in found.items() if value is not None}

        assert all(math.isfinite(value) for value in found.values() if value is not None)
        assert {name for name, f in CATALOGUE.items() if f.when_null == NEVER_NULL} <= known


def test_moments_computed_together_agree_with_moments_computed_alone() -> None:
    rows = [order(T.moment - days * DAY, str(days)) for days in range(-5, 120, 7)]
    together = features_at(rows, MOMENTS)

    alone: dict[tuple[str, AsOf], Features] = {}
    for moment in MOMENTS:
        alone |= features_at(rows, [moment])

    assert together == alone
