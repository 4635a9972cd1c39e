"""What a feature is: a name, its meaning, and the one expression that computes it everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Feature:
    """One feature of a customer as of a moment.

    Attributes:
        name: `<what>_<window>`; without a window it is about all that is known.
        unit: what one of it is.
        meaning: one sentence.
        when_null: what null says.
        table: canonical table it is computed from.
        needs: columns of that table that the user must have mapped.
        aggregate: expression over the rows that were known at the moment, one group per customer
            and moment; None for a feature that is derived from others.
        derive: expression over the aggregated features; None for a feature that is aggregated.
        needs_features: features of other subjects that a derived one reads.
        ages: whether it is the days since something that happened, so that it grows with the clock
            while nothing happens. Only whole seconds over `DAY_SECONDS` may age.
    """

    name: str
    unit: str
    meaning: str
    table: str
    aggregate: "Callable[[ir.Table], ir.Value] | None" = None
    derive: "Callable[[ir.Table], ir.Value] | None" = None
    when_null: str = "never null"
    needs: tuple[str, ...] = field(default=())
    needs_features: tuple[str, ...] = field(default=())
    ages: bool = False

    def available(self, mapped: Mapping[str, frozenset[str]]) -> bool:
        """Return whether the user's tables and columns can carry the feature."""
        return self.table in mapped and set(self.needs) <= mapped[self.table]
