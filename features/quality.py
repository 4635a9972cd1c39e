"""What came of the user's rows.

No row disappears: it is kept, merged with other lines into an order, or quarantined for a reason
that is counted here.
"""

from dataclasses import asdict, dataclass
from typing import Any

from features.contracts.as_of import AsOf
from features.contracts.errors import DataContractError
from features.data_gates import REASONS
from features.lateness import Lateness
from features.return_matching import Returns


@dataclass(frozen=True)
class Quarantined:
    """Rows that were put aside for one reason.

    Attributes:
        reason: the name of the gate in `data_gates`.
        rows: how many there are.
        samples: up to three different values that are wrong, the first ones.
        places: the row of the source where each sample is first found, from 1; None for what is no
            row.
    """

    reason: str
    rows: int
    samples: tuple[str, ...] = ()
    places: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class TableQuality:
    """What came of the rows of one table.

    Attributes:
        table: the canonical table.
        origin: the user's file or table.
        rows_read: rows and unreadable lines there were.
        rows_kept: rows of the canonical table.
        quarantined: rows put aside, by reason.
        merged: lines that were added to another line of their order.
        notes: what is odd but was kept.
        first_event: moment of the earliest row kept; None if none has a time.
        last_event: moment of the latest row kept.
        customers: how many customers the rows kept are about.
        lateness: how late rows are learnt; None where `known_at` is not mapped.
        returns: for `orders`: what came of the returns.

    Raises:
        DataContractError: if a row is unaccounted for.
    """

    table: str
    origin: str
    rows_read: int
    rows_kept: int
    quarantined: tuple[Quarantined, ...]
    merged: int
    notes: tuple[str, ...]
    first_event: AsOf | None
    last_event: AsOf | None
    customers: int
    lateness: Lateness | None = None
    returns: Returns | None = None

    def __post_init__(self) -> None:
        accounted = self.rows_kept + self.rows_quarantined + self.merged
        if accounted != self.rows_read:
            raise DataContractError(
                f"{self.table}: {self.rows_read} rows were read but {accounted} are accounted for; "
                "the source may have changed while it was read: load it again"
            )

    @property
    def rows_quarantined(self) -> int:
        """How many rows were put aside."""
        return sum(part.rows for part in self.quarantined)

    @property
    def guest_share(self) -> float:
        """Share of the rows read that name no customer, 0..1."""
        return self._set_aside("guest") / self.rows_read if self.rows_read else 0.0

    @property
    def duplicates(self) -> int:
        """How many rows were put aside because another row is equal."""
        return self._set_aside("repeated_row")

    def _set_aside(self, reason: str) -> int:
        return sum(part.rows for part in self.quarantined if part.reason == reason)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values for JSON; moments in ISO 8601."""
        return {
            "table": self.table,
            "origin": self.origin,
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "quarantined": [
                {
                    "reason": part.reason,
                    "rows": part.rows,
                    "samples": list(part.samples),
                    "places": list(part.places),
                }
                for part in self.quarantined
            ],
            "merged": self.merged,
            "duplicates": self.duplicates,
            "notes": list(self.notes),
            "first_event": str(self.first_event) if self.first_event else None,
            "last_event": str(self.last_event) if self.last_event else None,
            "customers": self.customers,
            "guest_share": self.guest_share,
            "lateness": self.lateness.to_dict() if self.lateness else None,
            "returns": asdict(self.returns) if self.returns else None,
        }

    def lines(self) -> list[str]:
        """Return the facts as lines for people, the first one a summary."""
        fates = [f"{self.rows_kept:,} kept"]
        fates += [f"{self.merged:,} merged into orders"] if self.merged else []
        fates += [f"{self.rows_quarantined:,} quarantined"] if self.quarantined else []
        lines = [f"{self.table} ({self.origin}): {self.rows_read:,} rows read: {', '.join(fates)}"]
        if self.first_event and self.last_event:
            lines.append(
                f"  {self.customers:,} customers from {self.first_event} to {self.last_event}"
            )
        lines += [f"  quarantined: {_quarantine_line(part)}" for part in self.quarantined]
        lines += [f"  late: {self.lateness}"] if self.lateness else []
        return lines + [f"  note: {note}" for note in self.notes]


@dataclass(frozen=True)
class QualityReport:
    """What came of the rows of every table."""

    tables: tuple[TableQuality, ...]

    def table(self, name: str) -> TableQuality:
        """Return the facts about the canonical table of that name."""
        return next(table for table in self.tables if table.table == name)

    @property
    def lateness_days_p999(self) -> float | None:
        """Days within which 999 in 1000 rows of every table are learnt; None where unknown."""
        known = [table.lateness.days_p999 for table in self.tables if table.lateness]
        return max(known, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "lateness_days_p999": self.lateness_days_p999,
            "tables": [table.to_dict() for table in self.tables],
        }

    def lines(self) -> list[str]:
        """Return the report as lines for people."""
        return [line for table in self.tables for line in table.lines()]


def _quarantine_line(part: Quarantined) -> str:
    text = f"{part.rows:,} with {REASONS[part.reason]}"
    if not part.samples:
        return text
    places = part.places or (None,) * len(part.samples)
    samples = [
        repr(sample) if place is None else f"{sample!r} (row {place:,})"
        for sample, place in zip(part.samples, places, strict=True)
    ]
    return f"{text}, such as {', '.join(samples)}"
