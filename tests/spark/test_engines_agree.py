"""Spark and DuckDB, and the plain SQL twins, say the same of every feature.

The rows are those of a real shop, and of many shops in which anything may happen: drawn once, with
a fixed seed, and put into one, because Spark takes its time whatever it is asked.
"""

import math
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from features.contracts.as_of import AsOf
from tests.features.hand_made import CATALOGUE, DAY, MICROSECOND, Features, Row, features_at
from tests.oracle.harness import Oracle
from tests.oracle.histories import HISTORIES, MOMENTS
from tests.oracle.other_poison import TIMES
from tests.oracle.test_time_honesty import FUTURE, NOW, PAST, poison, real_shop
from tests.oracle.twins import NEARLY, TWINS
from tests.spark.sessions import on_spark

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

SHOPS = 16
EVERY_FEATURE = pytest.mark.parametrize("name", list(CATALOGUE))
Found: TypeAlias = dict[tuple[str, AsOf], Features]


def drawn_shops() -> list[Row]:
    """Return the rows of many random shops, the same ones each time, as those of one."""
    shops: list[list[Row]] = []

    @settings(
        max_examples=SHOPS,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(HISTORIES)
    def draw(rows: list[Row]) -> None:
        shops.append(rows)

    draw()
    return [
        Row(row.table, {**row.values, "customer_id": f"{number} {row.values['customer_id']}"})
        for number, rows in enumerate(shops)
        for row in rows
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [*real_shop(), *drawn_shops()]


@pytest.fixture(scope="module")
def found(spark: Any, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Found:
    return on_spark(spark, rows, [NOW, *MOMENTS], tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="module")
def expected(rows: list[Row]) -> Found:
    return features_at(rows, [NOW, *MOMENTS])


@pytest.fixture(scope="module")
def twins(rows: list[Row]) -> Found:
    oracle = Oracle(TWINS)
    oracle.fill(rows, [NOW, *MOMENTS])
    return oracle.answers(TWINS)


@pytest.fixture(scope="module")
def poisoned(spark: Any, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Only what was known by the moment, and poison from after it, or learnt after it."""
    earlier = [
        row
        for row in rows
        if (row.values[TIMES[row.table]] or NOW.moment - DAY) < NOW.moment
        and (row.values["known_at"] or NOW.moment) <= NOW.moment
    ]
    assert 0 < len(earlier) < len(rows)
    later = [
        *poison(FUTURE, known_at=lambda at: at),
        *poison(FUTURE, known_at=lambda _: NOW.moment - DAY),
        *poison(PAST, known_at=lambda _: NOW.moment + MICROSECOND),
    ]
    return on_spark(spark, [*earlier, *later], [NOW], tmp_path_factory.mktemp("poisoned"))


def test_the_same_customers_have_features(found: Found, expected: Found, twins: Found) -> None:
    assert set(found) == set(expected) == set(twins)
    assert len({customer for customer, _ in found}) > 100


@EVERY_FEATURE
def test_spark_and_duckdb_agree(name: str, found: Found, expected: Found) -> None:
    wrong = {
        who: (features[name], expected[who][name])
        for who, features in found.items()
        if features[name] != expected[who][name]
    }

    assert wrong == {}


@EVERY_FEATURE
def test_spark_and_the_twin_agree(name: str, found: Found, twins: Found) -> None:
    wrong = {
        who: (features[name], twins[who][name])
        for who, features in found.items()
        if not _agrees(name, features[name], twins[who][name])
    }

    assert wrong == {}


@EVERY_FEATURE
def test_what_came_or_was_learnt_later_moves_nothing_on_spark(
    name: str, found: Found, poisoned: Found
) -> None:
    at_moment = {who: features[name] for who, features in found.items() if who[1] == NOW}

    assert {who: features[name] for who, features in poisoned.items()} == at_moment


def _agrees(name: str, found: float | None, expected: float | None) -> bool:
    if found is None or expected is None or name not in NEARLY:
        return found == expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
