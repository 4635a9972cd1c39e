"""Which columns pushed rows have: canonical ones, or your own, which are read like sources."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from features.contracts.errors import DataContractError
from features.contracts.settings import DataSettings, TableSettings
from features.contracts.tables import TABLES

Row = Mapping[str, Any]

ATTRIBUTE_PREFIX = "attribute_"


def in_canonical_columns(
    rows: Sequence[Row], table: str, data: DataSettings, *, timezone: str, now: datetime
) -> Sequence[Row]:
    """Return rows in canonical columns; those in the user's own pass the gates of the sources.

    Args:
        rows: all in canonical columns, or all in the user's own.
        table: the canonical table.
        data: the user's tables.
        timezone: of times that carry none.
        now: the present.

    Raises:
        DataContractError: if a column is neither, or a row does not pass a gate.
    """
    if table not in data.tables or table not in TABLES:
        return rows  # told by whoever checks canonical rows
    settings = data.tables[table]
    names = {name for row in rows for name in row}
    known = {column.name for column in TABLES[table].columns}
    known |= {name for name in names if name.startswith(ATTRIBUTE_PREFIX)}
    own = _own_columns(settings)
    unknown = sorted(names - known - own)
    if unknown:
        raise DataContractError(
            f"{table} has no column `{unknown[0]}`, neither among yours "
            f"({', '.join(sorted(own))}) nor by our own names ({', '.join(sorted(known))})"
        )
    if names <= known and not (names <= own and _has_own_words(settings)):
        return rows
    return _read_like_a_source(rows, table, data, timezone, now)


def _own_columns(settings: TableSettings) -> set[str]:
    factors = {part.strip() for written in settings.columns.values() for part in written.split("*")}
    return {*settings.columns.values(), *factors, *settings.attributes}


def _has_own_words(settings: TableSettings) -> bool:
    return bool(settings.status_values or settings.type_values or settings.grain == "line")


def _read_like_a_source(
    rows: Sequence[Row], table: str, data: DataSettings, timezone: str, now: datetime
) -> Sequence[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from features.sources import load_rows

    columns = {name: [_as_text(row.get(name)) for row in rows] for name in _names(rows)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pushed.parquet"
        texts = {name: pa.array(values, pa.string()) for name, values in columns.items()}
        pq.write_table(pa.table(texts), path)
        found, quality = load_rows(data, table, path, timezone=timezone, now=now)
    if quality.rows_quarantined:
        raise DataContractError(f"nothing was pushed: {' '.join(quality.lines())}")
    mapped = data.tables[table].columns
    # What a source fills in where nothing is mapped is not what a push should say.
    unsaid = {name for name in ("known_at", "order_id") if name not in mapped}
    return [{name: value for name, value in row.items() if name not in unsaid} for row in found]


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)
