"""Days as the calendar of a time zone has them, by arithmetic that every engine knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from features.contracts.as_of import AsOf, find_zone
from features.contracts.features import DAY_SECONDS
from features.transforms.known import epoch_seconds


def local_day(time: Any, timezone: str, first: AsOf, last: AsOf) -> Any:
    """Return the days from 1970-01-01 to the local day of times between `first` and `last`."""
    seconds = epoch_seconds(time)
    changes, offset = offset_changes(timezone, first, last)
    if changes:
        offset = ibis.cases(*((seconds < until, before) for until, before in changes), else_=offset)
    return (seconds + offset) // DAY_SECONDS


def offset_changes(timezone: str, first: AsOf, last: AsOf) -> tuple[list[tuple[int, int]], int]:
    """Return until when which offset from UTC holds, and the last one; all in seconds."""
    zone = find_zone(timezone)

    def offset_at(epoch: int) -> int:
        shown = datetime.fromtimestamp(epoch, UTC).astimezone(zone).utcoffset() or timedelta()
        return int(shown.total_seconds())

    start, end = (int(moment.moment.timestamp()) for moment in (first, last))
    changes = []
    here, offset = start, offset_at(start)
    while here < end:
        there = min(here + DAY_SECONDS, end)  # no zone changes its clock twice in a day
        if offset_at(there) != offset:
            changes.append((_change(offset_at, here, there), offset))
            offset = offset_at(there)
        here = there
    return changes, offset


def _change(offset_at: Any, low: int, high: int) -> int:
    """Return the first second of the new offset, by halving."""
    before = offset_at(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_at(middle) == before else (low, middle)
    return high
