"""The tables that feature expressions read, without rows: what an expression is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from features.catalogue import Stage, Subject, of_stage
from features.contracts.features import Feature
from features.contracts.tables import TABLES, TIME
from features.recomputation import MOMENT
from features.transforms.known import CALENDAR
from features.transforms.profile import ATTRIBUTE_PREFIX

_variable: Any = ibis.udf.scalar.builtin(
    lambda key: key, name="getvariable", signature=((dt.string,), dt.Timestamp("UTC", 6))
)


def canonical_table(name: str, mapped: Mapping[str, frozenset[str]]) -> ir.Table:
    """Return a canonical table with its attributes, which are numbers."""
    attributes = sorted(c for c in mapped[name] if c.startswith(ATTRIBUTE_PREFIX))
    types = {column.name: column.type for column in TABLES[name].columns}
    return ibis.table({**types, **dict.fromkeys(attributes, "float64")}, name=name)


def unbound_moments() -> ir.Table:
    """Return the table `moments`: `as_of`, and the calendar of the moment."""
    return ibis.table({"as_of": TIME, **dict.fromkeys(CALENDAR, "float64")}, name="moments")


def moment_variable() -> ir.TimestampScalar:
    """Return the moment as of which features are wanted, as DuckDB's variable `MOMENT`."""
    moment: ir.TimestampScalar = _variable(MOMENT)
    return moment


def unbound_base(carried: Sequence[Subject]) -> ir.Table:
    """Return the table `base`: `as_of`, and the features of the whole base."""
    names = [feature.name for feature in of_stage(carried, Stage.BASE)]
    return ibis.table({"as_of": TIME, **dict.fromkeys(names, "float64")}, name="base")


def unbound_own(features: Sequence[Feature]) -> ir.Table:
    """Return the table `own`: `customer_id`, `as_of`, and the features of customers' own rows."""
    floats = dict.fromkeys((feature.name for feature in features), "float64")
    return ibis.table({"customer_id": "string", "as_of": TIME, **floats}, name="own")
