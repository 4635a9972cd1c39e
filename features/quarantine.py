"""Keeps the rows that cannot be used, each with its reason, in the table `quarantine`."""

from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from features.data_gates import REASONS, SAMPLES, offending_column
from features.quality import Quarantined
from features.readings import Reading
from features.row_checks import TypedRows

QUARANTINE_SCHEMA = {
    "table": "string",
    "reason": "string",
    "row": "int64",
    "value": "string",
    "content": "string",
}
"""The refused rows: `row` is the place in the source, from 1 (over all files of a glob, without
lines that are no rows), `value` what was wrong, `content` the mapped columns of the row as JSON."""


def set_aside(connection: Any, reading: Reading, typed: TypedRows) -> tuple[Quarantined, ...]:
    """Keep the refused rows and lines in the table `quarantine`; return their counts by reason."""
    if typed.refused:
        connection.insert("quarantine", _refused_rows(reading, typed.table))
    if reading.raw.unreadable_lines:
        connection.insert("quarantine", _refused_lines(reading))
    if not typed.refused and not reading.raw.unreadable_lines:
        return ()
    return _counts(connection, reading.name)


def write_quarantine(connection: Any, file: Path) -> int:
    """Write all refused rows into a Parquet file, whole or not at all; return their number."""
    rows = connection.table("quarantine").order_by("table", "reason", "row", "value")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    try:
        rows.to_parquet(partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return int(rows.count().to_pyarrow().as_py())


def _refused_rows(reading: Reading, typed: Any) -> Any:
    refused = typed.filter(typed.reason.notnull()).select("row", "reason")
    raw = reading.raw.table
    offending = {
        reason: column
        for reason in REASONS
        if (column := offending_column(reading.name, reason)) in reading.raw.columns
    }
    texts = {f"text_{name}": reading.given(name) for name in set(offending.values())}
    columns = {name: raw[name].cast("string") for name in raw.columns}
    source = reading.numbered(content=ibis.struct(columns).cast("json"), **texts)
    joined = refused.join(source, refused.row == source.key)
    values = [
        (joined.reason == reason, joined[f"text_{name}"]) for reason, name in offending.items()
    ]
    return joined.select(
        table=ibis.literal(reading.name),
        reason=joined.reason,
        row=joined.row,
        value=ibis.cases(*values, else_=ibis.null("string")),
        content=joined.content.cast("string"),
    )


def _refused_lines(reading: Reading) -> pa.Table:
    lines = reading.raw.unreadable_lines
    n = len(lines)
    return pa.table(
        {
            "table": pa.array([reading.name] * n, pa.string()),
            "reason": pa.array(["unreadable_line"] * n, pa.string()),
            "row": pa.nulls(n, pa.int64()),
            "value": pa.array(lines, pa.string()),
            "content": pa.array(lines, pa.string()),
        }
    )


def _counts(connection: Any, name: str) -> tuple[Quarantined, ...]:
    quarantine = connection.table("quarantine")
    rows = quarantine.filter(quarantine["table"] == name)
    counts = rows.group_by("reason").agg(n=rows.count()).order_by(ibis.desc("n"), "reason")
    values = rows.filter(rows.value.notnull()).group_by(["reason", "value"])
    first = values.agg(row=rows.row.min().fill_null(0))
    rank = ibis.row_number().over(group_by="reason", order_by=["row", "value"])
    samples = first.mutate(rank=rank).order_by("reason", "rank")
    few = samples.filter(samples["rank"] < SAMPLES).to_pyarrow().to_pylist()
    return tuple(
        Quarantined(
            found["reason"],
            found["n"],
            tuple(sample["value"] for sample in few if sample["reason"] == found["reason"]),
            tuple(sample["row"] or None for sample in few if sample["reason"] == found["reason"]),
        )
        for found in counts.to_pyarrow().to_pylist()
    )
