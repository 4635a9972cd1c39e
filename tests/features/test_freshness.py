from datetime import timedelta

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import Presence
from features.freshness import StoredFeatures

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
