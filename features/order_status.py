"""What the user's status column says of an order."""

from typing import Any

import ibis

from features.contracts.settings import TableSettings
from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from features.value_parsing import spell_word


def is_marked(rows: Any, settings: TableSettings) -> Any:
    """Return whether the user marks a row as cancelled or returned."""
    values = [
        *settings.status_values.get(CANCELLED, ()),  # type: ignore[call-overload]
        *settings.status_values.get(RETURNED, ()),  # type: ignore[call-overload]
    ]
    marks = [spell_word(value) for value in values]
    return rows.status.isin(marks).fill_null(False) if marks else ibis.literal(False)


def status_notes(usable: Any, settings: TableSettings) -> list[str]:
    """Say which values of the status column the project file does not name."""
    if "status" not in settings.columns:
        return []
    named = {spell_word(value) for values in settings.status_values.values() for value in values}
    counts = usable.group_by("status").agg(n=usable.count()).order_by(ibis.desc("n"), "status")
    unnamed = [
        row
        for row in counts.limit(100).to_pyarrow().to_pylist()
        if row["status"] is not None and row["status"] not in named
    ]
    if not unnamed or (COMPLETED not in settings.status_values and len(unnamed) == 1):
        return []
    listed = ", ".join(f"{row['status']!r} ({row['n']:,})" for row in unnamed[:5])
    return [f"status values that are not in status_values count as completed: {listed}"]
