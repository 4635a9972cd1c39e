"""Feature values of now: what depends on the clock is brought forward from a stored moment.

Three things move while nothing happens: the days since something that happened (by the time that
has passed), the calendar (it is a property of the moment) and what is derived from either. The
derived ones are computed by the expression that training used, translated once into a plan of
NumPy operations when the features are built (`features.request_time_plan`). Windows do not move:
orders of the last 30 days stay those before the stored moment until it is renewed.

Nothing here needs Ibis or an engine, and a plan is plain JSON.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.atomic_text import write_atomically
from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FloatMatrix
from features.null_arithmetic import OPERATIONS
from features.request_time_program import Program, program_of

Calendar = Callable[[AsOf], Mapping[str, float]]

FORMAT = 1


class Step(NamedTuple):
    """One operation of a plan, on the results of earlier ones.

    Attributes:
        operation: `column` (its only argument is a name), `number` (a float, or None for null), or
            one of `features.null_arithmetic.OPERATIONS`, whose arguments are places of steps.
        arguments: see above.
    """

    operation: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class RequestTimePlan:
    """Which features move with the clock, and how.

    Attributes:
        ages: features that are days since something that happened.
        calendar: features that are properties of the moment.
        steps: operations, each after those it needs.
        derived: feature -> place of the step that is its value.
    """

    ages: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    derived: Mapping[str, int] = field(default_factory=dict)

    @property
    def moving(self) -> frozenset[str]:
        """Every feature that moves with the clock."""
        return frozenset((*self.ages, *self.calendar, *self.derived))

    def reads(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that must be read to bring `columns` forward: those, then others."""
        needed = [
            self.steps[place].arguments[0]
            for place in self.places(columns)
            if self.steps[place].operation == "column"
        ]
        stored = [name for name in needed if name not in self.calendar]
        return tuple(dict.fromkeys((*columns, *stored)))

    def places(self, columns: Sequence[str]) -> list[int]:
        """Return the places of the steps that the derived ones of `columns` need, in order."""
        open_places = [self.derived[name] for name in columns if name in self.derived]
        needed: set[int] = set()
        while open_places:
            place = open_places.pop()
            if place not in needed:
                needed.add(place)
                step = self.steps[place]
                open_places += step.arguments if step.operation in OPERATIONS else ()
        return sorted(needed)

    def to_json(self) -> str:
        """Return the plan as text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "RequestTimePlan":
        """Return the plan that `to_json` wrote.

        Raises:
            FeatureStoreError: if it is another format, or not a plan.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise FeatureStoreError(
                    f"the plan of request-time features has format {content['format']}, not "
                    f"{FORMAT}; run `bellwether features build`"
                )
            steps = tuple(Step(name, tuple(arguments)) for name, arguments in content["steps"])
            plan = cls(
                tuple(content["ages"]), tuple(content["calendar"]), steps, content["derived"]
            )
            plan.require_sound()
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise FeatureStoreError(
                f"the plan of request-time features cannot be read: {error}; "
                "run `bellwether features build`"
            ) from error
        return plan

    def require_sound(self) -> None:
        """Check that every step is an operation on earlier ones.

        Raises:
            ValueError: if not.
        """
        for place, (operation, arguments) in enumerate(self.steps):
            if operation in ("column", "number"):
                continue
            if operation not in OPERATIONS:
                raise ValueError(f"there is no operation {operation!r}")
            if not all(isinstance(a, int) and 0 <= a < place for a in arguments):
                raise ValueError(f"step {place} does not follow what it needs")
        if not all(0 <= place < len(self.steps) for place in self.derived.values()):
            raise ValueError("a derived feature has no step")


class RequestTime:
    """Brings stored features forward to the moment of a request. Threads may share one.

    Args:
        plan: what moves, and how.
        calendar: the calendar features of a moment, by name.
    """

    def __init__(self, plan: RequestTimePlan, calendar: Calendar) -> None:
        self.plan = plan
        self._calendar = calendar
        self._bound: dict[tuple[str, ...], Program] = {}
        self._reads: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._today: tuple[AsOf, Mapping[str, float]] | None = None

    def reads(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the columns that must be read to bring `columns` forward: those, then others."""
        if columns not in self._reads:
            self._reads[columns] = self.plan.reads(columns)
        return self._reads[columns]

    def forward(
        self,
        columns: tuple[str, ...],
        values: FloatMatrix,
        epoch_seconds: NDArray[np.float64],
        as_of: AsOf,
    ) -> FloatMatrix:
        """Return the features as of a moment; those of the moment itself keep every bit.

        Args:
            columns: names of the f features, among them all that `RequestTimePlan.reads` names.
            values: n x f stored features; left as they are.
            epoch_seconds: n moments they speak of, in seconds since 1970; NaN when unknown.
            as_of: the moment. Features of a later one are not taken back.

        Raises:
            FeatureStoreError: if a derived feature is wanted without what it is derived from, or
                the calendar is not that of the plan.
        """
        elapsed = as_of.moment.timestamp() - epoch_seconds
        moved = elapsed > 0
        bound = self._bound.get(columns)
        if bound is None:
            bound = self._bound[columns] = program_of(self.plan, columns)
        if bound.is_still or not moved.any():
            return values
        calendar = self._calendar_at(as_of)
        if moved.all():
            return bound.forward(values.copy(), elapsed, calendar)
        result = values.copy()
        result[moved] = bound.forward(values[moved], elapsed[moved], calendar)
        return result

    def _calendar_at(self, as_of: AsOf) -> Mapping[str, float]:
        today = self._today
        if today is None or today[0] != as_of:
            values = self._calendar(as_of)
            if unknown := set(self.plan.calendar).difference(values):
                raise FeatureStoreError(
                    f"the calendar has no {', '.join(sorted(unknown))} any more; "
                    "run `bellwether features build`"
                )
            today = self._today = (as_of, values)
        return today[1]


def save_plan(plan: RequestTimePlan, path: Path) -> None:
    """Write the plan to a file, whole or not at all."""
    write_atomically(path, plan.to_json())


def load_plan(path: Path) -> RequestTimePlan:
    """Return the plan in a file.

    Raises:
        FeatureStoreError: if it is missing or damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FeatureStoreError(
            f"the plan of request-time features {path} cannot be read; "
            "run `bellwether features build`"
        ) from error
    return RequestTimePlan.from_json(text)
