"""All features as one Ibis expression: the same on every engine, for a batch or for everyone."""

from collections.abc import Mapping, Sequence

import ibis.expr.types as ir

from features.catalogue import Stage, Subject, aggregate_features, derive_features, of_stage
from features.contracts.features import Feature
from features.contracts.tables import TABLES
from features.transforms.known import Moments, rows_known_at

KEYS = ("customer_id", "as_of")


def snapshot_expression(
    tables: Mapping[str, ir.Table],
    carried: Sequence[Subject],
    moments: ir.Table,
    base: ir.Table | None = None,
) -> ir.Table:
    """Return the features of everyone with an order known at each moment, as one expression.

    One row per customer and moment: `customer_id`, `as_of`, then the features as float64.

    Args:
        tables: canonical tables by name.
        carried: the subjects whose features are wanted.
        moments: table of moments as `moments_table` makes it.
        base: features of the whole base, a row per moment with `as_of`; computed from everyone in
            `tables` when None. Give it when `tables` hold a part of the customers only.
    """
    own = own_expression(tables, carried, moments)
    return whole_expression(own, carried, moments, base)


def own_expression(
    tables: Mapping[str, ir.Table], carried: Sequence[Subject], moments: Moments
) -> ir.Table:
    """Return what each customer's own rows say as of each moment, as float64."""
    everyone = customers_known(tables, moments)
    joined = everyone
    for place, subject in enumerate(of_rows(carried)):
        keys = {f"{key}_{place}": key for key in KEYS}
        part = part_expression(subject, tables, moments).rename(keys)
        joined = joined.left_join(part, [everyone[key] == part[own] for own, key in keys.items()])
    return as_floats(joined, KEYS, of_stage(carried, Stage.ROWS))


def of_rows(carried: Sequence[Subject]) -> tuple[Subject, ...]:
    """Return the subjects that aggregate rows."""
    return tuple(subject for subject in carried if subject.stage is Stage.ROWS)


def customers_known(tables: Mapping[str, ir.Table], moments: Moments) -> ir.Table:
    """Return everyone with an order known at each moment, as `KEYS`."""
    known = rows_known_at(tables["orders"], moments, event_time=TABLES["orders"].event_time)
    return known.select(*KEYS).distinct()


def part_expression(subject: Subject, tables: Mapping[str, ir.Table], moments: Moments) -> ir.Table:
    """Return the features of one subject, one row per customer and moment that it has rows of."""
    if subject.prepare is None:
        raise ValueError(f"features of the stage {subject.stage.value} have no rows of their own")
    further = (tables[name] for name in subject.reads)
    rows = subject.prepare(tables[subject.table], moments, *further)
    return aggregate_features(subject.features, rows, KEYS)


def base_expression(own: ir.Table, carried: Sequence[Subject]) -> ir.Table:
    """Return the features of the whole base, one row per moment, as float64."""
    features = of_stage(carried, Stage.BASE)
    return as_floats(aggregate_features(features, own, ["as_of"]), ["as_of"], features)


def whole_expression(
    own: ir.Table, carried: Sequence[Subject], moments: ir.Table, base: ir.Table | None = None
) -> ir.Table:
    """Return a customer's own features joined with the moment's, and what is derived from both."""
    joined = own.join(moments, "as_of")
    if of_stage(carried, Stage.BASE):
        everyone = base_expression(own, carried) if base is None else base
        joined = joined.left_join(everyone, "as_of").drop("as_of_right")
    joined = derive_features(of_stage(carried, Stage.STANDING), joined)
    return as_floats(joined, KEYS, [f for subject in carried for f in subject.features])


def as_floats(table: ir.Table, keys: Sequence[str], features: Sequence[Feature]) -> ir.Table:
    """Return the keys and the features, these as float64."""
    return table.select(*keys, **{f.name: table[f.name].cast("float64") for f in features})
