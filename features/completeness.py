"""How complete each source is: how fresh, whether it ebbs away, which months and customers it has.

Facts of the canonical tables, by Ibis expressions that every engine knows. Months are those of the
project's time zone, in which its people think.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import ibis

from features.contracts.as_of import AsOf, find_zone
from features.contracts.features import DAY_SECONDS
from features.contracts.tables import TABLES
from features.local_days import local_day
from features.quality import QualityReport, TableQuality
from features.transforms.known import epoch_seconds

RECENT_DAYS = 28
USUAL_DAYS = 84
"""What is usual is what came in the twelve weeks before the last four."""

_DAY_ZERO = date(1970, 1, 1)


@dataclass(frozen=True)
class Month:
    """What a source says of one month, such as 2026-01."""

    month: str
    rows: int
    customers: int


@dataclass(frozen=True)
class Source:
    """How complete one source is.

    Attributes:
        table: the canonical table.
        origin: the user's file or table.
        rows: rows of the canonical table.
        customers: how many customers they are about.
        touched_share: which share of all customers of all sources that is, 0..1.
        age_days: from its newest row to now; None if no row has a time.
        behind_days: from its newest row to the newest row of all sources.
        recent_rows: rows of the last four weeks of all sources.
        usual_rows: rows of four weeks in the twelve before; None where it does not go so far back.
        months: every month from its first to its last row.
        filled: share of the rows with a value, by mapped canonical column.
    """

    table: str
    origin: str
    rows: int
    customers: int
    touched_share: float
    age_days: float | None
    behind_days: float | None
    recent_rows: int
    usual_rows: float | None
    months: tuple[Month, ...]
    filled: Mapping[str, float]

    @property
    def gaps(self) -> tuple[str, ...]:
        """Months without any row between the first and the last."""
        return tuple(month.month for month in self.months if not month.rows)

    @property
    def decay(self) -> float | None:
        """Recent rows as a share of the usual: 1 is steady, 0 is dried up; None where unknown."""
        return self.recent_rows / self.usual_rows if self.usual_rows else None

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values for JSON."""
        return asdict(self) | {
            "months": [asdict(month) for month in self.months],
            "gaps": list(self.gaps),
            "decay": self.decay,
        }

    def lines(self) -> list[str]:
        """Return the facts as lines for people, the first one a summary."""
        lines = [f"{self.table}: {self.touched_share:.0%} of all customers have a row"]
        if self.age_days is not None and self.behind_days is not None:
            lines.append(
                f"  fresh: the newest row is {self.age_days:,.0f} days old, "
                f"{self.behind_days:,.0f} days behind the newest of all sources"
            )
        lines += [f"  volume: {self.volume}"] if self.volume else []
        if self.months:
            lines.append(f"  months: {self.coverage}")
        thin = [f"{name} {share:.0%}" for name, share in self.filled.items() if share < 1]
        return lines + ([f"  filled: {', '.join(thin)}"] if thin and self.rows else [])

    @property
    def volume(self) -> str | None:
        """Whether rows come as usual, in words."""
        if self.decay is None or self.usual_rows is None:
            return None
        change = self.decay - 1
        how = (
            "as many as usual"
            if abs(change) < 0.005
            else f"{abs(change):.0%} {_more(change)} than usual"
        )
        return (
            f"{self.recent_rows:,} rows in the last {RECENT_DAYS} days, {how}: there were "
            f"{self.usual_rows:,.0f} in as many days of the {USUAL_DAYS} before"
        )

    @property
    def coverage(self) -> str:
        """Which months there are and which are missing, in words."""
        named = f"{self.months[0].month} to {self.months[-1].month}"
        if not self.gaps:
            return f"{named} without a gap"
        return f"{named}, none in {', '.join(self.gaps)}"


