"""Brings the user's rows into DuckDB as they are: from files, or from a table of a database.

What is needed is copied once, so that a file or table that changes meanwhile cannot tear a load.
CSV is read as text throughout: making numbers and times of it is for `value_parsing`, which loses
nothing silently.
"""

from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any

import duckdb
import ibis

from features.column_mapping import needed_columns, resolve_attributes, resolve_columns
from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.settings import TableSettings
from features.contracts.suggestions import quoted
from features.raw_tables import RawTable, copy_table, translated
from features.source_databases import Database
from features.source_files import check_parquet, csv_dialect, find_files, is_parquet
from features.stable_files import unchanged


def read_raw(
    connection: Any, name: str, settings: TableSettings, *, database: Database | None, root: Path
) -> RawTable:
    """Return the needed columns of canonical table `name`, copied into DuckDB as `raw_<name>`.

    Raises:
        SourceError: if the file, table or a column is missing, cannot be read, or changes
            meanwhile.
        ConfigurationError: if a mapping makes no sense.
    """
    if settings.path is not None:
        files = find_files(settings.path, root, name)
        with unchanged(files, name), translated(name, settings.path):
            return _copy_files(connection, name, settings, files)
    if database is None:
        raise ConfigurationError(f"table `{name}` is in a database: set `data.url`")
    return database.copy(connection, name, settings)


def open_files(connection: Any, files: Sequence[Path], table: str) -> tuple[Any, tuple[str, ...]]:
    """Return the rows of `files` as one lazy Ibis table, and notes on how they are read.

    Raises:
        SourceError: if a file cannot be read, or has not the columns of the first.
    """
    with translated(table, str(files[0])):
        if all(is_parquet(file) for file in files):
            for file in files:
                check_parquet(file, table)
            return connection.read_parquet([escape(str(f)) for f in files], union_by_name=True), ()
        if any(is_parquet(file) for file in files):
            raise SourceError(f"{table}: the files are partly CSV and partly Parquet; use one kind")
        return _open_csv(connection, files, table)


def _open_csv(connection: Any, files: Sequence[Path], table: str) -> tuple[Any, tuple[str, ...]]:
    parts, notes = [], []
    for file in files:
        dialect = csv_dialect(file, table)
        part = connection.read_csv(
            escape(str(file)),
            columns=dict.fromkeys(dialect.columns, "string"),
            auto_detect=False,
            header=True,
            delim=dialect.delimiter,
            quote='"',
            escape='"',
            comment="",
            skip=0,
            encoding=dialect.encoding,
            store_rejects=True,
        )
        parts.append(part)
        if dialect.encoding == "latin-1":
            notes.append(f"{file.name} is not UTF-8 and was read as Latin-1")
    first = parts[0].columns
    for file, part in zip(files, parts, strict=True):
        if missing := [column for column in first if column not in part.columns]:
            raise SourceError(f"{table}: {file} has no column {quoted(missing)}, unlike {files[0]}")
    return ibis.union(*(part.select(*first) for part in parts)), tuple(notes)


def _copy_files(
    connection: Any, name: str, settings: TableSettings, files: Sequence[Path]
) -> RawTable:
    opened, notes = open_files(connection, files, name)
    if is_parquet(files[0]):
        return _copy_parquet(connection, name, settings, files, opened)
    raw = copy_table(connection, name, settings, opened, str(settings.path))
    return replace(raw, unreadable_lines=_take_unreadable_lines(connection), notes=notes)


def _copy_parquet(
    connection: Any, name: str, settings: TableSettings, files: Sequence[Path], opened: Any
) -> RawTable:
    _check_columns_of_each(connection, name, settings, files, opened)
    try:
        return copy_table(connection, name, settings, opened, str(settings.path))
    except duckdb.Error:
        for file in files:  # DuckDB does not always say which one it was
            with translated(name, str(file)):
                connection.con.execute(
                    "SELECT max(hash(COLUMNS(*))) FROM read_parquet(?)", [escape(str(file))]
                )
        raise


def _check_columns_of_each(
    connection: Any, name: str, settings: TableSettings, files: Sequence[Path], opened: Any
) -> None:
    """Refuse a file without a needed column, which the union would fill with nulls."""
    if len(files) == 1:
        return
    columns = resolve_columns(name, settings, opened.columns, str(settings.path))
    attributes = resolve_attributes(name, settings, opened.columns, str(settings.path))
    needed = needed_columns(columns, attributes)
    for file in files:
        found = {column.lower() for column in connection.read_parquet(escape(str(file))).columns}
        if missing := [column for column in needed if column.lower() not in found]:
            raise SourceError(f"{name}: {file} has no column {quoted(missing)}, unlike the others")


def _take_unreadable_lines(connection: Any) -> tuple[str, ...]:
    lines = connection.con.execute(
        "SELECT any_value(csv_line) FROM reject_errors "
        "GROUP BY scan_id, file_id, line ORDER BY scan_id, file_id, line"
    ).fetchall()
    connection.con.execute("DROP TABLE reject_errors")
    connection.con.execute("DROP TABLE reject_scans")
    return tuple(str(line).rstrip("\r\n") for (line,) in lines)
