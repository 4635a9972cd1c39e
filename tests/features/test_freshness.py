from datetime import timedelta

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import Presence
from features.freshness import CLOCK_SLACK_SECONDS, StoredFeatures
from features.request_time import RequestTime, RequestTimePlan, Step

AS_OF = AsOf.parse("2026-03-10")
TTL = timedelta(days=3)


def stored(*ages_days: float | None) -> StoredFeatures:
    seconds = [
        np.nan if age is None else AS_OF.plus_days(-age).moment.timestamp() for age in ages_days
    ]
    return StoredFeatures(
        customer_ids=tuple(f"c{row}" for row in range(len(ages_days))),
        columns=("orders_30d",),
        values=np.arange(len(ages_days), dtype=np.float64)[:, np.newaxis],
        epoch_seconds=np.array(seconds),
    )


@pytest.mark.parametrize(
    ("age_days", "presence"),
    [
        (0.0, Presence.PRESENT),
        (3.0, Presence.PRESENT),
        (3.0 + 1 / 86_400, Presence.STALE),
        (None, Presence.UNKNOWN_CUSTOMER),
    ],
)
def test_presence_follows_age(age_days: float | None, presence: Presence) -> None:
    assert stored(age_days).presence(AS_OF, TTL).tolist() == [presence]


def test_vectors_keep_the_order_asked_for_and_blank_what_is_stale() -> None:
    vectors = stored(0.0, 4.0, None).vectors(["c2", "c0", "c1", "c0"], AS_OF, TTL)

    assert vectors.customer_ids == ("c2", "c0", "c1", "c0")
    assert np.array_equal(vectors.values[:, 0], [np.nan, 0.0, np.nan, 0.0], equal_nan=True)
    moments = [
        np.datetime64("NaT"),
        AS_OF.naive_utc,
        AS_OF.plus_days(-4).naive_utc,
        AS_OF.naive_utc,
    ]
    expected = np.array(moments, dtype="datetime64[us]")
    assert np.array_equal(vectors.features_as_of, expected, equal_nan=True)


def test_what_was_learnt_after_the_moment_is_refused() -> None:
    stored(0.0, None).require_not_after(AS_OF)
    stored().require_not_after(AS_OF)

    with pytest.raises(FeatureStoreError, match=r"2026-03-11T00:00:00Z are online"):
        stored(0.0, -1.0, None).require_not_after(AS_OF)


def test_only_present_customers_must_have_every_feature() -> None:
    found = np.array([[True], [False], [False]])
    stored(0.0, 4.0, None).require_published(found, as_of=AS_OF, ttl=TTL)

    with pytest.raises(FeatureStoreError, match="orders_30d"):
        stored(0.0, 2.0, None).require_published(found, as_of=AS_OF, ttl=TTL)


def test_what_depends_on_the_clock_is_brought_forward_and_the_rest_is_left_out() -> None:
    plan = RequestTimePlan(
        ages=("days_since",),
        steps=(Step("column", ("days_since",)), Step("column", ("gap",)), Step("divide", (0, 1))),
        derived={"overdue": 2},
    )
    found = StoredFeatures(
        customer_ids=("a", "b", "c"),
        columns=("overdue", "days_since", "gap"),
        values=np.array([[9.0, 1.0, 4.0], [9.0, 1.0, 4.0], [np.nan] * 3]),
        epoch_seconds=np.array(
            [AS_OF.plus_days(-1).moment.timestamp(), AS_OF.moment.timestamp(), np.nan]
        ),
    )

    moved = found.brought_forward(AS_OF, RequestTime(plan, lambda _: {}), ["overdue"])

    assert moved.columns == ("overdue",)
    assert np.array_equal(moved.values, [[0.5], [9.0], [np.nan]], equal_nan=True)
    assert moved.values.flags.c_contiguous
    assert np.array_equal(moved.epoch_seconds, found.epoch_seconds, equal_nan=True)


def test_clocks_may_differ_by_seconds() -> None:
    stored(-CLOCK_SLACK_SECONDS / 86_400).require_not_after(AS_OF)

    with pytest.raises(FeatureStoreError, match="which is after"):
        stored(-(CLOCK_SLACK_SECONDS + 1) / 86_400).require_not_after(AS_OF)
