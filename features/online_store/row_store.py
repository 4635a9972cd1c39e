"""Where packed rows live: what SQLite and Redis both offer.

A view has one *live* generation of rows, the only one that is read. Rows written one by one
(a push, a lookback) go straight into it. A full refresh writes a generation of its own beside it
and then publishes it: readers see all of the old rows, then all of the new ones. A refresh that
dies leaves the old generation live; the next one clears up behind it, or, under the same name,
goes on where it stopped. Rows that are pushed while a refresh is under way are written to both.

In every generation the newest row of a customer wins, by event time, then by created time; a row
with the same times as the stored one replaces it, so writing again changes nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from features.contracts.errors import FeatureStoreError
from features.online_store.layout import CREATED_AT, EVENT_AT, FINGERPRINT_AT, HEADER_BYTES
from features.online_store.packing import time_from_row
from features.online_store.schema import RowSchema

Rows = list[bytes | None]


@dataclass(frozen=True)
class ViewStatus:
    """What the live generation of a view holds.

    Attributes:
        live: name of the refresh that made it, None when none was ever published.
        rows: number of customers.
        oldest_event_us: oldest event time, microseconds since 1970, UTC; None without rows.
        newest_event_us: newest event time.
        rows_by_fingerprint: number of rows looked at, by the fingerprint of their schema.
        looked_at: rows that the last three are about; less than `rows` means a random sample.
        refreshing: name of the refresh that is under way or was cut short, if any.
    """

    live: str | None
    rows: int
    oldest_event_us: int | None
    newest_event_us: int | None
    rows_by_fingerprint: Mapping[int, int]
    looked_at: int
    refreshing: str | None


class RowStore(Protocol):
    """A store of packed rows. Threads and processes may share what is stored.

    Keys are the customers, as bytes; rows come from `packing.pack`. Every method raises
    `FeatureStoreError`, naming the cause and the next step, if the store cannot answer.
    """

    def register(self, view: str, schema: RowSchema) -> None:
        """Remember a schema of a view, before rows of it are written. Idempotent."""

    def schemas(self, view: str) -> Mapping[int, RowSchema]:
        """Return every schema that rows of the view may have, by fingerprint."""

    def write_rows(
        self,
        view: str,
        keys: Sequence[bytes],
        rows: Sequence[bytes],
        *,
        refresh: str | None = None,
        progress: int | None = None,
    ) -> None:
        """Write n rows, in any order; of rows of one customer the newest stays.

        Args:
            view: name of the view.
            keys: n customers.
            rows: their n rows.
            refresh: write to the generation of this refresh, which is the live one once it is
                published; None writes to the live one, and to a refresh under way.
            progress: with `refresh`, a number that `begin_refresh` shall return if this refresh
                has to be resumed, such as the batches written so far; stored with the rows.

        Raises:
            FeatureStoreError: also if another refresh has taken the place of this one.
        """

    def read_rows(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return, per view, n rows in the order of the keys, None where there is none.

        All in one round trip.
        """

    async def read_rows_async(self, views: Sequence[str], keys: Sequence[bytes]) -> list[Rows]:
        """Return what `read_rows` returns, without blocking the event loop."""

    def delete_rows(self, view: str, keys: Sequence[bytes]) -> int:
        """Forget customers and return how many of them were there."""

    def begin_refresh(self, view: str, refresh: str) -> int:
        """Start a full refresh, or resume the one of the same name.

        Leftovers of any other refresh of the view are removed; if that one still runs, its next
        write is refused.

        Returns:
            The last `progress` of the refresh that is resumed, else 0.
        """

    def publish_refresh(self, view: str, refresh: str, *, keep_after_us: int | None = None) -> int:
        """Make the rows of a refresh the live ones, all at once, and return their number.

        Args:
            view: name of the view.
            refresh: name of the refresh; one that is live already stays so.
            keep_after_us: live rows with a later event time live on, unless the refresh has a
                newer one of that customer: what was pushed after the refreshed data were made.

        Raises:
            FeatureStoreError: also if another refresh has taken the place of this one.
        """

    def abandon_refresh(self, view: str, refresh: str) -> None:
        """Remove what a refresh has written; nothing happens if it is not there (any more)."""

    def live_refresh(self, view: str) -> str | None:
        """Return the name of the refresh that was published last, None if there was none."""

    def drop_view(self, view: str) -> None:
        """Remove a view: its rows, refreshes and schemas."""

    def views(self) -> tuple[str, ...]:
        """Return the names of the views that have a schema."""

    def status(self, view: str) -> ViewStatus:
        """Return what the live generation of a view holds."""

    def close(self) -> None:
        """Close the connections of threads. The store opens them again when it is used again."""

    async def close_async(self) -> None:
        """Close the connections of the running event loop."""


def displaced(view: str, refresh: str, by: str | None) -> FeatureStoreError:
    """Return the error of a refresh that is no longer the one under way."""
    who = f"the refresh {by} has taken its place" if by else "it was abandoned or never begun"
    return FeatureStoreError(
        f"the refresh {refresh} of {view} cannot go on: {who}; run one refresh at a time"
    )


def unregistered(view: str) -> FeatureStoreError:
    """Return the error of a view that the store does not know."""
    return FeatureStoreError(
        f"the online store has no view {view}; run `bellwether features build`"
    )


def newest_of_each(
    keys: Sequence[bytes], rows: Sequence[bytes]
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return keys and rows with each key once, with its newest row, the last one of equal ones."""
    if len(set(keys)) == len(keys):
        return keys, rows
    newest: dict[bytes, bytes] = {}
    for key, row in zip(keys, rows, strict=True):
        if row[EVENT_AT:HEADER_BYTES] >= newest.get(key, b"")[EVENT_AT:HEADER_BYTES]:
            newest[key] = row
    return list(newest), list(newest.values())


def status_of(
    looked_at: Sequence[bytes], *, rows: int, live: str | None, refreshing: str | None
) -> ViewStatus:
    """Return the status of a view from some of its rows."""
    times = [row[EVENT_AT:CREATED_AT] for row in looked_at if len(row) >= CREATED_AT]
    schemas = Counter(row[FINGERPRINT_AT:EVENT_AT] for row in looked_at)
    return ViewStatus(
        live=live,
        rows=rows,
        oldest_event_us=time_from_row(min(times)) if times else None,
        newest_event_us=time_from_row(max(times)) if times else None,
        rows_by_fingerprint={int.from_bytes(k, "little"): count for k, count in schemas.items()},
        looked_at=len(looked_at),
        refreshing=refreshing,
    )
