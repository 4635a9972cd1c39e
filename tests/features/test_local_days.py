"""Local days agree with the calendar of the zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.local_days import local_day, offset_changes
from features.sources import open_connection

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    connection = open_connection()
    yield connection
    connection.disconnect()


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moments=st.lists(
        st.integers(1_546_300_800, 1_767_225_600).map(lambda at: datetime.fromtimestamp(at, UTC)),
        min_size=1,
        max_size=50,
    ),
    zone=st.sampled_from(ZONES),
)
def test_days_are_those_of_the_zone(connection: Any, moments: list[datetime], zone: str) -> None:
    connection.con.register(
        "moments", pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    )
    table = connection.table("moments")
    day = local_day(table["at"], zone, AsOf(min(moments)), AsOf(max(moments)))

    found = [row["day"] for row in table.select(day=day).to_pyarrow().to_pylist()]

    local = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert [date(1970, 1, 1) + timedelta(days=each) for each in found] == local


def test_clock_changes_to_the_second() -> None:
    changes, last = offset_changes(
        "Europe/London", AsOf.parse("2026-01-01"), AsOf.parse("2026-12-31")
    )

    spring, autumn = (AsOf.parse(at) for at in ("2026-03-29T01:00", "2026-10-25T01:00"))
    assert changes == [
        (int(spring.moment.timestamp()), 0), (int(autumn.moment.timestamp()), 3600)
    ]  # fmt: skip
    assert last == 0
