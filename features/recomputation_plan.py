"""The SQL by which the features of a few customers are computed again: made once, at a build.

It is the expressions of the snapshots, subject by subject: a subject of whose rows the customers
have none is left out, and DuckDB plans many small queries faster than one that joins them all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis

from features.catalogue import Stage, Subject, of_stage
from features.recomputation import Part, RecomputationPlan
from features.snapshot_expression import of_rows, part_expression, whole_expression
from features.transforms.profile import ORIGINS
from features.unbound_tables import (
    canonical_table,
    moment_variable,
    unbound_base,
    unbound_moments,
    unbound_own,
)


def recomputation_plan(
    carried: Sequence[Subject], mapped: Mapping[str, frozenset[str]]
) -> RecomputationPlan:
    """Return how the features of `carried` are computed again."""
    tables = {name: canonical_table(name, mapped) for name in mapped}
    names = [feature.name for subject in carried for feature in subject.features]
    parts = tuple(
        Part(
            subject.table,
            tuple(feature.name for feature in subject.features),
            _sql(part_expression(subject, tables, moment_variable())),
        )
        for subject in of_rows(carried)
        if not subject.is_whole
    )
    own_rows = unbound_own(of_stage(carried, Stage.ROWS))
    whole = whole_expression(own_rows, carried, unbound_moments(), unbound_base(carried))
    return RecomputationPlan(
        parts=parts,
        looked_up={name: column for name, (column, _) in ORIGINS.items() if name in names},
        whole=_sql(whole),
    )


def _sql(expression: Any) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))
