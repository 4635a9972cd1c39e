"""What people write as amounts, times and identifiers, and what is read of it."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.sources import open_connection
from features.value_parsing import (
    clean,
    decimal_mark_votes,
    parse_identifier,
    parse_moment,
    parse_money,
    parse_number,
    parse_product,
    parse_word,
    spell_word,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

SHARED_CONNECTION = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Bench:
    """Evaluates expressions over a few values in one DuckDB."""

    def __init__(self) -> None:
        self.connection = open_connection()

    def table(self, **columns: Any) -> Any:
        self.connection.con.register("bench", pa.table(columns))
        return self.connection.table("bench")

    def read(
        self, parse: Any, *columns: Sequence[Any], type: pa.DataType | None = None
    ) -> list[Any]:
        names = [f"c{place}" for place in range(len(columns))]
        arrays = (pa.array(column, type) for column in columns)
        table = self.table(**dict(zip(names, arrays, strict=True)))
        parsed = table.select(parsed=parse(*(clean(table[name]) for name in names)))
        return [row["parsed"] for row in parsed.to_pyarrow().to_pylist()]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.connection.disconnect()


def moments(
    bench: Bench, texts: Sequence[Any], zone: str = "UTC", *, day_first: bool = False
) -> Any:
    return bench.read(lambda c: parse_moment(c, timezone=zone, day_first=day_first), texts)


TIMES = {
    "2011-01-02": "2011-01-02T00:00",
    "2011-1-2 8:26": "2011-01-02T08:26",
    "2011/01/02 08:26:30": "2011-01-02T08:26:30",
    "2011-01-02T10:00:00.123456789": "2011-01-02T10:00:00.123456",
    "2011-01-02T10:00:00+02:00": "2011-01-02T08:00",
    "2011-01-02 10:00 +0530": "2011-01-02T04:30",
    "2011-01-02T10:00Z": "2011-01-02T10:00",
    "2011-01-02 10:00:00 UTC": "2011-01-02T10:00",
    "12/1/10 8:26": "2010-12-01T08:26",
    "12/31/2010": "2010-12-31T00:00",
    "12-31-2010 11:59 PM": "2010-12-31T23:59",
    "1/2/2010, 10:30:00": "2010-01-02T10:30",
    "31.12.2010 08:26:30": "2010-12-31T08:26:30",
    "7/4/76": "1976-07-04T00:00",
    "7/4/68": "2068-07-04T00:00",
    "19970101": "1997-01-01T00:00",
    "19970101.0": "1997-01-01T00:00",
    "20110102103000": "2011-01-02T10:30",
    "1300000000": "2011-03-13T07:06:40",
    "1300000000000": "2011-03-13T07:06:40",
    "1-Jan-10": "2010-01-01T00:00",
    "Jan 1, 2010 10:00 PM": "2010-01-01T22:00",
    "  2011-01-02  ": "2011-01-02T00:00",
}


def test_times_are_read_as_people_write_them(bench: Bench) -> None:
    read = dict(zip(TIMES, moments(bench, list(TIMES)), strict=True))

    assert read == {
        written: datetime.fromisoformat(meant).replace(tzinfo=UTC)
        for written, meant in TIMES.items()
    }


def test_what_is_no_time_is_null(bench: Bench) -> None:
    written = [
        "",
        "nan",
        None,
        "soon",
        "31/12/2010",
        "2010-02-30",
        "infinity",
        "1234",
        "12/1/2010 8",
    ]

    assert moments(bench, written) == [None] * len(written)


def test_day_first_turns_numeric_dates_around(bench: Bench) -> None:
    read = moments(bench, ["1/12/10 8:26", "31/12/2010", "12/31/2010"], day_first=True)

    first, second = datetime(2010, 12, 1, 8, 26, tzinfo=UTC), datetime(2010, 12, 31, tzinfo=UTC)
    assert read == [first, second, None]


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([19970101], pa.int64()),
        ([19970101.0], pa.float64()),
        ([datetime(1997, 1, 1)], pa.timestamp("ns")),  # noqa: DTZ001 - naive on purpose
        ([datetime(1997, 1, 1)], pa.timestamp("s")),  # noqa: DTZ001 - naive on purpose
        ([datetime(1997, 1, 1).date()], pa.date32()),  # noqa: DTZ001 - naive on purpose
        ([datetime(1997, 1, 1, 5, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    ],
    ids=str,
)
def test_typed_times_are_midnight_in_new_york(
    bench: Bench, values: list[Any], type: pa.DataType
) -> None:
    def parse(column: Any) -> Any:
        return parse_moment(column, timezone="America/New_York", day_first=False)

    assert bench.read(parse, values, type=type) == [datetime(1997, 1, 1, 5, tzinfo=UTC)]


def test_hours_that_do_not_exist_or_exist_twice_are_read(bench: Bench) -> None:
    skipped, doubled = moments(bench, ["2026-03-29 01:30", "2026-10-25 01:30"], "Europe/London")

    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 02:30 summer time
    assert doubled == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # the second one


@SHARED_CONNECTION
@given(
    wall_clocks=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - a wall clock
        min_size=30,
    ),
    zone=st.sampled_from(["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu"]),
    style=st.sampled_from(
        ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%y"]
    ),
)
def test_wall_clock_times_agree_with_zoneinfo(
    bench: Bench, wall_clocks: list[datetime], zone: str, style: str
) -> None:
    written = [moment.strftime(style) for moment in wall_clocks]

    read = moments(bench, written, zone, day_first=True)

    for text, moment in zip(written, read, strict=True):
        shown = datetime.strptime(text, style)  # noqa: DTZ007 - a wall clock
        assert moment in {
            shown.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)
        }


AMOUNTS = {
    "12.50": "12.50",
    "1,234.50": "1234.50",
    "1,234": "1234",
    "$1,234.50": "1234.50",
    "-£5": "-5",
    "£-5": "-5",
    "($12.50)": "-12.50",
    "12.50-": "-12.50",
    "\u22125": "-5",
    "CHF 1'234.50": "1234.50",
    "Fr. 12.50": "12.50",
    "1\u00a0234.50 EUR": "1234.50",
    "R$ 10": "10",
    "1,23,456.78": "123456.78",
    "1.5E+2": "150",
    ".5": "0.5",
    "0.00005": "0.0001",
}


def test_amounts_are_read_as_people_write_them(bench: Bench) -> None:
    read = dict(zip(AMOUNTS, bench.read(parse_money, list(AMOUNTS)), strict=True))

    assert read == {written: Decimal(meant) for written, meant in AMOUNTS.items()}


AMOUNTS_WITH_COMMA = {
    "12,50": "12.50",
    "1.234,50 \u20ac": "1234.50",
    "1.234": "1234",
    "1 234,50": "1234.50",
    "12.345.678": "12345678",
    "-7": "-7",
}


def test_amounts_are_read_with_a_decimal_comma(bench: Bench) -> None:
    read = bench.read(lambda column: parse_money(column, ","), list(AMOUNTS_WITH_COMMA))

    assert dict(zip(AMOUNTS_WITH_COMMA, read, strict=True)) == {
        written: Decimal(meant) for written, meant in AMOUNTS_WITH_COMMA.items()
    }


def test_what_is_no_amount_is_null(bench: Bench) -> None:
    written = ["abc", "12 apples", "1/2", "1_000", "12,50", "12,34,5", "1.234,50", "5-5", "--5"]

    assert bench.read(parse_money, [*written, "9" * 17]) == [None] * 10


def test_amounts_that_are_not_finite_are_null(bench: Bench) -> None:
    values = [math.nan, math.inf, -math.inf, 1e300]

    assert bench.read(parse_money, values) == [None] * 4
    assert bench.read(parse_number, values[:3]) == [None] * 3


AMOUNT_LISTS = st.lists(
    st.decimals(Decimal("-99999999"), Decimal("99999999"), places=2), min_size=30
)


@SHARED_CONNECTION
@given(
    amounts=AMOUNT_LISTS,
    style=st.sampled_from(["{:.2f}", "{:,.2f}", "${:,.2f}", "{:,.2f} EUR", " {:,.2f} "]),
)
def test_amounts_survive_being_written(bench: Bench, amounts: list[Decimal], style: str) -> None:
    assert bench.read(parse_money, [style.format(amount) for amount in amounts]) == amounts


@SHARED_CONNECTION
@given(amounts=AMOUNT_LISTS)
def test_amounts_survive_a_float(bench: Bench, amounts: list[Decimal]) -> None:
    assert bench.read(parse_money, [float(amount) for amount in amounts]) == amounts


@SHARED_CONNECTION
@given(
    quantities=st.lists(st.integers(-100_000, 100_000), min_size=30, max_size=30),
    prices=st.lists(st.integers(0, 99_999_999), min_size=30, max_size=30),
)
def test_products_are_exact(bench: Bench, quantities: list[int], prices: list[int]) -> None:
    exact = [
        (quantity * Decimal(price).scaleb(-3)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        for quantity, price in zip(quantities, prices, strict=True)
    ]

    typed = bench.read(parse_product, quantities, [price / 1000 for price in prices])
    written = bench.read(
        parse_product, [str(n) for n in quantities], [f"{price / 1000:.3f}" for price in prices]
    )

    assert typed == written == exact


def test_product_that_is_too_large_is_null(bench: Bench) -> None:
    assert bench.read(parse_product, [1e11, 1e30], [1e11, 2.0]) == [None, None]


def test_decimal_mark_is_decided_by_what_cannot_be_read_otherwise(bench: Bench) -> None:
    def votes(*written: str) -> Any:
        table = bench.table(c=pa.array(written))
        return table.aggregate(n=decimal_mark_votes(table.c)).to_pyarrow()["n"][0].as_py()

    assert votes("12,50", "1.234,50", "1.234") == 2
    assert votes("12.50", "1,234.50", "1,234") == -2


@pytest.mark.parametrize(
    ("values", "identifiers"),
    [
        ([17850], ["17850"]),
        ([17850.0, math.nan, None, 1.5], ["17850", None, None, "1.5"]),
        (["17850.0", " 00123 ", "A-1", "1.50"], ["17850", "00123", "A-1", "1.50"]),
        (["", "nan", "NaN", "NULL", "None", " "], [None] * 6),
        ([Decimal("17850.00")], ["17850"]),
    ],
    ids=str,
)
def test_identifier_is_one_text_whatever_its_type(
    bench: Bench, values: list[Any], identifiers: list[Any]
) -> None:
    assert bench.read(parse_identifier, values) == identifiers


@pytest.mark.parametrize("values", [[True, False], ["True", "false"], [1, 0], [1.0, 0.0]], ids=str)
def test_true_and_one_are_the_same_word(bench: Bench, values: list[Any]) -> None:
    assert bench.read(parse_word, values) == [spell_word(True), spell_word("0")]


def test_moments_are_within_a_second_of_what_was_counted_since_1970(bench: Bench) -> None:
    moment = datetime(2024, 2, 29, 12, 30, 1, 500_000, tzinfo=UTC)
    since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    read = moments(bench, [str(since // 10**6), str(since // 10**3), str(since), str(since * 1000)])

    assert read == [moment.replace(microsecond=0), moment, moment, moment]
