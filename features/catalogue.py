"""The catalogue: every feature there is, and which of them a user's data can carry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms import messages, order_lines, orders, profile


@dataclass(frozen=True)
class Subject:
    """Features of one canonical table and the rows they are computed from."""

    table: str
    prepare: Callable[[ir.Table, ir.Table], ir.Table]
    features: tuple[Feature, ...]


def subjects(mapped: Mapping[str, frozenset[str]]) -> tuple[Subject, ...]:
    """Return the subjects with the features that the mapped tables and columns can carry."""
    profile_features = (
        profile.TENURE,
        *profile.attribute_features(mapped.get("customers", frozenset())),
    )
    candidates = (
        Subject("orders", orders.prepare, orders.FEATURES),
        Subject("order_lines", order_lines.prepare, order_lines.LINE_FEATURES),
        Subject("order_lines", order_lines.prepare_products, order_lines.PRODUCT_FEATURES),
        Subject("order_lines", order_lines.prepare_categories, order_lines.CATEGORY_FEATURES),
        Subject("messages", messages.prepare, messages.FEATURES),
        Subject("customers", profile.prepare, profile_features),
    )
    carried = (
        Subject(s.table, s.prepare, tuple(f for f in s.features if f.available(mapped)))
        for s in candidates
    )
    return tuple(subject for subject in carried if subject.features)


def feature_columns(mapped: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the names of the features that the data can carry, in catalogue order."""
    return tuple(f.name for s in subjects(mapped) for f in s.features)


def aggregate_subject(subject: Subject, rows: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Return the features of one subject, one row per group of `keys`."""
    aggregated = {f.name: f.aggregate(rows) for f in subject.features if f.aggregate is not None}
    features = rows.group_by(list(keys)).aggregate(**aggregated)
    for feature in subject.features:
        if feature.derive is not None:
            features = features.mutate(**{feature.name: feature.derive(features)})
    return features.select(*keys, *(f.name for f in subject.features))
