"""The history of single customers: canonical rows kept so that those of a few are read at once.

A build sorts every canonical table by customer into one DuckDB file; what was pushed since lies in
the push log. `CustomerHistory.gather` puts both together for some customers, as the tables that the
feature expressions read. A pushed row of an id that the build has seen is a newer version of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.tables import MONEY, TABLES, TIME, YES_NO
from features.push_log import KEPT_FIRST, PushLog
from features.pushed_rows import ATTRIBUTE_PREFIX, ROW_IDS

BUILD = "run `bellwether features build`"
FORMAT = 1
KEY = "customer_key"
FEW = 20
"""So many customers are found one by one; for more, the keys are joined."""

_SQL_TYPES = {
    TIME: "TIMESTAMPTZ",
    MONEY: "DECIMAL(18, 4)",
    YES_NO: "BOOLEAN",
    "float64": "DOUBLE",
    "string": "VARCHAR",
}


@dataclass(frozen=True)
class HistoryFacts:
    """What a build left beside the rows.

    Attributes:
        mapped: canonical columns that the project has, by table.
        pushed_until: the last row of the push log that is among the rows.
        columns: features, in the order of the vectors.
        plan: how they are computed from the gathered tables, as plain values.
        base: features of the whole base at the build, carried until the next one.
        base_as_of: the moment they speak of, in ISO 8601.
        request_time: what moves with the clock, as `RequestTimePlan.to_json` writes it.
        shares: likewise, by feature and word, the share of all customers that a word describes.
        read_as_of: the moment as of which the data were read, in ISO 8601.
        lookback_days: how late rows are, by what was measured.
    """

    mapped: Mapping[str, frozenset[str]]
    pushed_until: int
    columns: tuple[str, ...]
    plan: Mapping[str, Any]
    base: Mapping[str, float | None]
    base_as_of: str
    request_time: str
    shares: Mapping[str, Mapping[str, float]]
    read_as_of: str
    lookback_days: int

    def to_json(self) -> str:
        """Return the facts as text."""
        content = {**vars(self), "mapped": {t: sorted(c) for t, c in self.mapped.items()}}
        return json.dumps({"format": FORMAT, **content})

    @classmethod
    def from_json(cls, text: str) -> "HistoryFacts":
        """Return the facts that `to_json` wrote."""
        content = json.loads(text)
        if content.pop("format") != FORMAT:
            raise FeatureStoreError(f"the history of customers has another format; {BUILD}")
        mapped = {table: frozenset(columns) for table, columns in content.pop("mapped").items()}
        return cls(mapped=mapped, columns=tuple(content.pop("columns")), **content)


def column_types(table: str, mapped: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return the columns of a gathered table and their SQL types."""
    types = {column.name: _SQL_TYPES[column.type] for column in TABLES[table].columns}
    attributes = sorted(c for c in mapped.get(table, ()) if c.startswith(ATTRIBUTE_PREFIX))
    return {**types, **dict.fromkeys(attributes, "DOUBLE")}


