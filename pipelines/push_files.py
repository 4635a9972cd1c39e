"""Rows to push, from files and streams: JSON lines, CSV or Parquet."""

import csv
import json
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from features.contracts.errors import DataContractError, SourceError

Row = Mapping[str, Any]

LINES_AT_ONCE = 1_000
"""Lines of a stream that are pushed together when they come faster than they can be served."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file: `.parquet`, `.csv`, or JSON lines by any other name.

    Raises:
        SourceError: if the file is missing or cannot be read.
        DataContractError: if a line is not a row; names it.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return list(pq.read_table(path).to_pylist())
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _csv_rows(file) if path.suffix == ".csv" else json_rows(file)
    except (OSError, ValueError, csv.Error) as error:  # Arrow's errors are ValueErrors
        raise SourceError(f"{path} cannot be read: {error}") from error


def json_rows(lines: Iterable[str]) -> list[Row]:
    """Return the rows of JSON lines; empty lines are none.

    Raises:
        DataContractError: if a line is not a JSON object; names it.
    """
    return [json_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def json_row(number: int, line: str) -> Row:
    """Return the row in one JSON line, amounts to the last digit.

    Raises:
        DataContractError: if it is not a JSON object; names the line.
    """
    try:
        row = json.loads(line, parse_float=Decimal, parse_constant=_refuse)
    except ValueError as error:
        raise DataContractError(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise DataContractError(f"line {number} is not a JSON object")
    return row


def arriving(stream: TextIO) -> Iterator[list[tuple[int, str]]]:
    """Yield the lines of a stream with their numbers, those together that have arrived."""
    arrived: queue.Queue[tuple[int, str] | None] = queue.Queue(maxsize=10 * LINES_AT_ONCE)

    def read() -> None:
        for number, line in enumerate(stream, 1):
            if line.strip():
                arrived.put((number, line))
        arrived.put(None)

    threading.Thread(target=read, daemon=True, name="arriving lines").start()
    is_open = True
    while is_open:
        taken = [arrived.get()]
        while len(taken) < LINES_AT_ONCE and not arrived.empty():
            taken.append(arrived.get())
        is_open = None not in taken
        if lines := [line for line in taken if line is not None]:
            yield lines


def _csv_rows(file: TextIO) -> list[Row]:
    rows = csv.DictReader(file, strict=True)
    found: list[Row] = []
    for row in rows:
        if None in row or None in row.values():
            raise DataContractError(f"line {rows.line_num} does not fit the header of the file")
        found.append(row)
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a value")
