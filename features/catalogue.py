"""The catalogue: every feature there is, and which of them a user's data can carry.

Features are computed in four stages, each of which may read the ones before it:

* rows       what the rows of one canonical table say about a customer as of a moment
* calendar   what the moment itself says, the same for every customer
* base       what all customers of the moment say together, one row per moment
* standing   what a customer's own features say beside those of all, from the joined row
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import ibis.expr.types as ir

from features.contracts.features import Feature
from features.transforms import (
    assortment,
    base_level,
    browsing,
    calendar,
    events,
    messages,
    order_days,
    order_habits,
    order_lines,
    order_value,
    orders,
    profile,
    rhythm,
    standing,
    subscriptions,
    tickets,
)


class Stage(StrEnum):
    """When features are computed, and from what."""

    ROWS = "rows"
    CALENDAR = "calendar"
    BASE = "base"
    STANDING = "standing"


@dataclass(frozen=True)
class Subject:
    """Features that are computed together.

    Attributes:
        table: the canonical table that carries them.
        prepare: from the rows of the table and the moments to the rows that the features
            aggregate, with `customer_id` and `as_of`; None after the stage of rows.
        is_whole: whether the rows of one customer also count for others, so that they cannot be
            computed for a part of the customers.
        reads: further canonical tables that `prepare` takes, after the moments.
        features: the features, in the order in which they are derived.
        stage: when they are computed.
    """

    table: str
    prepare: Callable[..., ir.Table] | None
    features: tuple[Feature, ...]
    stage: Stage = Stage.ROWS
    reads: tuple[str, ...] = ()
    is_whole: bool = False


ARRANGED: Mapping[str, Callable[[ir.Table, Sequence[str]], ir.Table]] = {"orders": orders.arrange}
"""Per canonical table what may be said of its rows once for all moments, where all are in time."""


def subjects(mapped: Mapping[str, frozenset[str]]) -> tuple[Subject, ...]:
    """Return the subjects with the features that the mapped tables and columns can carry."""
    names: set[str] = set()
    carried = []
    for subject in _everything(mapped):
        features = tuple(_available(subject.features, mapped, names))
        if features:
            carried.append(replace(subject, features=features))
    return tuple(carried)


def _everything(mapped: Mapping[str, frozenset[str]]) -> tuple[Subject, ...]:
    profile_features = (
        *profile.FEATURES,
        *profile.attribute_features(mapped.get("customers", frozenset())),
    )
    return (
        Subject(
            "orders",
            orders.prepare,
            (*orders.FEATURES, *order_value.FEATURES, *rhythm.FEATURES),
        ),
        Subject("orders", order_days.prepare, order_days.FEATURES),
        Subject("orders", order_habits.prepare_channels, order_habits.CHANNEL_FEATURES),
        Subject("orders", order_habits.prepare_devices, order_habits.DEVICE_FEATURES),
        Subject("order_lines", order_lines.prepare_returns, order_lines.RETURN_FEATURES),
        Subject("order_lines", order_lines.prepare_baskets, order_lines.BASKET_FEATURES),
        Subject("order_lines", assortment.prepare_products, assortment.PRODUCT_FEATURES),
        Subject("order_lines", assortment.prepare_categories, assortment.CATEGORY_FEATURES),
        Subject("events", events.prepare, events.FEATURES, reads=("orders",)),
        Subject("events", browsing.prepare_days, browsing.DAY_FEATURES),
        Subject("events", browsing.prepare_products, browsing.PRODUCT_FEATURES),
        Subject("events", browsing.prepare_channels, browsing.CHANNEL_FEATURES),
        Subject("events", browsing.prepare_devices, browsing.DEVICE_FEATURES),
        Subject("messages", messages.prepare, messages.FEATURES),
        Subject("messages", messages.prepare_campaigns, messages.CAMPAIGN_FEATURES),
        Subject("tickets", tickets.prepare, tickets.FEATURES),
        Subject("tickets", tickets.prepare_topics, tickets.TOPIC_FEATURES),
        Subject("subscriptions", subscriptions.prepare, subscriptions.FEATURES),
        Subject("subscriptions", subscriptions.prepare_plans, subscriptions.PLAN_FEATURES),
        Subject("customers", profile.prepare, profile_features),
        Subject("customers", profile.prepare_countries, profile.COUNTRY_FEATURES, is_whole=True),
        Subject(
            "customers", profile.prepare_acquisitions, profile.ACQUISITION_FEATURES, is_whole=True
        ),
        Subject("orders", None, calendar.FEATURES, Stage.CALENDAR),
        Subject("orders", None, base_level.FEATURES, Stage.BASE),
        Subject("orders", None, rhythm.STANDING_FEATURES, Stage.STANDING),
        Subject("orders", None, standing.FEATURES, Stage.STANDING),
        Subject("events", None, events.STANDING_FEATURES, Stage.STANDING),
        Subject("tickets", None, tickets.STANDING_FEATURES, Stage.STANDING),
    )


def _available(
    features: Sequence[Feature], mapped: Mapping[str, frozenset[str]], names: set[str]
) -> Iterator[Feature]:
    for feature in features:
        if feature.available(mapped) and names.issuperset(feature.needs_features):
            names.add(feature.name)
            yield feature


def of_stage(carried: Sequence[Subject], stage: Stage) -> tuple[Feature, ...]:
    """Return the features of one stage, in catalogue order."""
    return tuple(f for subject in carried if subject.stage is stage for f in subject.features)


def feature_columns(mapped: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the names of the features that the data can carry, in catalogue order."""
    return feature_columns_of(subjects(mapped))


def feature_columns_of(carried: Sequence[Subject]) -> tuple[str, ...]:
    """Return the names of the features of these subjects, in catalogue order."""
    return tuple(f.name for s in carried for f in s.features)


def aggregate_features(
    features: Sequence[Feature], rows: ir.Table, keys: Sequence[str]
) -> ir.Table:
    """Return the features, one row per group of `keys`: first the aggregates, then the derived.

    A derived feature may read every aggregate, and the derived ones before it.
    """
    aggregated = {f.name: f.aggregate(rows) for f in features if f.aggregate is not None}
    found = derive_features(features, rows.group_by(list(keys)).aggregate(**aggregated))
    return found.select(*keys, *(f.name for f in features))


def derive_features(features: Sequence[Feature], table: ir.Table) -> ir.Table:
    """Return the table with the derived features of `features`, in their order.

    Those that do not read one another are added together: each step costs time on a wide table.
    """
    together: dict[str, ir.Value] = {}
    for feature in features:
        if feature.derive is not None:
            if not together.keys().isdisjoint(feature.needs_features):
                table, together = table.mutate(**together), {}
            together[feature.name] = feature.derive(table)
    return table.mutate(**together)
