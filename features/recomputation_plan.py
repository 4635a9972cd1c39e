"""The SQL by which the features of a few customers are computed again: made once, at a build.

It is the expressions of the snapshots, subject by subject: a subject of whose rows the customers
have none is left out, and DuckDB plans many small queries faster than one that joins them all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis

from features.catalogue import Stage, Subject, aggregate_features, of_stage
from features.recomputation import Part, RecomputationPlan
from features.snapshots import KEYS, whole_expression
from features.transforms.profile import ORIGINS
from features.unbound_tables import canonical_table, unbound_base, unbound_moments, unbound_own


def recomputation_plan(
    carried: Sequence[Subject], mapped: Mapping[str, frozenset[str]]
) -> RecomputationPlan:
    """Return how the features of `carried` are computed again."""
    tables = {name: canonical_table(name, mapped) for name in mapped}
    names = [feature.name for subject in carried for feature in subject.features]
    parts = []
    for subject in carried:
        own = tuple(feature.name for feature in subject.features)
        if subject.prepare is not None and not ORIGINS.keys() >= set(own):
            read = (tables[name] for name in subject.reads)
            rows = subject.prepare(tables[subject.table], unbound_moments(), *read)
            parts.append(
                Part(subject.table, own, _sql(aggregate_features(subject.features, rows, KEYS)))
            )
    own_rows = unbound_own(of_stage(carried, Stage.ROWS))
    whole = whole_expression(own_rows, carried, unbound_moments(), unbound_base(carried))
    return RecomputationPlan(
        parts=tuple(parts),
        looked_up={name: column for name, (column, _) in ORIGINS.items() if name in names},
        whole=_sql(whole),
    )


def _sql(expression: Any) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))
