from random import Random
from typing import Any

import ibis
import ibis.expr.types as ir
import pytest

from features.sources import open_connection
from features.transforms.exact import STEPS, count, in_steps, ratio, total, within

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def answer(value: ir.Value) -> Any:
    return open_connection().to_pyarrow(value).as_py()


def numbers(*values: float | None) -> ir.Table:
    return ibis.memtable({"n": list(values)}, schema=ibis.schema({"n": "float64"}))


def test_a_condition_that_is_null_is_not_met() -> None:
    rows = numbers(1, 2, None, 4)

    assert answer(count(rows.n > 1)) == 2


@pytest.mark.parametrize(("seconds", "is_within"), [(86_400, True), (86_401, False)])
def test_something_of_exactly_the_days_is_within_them(seconds: int, is_within: bool) -> None:
    assert answer(within(ibis.literal(seconds), 1)) == is_within


def test_in_steps_a_sum_does_not_depend_on_the_order_of_rows() -> None:
    values = [0.1, 0.2, 0.3, 1e6, 0.0001] * 50
    sums = set()
    for seed in range(5):
        Random(seed).shuffle(values)
        sums.add(answer(total(in_steps(numbers(*values).n)) / STEPS))

    assert sums == {50 * 1_000_000.6001}


@pytest.mark.parametrize(("number", "steps"), [(0.00005, 1), (-0.00005, -1), (0.00004, 0)])
def test_half_a_step_is_rounded_away_from_zero(number: float, steps: int) -> None:
    assert answer(in_steps(ibis.literal(number))) == steps


def test_no_rows_add_up_to_null() -> None:
    rows = numbers(1)

    assert answer(total(in_steps(rows.filter(rows.n > 1).n))) is None


def test_a_ratio_of_whole_numbers_is_not_cut_off_and_null_over_nothing() -> None:
    assert answer(ratio(ibis.literal(1), ibis.literal(4))) == 0.25
    assert answer(ratio(ibis.literal(1), ibis.literal(0))) is None
    assert answer(ratio(ibis.null("int64"), ibis.literal(4))) is None
