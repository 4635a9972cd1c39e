"""The shop's own clock: how fast business goes at each hour.

On this clock every process of the shop is plain and even. One day of it is an average day of the
year in which the shop opens; before Christmas it runs through two in one, at night it stands nearly
still. Changing the clock of a Poisson process this way is its time-change theorem (Daley &
Vere-Jones, "An Introduction to the Theory of Point Processes", section 7.4).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from pipelines.synthetic_shop.plan import ShopPlan

FloatArray = NDArray[np.float64]

HOUR_SECONDS = 3_600
DAY_HOURS = 24
YEAR_DAYS = 365.25
AFTERMATH_DAYS = 400
"""How far beyond the end the clock is known: the longest horizon of a truth."""

GROWTH_PER_YEAR = 0.06
CHRISTMAS_DAY = 349.0
CHRISTMAS_SPREAD_DAYS = 11.0
CHRISTMAS_EXTRA = 1.1
SUMMER_DAY = 205.0
SUMMER_DIP = 0.12
WEEKDAYS = (0.95, 0.92, 0.94, 1.0, 1.1, 1.15, 0.94)
HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 12, 14, 15, 16, 17, 15, 14, 14, 15, 17, 20, 24, 26, 22, 14, 6)


@dataclass(frozen=True)
class Clock:
    """The clock of a shop: converts between seconds since it opened and days of business."""

    plan: ShopPlan

    @cached_property
    def _edges(self) -> FloatArray:
        """Days of business at the start of every hour since the shop opened."""
        return np.concatenate([[0.0], np.cumsum(self._speeds / DAY_HOURS)])

    @cached_property
    def _speeds(self) -> FloatArray:
        opened = self.plan.start.moment
        hours = np.arange((self.plan.days + AFTERMATH_DAYS) * DAY_HOURS) + opened.hour
        days = hours // DAY_HOURS
        day_of_year = (opened.timetuple().tm_yday + days) % YEAR_DAYS
        weekday = (opened.weekday() + days) % 7
        distance = np.abs(day_of_year - CHRISTMAS_DAY)
        distance = np.minimum(distance, YEAR_DAYS - distance)
        speed = 1 + CHRISTMAS_EXTRA * np.exp(-0.5 * (distance / CHRISTMAS_SPREAD_DAYS) ** 2)
        speed -= SUMMER_DIP * np.cos(2 * np.pi * (day_of_year - SUMMER_DAY) / YEAR_DAYS)
        speed *= np.exp(GROWTH_PER_YEAR * days / YEAR_DAYS) * np.array(WEEKDAYS)[weekday]
        profile = np.array(HOURS) / np.mean(HOURS)
        result: FloatArray = speed * profile[hours % DAY_HOURS]
        return result

    def business_days(self, seconds: FloatArray) -> FloatArray:
        """Return the days of business from the opening to `seconds` after it."""
        hours = np.clip(seconds / HOUR_SECONDS, 0, len(self._edges) - 1)
        whole = np.minimum(hours.astype(np.int64), len(self._edges) - 2)
        before = self._edges[whole]
        result: FloatArray = before + (hours - whole) * (self._edges[whole + 1] - before)
        return result

    def seconds(self, business_days: FloatArray) -> FloatArray:
        """Return the seconds after the opening at which so many days of business had gone by."""
        grid = np.arange(len(self._edges)) * float(HOUR_SECONDS)
        result: FloatArray = np.interp(business_days, self._edges, grid)
        return result

    def at(self, moment: AsOf) -> float:
        """Return the days of business from the opening to a moment."""
        return float(self.business_days(np.array([self.offset(moment)]))[0])

    def offset(self, moment: AsOf) -> float:
        """Return the seconds from the opening to a moment."""
        return (moment.moment - self.plan.start.moment).total_seconds()
