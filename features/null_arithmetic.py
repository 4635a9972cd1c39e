"""The arithmetic of SQL on NumPy arrays of float64, where NaN is null and truth is 1, 0 or NaN.

Only what gives the same bits on every machine is here: no logarithms, no powers. A number stands
for a column of that number throughout.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any] | float
Operation = Callable[..., Column]


def _comparison(compare: Operation) -> Operation:
    def compared(left: Column, right: Column) -> Column:
        null = np.isnan(left) | np.isnan(right)
        return np.where(null, np.nan, compare(left, right))

    return compared


def _and(left: Column, right: Column) -> Column:
    return np.where((np.equal(left, 0)) | (np.equal(right, 0)), 0.0, np.multiply(left, right))


def _or(left: Column, right: Column) -> Column:
    return np.where((np.equal(left, 1)) | (np.equal(right, 1)), 1.0, np.add(left, right))


def _xor(left: Column, right: Column) -> Column:
    return np.abs(np.subtract(left, right))


def _coalesce(*columns: Column) -> Column:
    *earlier, found = columns
    for column in reversed(earlier):
        found = np.where(np.isnan(column), found, column)
    return found


def _null_if(column: Column, value: Column) -> Column:
    return np.where(np.equal(column, value), np.nan, column)


def _if_else(condition: Column, then: Column, otherwise: Column) -> Column:
    return np.where(np.equal(condition, 1), then, otherwise)


def _greatest(*columns: Column) -> Column:
    return reduce(np.fmax, columns)


def _least(*columns: Column) -> Column:
    return reduce(np.fmin, columns)


def _is_null(column: Column) -> Column:
    return np.isnan(column).astype(np.float64)


def _is_not_null(column: Column) -> Column:
    return (~np.isnan(column)).astype(np.float64)


def _round(column: Column) -> Column:
    """Round halves away from zero, as SQL does."""
    whole = np.trunc(column)
    return whole + np.copysign(np.abs(np.subtract(column, whole)) >= 0.5, column)


def _truth(column: Column) -> Column:
    return np.where(np.isnan(column), np.nan, np.not_equal(column, 0))


OPERATIONS: Mapping[str, Operation] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": lambda left, right: np.floor(np.divide(left, right)),
    "remainder": np.fmod,
    "negate": np.negative,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": _round,
    "whole": np.rint,  # a cast to an integer rounds halves to even
    "truth": _truth,
    "equal": _comparison(np.equal),
    "not_equal": _comparison(np.not_equal),
    "greater": _comparison(np.greater),
    "greater_equal": _comparison(np.greater_equal),
    "less": _comparison(np.less),
    "less_equal": _comparison(np.less_equal),
    "and": _and,
    "or": _or,
    "xor": _xor,
    "not": lambda column: np.subtract(1.0, column),
    "coalesce": _coalesce,
    "null_if": _null_if,
    "if_else": _if_else,
    "greatest": _greatest,
    "least": _least,
    "is_null": _is_null,
    "is_not_null": _is_not_null,
}
"""By name, for a plan in a file names them."""


def _differ(left: Column, right: Column) -> Column:
    return np.less(left, right) | np.greater(left, right)


CONDITIONS: Mapping[str, Operation] = {
    "equal": np.equal,
    "not_equal": _differ,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "is_null": np.isnan,
    "and": np.logical_and,
    "or": np.logical_or,
}
"""Operations whose truth is asked for by a condition only, where null is as good as false.

They give booleans, in less time. What turns null into anything else, such as `not`, is no such one.
"""


def choose(condition: Column, then: Column, otherwise: Column) -> Column:
    """Return one column where a condition of `CONDITIONS` holds, else the other."""
    return np.where(condition, then, otherwise)
