"""Push rows: an order or a visit moves the features of its customer at once.

What is pushed is first kept in the push log, then the features of the touched customers are
computed again from their whole history as of now, and written online. So it does not matter in
which order rows come, nor how often. A crash in between leaves the customers waiting: the next push
serves them, or `replay`.
"""

import fcntl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from features.contracts.as_of import AsOf
from features.contracts.layout import Layout
from features.customer_history import CustomerHistory
from features.push_log import PushLog
from features.pushed_rows import check_rows, customers_of
from features.recomputation import FreshFeatures, recompute

if TYPE_CHECKING:
    from pipelines.wiring import Project

CUSTOMERS_AT_ONCE = 1_000


class FeatureSink(Protocol):
    """Where fresh features go: the online store."""

    def push(self, fresh: FreshFeatures) -> None:
        """Write the features of customers over older ones; newer ones stay."""


@dataclass(frozen=True)
class Served:
    """Whose features were written online.

    Attributes:
        customers: how many there were.
        without_order: further customers whose rows are kept, but who have no features before they
            order.
        as_of: the moment of the features; None when nobody waited for any.
    """

    customers: int
    without_order: int
    as_of: AsOf | None

    def __add__(self, other: "Served") -> "Served":
        return Served(
            self.customers + other.customers,
            self.without_order + other.without_order,
            other.as_of or self.as_of,
        )


@dataclass(frozen=True)
class Pushed:
    """What came of a push.

    Attributes:
        rows: rows that are new in the log.
        repeated: rows that were there already.
        served: whose features were written, also those of customers who had waited.
    """

    rows: int
    repeated: int
    served: Served


class FeaturePusher:
    """Pushes rows of a project. Threads and processes may push at the same time, one by one.

    Args:
        layout: where the project keeps its files.
        sink: where fresh features go.
        timezone: of times that carry none.
        clock: the moment at which the project's clock stands still; None when it runs.
        now: the present, for a clock that runs.
    """

    def __init__(
        self,
        layout: Layout,
        sink: FeatureSink,
        *,
        timezone: str,
        clock: AsOf | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = PushLog(layout.pushed)
        self._history = CustomerHistory(layout.history, self._log)
        self._lock = layout.pushed.with_suffix(".lock")
        self._sink = sink
        self._timezone = timezone
        self._clock = clock
        self._now = now

    def push(self, table: str, rows: Iterable[Mapping[str, Any]]) -> Pushed:
        """Keep rows of a canonical table, and move the features of their customers.

        Args:
            table: the canonical table.
            rows: canonical column -> value, see `features.pushed_rows.check_rows`.

        Raises:
            DataContractError: if a row is not what it should be; nothing of the push is kept then.
            FeatureStoreError: if there was no build, or the features cannot be written; the rows
                may be kept then, and their customers wait.
        """
        with exclusively(self._lock):
            mapped = self._history.facts().mapped
            checked = check_rows(
                table, rows, mapped=mapped, timezone=self._timezone, now=self._present()
            )
            kept = self._log.append(checked)
            served = Served(0, 0, None)
            for customers in _chunks(customers_of(checked)):
                served += self._serve(self._log.waiting(customers))
            # Those whom a crash left waiting, but not so many that the push would take long.
            served += self._serve(self._log.waiting(limit=CUSTOMERS_AT_ONCE))
        return Pushed(kept.new, kept.repeated, served)

    def replay(self) -> Served:
        """Serve the customers whose rows were kept without their features being written.

        Pushes may come in between.

        Raises:
            FeatureStoreError: if there was no build, or the features cannot be written.
        """
        total = Served(0, 0, None)
        while True:
            with exclusively(self._lock):
                served = self._serve(self._log.waiting(limit=CUSTOMERS_AT_ONCE))
            if served.as_of is None:
                return total
            total += served

    def renew(self, customer_ids: Iterable[str]) -> Served:
        """Compute the features of customers again as of now, and of those who wait.

        Raises:
            FeatureStoreError: if there was no build, or the features cannot be written.
        """
        self._log.let_wait(customer_ids)
        return self.replay()

    def close(self) -> None:
        """Let go of the history."""
        self._history.close()

    def _serve(self, tickets: Mapping[str, int]) -> Served:
        if not tickets:
            return Served(0, 0, None)
        as_of = self._clock or next_second(self._now())
        fresh = recompute(self._history, list(tickets), as_of)
        if fresh.customer_ids:
            self._sink.push(fresh)
        self._log.served(tickets)
        served = len(fresh.customer_ids)
        return Served(served, len(tickets) - served, as_of)

    def _present(self) -> datetime:
        return self._clock.moment if self._clock else self._now()


def push_rows(
    project: "Project", pusher: FeaturePusher, table: str, rows: Sequence[Mapping[str, Any]]
) -> Pushed:
    """Push rows in canonical columns or in the user's own.

    Raises:
        DataContractError: if a row is not what it should be; nothing of the push is kept then.
        FeatureStoreError: see `FeaturePusher.push`.
    """
    from pipelines.push_columns import in_canonical_columns

    settings, now = project.settings, project.now.moment
    canonical = in_canonical_columns(
        rows, table, settings.data, timezone=settings.timezone, now=now
    )
    return pusher.push(table, canonical)


def _chunks(customer_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(customer_ids), CUSTOMERS_AT_ONCE):
        yield customer_ids[start : start + CUSTOMERS_AT_ONCE]


def next_second(now: datetime) -> AsOf:
    """Return the first whole second after now: features as of it know what happened until now."""
    return AsOf(now + timedelta(seconds=1))


@contextmanager
def exclusively(lock: Path) -> Iterator[None]:
    """Wait for other processes: of two that serve one customer, the first must not write last."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
