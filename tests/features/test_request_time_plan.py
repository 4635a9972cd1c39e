"""What moves with the clock is derived by the expression of training, to the last bit."""

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.features import Feature
from features.request_time import RequestTime, RequestTimePlan
from features.request_time_plan import DerivedTogether, plan_of

T1 = AsOf.parse("2026-03-01")
AGE = Feature("age", "days", "An age.", "orders", aggregate=lambda rows: rows.count(), ages=True)
TYPES = {
    "age": "float64",
    "count": "int64",
    "share": "float64",
    "flag": "boolean",
    "spend": "decimal(18, 4)",
}

NAMES = ("age", "count", "share", "flag")

Derive = Callable[[Any], Any]


def derived(derive: Derive, name: str = "derived") -> Feature:
    return Feature(name, "ratio", "Derived.", "orders", derive=derive)


def plan(*features: Feature, may_be_absent: bool = False) -> RequestTimePlan:
    types = {**TYPES, **{f.name: "float64" for f in features}}
    return plan_of([DerivedTogether((AGE, *features), types, may_be_absent)])


EXPRESSIONS: dict[str, Derive] = {
    "arithmetic": lambda t: 1 - (t.age + 2) * -t["count"] / (t["count"] + 0.5),
    "floor": lambda t: t.age.floor() + t.age.ceil() + t.age // 7 + t.age % 7 + (-t.age).abs(),
    "round": lambda t: t.age.round() + t.age.cast("int64"),
    "nulls": lambda t: t.age / t["count"].nullif(0) + t.share.fill_null(0.5),
    "extremes": lambda t: ibis.greatest(t.age, t.share) - ibis.least(t["count"], t.age),
    "cases": lambda t: ibis.cases(
        (t.share.isnull(), 9), (t.age < 1, 1), (t.age.between(2, 30), 2), else_=3
    ),
    "case": lambda t: t.age.floor().cases((0, 1.5), (1, 2.5), else_=t.share),
    "logic": lambda t: (
        ((t.age > 3) & ~t.flag | (t.share <= 0.5) & t.flag.notnull()).ifelse(1, 0)
        + ((t.age != 1) ^ (t.share == 1)).fill_null(False).ifelse(10, 0)
    ),
    "conditions": lambda t: ibis.cases(
        ((t.age != 1) & ((t.share < 0.5) | t.share.isnull()), t.age),
        (~(t.age > 10) & (t["count"] > 3), t.share),
        ((t.age > 20) | (t.flag & (t["count"] >= 1)), 4),
        else_=(t.age > t.share).ifelse(5, 6) + (t.age > t.share).cast("int64"),
    ),
    "among": lambda t: t.age.floor().isin([1, 2, 3]).ifelse(t.age, ibis.null("float64")),
    "either": lambda t: (t.flag | (t.age >= 10)).cast("float64"),
    "truth": lambda t: t.age.floor().cast("boolean").ifelse(t["count"], -1),
}


ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(1, 400 * 86_400).map(lambda s: s / 86_400),
        st.none() | st.integers(0, 1000),
        st.none() | st.floats(0, 1) | st.sampled_from((0.0, 0.5, 1.0)),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def duckdb_answers() -> Callable[[list[tuple[Any, ...]]], np.ndarray]:
    """All expressions over rows of age, count, share and flag, as DuckDB computes them."""
    database = duckdb.connect()
    database.execute(
        'CREATE TABLE sample (place BIGINT, age DOUBLE, "count" BIGINT, share DOUBLE, flag BOOLEAN)'
    )
    rows = ibis.table({"place": "int64", **{name: TYPES[name] for name in NAMES}}, name="sample")
    derived = {name: derive(rows).cast("float64") for name, derive in EXPRESSIONS.items()}
    sql = ibis.to_sql(rows.select("place", **derived).order_by("place"), dialect="duckdb")

    def answer(sample: list[tuple[Any, ...]]) -> np.ndarray:
        database.execute("DELETE FROM sample")
        numbered = [(place, *row) for place, row in enumerate(sample)]
        database.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", numbered)
        found = database.execute(str(sql)).fetchall()
        return as_matrix([row[1:] for row in found])

    return answer


