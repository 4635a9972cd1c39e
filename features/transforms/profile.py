"""Features from the customer's own record: tenure, consents, origin and declared attributes.

What a record says is taken to have been so ever since it was learnt. A table that is overwritten in
place, say when a consent is withdrawn, tells of the past what was learnt only later: where that
matters, `known_at` should be the time of the last change. Of several records of one customer the
greatest value holds.
"""

from collections.abc import Iterable
from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import CONSENT_CHANNELS
from features.transforms.exact import ratio
from features.transforms.known import each_moment, epoch_seconds

ATTRIBUTE_PREFIX = "attribute_"

ORIGINS = {
    "country_share": ("country", "the same country"),
    "acquisition_share": ("acquisition_channel", "the same acquisition channel"),
}
"""Features that say how usual a word is, by the column that holds it."""


def prepare(customers: ir.Table, moments: ir.Table) -> ir.Table:
    """Return each customer once per moment at which the record was known.

    A record without `created_at` is taken as known all along: it has no event time of its own.
    """
    known = each_moment(
        customers,
        moments,
        lambda rows, as_of: [
            (rows.created_at < as_of) | rows.created_at.isnull(),
            (rows.known_at <= as_of) | rows.known_at.isnull(),
        ],
    )
    return known.mutate(age_seconds=epoch_seconds(known.as_of) - epoch_seconds(known.created_at))


def prepare_countries(customers: ir.Table, moments: ir.Table) -> ir.Table:
    """Return each customer of a known country, with how many there are of it and of all.

    All customers are counted whose record was known at the moment, with or without an order: the
    share of a country is then no secret of the future, but it needs the whole table.
    """
    return _counted(prepare(customers, moments), "country")


def prepare_acquisitions(customers: ir.Table, moments: ir.Table) -> ir.Table:
    """Return each customer of a known acquisition channel, with how many there are of it."""
    return _counted(prepare(customers, moments), "acquisition_channel")


def _counted(known: ir.Table, column: str) -> ir.Table:
    # Several records of one customer are one customer, of the last word in the alphabet.
    words = known.filter(known[column].notnull())
    one_each = words.group_by(["customer_id", "as_of"]).aggregate(word=words[column].max())
    alike = one_each.group_by(["as_of", "word"]).aggregate(alike=one_each.count())
    everyone = one_each.group_by("as_of").aggregate(everyone=one_each.count())
    counts = alike.join(everyone, "as_of")
    return one_each.join(counts, ["as_of", "word"])


_profile = partial(Feature, table="customers", when_null="not recorded, or not yet known")


def _consent(channel: str) -> Feature:
    column = f"{channel}_consent"
    return _profile(
        column,
        "yes or no",
        f"Whether the customer agreed to be contacted by {channel}.",
        aggregate=lambda rows: rows[column].ifelse(1, 0).max(where=rows[column].notnull()),
        needs=(column,),
    )


def _share(name: str) -> Feature:
    column, meaning = ORIGINS[name]
    return _profile(
        name,
        "ratio",
        f"Share of all customers known at the moment that are of {meaning}.",
        aggregate=lambda rows: ratio(rows.alike.max(), rows.everyone.max()),
        needs=(column,),
    )


FEATURES: tuple[Feature, ...] = (
    _profile(
        "days_since_created",
        "days",
        "Days since the customer was first known.",
        aggregate=lambda rows: rows.age_seconds.max() / DAY_SECONDS,
        needs=("created_at",),
        ages=True,
    ),
    *(_consent(channel) for channel in CONSENT_CHANNELS),
)

COUNTRY_FEATURES = (_share("country_share"),)
ACQUISITION_FEATURES = (_share("acquisition_share"),)


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
