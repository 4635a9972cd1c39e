"""Translates the features that move with the clock into a plan that needs no engine.

The expression by which Ibis derives a feature in training is walked once, when features are built;
what comes out is the same arithmetic as steps on NumPy columns (`features.request_time`). Whatever
could not give the same bits is refused here, by name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np

from features.catalogue import Stage, of_stage, subjects
from features.contracts.errors import FeatureStoreError
from features.contracts.features import Feature
from features.null_arithmetic import OPERATIONS
from features.request_time import RequestTimePlan, Step
from features.snapshot_expression import part_expression
from features.transforms.known import CALENDAR
from features.unbound_tables import canonical_table, unbound_moments

_PLAIN: Mapping[type[ops.Value], str] = {
    ops.Add: "add",
    ops.Subtract: "subtract",
    ops.Multiply: "multiply",
    ops.Divide: "divide",
    ops.FloorDivide: "floor_divide",
    ops.Modulus: "remainder",
    ops.Negate: "negate",
    ops.Abs: "abs",
    ops.Floor: "floor",
    ops.Ceil: "ceil",
    ops.Equals: "equal",
    ops.NotEquals: "not_equal",
    ops.Greater: "greater",
    ops.GreaterEqual: "greater_equal",
    ops.Less: "less",
    ops.LessEqual: "less_equal",
    ops.And: "and",
    ops.Or: "or",
    ops.Xor: "xor",
    ops.Not: "not",
    ops.NullIf: "null_if",
    ops.IfElse: "if_else",
    ops.IsNull: "is_null",
    ops.NotNull: "is_not_null",
}
"""Operations whose arguments, in their order, are those of the step."""

_OF_MANY: Mapping[type[ops.Value], str] = {
    ops.Coalesce: "coalesce",
    ops.Greatest: "greatest",
    ops.Least: "least",
}


@dataclass(frozen=True)
class DerivedTogether:
    """Features that are derived from one table.

    Attributes:
        features: each derived one after those it reads.
        types: Ibis types of the columns of that table.
        may_be_absent: whether a customer may have no row in it, whose features are then all null
            whatever the expressions make of nulls.
    """

    features: tuple[Feature, ...]
    types: Mapping[str, Any]
    may_be_absent: bool = False


def plan_of(groups: Iterable[DerivedTogether], calendar: Iterable[str] = ()) -> RequestTimePlan:
    """Return the plan of what moves with the clock.

    Args:
        groups: all features, a group after those that it reads.
        calendar: names of the columns that are properties of the moment.

    Raises:
        FeatureStoreError: if a feature that moves is derived by what has no twin in NumPy.
    """
    groups, moments = tuple(groups), tuple(dict.fromkeys(calendar))
    ages = tuple(feature.name for group in groups for feature in group.features if feature.ages)
    translation = _Translation(frozenset((*ages, *moments)))
    for group in groups:
        table = ibis.table(dict(group.types), name="features")
        for feature in group.features:
            if feature.derive is not None and feature.name not in moments:
                translation.take(feature, table, group)
    return RequestTimePlan(ages, moments, tuple(translation.steps), translation.derived)


def request_time_plan(mapped: Mapping[str, frozenset[str]]) -> RequestTimePlan:
    """Return the plan of what moves with the clock among the features that the data can carry.

    Raises:
        FeatureStoreError: if a feature that moves is derived by what has no twin in NumPy.
    """
    calendar = of_stage(subjects(mapped), Stage.CALENDAR)
    return plan_of(derived_together(mapped), [feature.name for feature in calendar])


def derived_together(mapped: Mapping[str, frozenset[str]]) -> list[DerivedTogether]:
    """Return the features that the data can carry by the table that they are derived from."""
    carried = subjects(mapped)
    tables = {name: canonical_table(name, mapped) for name in mapped}
    names = [feature.name for subject in carried for feature in subject.features]
    joined: Mapping[str, Any] = dict.fromkeys((*names, *CALENDAR), "float64")
    groups = []
    for subject in carried:
        types = joined
        if subject.prepare is not None:
            part = part_expression(subject, tables, unbound_moments())
            types = dict(part.schema().items())
        groups.append(DerivedTogether(subject.features, types, subject.prepare is not None))
    return groups


class _Translation:
    def __init__(self, moving: frozenset[str]) -> None:
        self._moving = set(moving)
        self._place: dict[Step, int] = {}
        self.steps: list[Step] = []
        self.derived: dict[str, int] = {}

    def take(self, feature: Feature, table: ir.Table, group: DerivedTogether) -> None:
        """Translate a derived feature, if it moves."""
        if feature.derive is None:
            return
        node = feature.derive(table).op()
        if self._moving.isdisjoint(field.name for field in node.find(ops.Field)):
            return
        self._moving.add(feature.name)
        try:
            place = self._translate(node)
        except _NoTwinError as error:
            raise FeatureStoreError(
                f"feature {feature.name} moves with the clock, but {error} has no twin in NumPy "
                "that gives the same bits; derive it otherwise (see features/request_time_plan.py)"
            ) from error
        if group.may_be_absent and not np.isnan(self._of_nulls(place)):
            place = self._null_where_absent(place, group)
        self.derived[feature.name] = place

    def _of_nulls(self, place: int) -> float:
        """Return what a step makes of nothing but nulls."""
        results: list[Any] = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for operation, arguments in self.steps[: place + 1]:
                if operation in OPERATIONS:
                    results.append(OPERATIONS[operation](*[results[at] for at in arguments]))
                else:
                    (value,) = arguments
                    is_number = operation == "number" and value is not None
                    results.append(np.float64(value if is_number else np.nan))
        return float(results[place])

    def _null_where_absent(self, place: int, group: DerivedTogether) -> int:
        own = [f.name for f in group.features if f.aggregate is not None]
        stored = self._add("coalesce", *(self._add("column", name) for name in own))
        null = self._add("number", None)
        return self._add("if_else", self._add("is_not_null", stored), place, null)

    def _translate(self, node: Any) -> int:
        if isinstance(node, ops.Field):
            return self._field(node)
        if isinstance(node, ops.Literal):
            return self._number(node)
        special = _SPECIAL.get(type(node))
        if special is not None:
            return special(self, node)
        if type(node) in _PLAIN:
            return self._step(_PLAIN[type(node)], *node.__args__)
        if type(node) in _OF_MANY:
            return self._step(_OF_MANY[type(node)], *node.arg)
        raise _NoTwinError(type(node).__name__)

    def _step(self, operation: str, *nodes: Any) -> int:
        return self._add(operation, *(self._translate(node) for node in nodes))

    def _add(self, operation: str, *arguments: Any) -> int:
        step = Step(operation, arguments)
        if step not in self._place:
            self._place[step] = len(self.steps)
            self.steps.append(step)
        return self._place[step]

    def _field(self, node: Any) -> int:
        if not node.dtype.is_boolean() and not node.dtype.is_integer() and node.dtype != dt.float64:
            raise _NoTwinError(f"the {node.dtype} of {node.name}")
        if node.name in self.derived:
            return self.derived[node.name]
        return self._add("column", node.name)

    def _number(self, node: Any) -> int:
        if node.value is None:
            return self._add("number", None)
        if not isinstance(node.value, bool | int | float):
            raise _NoTwinError(f"the {node.dtype} {node.value!r}")
        return self._add("number", float(node.value))

    def _cast(self, node: Any) -> int:
        to, of = node.to, node.arg.dtype
        if to.is_boolean():
            return self._step("truth", node.arg)
        if to.is_integer():
            return self._step("whole", node.arg) if of.is_floating() else self._translate(node.arg)
        if to == dt.float64 and (of.is_integer() or of.is_boolean() or of == dt.float64):
            return self._translate(node.arg)
        raise _NoTwinError(f"a cast from {of} to {to}")

    def _round(self, node: Any) -> int:
        if node.digits is not None and node.digits.value != 0:
            raise _NoTwinError("rounding to digits")
        return self._step("round", node.arg)

    def _searched_case(self, node: Any) -> int:
        conditions = [self._translate(case) for case in node.cases]
        return self._cases(conditions, node)

    def _simple_case(self, node: Any) -> int:
        conditions = [self._step("equal", node.base, case) for case in node.cases]
        return self._cases(conditions, node)

    def _cases(self, conditions: list[int], node: Any) -> int:
        chosen = self._translate(node.default)
        for condition, result in zip(reversed(conditions), reversed(node.results), strict=True):
            chosen = self._add("if_else", condition, self._translate(result), chosen)
        return chosen

    def _between(self, node: Any) -> int:
        above = self._step("greater_equal", node.arg, node.lower_bound)
        return self._add("and", above, self._step("less_equal", node.arg, node.upper_bound))

    def _in_values(self, node: Any) -> int:
        first, *rest = (self._step("equal", node.value, option) for option in node.options)
        for other in rest:
            first = self._add("or", first, other)
        return first


class _NoTwinError(Exception):
    """Says what an expression does that NumPy would not do with the same bits."""


_SPECIAL: Mapping[type[ops.Value], Callable[[_Translation, Any], int]] = {
    ops.Cast: _Translation._cast,
    ops.Round: _Translation._round,
    ops.SearchedCase: _Translation._searched_case,
    ops.SimpleCase: _Translation._simple_case,
    ops.Between: _Translation._between,
    ops.InValues: _Translation._in_values,
}
