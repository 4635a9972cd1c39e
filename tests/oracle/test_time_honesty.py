"""Features know nothing of what came later, or was learnt later: shown on orders of a real shop.

The orders are those of CDNOW, 1997 and 1998, as of 1998-01-01. Lines, messages and profiles are
made up around them, so that every feature has something to say.
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
from tests.features.hand_made import (
    CATALOGUE,
    DAY,
    MICROSECOND,
    SECOND,
    Bench,
    Row,
    line,
    message,
    order,
    profile,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.parquet"
NOW = AsOf.parse("1998-01-01")
CUSTOMERS = 300
EVERY_FEATURE = pytest.mark.parametrize("name", list(CATALOGUE))


def real_shop() -> list[Row]:
    """Return orders of real customers, some learnt late, with lines, messages and profiles."""
    rows: list[Row] = []
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
            channel=made_up.choice((None, "web", "shop")),
            **bought,
        ),
        line(at, made_up.choice("tc"), order_id=str(number), category="old", **bought),
        message(
            at - 10 * DAY,
            campaign=made_up.choice((None, "spring")),
            redeemed_at=made_up.choice((None, at)),
            **bought,
        ),
        *([profile(at - 30 * DAY, age=1.0, customer=customer)] if number % 3 == 0 else []),
    ]


def poison(times: Iterable[datetime], known_at: Callable[[datetime], datetime]) -> list[Row]:
    """Return rows that would move every feature of every customer, if they were let in."""
    return [
        row
        for customer in map(str, range(1, CUSTOMERS + 1))
        for at in times
        for row in poisonous(at, customer, known_at(at))
    ]


def poisonous(at: datetime, customer: str, known_at: datetime) -> list[Row]:
    named: dict[str, Any] = {"customer": customer, "known_at": known_at}
    return [
        order(at, "99999", discount="777", channel="poison", **named),
        order(at, "-5555", status=RETURNED, **named),
        order(at, "3333", status=CANCELLED, **named),
        line(at, "poison", category="poison", order_id="poison", **named),
        line(at, "poison", category="poison", order_id="poison", **named),
        message(at, campaign="poison", redeemed_at=at, **named),
        profile(at, age=99.0, **named),
    ]


PAST = [NOW.moment - age for age in (SECOND, 3 * DAY, 4 * DAY, 40 * DAY, 100 * DAY, 900 * DAY)]
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


@EVERY_FEATURE
def test_the_same_rows_learnt_in_time_move_every_feature(
    name: str, honest: pa.Table, learnt_in_time: pa.Table
) -> None:
    before = dict(zip(honest["customer_id"].to_pylist(), honest[name].to_pylist(), strict=True))
    after = zip(learnt_in_time["customer_id"].to_pylist(), learnt_in_time[name], strict=True)

    assert any(value.as_py() != before.get(customer) for customer, value in after)


def test_an_offer_used_at_or_after_the_moment_is_not_used_yet(shop: Shop, honest: pa.Table) -> None:
    used_later = [
        Row(row.table, {**row.values, "redeemed_at": NOW.moment})
        if row.table == "messages" and row.values["redeemed_at"] is None
        else row
        for row in shop.rows
    ]

    assert shop.features(used_later) == honest


def test_without_everything_later_the_features_are_the_same(shop: Shop, honest: pa.Table) -> None:
    times = {"orders": "ordered_at", "order_lines": "ordered_at", "messages": "sent_at"}
    earlier = [
        row
        for row in shop.rows
        if row.values[times.get(row.table, "created_at")] < NOW.moment
        and row.values["known_at"] <= NOW.moment
    ]

    assert 0 < len(earlier) < len(shop.rows)
    assert shop.features(earlier) == honest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_rows_moves_no_bit(seed: int, shop: Shop, honest: pa.Table) -> None:
    shuffled = list(shop.rows)
    Random(seed).shuffle(shuffled)

    assert shop.features(shuffled) == honest
