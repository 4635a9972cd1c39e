"""Brings the user's rows into DuckDB as they are: from files, or from a table at an Ibis URL.

What is needed is copied once, so that a file or table that changes meanwhile cannot tear a load.
CSV is read as text throughout: making numbers and times of it is for `value_parsing`, which loses
nothing silently.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import ibis

from features.column_mapping import (
    UserColumns,
    needed_columns,
    quoted,
    resolve_attributes,
    resolve_columns,
    suggestion,
)
from features.contracts.errors import BellwetherError, ConfigurationError, SourceError
from features.contracts.settings import TableSettings
from features.source_files import csv_dialect, find_files, is_parquet
from features.value_parsing import clean

BATCH_ROWS = 100_000
CONNECT_TIMEOUT_SECONDS = 10
_KEPT_TYPES = ("is_integer", "is_floating", "is_boolean", "is_string", "is_date", "is_timestamp")


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


def read_raw(
    connection: Any, name: str, settings: TableSettings, *, url: str | None, root: Path
) -> RawTable:
    """Return the needed columns of canonical table `name`, copied into DuckDB as `raw_<name>`.

    Raises:
        SourceError: if the file, table or a column is missing or cannot be read.
        ConfigurationError: if a mapping makes no sense.
    """
    if settings.path is not None:
        files = find_files(settings.path, root, name)
        with translated(name, settings.path):
            return _copy_files(connection, name, settings, files)
    if url is None:
        raise ConfigurationError(f"table `{name}` is in a database: set `data.url`")
    if urlparse(url).scheme == "duckdb":
        return _copy_from_duckdb(connection, name, settings, _duckdb_file(url, root, name))
    return _copy_from_database(connection, name, settings, url)


def open_files(connection: Any, files: Sequence[Path], table: str) -> tuple[Any, tuple[str, ...]]:
    """Return the rows of `files` as one lazy Ibis table, and notes on how they are read.

    Raises:
        SourceError: if a file cannot be read, or has not the columns of the first.
    """
    with translated(table, str(files[0])):
        if all(is_parquet(file) for file in files):
            return connection.read_parquet([escape(str(f)) for f in files], union_by_name=True), ()
        if any(is_parquet(file) for file in files):
            raise SourceError(f"{table}: the files are partly CSV and partly Parquet; use one kind")
        return _open_csv(connection, files, table)


@contextmanager
def translated(table: str, origin: str) -> Iterator[None]:
    """Turn errors of DuckDB into one line that names the table and where it comes from."""
    try:
        yield
    except (duckdb.Error, ibis.common.exceptions.IbisError) as error:
        raise SourceError(f"{table}: {origin} cannot be read: {_first_line(error)}") from error


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
    origin = str(settings.path)
    columns = resolve_columns(name, settings, opened.columns, origin)
    attributes = resolve_attributes(name, settings, opened.columns, origin)
    table = _copy(connection, name, opened, needed_columns(columns, attributes))
    lines = () if is_parquet(files[0]) else _take_unreadable_lines(connection)
    return RawTable(table, columns, attributes, origin, lines, notes)


def _take_unreadable_lines(connection: Any) -> tuple[str, ...]:
    lines = connection.con.execute(
        "SELECT any_value(csv_line) FROM reject_errors "
        "GROUP BY scan_id, file_id, line ORDER BY scan_id, file_id, line"
    ).fetchall()
    connection.con.execute("DROP TABLE reject_errors")
    connection.con.execute("DROP TABLE reject_scans")
    return tuple(str(line).rstrip("\r\n") for (line,) in lines)


def _duckdb_file(url: str, root: Path, table: str) -> Path:
    """Return the file of `duckdb:///shop.duckdb`, found from the project's folder or the root."""
    written = url.removeprefix("duckdb://").partition("?")[0]
    places = [root / written.lstrip("/"), Path(written)]
    for place in places:
        if place.is_file():
            return place
    raise SourceError(f"{table}: there is no DuckDB file {places[0]} or {places[1]} (data.url)")