def write_history(database: Any, facts: HistoryFacts, path: Path) -> None:
    """Write the canonical tables of a DuckDB database by customer, whole or not at all.

    Args:
        database: a DuckDB connection that holds the tables under their canonical names.
        facts: what is kept beside them.
        path: the file; whoever reads the old one goes on doing so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        database.execute(f"ATTACH {_quoted(str(partial))} AS kept")
        try:
            for table in facts.mapped:
                types = column_types(table, facts.mapped)
                database.execute(
                    f"CREATE TABLE kept.{table} AS SELECT {_casts(types)},"
                    f" md5_number_lower(customer_id) AS {KEY} FROM {table} ORDER BY {KEY}"
                )
            database.execute("CREATE TABLE kept.facts AS SELECT ? AS content", [facts.to_json()])
        finally:
            database.execute("DETACH kept")
        partial.replace(path)
    except duckdb.Error as error:
        raise FeatureStoreError(
            f"the history of customers {path} cannot be written: {error}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def touched_since(
    database: Any, mapped: Mapping[str, frozenset[str]], since: AsOf
) -> tuple[str, ...]:
    """Return the customers with a row that happened or was learnt since a moment.

    Args:
        database: a DuckDB connection that holds the canonical tables.
        mapped: canonical columns that the project has, by table.
        since: the moment.
    """
    parts = [
        f"SELECT customer_id FROM {table}"
        f" WHERE {TABLES[table].event_time} >= $since OR known_at >= $since"
        for table in mapped
    ]
    found = database.execute(
        f"SELECT DISTINCT customer_id FROM ({' UNION ALL '.join(parts)}) ORDER BY customer_id",
        {"since": since.moment},
    )
    return tuple(customer for (customer,) in found.fetchall())


class CustomerHistory:
    """The rows of single customers. One thread at a time.

    Args:
        path: the file that a build wrote; it is opened again when a build replaces it.
        log: what was pushed.
    """

    def __init__(self, path: Path, log: PushLog) -> None:
        self._path = path
        self._log = log
        self._file: tuple[int, int] | None = None
        self._facts: HistoryFacts | None = None
        # Queries are small and many: more threads would only wait for each other.
        self.database = duckdb.connect(config={"threads": 2})
        self.database.execute("SET TimeZone = 'UTC'")

    def facts(self) -> HistoryFacts:
        """Return what the newest build left.

        Raises:
            FeatureStoreError: if there was no build, or its file cannot be read.
        """
        try:
            found = self._path.stat()
        except OSError as error:
            raise FeatureStoreError(f"there is no {self._path}; {BUILD}") from error
        file = (found.st_ino, found.st_mtime_ns)
        if self._facts is None or file != self._file:
            self._facts = self._open()
            self._file = file
        return self._facts

    def gather(self, customer_ids: Sequence[str]) -> None:
        """Put the rows of customers into the tables of `database`, those pushed included.

        Raises:
            FeatureStoreError: if there was no build, or its file cannot be read.
        """
        facts = self.facts()
        touched = pa.table({"customer_id": pa.array(customer_ids, pa.string())})
        pushed = self._log.rows(list(customer_ids), after=facts.pushed_until)
        try:
            self.database.register("touched_rows", touched)
            self.database.execute(
                "CREATE OR REPLACE TABLE touched AS"
                f" SELECT customer_id, md5_number_lower(customer_id) AS {KEY} FROM touched_rows"
            )
            self.database.unregister("touched_rows")
            which = self._which(len(customer_ids))
            for table in facts.mapped:
                names = _listed(column_types(table, facts.mapped))
                self.database.execute(
                    f"CREATE OR REPLACE TABLE {table} AS SELECT {names} FROM kept.{table} {which}"
                )
                if table in pushed:
                    newer = table in ROW_IDS and table not in KEPT_FIRST
                    insert_pushed(self.database, table, pushed[table], facts.mapped, newer=newer)
        except duckdb.Error as error:
            raise FeatureStoreError(
                f"the history of customers {self._path} cannot be read: {error}; {BUILD}"
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def _open(self) -> HistoryFacts:
        try:
            self._facts = None
            self.database.execute("DETACH DATABASE IF EXISTS kept")
            self.database.execute(f"ATTACH {_quoted(str(self._path))} AS kept (READ_ONLY)")
            found = self.database.execute("SELECT content FROM kept.facts").fetchall()
        except duckdb.Error as error:
            raise FeatureStoreError(
                f"the history of customers {self._path} cannot be read: {error}; {BUILD}"
            ) from error
        ((content,),) = found
        return HistoryFacts.from_json(content)

    def _which(self, customers: int) -> str:
        if customers > FEW:
            return f"SEMI JOIN touched USING ({KEY}, customer_id)"
        # Written out, the keys tell DuckDB which parts of the sorted file to skip.
        keys = self.database.execute(f"SELECT {KEY} FROM touched").fetchall()
        alike = " OR ".join(f"{KEY} = {key}" for (key,) in keys) or "false"
        return f"WHERE ({alike}) AND customer_id IN (SELECT customer_id FROM touched)"


def insert_pushed(
    database: Any,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    mapped: Mapping[str, frozenset[str]],
    *,
    newer: bool,
) -> int:
    """Insert pushed rows into a canonical table, and return how many.

    Args:
        database: a DuckDB connection that holds the table.
        table: the canonical table.
        rows: the rows, as `PushLog.rows` gives them.
        mapped: canonical columns that the project has, by table.
        newer: whether they replace rows of their ids; else rows of the ids there are left out.
    """
    types = column_types(table, mapped)
    columns = {name: [_plain(row.get(name)) for row in rows] for name in types}
    database.register("pushed", pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}))
    try:
        same = _same(table, mapped)
        if newer:
            database.execute(f"DELETE FROM {table} USING pushed WHERE {same}")
            left_out = ""
        else:
            left_out = f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same})"
        ((inserted,),) = database.execute(
            f"INSERT INTO {table} ({_listed(types)}) SELECT {_casts(types)} FROM pushed{left_out}"
        ).fetchall()
    finally:
        database.unregister("pushed")
    return int(inserted)


def _same(table: str, mapped: Mapping[str, frozenset[str]]) -> str:
    """Return when a pushed row is one that is there: by its id, else by customer and time."""
    identifier = "order_id" if table == "order_lines" else ROW_IDS[table]
    if identifier not in mapped[table]:
        identifier = TABLES[table].event_time
    kind = column_types(table, mapped)[identifier]
    return (
        f"{table}.customer_id = pushed.customer_id"
        f" AND {table}.{identifier} = CAST(pushed.{identifier} AS {kind})"
    )


def _plain(value: Any) -> str | None:
    return None if value is None else str(value)


def _casts(types: Mapping[str, str]) -> str:
    return ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in types.items())


def _listed(types: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in types)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
