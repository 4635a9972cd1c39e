"""Features from subscriptions: which contracts run, since when, at what price, and what ended.

A contract runs until its `ended_at` has passed (see `features/transforms/outcomes.py`): one whose
end lies at or after the moment runs, even if notice was given long before. The table does not say
when notice was given, so there is no feature of the days left.
"""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.exact import count, ratio, total, within
from features.transforms.known import rows_known_at
from features.transforms.outcomes import seconds_since

NO_CONTRACT = "no contract yet"
NONE_RUNS = "no contract runs"
NONE_ENDED = "no contract ended yet"


def prepare(subscriptions: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the contracts known at each moment, and whether they ran then and 90 days before."""
    rows = rows_known_at(subscriptions, moments, event_time="started_at")
    rows = rows.mutate(ended_age_seconds=seconds_since(rows, "ended_at"))
    is_ended = rows.ended_age_seconds.notnull()
    had_begun = ~within(rows.age_seconds, 90)
    had_ended = is_ended & ~within(rows.ended_age_seconds, 90)
    return rows.mutate(
        is_ended=is_ended,
        # Ended before it began: a slip of the pen, and no time at all.
        run_seconds=ibis.greatest(rows.age_seconds - rows.ended_age_seconds.fill_null(0), 0),
        price_now=is_ended.ifelse(0, rows.price.fill_null(0)),
        price_then=(had_begun & ~had_ended).ifelse(rows.price.fill_null(0), 0),
    )


def prepare_plans(subscriptions: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the plans of contracts by customer and moment."""
    rows = rows_known_at(subscriptions, moments, event_time="started_at")
    return rows.filter(rows.plan.notnull()).select("customer_id", "as_of", "plan").distinct()


_contract = partial(Feature, table="subscriptions", when_null=NO_CONTRACT)
_ended = partial(Feature, table="subscriptions", needs=("ended_at",), when_null=NO_CONTRACT)
_priced = partial(Feature, table="subscriptions", needs=("price",), when_null=NO_CONTRACT)

FEATURES: tuple[Feature, ...] = (
    _contract(
        "subscriptions_total",
        "subscriptions",
        "Contracts ever begun.",
        aggregate=lambda rows: rows.count(),
    ),
    _contract(
        "subscriptions_active",
        "subscriptions",
        "Contracts that run.",
        aggregate=lambda rows: count(~rows.is_ended),
    ),
    _ended(
        "subscriptions_ended_total",
        "subscriptions",
        "Contracts that ended.",
        aggregate=lambda rows: count(rows.is_ended),
    ),
    _ended(
        "subscriptions_ended_365d",
        "subscriptions",
        "Contracts that ended in the last 365 days.",
        aggregate=lambda rows: count(within(rows.ended_age_seconds, 365)),
    ),
    _ended(
        "subscriptions_ended_share",
        "ratio",
        "Contracts that ended over all contracts.",
        derive=lambda t: ratio(t.subscriptions_ended_total, t.subscriptions_total),
    ),
    _contract(
        "days_since_first_subscription",
        "days",
        "Days since the first contract began.",
        aggregate=lambda rows: rows.age_seconds.max() / DAY_SECONDS,
        ages=True,
    ),
    _contract(
        "days_since_subscription_start",
        "days",
        "Days since the newest of the contracts that run began.",
        aggregate=lambda rows: rows.age_seconds.min(where=~rows.is_ended) / DAY_SECONDS,
        when_null=NONE_RUNS,
        ages=True,
    ),
    _ended(
        "days_since_last_subscription_end",
        "days",
        "Days since a contract last ended.",
        aggregate=lambda rows: rows.ended_age_seconds.min() / DAY_SECONDS,
        when_null=NONE_ENDED,
        ages=True,
    ),
    _contract(
        "days_subscribed_total",
        "days",
        "Days that contracts ran, added up over all of them.",
        aggregate=lambda rows: total(rows.run_seconds) / DAY_SECONDS,
    ),
    _ended(
        "days_subscribed_mean",
        "days",
        "Mean days that the contracts which ended had run.",
        aggregate=lambda rows: ratio(
            rows.run_seconds.sum(where=rows.is_ended), count(rows.is_ended) * DAY_SECONDS
        ),
        when_null=NONE_ENDED,
    ),
    _priced(
        "subscription_price",
        "money",
        "Price of 30 days of all contracts that run; a price not recorded is none.",
        aggregate=lambda rows: total(rows.price_now),
    ),
    _priced(
        "subscription_price_change_90d",
        "money",
        "Price of 30 days of all contracts that run, less that of those that ran 90 days before.",
        aggregate=lambda rows: total(rows.price_now - rows.price_then),
    ),
)

PLAN_FEATURES: tuple[Feature, ...] = (
    _contract(
        "plans_total",
        "plans",
        "Different plans ever subscribed to.",
        aggregate=lambda rows: rows.count(),
        when_null="no contract of a known plan yet",
        needs=("plan",),
    ),
)
