"""Features from the calendar: what the moment itself says, the same for every customer.

They are columns of the table of moments, computed here in plain Python, so that every engine and
the request of an online score read one definition. Days are those of UTC.
"""

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial

from features.contracts.as_of import AsOf
from features.contracts.features import Feature

FRIDAY = 4


def black_friday(year: int) -> date:
    """Return the day after the fourth Thursday of November, the 23rd to the 29th."""
    latest = date(year, 11, 29)
    return latest - timedelta(days=(latest.weekday() - FRIDAY) % 7)


PEAKS: dict[str, Callable[[int], date]] = {
    "valentines_day": lambda year: date(year, 2, 14),
    "black_friday": black_friday,
    "christmas": lambda year: date(year, 12, 25),
}
"""Days of the year around which shops sell more than usual."""


def calendar_values(as_of: AsOf) -> dict[str, float]:
    """Return the value of each feature below at a moment."""
    day = as_of.moment.date()
    angle = 2 * math.pi * (day.month - 1) / 12
    until = {name: _days_to_next(day, peak) for name, peak in PEAKS.items()}
    values = {
        "month": day.month,
        "month_sin": math.sin(angle),
        "month_cos": math.cos(angle),
        "day_of_week": day.isoweekday(),
        "day_of_month": day.day,
        "day_of_year": day.timetuple().tm_yday,
        "days_to_next_peak": min(until.values()),
        "days_since_last_peak": min(_days_since_last(day, peak) for peak in PEAKS.values()),
        **{f"days_to_{name}": days for name, days in until.items()},
    }
    return {name: float(value) for name, value in values.items()}


def _days_to_next(day: date, peak: Callable[[int], date]) -> int:
    return min((at - day).days for at in _around(day, peak) if at >= day)


def _days_since_last(day: date, peak: Callable[[int], date]) -> int:
    return min((day - at).days for at in _around(day, peak) if at <= day)


def _around(day: date, peak: Callable[[int], date]) -> Iterator[date]:
    return (peak(year) for year in (day.year - 1, day.year, day.year + 1))


_calendar = partial(Feature, table="orders")


def _read(name: str, unit: str, meaning: str) -> Feature:
    return _calendar(name, unit, meaning, derive=lambda t: t[name])


FEATURES: tuple[Feature, ...] = (
    _read("month", "month", "Month of the moment (UTC), 1 to 12."),
    _read("month_sin", "ratio", "Sine of the month as an angle: a year is a full turn."),
    _read("month_cos", "ratio", "Cosine of the month as an angle: January is 1, July -1."),
    _read("day_of_week", "day", "Day of the week of the moment (UTC), Monday 1 to Sunday 7."),
    _read("day_of_month", "day", "Day of the month of the moment (UTC)."),
    _read("day_of_year", "day", "Day of the year of the moment (UTC), from 1."),
    _read("days_to_next_peak", "days", "Whole days to the next peak; 0 on its day."),
    _read("days_since_last_peak", "days", "Whole days since the last peak; 0 on its day."),
    *(
        _read(
            f"days_to_{name}",
            "days",
            f"Whole days to the next {name.replace('_', ' ').title()}; 0 on its day.",
        )
        for name in PEAKS
    ),
)
