"""The user's rows as they are, in DuckDB: what every kind of source is brought to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import ibis

from features.column_mapping import (
    UserColumns,
    needed_columns,
    resolve_attributes,
    resolve_columns,
)
from features.contracts.errors import SourceError
from features.contracts.settings import TableSettings
from features.value_parsing import clean


@dataclass(frozen=True)
class RawTable:
    """The user's rows of one canonical table, in DuckDB.

    Attributes:
        table: the needed columns under the user's names and in the user's types; text is trimmed
            and null where it says nothing.
        columns: the user's column or columns by canonical column.
        attributes: the user's column by attribute.
        origin: the file or table in words, without any password.
        unreadable_lines: lines that are not rows of the CSV file.
        notes: what is odd about the way the rows had to be read.
    """

    table: Any
    columns: dict[str, UserColumns]
    attributes: dict[str, str]
    origin: str
    unreadable_lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def copy_table(
    connection: Any, name: str, settings: TableSettings, source: Any, origin: str
) -> RawTable:
    """Return the needed columns of the Ibis table `source`, copied as `raw_<name>`.

    Raises:
        SourceError: if a column is missing.
        ConfigurationError: if a mapping makes no sense.
    """
    columns = resolve_columns(name, settings, source.columns, origin)
    attributes = resolve_attributes(name, settings, source.columns, origin)
    needed = needed_columns(columns, attributes)
    cleaned = source.select(**{column: clean(source[column]) for column in needed})
    table = connection.create_table(f"raw_{name}", cleaned, database=("memory", "main"))
    return RawTable(table, columns, attributes, origin)


@contextmanager
def translated(table: str, origin: str) -> Iterator[None]:
    """Turn errors of DuckDB into one line that names the table and where it comes from."""
    try:
        yield
    except (duckdb.Error, ibis.common.exceptions.IbisError) as error:
        raise SourceError(f"{table}: {origin} cannot be read: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its name where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
