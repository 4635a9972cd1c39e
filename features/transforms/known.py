"""What was known at each moment: the one gate between the raw tables and every feature.

A row counts as of T when it happened before T and had been learnt by T. All transforms read their
rows through here, so honesty in time is decided in one place.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import ibis
import ibis.expr.types as ir

from features.contracts.as_of import AsOf
from features.transforms.calendar import FEATURES, calendar_values

CALENDAR = tuple(feature.name for feature in FEATURES)
"""Columns of the table of moments beside `as_of`."""

Moments: TypeAlias = ir.Table | ir.TimestampScalar
"""A table of moments as `moments_table` makes it; or a single one, engines are quicker with one."""


def moments_table(moments: Sequence[AsOf]) -> ir.Table:
    """Return the as-of moments as a table, each once: `as_of`, and the calendar of the moment."""
    distinct = list(dict.fromkeys(moments))
    calendars = [calendar_values(moment) for moment in distinct]
    columns = {name: [values[name] for values in calendars] for name in CALENDAR}
    table = ibis.memtable(
        {"as_of": [moment.naive_utc for moment in distinct], **columns},
        schema=ibis.schema({"as_of": "timestamp(6)", **dict.fromkeys(CALENDAR, "float64")}),
    )
    return table.select(table.as_of.cast("timestamp('UTC', 6)").name("as_of"), *CALENDAR)


def rows_known_at(rows: ir.Table, moments: Moments, *, event_time: str) -> ir.Table:
    """Return each row once per moment at which it was known, with `as_of` and `age_seconds`.

    `age_seconds` is the time from the event to the moment in whole seconds, at least one.
    """
    known = each_moment(
        rows, moments, lambda rows, as_of: [rows[event_time] < as_of, rows.known_at <= as_of]
    )
    # Rows that were arranged before carry the seconds of their event time.
    happened = known.seconds if "seconds" in known.columns else epoch_seconds(known[event_time])
    return known.mutate(age_seconds=epoch_seconds(known.as_of) - happened)


def each_moment(
    rows: ir.Table,
    moments: Moments,
    is_known: Callable[[ir.Table, ir.TimestampValue], Sequence[ir.BooleanValue]],
) -> ir.Table:
    """Return each row once per moment at which all conditions of `is_known` hold, with `as_of`."""
    if isinstance(moments, ir.Table):
        times = moments.select("as_of")
        return rows.join(times, list(is_known(rows, times.as_of)))
    return rows.filter(*is_known(rows, moments)).mutate(as_of=moments)


def epoch_seconds(time: ir.TimestampValue) -> ir.IntegerValue:
    """Return the whole seconds from 1970 to a time, rounded down.

    Ibis promises integers, but DuckDB keeps the fraction: features would then depend on how exact
    a clock the user's shop has, and on the engine.
    """
    return time.epoch_seconds().floor().cast("int64")
