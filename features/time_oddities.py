"""How the user's times are written: without a zone, or in several ways at once."""

import re
from typing import Any

import ibis

from features.contracts.tables import TABLES, TIME
from features.data_gates import SAMPLES
from features.readings import Reading

_WAYS = (
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}",
    r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}",
    r"\d{1,2}\.\d{1,2}\.\d{2,4}",
    r"\d{8}$",
    r"\d{9,}$",
)
_ZONED = r"(\d:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)|^\d{9,10}|^\d{13,19})$"


def describe_times(reading: Reading) -> list[str]:
    """Return notes on times that carry no zone, and on columns that mix ways of writing."""
    event_time = TABLES[reading.name].event_time
    notes = []
    for column in TABLES[reading.name].columns:
        if column.type != TIME or column.name not in reading.raw.columns:
            continue
        looks = _looks(reading, column.name)
        if column.name == event_time and (naive := sum(n for text, n in looks if _is_naive(text))):
            notes.append(
                f"{naive:,} values of {column.name} carry no time zone and are read as "
                f"{reading.timezone}"
            )
        notes += _mixture(column.name, looks)
    return notes


def _looks(reading: Reading, name: str) -> list[tuple[str, int]]:
    """Return an example of each look of the times, and how many look so."""
    (value,) = reading.values(name)
    kind = value.type()
    if kind.is_timestamp() or kind.is_date():
        example = "2026-12-31T00:00:00" + ("Z" if getattr(kind, "timezone", None) else "")
        count = reading.raw.table.aggregate(n=value.count()).to_pyarrow().to_pylist()[0]["n"]
        return [(example, count)]
    text = reading.given(name)
    look = text.re_replace(r"\p{L}+", "a").re_replace(r"\d{4}", "9").re_replace(r"\d", "0")
    rows = reading.raw.table.select(text=text, look=look).filter(lambda t: t.text.notnull())
    looks = rows.group_by("look").agg(n=rows.count(), example=rows.text.min())
    few = looks.order_by(ibis.desc("n"), "example").limit(1000).to_pyarrow().to_pylist()
    return [(row["example"], row["n"]) for row in few]


def _is_naive(text: str) -> bool:
    return re.search(_ZONED, text) is None


def _mixture(name: str, looks: list[tuple[str, int]]) -> list[str]:
    ways: dict[int, tuple[str, int]] = {}
    for text, n in looks:
        way = next((i for i, pattern in enumerate(_WAYS) if re.match(pattern, text)), None)
        if way is None and not re.search(r"[A-Za-z]{3}.*\d", text):
            continue  # no time at all: that is another gate's
        key = len(_WAYS) if way is None else way
        example, so_far = ways.get(key, (text, 0))
        ways[key] = (example, so_far + n)
    if len(ways) < 2:
        return []
    found = sorted(ways.values(), key=lambda pair: -pair[1])
    listed = ", ".join(f"{text!r} ({n:,})" for text, n in found[:SAMPLES])
    return [f"{name} is written in {len(ways)} ways, each read by its own looks: {listed}"]


def describe_learning(typed: Any, event_time: str) -> list[str]:
    """Return a note on rows that claim to be known before they happened."""
    if "known_at" not in typed.columns or event_time not in typed.columns:
        return []
    early = typed.reason.isnull() & (typed.known_at < typed[event_time])
    n = typed.aggregate(n=early.cast("int64").sum()).to_pyarrow().to_pylist()[0]["n"] or 0
    if not n:
        return []
    return [f"{n:,} rows claim to be known before they happened; they count from when they did"]
