"""Tables of a database at an Ibis URL: a DuckDB file, PostgreSQL, or what else Ibis knows.

A database is connected to once for all tables of a load. PostgreSQL is read in one transaction, so
that the tables fit each other however long the copy takes and whatever is written meanwhile.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import ibis
import pyarrow as pa

from features.column_mapping import needed_columns, resolve_attributes, resolve_columns
from features.contracts.errors import BellwetherError, SourceError
from features.contracts.settings import DataSettings, TableSettings
from features.contracts.suggestions import quoted, suggestion
from features.raw_tables import RawTable, copy_table, first_line, translated
from features.source_patience import Patience, PostgresPatience
from features.value_parsing import on_wall_clock

_KEPT_TYPES = ("is_integer", "is_floating", "is_boolean", "is_string", "is_date", "is_timestamp")


class Database:
    """The database at `data.url`, connected to when the first table is asked for."""

    def __init__(self, data: DataSettings, root: Path) -> None:
        self._url = str(data.url)
        self._root = root
        self._place = _without_password(self._url)
        self._patience = (
            PostgresPatience(data.timeout_seconds) if _is_postgres(self._url) else Patience()
        )
        self._source: Any = None

    def copy(self, connection: Any, name: str, settings: TableSettings) -> RawTable:
        """Return the needed columns of a table, copied into DuckDB as `raw_<name>`.

        Raises:
            SourceError: if the database does not answer, or the table or a column is missing.
            ConfigurationError: if a mapping makes no sense.
        """
        if urlparse(self._url).scheme == "duckdb":
            file = _duckdb_file(self._url, self._root, name)
            return _copy_from_duckdb(connection, name, settings, file)
        try:
            return self._copy_batches(connection, name, settings)
        except Exception as error:
            raise self._in_words(name, settings, error) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._source is not None:
            self._source.disconnect()
            self._source = None

    def _in_words(self, name: str, settings: TableSettings, error: Exception) -> BellwetherError:
        """Return what went wrong. Each database has a driver of its own, with errors of its own."""
        cause = self._patience.failure or error
        where = f"{settings.table} at {self._place}"
        if (waited := self._patience.waited_in_vain(cause)) is not None:
            return SourceError(
                f"{name}: {where} did not answer within {waited:g} seconds; see what keeps the "
                "database busy, or raise data.timeout_seconds"
            )
        if isinstance(cause, BellwetherError):
            return cause
        if isinstance(cause, ImportError):
            return SourceError(
                f"{name}: the driver for {self._place} is missing ({first_line(cause)}); "
                f"install ibis-framework[{urlparse(self._url).scheme}]"
            )
        return SourceError(
            f"{name}: {where} cannot be read: {first_line(cause)}; "
            "check data.url and that the database runs"
        )

    def _copy_batches(self, connection: Any, name: str, settings: TableSettings) -> RawTable:
        """Copy the needed columns in batches, so that they need not fit twice."""
        if self._source is None:
            self._source = ibis.connect(self._url, **self._patience.options(self._url))
            self._patience.begin(self._source)
        opened = self._open(name, settings)
        origin = f"{settings.table} at {self._place}"
        columns = resolve_columns(name, settings, opened.columns, origin)
        needed = needed_columns(columns, resolve_attributes(name, settings, opened.columns, origin))
        schema, batches = self._patience.batches(self._source, opened.select(*needed))
        with closing(batches):
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            connection.con.register("incoming", reader)
            try:
                incoming = self._zoned(connection.table("incoming"), settings)
                return copy_table(connection, name, settings, incoming, origin)
            finally:
                connection.con.unregister("incoming")

    def _zoned(self, incoming: Any, settings: TableSettings) -> Any:
        """Return the rows with the moments of Spark as such: Ibis gives them as UTC, unsaid."""
        if urlparse(self._url).scheme != "pyspark":
            return incoming
        described = self._source.raw_sql(f"DESCRIBE TABLE {settings.table}").collect()
        moments = {row["col_name"] for row in described if row["data_type"] == "timestamp"}
        found = [column for column in incoming.columns if column in moments]
        return incoming.mutate(**{name: on_wall_clock("UTC", incoming[name]) for name in found})

    def _open(self, name: str, settings: TableSettings) -> Any:
        schema, _, table = str(settings.table).rpartition(".")
        with self._patience.for_answer(self._source):
            found = self._source.list_tables(database=schema or None)
            origin = f"{settings.table} at {self._place}"
            _check_table(name, origin, table, found, self._place)
            return _plainly_typed(self._source.table(table, database=schema or None))


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
            return copy_table(connection, name, settings, source, str(settings.table))
    finally:
        connection.raw_sql("USE memory")
        connection.detach("source")


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


def _is_postgres(url: str) -> bool:
    return urlparse(url).scheme in ("postgres", "postgresql")


def _without_password(url: str) -> str:
    parts = urlparse(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
