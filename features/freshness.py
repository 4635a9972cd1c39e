"""What stored features are worth as of a moment: one rule for historical and online reads.

Features older than the ttl are stale, whoever is not stored is unknown, what depends on the clock
is brought forward to the moment, and nothing that was learnt after the moment is ever shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FeatureVectors, FloatMatrix, Presence
from features.request_time import RequestTime

CLOCK_SLACK_SECONDS = 5.0
"""How much newer than the moment of a request stored features may be.

Whoever pushes an order writes features as of the next whole second, on a machine whose clock is not
quite ours, while requests are under way that took their moment before.
"""


@dataclass(frozen=True)
class StoredFeatures:
    """What a store holds about n customers, each once.

    Attributes:
        customer_ids: n identifiers.
        columns: names of the f features.
        values: n x f; NaN where a feature is null or the customer unknown.
        epoch_seconds: n moments the features speak of, in seconds since 1970; NaN when unknown.
    """

    customer_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatMatrix
    epoch_seconds: NDArray[np.float64]

    def presence(self, as_of: AsOf, ttl: timedelta) -> NDArray[np.int8]:
        """Return n values of `Presence` as of a moment; features exactly `ttl` old are present."""
        age_seconds = as_of.moment.timestamp() - self.epoch_seconds
        stale = age_seconds > ttl.total_seconds()
        presence = np.where(stale, Presence.STALE, Presence.PRESENT)
        unknown = np.isnan(self.epoch_seconds)
        return np.where(unknown, Presence.UNKNOWN_CUSTOMER, presence).astype(np.int8)

    def vectors(self, asked: Sequence[str], as_of: AsOf, ttl: timedelta) -> FeatureVectors:
        """Return the vectors of the customers asked for, in their order and with repetitions.

        Stale values are blanked, so that nobody scores them by mistake.
        """
        place = {customer: row for row, customer in enumerate(self.customer_ids)}
        rows = np.array([place[customer] for customer in asked], dtype=np.intp)
        presence = self.presence(as_of, ttl)[rows]
        usable = (presence == Presence.PRESENT)[:, np.newaxis]
        return FeatureVectors(
            customer_ids=tuple(asked),
            columns=self.columns,
            values=np.ascontiguousarray(np.where(usable, self.values[rows], np.nan)),
            presence=presence,
            features_as_of=self._moments()[rows],
        )

    def brought_forward(
        self, as_of: AsOf, request_time: RequestTime, columns: Sequence[str]
    ) -> "StoredFeatures":
        """Return `columns` with what depends on the clock as of a moment.

        Args:
            as_of: the moment.
            request_time: what moves, and how.
            columns: the first of the columns, all but those that others are derived from.
        """
        values = request_time.forward(self.columns, self.values, self.epoch_seconds, as_of)
        values = np.ascontiguousarray(values[:, : len(columns)])
        return StoredFeatures(self.customer_ids, tuple(columns), values, self.epoch_seconds)

    def require_not_after(self, as_of: AsOf) -> None:
        """Raise when something stored was learnt after the moment, but for differences of clocks.

        Raises:
            FeatureStoreError: if features are newer than `as_of`.
        """
        newest = float(np.fmax.reduce(self.epoch_seconds, initial=-np.inf))
        if newest > as_of.moment.timestamp() + CLOCK_SLACK_SECONDS:
            ahead = AsOf(datetime.fromtimestamp(newest, UTC))
            raise FeatureStoreError(
                f"features as of {ahead} are online, which is after {as_of}; "
                "score moments of the past with `bellwether score`"
            )

    def require_published(self, found: NDArray[np.bool_], *, as_of: AsOf, ttl: timedelta) -> None:
        """Raise when a feature of a present customer was never published: it is not a null.

        Args:
            found: n x f or more; whether the store has the value, null or not.
            as_of: the moment.
            ttl: how old features may be.

        Raises:
            FeatureStoreError: if a value is not there.
        """
        everywhere = found[self.presence(as_of, ttl) == Presence.PRESENT].all(axis=0)
        absent = [name for name, there in zip(self.columns, everywhere, strict=False) if not there]
        if absent:
            raise FeatureStoreError(
                f"not online yet: {', '.join(absent)}; run `bellwether features build`"
            )

    def _moments(self) -> NDArray[np.datetime64]:
        moments = np.full(len(self.customer_ids), np.datetime64("NaT"), dtype="datetime64[us]")
        known = ~np.isnan(self.epoch_seconds)
        microseconds = np.rint(self.epoch_seconds[known] * 1e6).astype(np.int64)
        moments[known] = microseconds.astype("datetime64[us]")
        return moments
