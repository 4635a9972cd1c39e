"""Features from the customer's own record: tenure and declared attributes."""

from collections.abc import Iterable

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.known import epoch_seconds

ATTRIBUTE_PREFIX = "attribute_"


def prepare(customers: ir.Table, moments: ir.Table) -> ir.Table:
    """Return each customer once per moment at which the record was known.

    A record without `created_at` is taken as known all along: it has no event time of its own.
    """
    times = moments.select("as_of")
    known = customers.join(
        times,
        [
            (customers.created_at < times.as_of) | customers.created_at.isnull(),
            (customers.known_at <= times.as_of) | customers.known_at.isnull(),
        ],
    )
    return known.mutate(age_seconds=epoch_seconds(known.as_of) - epoch_seconds(known.created_at))


TENURE = Feature(
    "days_since_created",
    "days",
    "Days since the customer was first known.",
    "customers",
    aggregate=lambda rows: rows.age_seconds.max() / DAY_SECONDS,
    when_null="not recorded, or not yet known",
    needs=("created_at",),
)

FEATURES: tuple[Feature, ...] = (TENURE,)


def attribute_features(columns: Iterable[str]) -> tuple[Feature, ...]:
    """Return one feature for each declared attribute among `columns`."""
    return tuple(_attribute(name) for name in sorted(columns) if name.startswith(ATTRIBUTE_PREFIX))


def _attribute(column: str) -> Feature:
    return Feature(
        column,
        "level",
        f"Place of the customer's `{column.removeprefix(ATTRIBUTE_PREFIX)}` among its levels.",
        "customers",
        aggregate=lambda rows: rows[column].max(),
        when_null="not recorded, not yet known, or not a declared level",
    )