@dataclass(frozen=True)
class Completeness:
    """How complete all sources are as of `now`; `newest` is the newest row of any.

    Months are those of `timezone`.
    """

    now: AsOf
    timezone: str
    newest: AsOf | None
    sources: tuple[Source, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values for JSON."""
        return {
            "now": str(self.now),
            "timezone": self.timezone,
            "newest": str(self.newest) if self.newest else None,
            "sources": [source.to_dict() for source in self.sources],
        }

    def lines(self) -> list[str]:
        """Return the facts as lines for people."""
        return [line for source in self.sources for line in source.lines()]


def measure_completeness(
    tables: Mapping[str, Any],
    report: QualityReport,
    mapped: Mapping[str, Iterable[str]],
    now: AsOf,
    timezone: str = "UTC",
) -> Completeness:
    """Return how complete the canonical `tables` are; `mapped` are their columns by table."""
    lasts = [quality.last_event for quality in report.tables if quality.last_event]
    newest = max(lasts, default=None)
    everybody = (
        ibis.union(*(table.select("customer_id") for table in tables.values()), distinct=True)
        if len(tables) > 1
        else next(iter(tables.values())).select("customer_id").distinct()
    )
    n = int(everybody.count().to_pyarrow().as_py())
    return Completeness(
        now,
        timezone,
        newest,
        tuple(
            _measure(
                tables[quality.table], quality, mapped[quality.table], n, newest, now, timezone
            )
            for quality in report.tables
        ),
    )


def _measure(
    table: Any,
    quality: TableQuality,
    mapped: Iterable[str],
    everybody: int,
    newest: AsOf | None,
    now: AsOf,
    timezone: str,
) -> Source:
    event_time = TABLES[quality.table].event_time
    first, last = quality.first_event, quality.last_event
    recent, usual = 0, None
    if newest is not None and first is not None:
        recent, usual = _volumes(table, event_time, first, newest)
    return Source(
        table=quality.table,
        origin=quality.origin,
        rows=quality.rows_kept,
        customers=quality.customers,
        touched_share=quality.customers / everybody if everybody else 0.0,
        age_days=now.days_since(last) if last else None,
        behind_days=newest.days_since(last) if last and newest else None,
        recent_rows=recent,
        usual_rows=usual,
        months=_months(table, quality, timezone),
        filled=_filled(table, mapped, quality.rows_kept),
    )


def _volumes(table: Any, event_time: str, first: AsOf, newest: AsOf) -> tuple[int, float | None]:
    """Return the rows of the last weeks, and what is usual where it can be known."""
    age = int(newest.moment.timestamp()) - epoch_seconds(table[event_time])
    recent = age < RECENT_DAYS * DAY_SECONDS
    before = ~recent & (age < (RECENT_DAYS + USUAL_DAYS) * DAY_SECONDS)
    facts = table.aggregate(
        recent=recent.cast("int64").sum().fill_null(0),
        before=before.cast("int64").sum().fill_null(0),
    )
    (found,) = facts.to_pyarrow().to_pylist()
    known = newest.days_since(first) >= RECENT_DAYS + USUAL_DAYS
    return found["recent"], found["before"] * RECENT_DAYS / USUAL_DAYS if known else None


def _months(table: Any, quality: TableQuality, timezone: str) -> tuple[Month, ...]:
    first, last = quality.first_event, quality.last_event
    if first is None or last is None:
        return ()
    zone = find_zone(timezone)
    start, end = (moment.moment.astimezone(zone).date() for moment in (first, last))
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    calendar = ibis.memtable(
        {"day": [(day - _DAY_ZERO).days for day in days], "month": [f"{d:%Y-%m}" for d in days]},
        schema={"day": "int64", "month": "string"},
    )
    day = local_day(table[TABLES[quality.table].event_time], timezone, first, last)
    rows = table.select("customer_id", day=day).join(calendar, "day")
    counts = rows.group_by("month").agg(n=rows.count(), customers=rows.customer_id.nunique())
    found = {row["month"]: row for row in counts.to_pyarrow().to_pylist()}
    return tuple(
        Month(name, found[name]["n"], found[name]["customers"])
        if name in found
        else Month(name, 0, 0)
        for name in dict.fromkeys(f"{day:%Y-%m}" for day in days)
    )


def _filled(table: Any, mapped: Iterable[str], rows: int) -> dict[str, float]:
    names = sorted(mapped)
    counts = table.aggregate(**{name: table[name].count() for name in names})
    (found,) = counts.to_pyarrow().to_pylist()
    return {name: found[name] / rows if rows else 0.0 for name in names}


def _more(change: float) -> str:
    return "more" if change > 0 else "fewer"