def _copy_from_duckdb(connection: Any, name: str, settings: TableSettings, file: Path) -> RawTable:
    with translated(name, str(file)):
        connection.attach(file, name="source", read_only=True)
    try:
        schema, _, table = str(settings.table).rpartition(".")
        found = connection.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' "
            "AND schema_name = ? UNION ALL SELECT view_name FROM duckdb_views() "
            "WHERE database_name = 'source' AND schema_name = ? AND NOT internal ORDER BY 1",
            [schema or "main"] * 2,
        ).fetchall()
        _check_table(name, str(settings.table), table, [row[0] for row in found], str(file))
        with translated(name, str(settings.table)):
            connection.raw_sql("USE source")  # its views name their tables without a database
            source = connection.table(table, database=("source", schema or "main"))
            return _copy_table(connection, name, settings, source, str(settings.table))
    finally:
        connection.raw_sql("USE memory")
        connection.detach("source")


def _copy_from_database(connection: Any, name: str, settings: TableSettings, url: str) -> RawTable:
    place = _without_password(url)
    try:
        source = ibis.connect(url, **_timeout(url))
        try:
            return _copy_batches(connection, name, settings, source, place)
        finally:
            source.disconnect()
    except BellwetherError:
        raise
    except ImportError as error:
        raise SourceError(
            f"{name}: the driver for {place} is missing ({_first_line(error)}); "
            f"install ibis-framework[{urlparse(url).scheme}]"
        ) from error
    # Each database has a driver of its own, and no class is common to the errors of all.
    except Exception as error:
        raise SourceError(
            f"{name}: {settings.table} at {place} cannot be read: {_first_line(error)}; "
            "check data.url and that the database runs"
        ) from error


def _copy_batches(
    connection: Any, name: str, settings: TableSettings, source: Any, place: str
) -> RawTable:
    """Copy the needed columns of a foreign table in batches, so that they need not fit twice."""
    origin = f"{settings.table} at {place}"
    schema, _, table = str(settings.table).rpartition(".")
    _check_table(name, origin, table, source.list_tables(database=schema or None), place)
    opened = _plainly_typed(source.table(table, database=schema or None))
    columns = resolve_columns(name, settings, opened.columns, origin)
    needed = needed_columns(columns, resolve_attributes(name, settings, opened.columns, origin))
    batches = opened.select(*needed).to_pyarrow_batches(chunk_size=BATCH_ROWS)
    connection.con.register("incoming", batches)
    try:
        return _copy_table(connection, name, settings, connection.table("incoming"), origin)
    finally:
        connection.con.unregister("incoming")


def _copy_table(
    connection: Any, name: str, settings: TableSettings, source: Any, origin: str
) -> RawTable:
    columns = resolve_columns(name, settings, source.columns, origin)
    attributes = resolve_attributes(name, settings, source.columns, origin)
    table = _copy(connection, name, source, needed_columns(columns, attributes))
    return RawTable(table, columns, attributes, origin)


def _copy(connection: Any, name: str, source: Any, needed: tuple[str, ...]) -> Any:
    cleaned = source.select(**{column: clean(source[column]) for column in needed})
    return connection.create_table(f"raw_{name}", cleaned, database=("memory", "main"))


def _plainly_typed(table: Any) -> Any:
    """Return the table with exact decimals, UUIDs and the like as text, which loses nothing."""
    return table.mutate(
        **{
            name: table[name].cast("string")
            for name, kind in table.schema().items()
            if not any(getattr(kind, test)() for test in _KEPT_TYPES)
        }
    )


def _check_table(name: str, origin: str, table: str, found: Sequence[str], place: str) -> None:
    if table not in found:
        raise SourceError(
            f"{name}: there is no table {origin}; {suggestion(table, found)}"
            f"{place} holds {quoted(found) or 'none'}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _timeout(url: str) -> dict[str, Any]:
    postgres = urlparse(url).scheme in ("postgres", "postgresql") and "connect_timeout" not in url
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS} if postgres else {}


def _without_password(url: str) -> str:
    parts = urlparse(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
