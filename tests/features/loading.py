"""Loads tables from CSV texts, for tests of what becomes of the rows."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.contracts.settings import DataSettings
from features.sources import CanonicalTables, load_tables

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ORDERS = "customer_id,order_id,ordered_at,amount\n1,a,2026-01-01,5\n"

LoadTexts = Callable[..., CanonicalTables]


def load_texts(folder: Path, timezone: str = "UTC", **given: Any) -> CanonicalTables:
    """Load `<table>="csv text"`, its columns called as ours; other arguments are settings.

    A table may also be `{"text": ..., **its settings}`.
    """
    tables: dict[str, Any] = {"orders": ORDERS}
    tables |= {name: given.pop(name) for name in [*given] if _is_table(given[name])}
    described = {}
    for name, table in tables.items():
        settings = {"text": table} if isinstance(table, str) else dict(table)
        text = settings.pop("text")
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        header = text.splitlines()[0].split(",")
        described[name] = {"path": f"{name}.csv", "columns": {c: c for c in header}} | settings
    data = DataSettings.model_validate(given | {"tables": described})
    return load_tables(data, timezone=timezone, root=folder, now=NOW)


def _is_table(value: Any) -> bool:
    return (isinstance(value, str) and "\n" in value) or (
        isinstance(value, dict) and "text" in value
    )


def rows_of(loaded: CanonicalTables, table: str = "orders") -> list[dict[str, Any]]:
    """Return the rows of a canonical table."""
    rows: list[dict[str, Any]] = loaded.tables[table].to_pyarrow().to_pylist()
    return rows


def column(loaded: CanonicalTables, name: str, table: str = "orders") -> list[Any]:
    """Return one column of a canonical table."""
    return [row[name] for row in rows_of(loaded, table)]


def fates(loaded: CanonicalTables, table: str = "orders") -> dict[str, int]:
    """Return how many rows were quarantined, by reason."""
    return {part.reason: part.rows for part in loaded.report.table(table).quarantined}


def notes(loaded: CanonicalTables, table: str = "orders") -> str:
    """Return the notes on a table as one text."""
    return "\n".join(loaded.report.table(table).notes)
