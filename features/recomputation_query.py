"""Turns the expression of the snapshots into SQL over the tables of a few customers."""

from collections.abc import Mapping

import ibis

from features.catalogue import Stage, Subject, of_stage
from features.contracts.tables import TABLES, TIME
from features.pushed_rows import ATTRIBUTE_PREFIX
from features.snapshots import snapshot_expression
from features.transforms.known import CALENDAR


def recomputation_query(
    carried: tuple[Subject, ...], mapped: Mapping[str, frozenset[str]]
) -> str:
    """Return SQL for DuckDB that gives `customer_id`, `as_of` and the features of `carried`.

    It reads the canonical tables, `moments` (`as_of` and the calendar) and `base` (`as_of` and the
    features of the whole base) by these names.
    """
    tables = {name: ibis.table(_types(name, mapped), name=name) for name in mapped}
    moments = ibis.table({"as_of": TIME, **dict.fromkeys(CALENDAR, "float64")}, name="moments")
    names = [feature.name for feature in of_stage(carried, Stage.BASE)]
    base = ibis.table({"as_of": TIME, **dict.fromkeys(names, "float64")}, name="base")
    expression = snapshot_expression(tables, carried, moments, base)
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _types(table: str, mapped: Mapping[str, frozenset[str]]) -> dict[str, str]:
    attributes = sorted(c for c in mapped[table] if c.startswith(ATTRIBUTE_PREFIX))
    types = {column.name: column.type for column in TABLES[table].columns}
    return {**types, **dict.fromkeys(attributes, "float64")}
