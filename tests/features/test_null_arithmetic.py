"""Every operation gives what DuckDB gives, to the last bit, with NaN for null."""

from collections.abc import Iterator
from itertools import product

import duckdb
import numpy as np
import pytest

from features.null_arithmetic import CONDITIONS, OPERATIONS, choose

NUMBERS = (None, 0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 3.0, 0.1, 86_399.99999999999, 1e15, -7.3)
TRUTHS = (None, True, False)

OF_NUMBERS = {
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / nullif(b, 0)",
    "floor_divide": "floor(a / nullif(b, 0))",
    "remainder": "a % nullif(b, 0)",
    "equal": "(a = b)::DOUBLE",
    "not_equal": "(a <> b)::DOUBLE",
    "greater": "(a > b)::DOUBLE",
    "greater_equal": "(a >= b)::DOUBLE",
    "less": "(a < b)::DOUBLE",
    "less_equal": "(a <= b)::DOUBLE",
    "coalesce": "coalesce(a, b)",
    "null_if": "nullif(a, b)",
    "greatest": "greatest(a, b)",
    "least": "least(a, b)",
}
OF_ONE_NUMBER = {
    "negate": "-a",
    "abs": "abs(a)",
    "floor": "floor(a)",
    "ceil": "ceil(a)",
    "round": "round(a)",
    "whole": "a::BIGINT::DOUBLE",
    "truth": "(a::BOOLEAN)::DOUBLE",
    "is_null": "(a IS NULL)::DOUBLE",
    "is_not_null": "(a IS NOT NULL)::DOUBLE",
}
OF_TRUTHS = {
    "and": "(a AND b)::DOUBLE",
    "or": "(a OR b)::DOUBLE",
    "xor": "(xor(a::INT, b::INT))::DOUBLE",
}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def column(values: tuple[float | bool | None, ...]) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in values])


def answers(
    database: duckdb.DuckDBPyConnection, sql: str, rows: list[tuple[object, ...]], kind: str
) -> np.ndarray:
    names = "abc"[: len(rows[0])]
    database.execute(
        f"CREATE OR REPLACE TABLE t (n INT, {', '.join(f'{name} {kind}' for name in names)})"
    )
    marks = ", ".join("?" * (len(names) + 1))
    database.executemany(f"INSERT INTO t VALUES ({marks})", [(i, *r) for i, r in enumerate(rows)])
    found = database.execute(f"SELECT {sql} FROM t ORDER BY n").fetchall()
    return column(tuple(row[0] for row in found))


def assert_equal(ours: object, theirs: np.ndarray) -> None:
    np.testing.assert_array_equal(np.broadcast_to(np.asarray(ours), theirs.shape), theirs)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_operations_on_numbers_agree_with_sql(
    name: str, database: duckdb.DuckDBPyConnection
) -> None:
    pairs = list(product(NUMBERS, NUMBERS))
    left, right = (column(values) for values in zip(*pairs, strict=True))
    if "nullif(b, 0)" in OF_NUMBERS[name]:
        right = np.where(right == 0, np.nan, right)

    theirs = answers(database, OF_NUMBERS[name], list(pairs), "DOUBLE")

    assert_equal(OPERATIONS[name](left, right), theirs)


@pytest.mark.parametrize("name", OF_ONE_NUMBER)
def test_operations_on_one_number_agree_with_sql(
    name: str, database: duckdb.DuckDBPyConnection
) -> None:
    theirs = answers(database, OF_ONE_NUMBER[name], [(a,) for a in NUMBERS], "DOUBLE")

    assert_equal(OPERATIONS[name](column(NUMBERS)), theirs)


@pytest.mark.parametrize("name", OF_TRUTHS)
def test_truth_has_three_values(name: str, database: duckdb.DuckDBPyConnection) -> None:
    pairs = list(product(TRUTHS, TRUTHS))
    left, right = (column(values) for values in zip(*pairs, strict=True))

    theirs = answers(database, OF_TRUTHS[name], list(pairs), "BOOLEAN")

    assert_equal(OPERATIONS[name](left, right), theirs)


def test_not_of_null_is_null() -> None:
    assert_equal(OPERATIONS["not"](column(TRUTHS)), column((None, False, True)))


def test_a_condition_that_is_null_takes_the_other_branch(
    database: duckdb.DuckDBPyConnection,
) -> None:
    theirs = answers(
        database, "CASE WHEN a THEN 1.0 ELSE 2.0 END", [(t,) for t in TRUTHS], "BOOLEAN"
    )

    assert_equal(OPERATIONS["if_else"](column(TRUTHS), 1.0, 2.0), theirs)


def test_every_operation_is_compared_with_sql() -> None:
    assert set(OPERATIONS) == {*OF_NUMBERS, *OF_ONE_NUMBER, *OF_TRUTHS, "not", "if_else"}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_holds_where_the_operation_is_true(name: str) -> None:
    given: tuple[float | bool | None, ...] = TRUTHS if name in ("and", "or") else NUMBERS
    pairs = list(product(given, given))
    columns = [column(values) for values in zip(*pairs, strict=True)]
    if name == "is_null":
        columns = columns[:1]
    operands = columns
    if name in ("and", "or"):  # their operands are conditions too
        operands = [np.equal(values, 1) for values in columns]

    holds = CONDITIONS[name](*operands)

    assert_equal(holds, np.equal(OPERATIONS[name](*columns), 1))
    assert_equal(choose(holds, 1.0, 2.0), np.asarray(OPERATIONS["if_else"](holds, 1.0, 2.0)))