@pytest.fixture(scope="module")
def every_expression() -> RequestTime:
    found = plan(*(derived(derive, name) for name, derive in EXPRESSIONS.items()))
    return RequestTime(found, lambda _: {})


def as_matrix(rows: list[tuple[Any, ...]]) -> np.ndarray:
    return np.array([[np.nan if value is None else float(value) for value in row] for row in rows])


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, passed=st.integers(1, 10 * 86_400))
def test_numpy_and_duckdb_agree_to_the_last_bit(
    duckdb_answers: Callable[[list[tuple[Any, ...]]], np.ndarray],
    every_expression: RequestTime,
    rows: list[tuple[Any, ...]],
    passed: int,
) -> None:
    stored = as_matrix(rows)
    aged = [
        (None if row[0] is None else (round(row[0] * 86_400) + passed) / 86_400, *row[1:])
        for row in rows
    ]
    columns = (*NAMES, *EXPRESSIONS)
    values = np.column_stack([stored, np.zeros((len(rows), len(EXPRESSIONS)))])
    moments = np.full(len(rows), T1.moment.timestamp() - passed)

    now = every_expression.forward(columns, values, moments, T1)

    np.testing.assert_array_equal(now[:, len(NAMES) :], duckdb_answers(aged))


def test_what_does_not_depend_on_the_clock_is_left_alone() -> None:
    assert plan(derived(lambda t: t["count"] / t.share)).derived == {}


def test_what_is_derived_from_what_moves_moves() -> None:
    first = derived(lambda t: t.age / 2, "first")
    second = derived(lambda t: t.first + t.share, "second")

    assert set(plan(first, second).derived) == {"first", "second"}


def test_calendar_columns_move_what_reads_them() -> None:
    month = derived(lambda t: t["month"], "month")
    winter = derived(lambda t: (t["month"] > 11).ifelse(1.0, 0.0), "winter")
    types = {**TYPES, "month": "float64"}

    found = plan_of([DerivedTogether((month, winter), types)], ["month"])

    assert found.calendar == ("month",)
    assert set(found.derived) == {"winter"}


@pytest.mark.parametrize(
    ("derive", "said"),
    [
        (lambda t: t.age.exp(), "Exp"),
        (lambda t: t.age.ln(), "Ln"),
        (lambda t: t.age.round(2), "rounding to digits"),
        (lambda t: t.age + t.spend.cast("float64"), "decimal"),
        (lambda t: t.age.cast("float32"), "float32"),
        (lambda t: (t.age.cast("string") == "1").ifelse(1, 0), "string"),
    ],
    ids=["exp", "ln", "digits", "decimal", "float32", "text"],
)
def test_what_has_no_twin_is_refused_by_name(derive: Derive, said: str) -> None:
    with pytest.raises(FeatureStoreError, match=rf"feature derived moves.*{said}"):
        plan(derived(derive))


def test_equal_steps_are_taken_once() -> None:
    one, other = (derived(lambda t: t.age / ibis.greatest(t.share, 30.0), n) for n in ("a", "b"))

    assert len(plan(one, other).steps) == len(plan(one).steps)


def test_features_of_a_customer_without_any_row_stay_null() -> None:
    filled = derived(lambda t: t.age.fill_null(0.0))
    columns, moment = ("age", "derived"), np.array([T1.moment.timestamp() - 86_400])
    absent = np.full((1, 2), np.nan)

    def of(may_be_absent: bool) -> float:
        found = RequestTime(plan(filled, may_be_absent=may_be_absent), lambda _: {})
        return float(found.forward(columns, absent, moment, T1)[0, 1])

    assert np.isnan(of(may_be_absent=True))
    assert of(may_be_absent=False) == 0.0
