from datetime import datetime

import ibis
import pytest

from features.contracts.as_of import AsOf
from features.contracts.tables import TABLES
from features.sources import open_connection
from features.transforms.calendar import calendar_values
from features.transforms.known import CALENDAR, moments_table, rows_known_at
from tests.features.hand_made import DAY, MICROSECOND, SECOND, T, ago, canonical, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

EVENT_TIME = TABLES["orders"].event_time


def ages(at: datetime, known_at: datetime, *moments: AsOf) -> dict[AsOf, int]:
    """Return the age of one order in seconds at each moment it was known at."""
    orders = ibis.memtable(canonical([order(at, known_at=known_at)])["orders"])
    known = rows_known_at(orders, moments_table(moments), event_time=EVENT_TIME)
    found = open_connection().to_pyarrow(known.select("as_of", "age_seconds")).to_pylist()
    assert len({row["as_of"] for row in found}) == len(found)
    return {AsOf(row["as_of"]): row["age_seconds"] for row in found}


@pytest.mark.parametrize(
    ("at", "known_at", "is_known"),
    [
        pytest.param(ago(days=1), ago(days=1), True, id="happened and learnt before"),
        pytest.param(T.moment - MICROSECOND, T.moment, True, id="learnt at the moment itself"),
        pytest.param(T.moment, T.moment, False, id="happened at the moment itself"),
        pytest.param(T.moment, ago(days=1), False, id="announced before it happens"),
        pytest.param(ago(days=1), T.moment + MICROSECOND, False, id="learnt just after"),
        pytest.param(ago(days=-1), ago(days=-1), False, id="happened and learnt after"),
    ],
)
def test_a_row_is_known_if_it_happened_before_and_was_learnt_by_the_moment(
    at: datetime, known_at: datetime, is_known: bool
) -> None:
    assert (T in ages(at, known_at, T)) == is_known


def test_a_row_is_returned_once_for_each_moment_that_knew_it() -> None:
    moments = [T.plus_days(days) for days in (-2, -1, 0, 1)]

    found = ages(ago(days=1.5), ago(days=1.5), *moments)

    assert found == {moments[1]: 43_200, moments[2]: 129_600, moments[3]: 216_000}


def test_a_moment_given_twice_counts_once() -> None:
    assert ages(ago(days=1), ago(days=1), T, T) == {T: 86_400}


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        (T.moment - SECOND, 1),
        (T.moment - SECOND - MICROSECOND, 2),
        (T.moment - MICROSECOND, 1),
        (T.moment - 30 * DAY + MICROSECOND, 30 * 86_400),
        (T.moment - 30 * DAY, 30 * 86_400),
        (T.moment - 30 * DAY - MICROSECOND, 30 * 86_400 + 1),
    ],
    ids=str,
)
def test_age_is_in_whole_seconds_and_a_started_one_counts(at: datetime, seconds: int) -> None:
    assert ages(at, at, T) == {T: seconds}


def test_a_single_moment_says_the_same_as_a_table_of_one() -> None:
    rows = [order(ago(days=days), known_at=ago(days=days - 2)) for days in (-1, 0, 1, 2, 3, 30)]
    orders = ibis.memtable(canonical(rows)["orders"])
    alone = ibis.literal(T.moment, "timestamp('UTC', 6)")

    found = [
        open_connection()
        .to_pyarrow(rows_known_at(orders, moments, event_time=EVENT_TIME).order_by("age_seconds"))
        .select(["order_id", "as_of", "age_seconds"])
        for moments in (alone, moments_table([T]))
    ]

    assert found[0].num_rows == 3
    assert found[0].to_pylist() == found[1].to_pylist()


def test_a_table_of_moments_carries_their_calendar() -> None:
    table = open_connection().to_pyarrow(moments_table([T]))

    (row,) = table.to_pylist()
    assert row.pop("as_of") == T.moment
    assert row == calendar_values(T)
    assert set(row) == set(CALENDAR)
