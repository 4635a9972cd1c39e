"""What is odd about rows that were kept: told to the user, never acted upon."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import ibis

from features.contracts.tables import CANCELLED, RETURNED, TABLES, EventType
from features.data_gates import RESPONSES, SAMPLES
from features.readings import Reading
from features.time_oddities import describe_learning, describe_times

ODD_TIMES = 1000
"""An amount so many times larger than that of 19 in 20 rows is odd."""

FEW_MATCHES = 0.5
"""When fewer of a table's customers have an order, the ids may be of two kinds."""


def describe_rows(table: Any, typed: Any, reading: Reading) -> list[str]:
    """Return notes on one canonical `table` and the `typed` rows it was made of."""
    notes = _lost_values(typed, reading) + describe_times(reading)
    notes += describe_learning(typed, TABLES[reading.name].event_time)
    if "known_at" not in reading.settings.columns:
        notes.append(_learning(reading))
    if reading.name == "orders":
        notes += _order_statuses(table)
    if "discount" in reading.raw.columns:
        notes += _negative_discounts(reading)
    if reading.name == "events":
        notes += _unknown_types(table)
    if reading.name == "messages":
        notes += _early_responses(typed)
    if reading.name == "order_lines" and "amount" in reading.settings.columns:
        notes += _line_currencies(reading)
    if "amount" in reading.settings.columns:
        notes += _odd_amounts(table)
    return notes


def _learning(reading: Reading) -> str:
    if reading.name == "customers" and "created_at" not in reading.settings.columns:
        return "neither created_at nor known_at is mapped: what is said counts as always known"
    return "known_at is not mapped: a row counts as known when it happened"


def describe_matches(name: str, tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a note if few customers of the table `name` have an order."""
    if name == "orders":
        return ()
    customers, buyers = (tables[t].select("customer_id").distinct() for t in (name, "orders"))
    n, matched = _count(customers), _count(customers.semi_join(buyers, "customer_id"))
    if matched >= FEW_MATCHES * n:
        return ()
    return (
        f"only {matched:,} of {n:,} customers have an order: check that its customer ids are "
        "those of the orders",
    )


def _lost_values(typed: Any, reading: Reading) -> list[str]:
    flags = [name for name in typed.columns if name.startswith("lost_")]
    if not flags:
        return []
    counts = typed.aggregate(**{name: typed[name].sum().fill_null(0) for name in flags})
    (found,) = counts.to_pyarrow().to_pylist()
    return [
        f"{n:,} values of {flag.removeprefix('lost_')} cannot be read and are null"
        f"{_samples(typed, flag, reading)}"
        for flag, n in found.items()
        if n
    ]


def _samples(typed: Any, flag: str, reading: Reading) -> str:
    given = reading.numbered(text=reading.given(flag.removeprefix("lost_")))
    lost = typed.filter(typed[flag]).select("row").order_by("row").limit(SAMPLES)
    rows = lost.join(given, lost.row == given.key).order_by("row").to_pyarrow().to_pylist()
    return ", such as " + ", ".join(f"{row['text']!r} (row {row['row']:,})" for row in rows)


def _negative_discounts(reading: Reading) -> list[str]:
    """Tell of discounts that were turned around, unless all were: then it is the shop's way."""
    below = reading.given("discount").re_search(r"^\s*[-(\x{2212}]|-\s*$").cast("int64")
    facts = reading.raw.table.aggregate(n=below.count(), below=below.sum())
    (found,) = facts.to_pyarrow().to_pylist()
    if not found["below"]:
        return []
    return [f"{found['below']:,} of {found['n']:,} discounts are below zero and count as positive"]


def _early_responses(typed: Any) -> list[str]:
    """Tell of messages that were answered before they were sent."""
    given = [typed[name] < typed.sent_at for name in RESPONSES if name in typed.columns]
    if not given:
        return []
    early = reduce(or_, (each.fill_null(False) for each in given)) & typed.reason.isnull()
    n = _count(typed.filter(early))
    return [f"{n:,} messages were answered before they were sent; it counts from then"] if n else []


def _line_currencies(reading: Reading) -> list[str]:
    if reading.data.currency is None or "currency" not in reading.data.tables["orders"].columns:
        return []
    return [
        f"lines carry no currency: their amounts are taken as {reading.data.currency}, "
        "whatever their orders are in"
    ]


def _unknown_types(events: Any) -> list[str]:
    unknown = events.filter(events["type"].notin([kind.value for kind in EventType]))
    counts = unknown.group_by("type").agg(n=unknown.count()).order_by(ibis.desc("n"), "type")
    few = counts.limit(5).to_pyarrow().to_pylist()
    if not few:
        return []
    listed = ", ".join(f"{row['type']!r} ({row['n']:,})" for row in few)
    return [f"types that no feature knows are kept: {listed}; type_values says what they mean"]


def _order_statuses(orders: Any) -> list[str]:
    counts = orders.group_by("status").agg(n=orders.count()).order_by("status")
    found = {row["status"]: row["n"] for row in counts.to_pyarrow().to_pylist()}
    parts = [f"{found[status]:,} {status}" for status in (CANCELLED, RETURNED) if status in found]
    return [f"{' and '.join(parts)} orders among them"] if parts else []


def _odd_amounts(table: Any) -> list[str]:
    """Tell of amounts that dwarf nearly all others; in short tables the measure is less sharp."""
    n = _count(table)
    rank = next((rank for rows, rank in ((200, 0.95), (20, 0.9)) if n >= rows), None)
    if rank is None:
        return []
    usual = table.amount.abs().cast("float64").quantile(rank).to_pyarrow().as_py()
    if not usual:
        return []
    odd = table.filter(table.amount.abs().cast("float64") > ODD_TIMES * usual)
    count = _count(odd)
    if not count:
        return []
    largest = odd.order_by(ibis.desc(odd.amount.abs()), "amount").limit(SAMPLES).amount
    values = ", ".join(f"{value:,}" for value in largest.to_pyarrow().to_pylist())
    return [f"{count:,} amounts are over {ODD_TIMES} times the usual, such as {values}"]


def _count(rows: Any) -> int:
    return int(rows.count().to_pyarrow().as_py())
