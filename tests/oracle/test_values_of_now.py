"""What a request brings forward is what the engine would compute, to the last bit."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import duckdb
import ibis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.request_time import RequestTime, RequestTimePlan
from features.request_time_plan import DerivedTogether, derived_together, request_time_plan
from features.transforms.calendar import calendar_values
from tests.features.hand_made import CATALOGUE, MAPPED, SECOND, Features, Row, T, features_at
from tests.oracle.histories import CUSTOMERS, HISTORIES

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

STORED = T.plus_days(-2.7)
COLUMNS = tuple(CATALOGUE)
PLAN = request_time_plan(MAPPED)
NOW = RequestTime(PLAN, calendar_values)


def forward(stored: np.ndarray) -> np.ndarray:
    seconds = np.full(len(stored), STORED.moment.timestamp())
    return NOW.forward(COLUMNS, stored, seconds, T)


def test_what_moves_is_known_of_the_whole_catalogue() -> None:
    ages = {name for name, feature in CATALOGUE.items() if feature.ages}

    assert set(PLAN.ages) == ages
    assert {"overdue_ratio", "spend_per_30d", "lifecycle_stage", "rfm_segment"} <= set(PLAN.derived)
    assert set(PLAN.calendar) == set(calendar_values(T))
    assert RequestTimePlan.from_json(PLAN.to_json()) == PLAN


@pytest.mark.parametrize("name", [name for name in COLUMNS if name.startswith("days_since_")])
def test_days_since_something_age(name: str) -> None:
    assert name in PLAN.moving


def quiet(row: Row) -> bool:
    """Return whether nothing of a row happens or is learnt between the two moments."""
    first, last = STORED.moment - SECOND, T.moment + SECOND
    times = (value for value in row.values.values() if isinstance(value, datetime))
    return not any(first <= time <= last for time in times)


def test_a_row_brought_forward_is_the_snapshot_of_the_later_moment() -> None:
    compared: set[str] = set()

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(HISTORIES.map(lambda rows: [row for row in rows if quiet(row)]))
    def agree(rows: list[Row]) -> None:
        found = features_at(rows, [STORED, T])
        for customer in CUSTOMERS:
            if (customer, STORED) in found:
                compared.update(_compared(found[customer, STORED], found[customer, T]))

    agree()

    assert compared >= set(PLAN.ages) - {"base_days_since_first_order"}
    assert compared >= {*PLAN.calendar, "overdue_ratio", "active_share", "spend_per_30d"}


def _compared(stored: Features, later: Features) -> Iterator[str]:
    """Yield what could be compared, for nothing that it is made of has changed but the clock."""
    before, after = (
        {name: np.nan if value is None else value for name, value in features.items()}
        for features in (stored, later)
    )
    (now,) = forward(np.array([[before[name] for name in COLUMNS]]))
    for name in PLAN.moving:
        inputs = set(PLAN.reads((name,))) - PLAN.moving
        if all(_same(before[each], after[each]) for each in inputs):
            assert _same(now[COLUMNS.index(name)], after[name]), name
            yield name


def _same(one: float, other: float) -> bool:
    return one == other or bool(np.isnan(one) and np.isnan(other))


Answer = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def engine() -> Iterator[Callable[[DerivedTogether], Answer]]:
    """DuckDB, which derives the features of a table as snapshots do."""
    with duckdb.connect() as database:
        yield lambda group: _derivation(database, group)


def _derivation(database: Any, group: DerivedTogether) -> Answer:
    names = [name for name in group.types if name in CATALOGUE]
    derived = [f for f in group.features if f.name in PLAN.derived]
    given_names = [name for name in names if name not in {f.name for f in derived}]
    table = ibis.table({"place": "int64", **{n: group.types[n] for n in given_names}}, name="given")
    expression = table
    for feature in derived:
        assert feature.derive is not None
        expression = expression.mutate(**{feature.name: feature.derive(expression)})
    wanted = {f.name: expression[f.name].cast("float64") for f in derived}
    sql = str(ibis.to_sql(expression.select("place", **wanted).order_by("place"), dialect="duckdb"))
    kinds = ", ".join(f'"{n}" {_sql_type(group.types[n])}' for n in given_names)
    database.execute(f"CREATE OR REPLACE TABLE given (place BIGINT, {kinds})")
    places = [COLUMNS.index(name) for name in given_names]

    def answer(values: np.ndarray) -> np.ndarray:
        rows = [
            [place, *(None if np.isnan(v) else v for v in row)]
            for place, row in enumerate(values[:, places].tolist())
        ]
        marks = ", ".join("?" * (len(places) + 1))
        database.execute("DELETE FROM given")
        database.executemany(f"INSERT INTO given VALUES ({marks})", rows)
        answers = database.execute(sql).fetchall()
        return np.array([[np.nan if v is None else v for v in row[1:]] for row in answers])

    return answer


def _sql_type(kind: Any) -> str:
    return "BIGINT" if ibis.dtype(kind).is_integer() else "DOUBLE"


GROUPS = [
    group
    for group in derived_together(MAPPED)
    if any(feature.name in PLAN.derived for feature in group.features)
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.features[0].name)
def test_what_is_derived_agrees_with_the_engine(
    group: DerivedTogether, engine: Callable[[DerivedTogether], Answer]
) -> None:
    answer = engine(group)
    whole = [ibis.dtype(group.types.get(name, "float64")).is_integer() for name in COLUMNS]
    derived = [COLUMNS.index(f.name) for f in group.features if f.name in PLAN.derived]

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**32), st.sampled_from((0.0, 0.2, 0.7)))
    def agree(seed: int, nulls: float) -> None:
        rng = np.random.default_rng(seed)
        values = rng.exponential(10.0 ** rng.integers(-2, 4), (12, len(COLUMNS)))
        values[rng.random(values.shape) < 0.2] = 0.0
        values[:, whole] = np.rint(values[:, whole])
        values[:, PLAN_AGES] = np.rint(values[:, PLAN_AGES] * 86_400) / 86_400
        values[rng.random(values.shape) < nulls] = np.nan
        values[0] = np.nan
        now = forward(values)

        theirs = answer(now)

        absent = np.isnan(values[:, _aggregated(group)]).all(axis=1) & group.may_be_absent
        theirs[absent] = np.nan
        np.testing.assert_array_equal(now[:, derived], theirs)

    agree()


PLAN_AGES = [COLUMNS.index(name) for name in PLAN.ages]


def _aggregated(group: DerivedTogether) -> list[int]:
    return [COLUMNS.index(f.name) for f in group.features if f.aggregate is not None]
