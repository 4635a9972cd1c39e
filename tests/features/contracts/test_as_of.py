from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.as_of import AsOf, find_zone
from features.contracts.errors import ConfigurationError

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001 # Hypothesis adds the zone


@pytest.mark.parametrize(
    ("text", "timezone_name", "moment"),
    [
        ("2017-12-04", "UTC", "2017-12-04T00:00:00Z"),
        ("2017-12-04", "Europe/London", "2017-12-04T00:00:00Z"),
        ("2017-07-04", "Europe/London", "2017-07-03T23:00:00Z"),
        ("2017-12-04", "Asia/Tokyo", "2017-12-03T15:00:00Z"),
        ("2017-12-04T06:30:00", "Asia/Tokyo", "2017-12-03T21:30:00Z"),
        ("2017-12-04T06:30:00Z", "Asia/Tokyo", "2017-12-04T06:30:00Z"),
        ("2017-12-04T06:30:00+02:00", "Asia/Tokyo", "2017-12-04T04:30:00Z"),
        ("2017-12-04T06:30:00.999", "UTC", "2017-12-04T06:30:00Z"),
        pytest.param(
            "2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", id="a day without midnight"
        ),
        pytest.param(
            "2023-11-05", "America/Havana", "2023-11-05T04:00:00Z", id="a day with two midnights"
        ),
    ],
)
def test_a_text_names_a_moment_and_a_date_its_first_midnight(
    text: str, timezone_name: str, moment: str
) -> None:
    assert str(AsOf.parse(text, timezone_name)) == moment


@pytest.mark.parametrize("text", ["yesterday", "", "31/12/2026", "2026-02-30", "20261301T00"])
def test_a_text_that_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a date; write it like 2026-01-31"):
        AsOf.parse(text)


def test_a_moment_before_the_calendar_begins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not a date"):
        AsOf.parse("0001-01-01", "Asia/Tokyo")


@pytest.mark.parametrize(
    "name",
    ["Mars/Base", "", "../London", "Europe", "x" * 300, "Europe/London\0"],
    ids=["unknown", "empty", "outside", "a folder", "too long", "with a null byte"],
)
def test_an_unknown_time_zone_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown time zone .*; write it like Europe/"):
        find_zone(name)
    with pytest.raises(ConfigurationError, match="unknown time zone"):
        AsOf.parse("2026-01-31", name)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2026-01-31T00:00:00 has no time zone"):
        AsOf(datetime(2026, 1, 31))  # noqa: DTZ001 # what is refused


@given(MOMENTS)
def test_moments_are_whole_seconds_of_utc_rounded_down(moment: datetime) -> None:
    as_of = AsOf(moment)

    assert as_of.moment.tzinfo is UTC
    assert timedelta(0) <= moment - as_of.moment < timedelta(seconds=1)
    assert as_of.naive_utc == as_of.moment.replace(tzinfo=None)


@given(MOMENTS)
def test_a_moment_survives_being_written_and_read(moment: datetime) -> None:
    assert AsOf.parse(str(AsOf(moment)), "Asia/Tokyo") == AsOf(moment)


@given(MOMENTS, st.integers(-1095, 1095))
def test_days_are_of_24_hours_whatever_clocks_do(moment: datetime, days: int) -> None:
    later = AsOf(moment).plus_days(days)

    assert later.days_since(AsOf(moment)) == days
    assert later.plus_days(-days) == AsOf(moment)


def test_the_same_instant_is_the_same_moment_in_every_zone() -> None:
    tokyo = timezone(timedelta(hours=9))

    moments = {AsOf(datetime(2026, 1, 1, tzinfo=UTC)), AsOf(datetime(2026, 1, 1, 9, tzinfo=tokyo))}

    assert len(moments) == 1


def test_moments_are_sorted_by_time() -> None:
    moments = [AsOf.parse(f"2026-0{month}-01") for month in (3, 1, 2)]

    assert [str(moment)[:7] for moment in sorted(moments)] == ["2026-01", "2026-02", "2026-03"]
