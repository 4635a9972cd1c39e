"""How much later than they happened rows are learnt."""

from dataclasses import asdict, dataclass
from typing import Any

from features.contracts.features import DAY_SECONDS


@dataclass(frozen=True)
class Lateness:
    """How late the rows of a table are.

    Attributes:
        late_share: share of the rows that were learnt later than they happened, 0..1.
        days_p50: half of all rows are at most so many days late.
        days_p99: 99 in 100 rows are.
        days_p999: 999 in 1000 rows are: how far materialization has to look back.
        days_max: the latest row is.
    """

    late_share: float
    days_p50: float
    days_p99: float
    days_p999: float
    days_max: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.late_share:.1%} of the rows were learnt later than they happened: half of all "
            f"within {self.days_p50:.1f} days, 99 in 100 within {self.days_p99:.1f}, "
            f"999 in 1000 within {self.days_p999:.1f}, the last after {self.days_max:.1f}"
        )


def measure_lateness(table: Any, event_time: str) -> Lateness | None:
    """Return how late the rows of a canonical table are; None where none has a time."""
    days = (table.known_at.epoch_seconds() - table[event_time].epoch_seconds()) / DAY_SECONDS
    late = table.filter(table[event_time].notnull()).select(days=days.cast("float64"))
    facts = late.aggregate(
        n=late.count(),
        late=(late.days > 0).cast("int64").sum(),
        p50=late.days.quantile(0.5),
        p99=late.days.quantile(0.99),
        p999=late.days.quantile(0.999),
        most=late.days.max(),
    )
    (found,) = facts.to_pyarrow().to_pylist()
    if not found["n"]:
        return None
    return Lateness(
        late_share=found["late"] / found["n"],
        days_p50=found["p50"],
        days_p99=found["p99"],
        days_p999=found["p999"],
        days_max=found["most"],
    )
