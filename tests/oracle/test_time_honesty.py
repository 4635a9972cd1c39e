"""Features know nothing of what came later, or was learnt later: shown on orders of a real shop.

The orders are those of CDNOW, 1997 and 1998, as of 1998-01-01. Rows of all other tables are made up
around them, so that every feature has something to say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from features.transforms import calendar
from tests.features.hand_made import CATALOGUE, DAY, MICROSECOND, SECOND, Bench, Row, order
from tests.oracle.other_poison import OUTCOMES, TIMES, around_a_sale, poisonous_others

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.parquet"
NOW = AsOf.parse("1998-01-01")
CUSTOMERS = 100
STRANGERS = 3
"""Customers who are only in the poison: they count in what is said of the whole base."""

EVERY_FEATURE = pytest.mark.parametrize("name", list(CATALOGUE))
EVERY_FEATURE_OF_ROWS = pytest.mark.parametrize(
    "name", [name for name in CATALOGUE if name not in {f.name for f in calendar.FEATURES}]
)


def real_shop() -> list[Row]:
    """Return orders of real customers, some learnt late, and made-up rows of all other tables."""
    rows = [order(NOW.moment - 20 * DAY, customer="newcomer")]  # all others came months before
    for sale in pq.read_table(CDNOW).to_pylist():
        if sale["customer_id"] <= CUSTOMERS:
            rows += around(sale["order_id"], str(sale["customer_id"]), sale)
    return rows


def around(number: int, customer: str, sale: dict[str, Any]) -> list[Row]:
    at = sale["timestamp"].replace(tzinfo=UTC) + timedelta(hours=number % 24, seconds=number)
    learnt = at + (number % 4) * DAY
    made_up = Random(number)
    status = made_up.choices((COMPLETED, CANCELLED, RETURNED), (90, 5, 5))[0]
    sign = "-" if status == RETURNED else ""
    bought: dict[str, Any] = {"customer": customer, "known_at": learnt}
    return [
        order(
            at,
            f"{sign}{sale['amount']}",
            status=status,
            discount=made_up.choice((None, "0", "1.50")),
            margin=made_up.choice((None, "2.50", "-1")),
            channel=made_up.choice((None, "web", "shop")),
            device=made_up.choice((None, "phone")),
            **bought,
        ),
        *around_a_sale(number, at, bought),
    ]


def poison(times: Iterable[datetime], known_at: Callable[[datetime], datetime]) -> list[Row]:
    """Return rows that would move every feature of every customer, if they were let in."""
    return [
        row
        for customer in map(str, range(1, CUSTOMERS + STRANGERS + 1))
        for at in times
        for row in poisonous(at, customer, known_at(at))
    ]


def poisonous(at: datetime, customer: str, known_at: datetime) -> list[Row]:
    named: dict[str, Any] = {"customer": customer, "known_at": known_at}
    where: dict[str, Any] = {"channel": "poison", "device": "poison"}
    return [
        order(at, "99999", discount="777", margin="555", **where, **named),
        order(at, "-5555", status=RETURNED, **named),
        order(at, "3333", status=CANCELLED, **named),
        *poisonous_others(at, customer, known_at),
    ]


PAST = [
    NOW.moment - age
    for age in (SECOND, *(days * DAY for days in (3, 4, 40, 100, 350, 380, 420, 900)))
]
FUTURE = [NOW.moment + age for age in (0 * SECOND, MICROSECOND, SECOND, 3 * DAY, 300 * DAY)]


@dataclass(frozen=True)
class Shop:
    """The features of the real shop, and of the same shop with other rows."""

    rows: list[Row]
    bench: Bench

    def features(self, rows: Iterable[Row]) -> pa.Table:
        self.bench.fill(rows, [NOW])
        return self.bench.snapshot()


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(real_shop(), Bench())


@pytest.fixture(scope="module")
def honest(shop: Shop) -> pa.Table:
    return shop.features(shop.rows)


@pytest.fixture(scope="module")
def poisoned_later(shop: Shop) -> pa.Table:
    return shop.features([*shop.rows, *poison(FUTURE, known_at=lambda at: at)])


@pytest.fixture(scope="module")
def poisoned_later_but_known(shop: Shop) -> pa.Table:
    return shop.features([*shop.rows, *poison(FUTURE, known_at=lambda _: NOW.moment - DAY)])


@pytest.fixture(scope="module")
def learnt_later(shop: Shop) -> pa.Table:
    return shop.features([*shop.rows, *poison(PAST, known_at=lambda _: NOW.moment + MICROSECOND)])


@pytest.fixture(scope="module")
def learnt_in_time(shop: Shop) -> pa.Table:
    return shop.features([*shop.rows, *poison(PAST, known_at=lambda _: NOW.moment)])


@EVERY_FEATURE
def test_rows_at_or_after_the_moment_move_nothing(
    name: str, honest: pa.Table, poisoned_later: pa.Table
) -> None:
    assert poisoned_later["customer_id"] == honest["customer_id"]
    assert poisoned_later[name] == honest[name]


@EVERY_FEATURE
def test_rows_after_the_moment_move_nothing_even_if_announced_before_it(
    name: str, honest: pa.Table, poisoned_later_but_known: pa.Table
) -> None:
    assert poisoned_later_but_known[name] == honest[name]


@EVERY_FEATURE
def test_rows_before_the_moment_that_were_learnt_after_it_move_nothing(
    name: str, honest: pa.Table, learnt_later: pa.Table
) -> None:
    assert learnt_later["customer_id"] == honest["customer_id"]
    assert learnt_later[name] == honest[name]


@EVERY_FEATURE_OF_ROWS
def test_the_same_rows_learnt_in_time_move_every_feature(
    name: str, honest: pa.Table, learnt_in_time: pa.Table
) -> None:
    before = dict(zip(honest["customer_id"].to_pylist(), honest[name].to_pylist(), strict=True))
    after = dict(
        zip(
            learnt_in_time["customer_id"].to_pylist(), learnt_in_time[name].to_pylist(), strict=True
        )
    )

    assert any(after[customer] != value for customer, value in before.items())


def test_what_comes_of_a_row_at_or_after_the_moment_has_not_come_yet(
    shop: Shop, honest: pa.Table
) -> None:
    came_later = [
        Row(
            row.table,
            {
                **row.values,
                **{
                    outcome: NOW.moment
                    for outcome in OUTCOMES.get(row.table, ())
                    if row.values[outcome] is None
                },
            },
        )
        for row in shop.rows
    ]

    assert came_later != shop.rows
    assert shop.features(came_later) == honest


def test_without_everything_later_the_features_are_the_same(shop: Shop, honest: pa.Table) -> None:
    earlier = [
        row
        for row in shop.rows
        if row.values[TIMES[row.table]] < NOW.moment and row.values["known_at"] <= NOW.moment
    ]

    assert {row.table for row in earlier} == set(TIMES)
    assert len(earlier) < len(shop.rows)
    assert shop.features(earlier) == honest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_rows_moves_no_bit(seed: int, shop: Shop, honest: pa.Table) -> None:
    shuffled = list(shop.rows)
    Random(seed).shuffle(shuffled)

    assert shop.features(shuffled) == honest
