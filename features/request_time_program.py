"""A plan of what moves with the clock, made ready for columns in a given order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.contracts.errors import FeatureStoreError
from features.contracts.features import DAY_SECONDS
from features.contracts.vectors import FloatMatrix
from features.null_arithmetic import CONDITIONS, OPERATIONS, Column, choose

if TYPE_CHECKING:
    from features.request_time import RequestTimePlan


@dataclass(frozen=True)
class Program:
    """A plan for columns in a given order; names have become places in the matrix."""

    ages: NDArray[np.intp]
    calendar: tuple[tuple[int, str], ...]
    program: tuple[tuple[Any, Any], ...]
    derived: tuple[tuple[int, int], ...]

    @property
    def is_still(self) -> bool:
        """Whether nothing moves."""
        return not (self.ages.size or self.calendar or self.derived)

    def forward(
        self, values: FloatMatrix, elapsed: NDArray[np.float64], calendar: Mapping[str, float]
    ) -> FloatMatrix:
        """Bring the rows of `values` forward in place, and return them."""
        if self.ages.size:
            seconds = np.rint(values[:, self.ages] * DAY_SECONDS) + elapsed[:, np.newaxis]
            values[:, self.ages] = seconds / DAY_SECONDS
        for place, name in self.calendar:
            values[:, place] = calendar[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            self._derive(values, calendar)
        return values

    def _derive(self, values: FloatMatrix, calendar: Mapping[str, float]) -> None:
        results: list[Column] = []
        for operation, argument in self.program:
            if operation is None:
                results.append(argument)
            elif operation == "column":
                results.append(values[:, argument])
            elif operation == "calendar":
                results.append(calendar[argument])
            else:
                results.append(operation(*[results[place] for place in argument]))
        # Steps read what is stored, so nothing is written before all of them are done.
        for place, result in self.derived:
            values[:, place] = results[result]


def program_of(plan: "RequestTimePlan", columns: tuple[str, ...]) -> Program:
    """Return the program that brings `columns` forward.

    Raises:
        FeatureStoreError: if a derived feature is wanted without what it is derived from.
    """
    place = {name: i for i, name in enumerate(columns)}
    missing = set(plan.reads(columns)) - set(columns)
    if missing:
        raise FeatureStoreError(
            f"features of now cannot be derived without {', '.join(sorted(missing))}; "
            "run `bellwether features build`"
        )
    needed = plan.places(columns)
    new_place = {old: new for new, old in enumerate(needed)}
    conditions = _conditions(plan, needed)
    program: list[tuple[Any, Any]] = []
    for old in needed:
        step = plan.steps[old]
        if step.operation == "column":
            (name,) = step.arguments
            is_calendar = name in plan.calendar
            program.append(("calendar", name) if is_calendar else ("column", place[name]))
        elif step.operation == "number":
            (number,) = step.arguments
            program.append((None, np.nan if number is None else float(number)))
        else:
            arguments = tuple(new_place[argument] for argument in step.arguments)
            program.append((_operation(plan, old, conditions), arguments))
    derived = plan.derived
    return Program(
        ages=np.array([place[name] for name in columns if name in plan.ages], dtype=np.intp),
        calendar=tuple((place[name], name) for name in columns if name in plan.calendar),
        program=tuple(program),
        derived=tuple((place[n], new_place[derived[n]]) for n in columns if n in derived),
    )


def _conditions(plan: "RequestTimePlan", needed: Sequence[int]) -> set[int]:
    """Return the steps that nothing but conditions ask for, and that may be `CONDITIONS`."""
    asked = set(needed).difference(plan.derived.values())
    for old in reversed(needed):  # whoever asks comes after what it asks for
        step = plan.steps[old]
        if step.operation not in OPERATIONS:
            continue
        is_logic = step.operation in ("and", "or") and old in asked
        first_only = step.operation == "if_else"
        for place, argument in enumerate(step.arguments):
            if not (is_logic or (first_only and place == 0)):
                asked.discard(argument)
    found: set[int] = set()
    for old in needed:
        step = plan.steps[old]
        is_logic = step.operation in ("and", "or")
        is_whole = not is_logic or found.issuperset(step.arguments)
        if old in asked and step.operation in CONDITIONS and is_whole:
            found.add(old)
    return found


def _operation(plan: "RequestTimePlan", place: int, conditions: set[int]) -> Any:
    step = plan.steps[place]
    if place in conditions:
        return CONDITIONS[step.operation]
    if step.operation == "if_else" and step.arguments[0] in conditions:
        return choose
    return OPERATIONS[step.operation]
