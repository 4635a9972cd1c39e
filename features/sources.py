"""The user's data as canonical tables: read once, typed, checked, and held in DuckDB.

Whatever the user's columns are called and however they are written, everybody above meets the
tables of `features.contracts.tables`. Loading the same data twice gives the same tables.
"""

import tempfile
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis

from features.column_mapping import attribute_levels
from features.contracts.as_of import AsOf, find_zone
from features.contracts.errors import SourceError
from features.contracts.settings import DataSettings
from features.contracts.tables import TABLES
from features.lateness import measure_lateness
from features.oddities import describe_matches, describe_rows
from features.order_building import build_orders
from features.quality import QualityReport, TableQuality
from features.quarantine import QUARANTINE_SCHEMA, set_aside
from features.raw_tables import RawTable, translated
from features.readings import Reading
from features.row_checks import TypedRows, type_rows
from features.source_databases import Database
from features.source_reading import read_raw
from features.table_building import build_table


@dataclass(frozen=True)
class CanonicalTables:
    """The user's data as canonical tables.

    Attributes:
        connection: Ibis connection to the DuckDB database in memory that holds the tables. It also
            holds the table `quarantine`: the refused rows, each with its reason.
        tables: Ibis table by canonical name. All canonical columns are there, nulls where the user
            mapped none, and for `customers` also the attributes.
        mapped: canonical columns that the user mapped, by table.
        report: what came of every row.
        first_event: moment of the first order, at whole seconds.
        last_event: moment of the last order, at whole seconds.
    """

    connection: Any
    tables: dict[str, Any]
    mapped: dict[str, frozenset[str]]
    report: QualityReport
    first_event: AsOf
    last_event: AsOf

    def close(self) -> None:
        """Let go of the tables and of what was spilled to disk."""
        self.connection.disconnect()


def load_tables(
    data: DataSettings, *, timezone: str, root: Path, now: datetime | None = None
) -> CanonicalTables:
    """Return the canonical tables of the user's data.

    `timezone` is that of times that carry none; relative paths start at `root`; dates more than a
    day after `now` (the present) are refused.

    Raises:
        SourceError: if a file, table or column is missing or cannot be read, or holds nothing.
        ConfigurationError: if a mapping or the time zone makes no sense.
    """
    find_zone(timezone)
    connection = open_connection()
    try:
        connection.create_table("quarantine", schema=QUARANTINE_SCHEMA)
        moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        qualities = _load_tables(connection, data, timezone, root, moment)
        return _assemble(connection, data, qualities)
    except BaseException:
        connection.disconnect()
        raise


def open_connection() -> Any:
    """Return an Ibis connection to a DuckDB database in memory that may spill to a folder.

    The folder appears only when it is needed and goes away with the connection.
    """
    spill = Path(tempfile.gettempdir()) / f"bellwether-{uuid.uuid4().hex}"
    return ibis.duckdb.connect(temp_directory=str(spill), autoinstall_known_extensions=False)


def _load_tables(
    connection: Any, data: DataSettings, timezone: str, root: Path, now: datetime
) -> list[TableQuality]:
    database = Database(data, root) if data.url is not None else None
    try:
        return [
            _load_table(
                connection,
                Reading(
                    name,
                    read_raw(connection, name, data.tables[name], database=database, root=root),
                    data,
                    timezone,
                    now,
                ),
            )
            for name in TABLES
            if name in data.tables
        ]
    finally:
        if database is not None:
            database.close()


def _load_table(connection: Any, reading: Reading) -> TableQuality:
    name, raw = reading.name, reading.raw
    with translated(name, raw.origin):
        typed = type_rows(connection, reading)
        if name == "orders" and not typed.rows:
            raise SourceError(f"orders: {raw.origin} has no rows{_first_line(raw)}")
        quality = _build(connection, reading, typed)
    # Not Ibis's drop_table: with SQLGlot 30 it forgets the name of the table.
    for kind in ("raw", "typed", "repeated"):
        connection.raw_sql(f"DROP TABLE IF EXISTS {kind}_{name}")
    return quality


def _build(connection: Any, reading: Reading, typed: TypedRows) -> TableQuality:
    name, raw, settings = reading.name, reading.raw, reading.settings
    quarantined = set_aside(connection, reading, typed)
    notes = (*raw.notes, *typed.currencies.notes())
    returns = None
    if name == "orders":
        returns, odd = build_orders(connection, typed.usable, settings)
        notes += (*odd, *returns.notes())
    else:
        build_table(connection, name, typed.usable, settings)
    table = connection.table(name)
    event_time = table[TABLES[name].event_time]
    facts = table.aggregate(
        n=table.count(),
        first=event_time.min(),
        last=event_time.max(),
        customers=table.customer_id.nunique(),
    )
    (found,) = facts.to_pyarrow().to_pylist()
    gone = typed.rows - typed.refused - found["n"]
    late = "known_at" in settings.columns
    return TableQuality(
        table=name,
        origin=raw.origin,
        rows_read=typed.rows + len(raw.unreadable_lines),
        rows_kept=found["n"],
        quarantined=quarantined,
        merged=gone if settings.grain == "line" else 0,
        notes=(*notes, *describe_rows(table, typed.table, reading)),
        first_event=AsOf(found["first"]) if found["first"] else None,
        last_event=AsOf(found["last"]) if found["last"] else None,
        customers=found["customers"],
        lateness=measure_lateness(table, TABLES[name].event_time) if late else None,
        returns=returns,
    )


def _assemble(
    connection: Any, data: DataSettings, qualities: list[TableQuality]
) -> CanonicalTables:
    tables = {quality.table: connection.table(quality.table) for quality in qualities}
    report = QualityReport(
        tuple(
            replace(quality, notes=quality.notes + describe_matches(quality.table, tables))
            for quality in qualities
        )
    )
    orders = report.table("orders")
    if orders.first_event is None or orders.last_event is None:
        raise SourceError(f"no order can be used; {' '.join(orders.lines())}")
    return CanonicalTables(
        connection=connection,
        tables=tables,
        mapped={
            name: frozenset(settings.columns) | frozenset(attribute_levels(settings))
            for name, settings in data.tables.items()
        },
        report=report,
        first_event=orders.first_event,
        last_event=orders.last_event,
    )


def _first_line(raw: RawTable) -> str:
    if not raw.unreadable_lines:
        return "; export it again"
    return f" that fit its header; the first line is {raw.unreadable_lines[0]!r}"
