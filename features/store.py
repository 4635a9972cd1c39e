"""The feature store: the same features for training, batch and online scoring. The door of Feast.

`historical` joins snapshots at a moment, `online` reads what was published; both give the same
columns, the same order and the same bits. Feast takes seconds to import, so it is imported when a
reader is first used.
"""

import sqlite3
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import Settings
from features.contracts.vectors import SNAPSHOT_EPOCH, FeatureVectors
from features.definitions import FEATURES_VIEW, LAST_SEEN_VIEW, feature_service_name
from features.freshness import StoredFeatures
from features.publications import Publications

if TYPE_CHECKING:
    from features.definitions.session import Session

BUILD = "run `bellwether features build`"

READ_BATCH_CUSTOMERS = 1_000
"""Customers per online query: SQLite takes a limited number of values in one."""

_ONE_AT_A_TIME = threading.RLock()


@dataclass(frozen=True)
class StoreStatus:
    """What the feature store holds.

    Attributes:
        views: registered feature views.
        services: columns of each registered service.
        newest_snapshot: moment of the newest snapshot file, None when there is none.
        online_as_of: newest moment that is wholly online, None when nothing was published.
        online_customers: customers published then.
    """

    views: tuple[str, ...]
    services: Mapping[str, tuple[str, ...]]
    newest_snapshot: AsOf | None
    online_as_of: AsOf | None
    online_customers: int | None


class FeatureReader:
    """Reads features as of a moment. Threads may share one.

    Definitions are read once: a reader that is open does not notice what another process applies.

    Args:
        settings: the project file.
        layout: where the project keeps its files.
    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._project = settings.name
        self._ttl = timedelta(days=settings.features.ttl_days)
        self._snapshots = layout.snapshots
        self._registry_file = layout.feature_registry
        self._online_file = layout.root / (settings.online_store.path or layout.online_store)
        self._publications = Publications(self._online_file, f"{self._project}_{FEATURES_VIEW}")
        self._session: Session | None = None
        self._opening = threading.Lock()
        self._is_published = False

    def apply(self, columns_by_goal: Mapping[GoalName, Sequence[str]]) -> None:
        """Register the features that each goal reads, and drop what is no longer named.

        Args:
            columns_by_goal: names of the features, all float64, in the order of the vectors.

        Raises:
            FeatureStoreError: if the registry or the online store cannot be written.
        """
        self._registry_file.parent.mkdir(parents=True, exist_ok=True)
        with _feast_at_work("registering the features"):
            from features.definitions.repository import definitions

            self._publications.prepare()
            session = self._new_session()
            before = set(chain.from_iterable(session.services.values()))
            self._publications.forget(before.difference(*columns_by_goal.values()))
            session.register(
                definitions(self._snapshots, columns_by_goal, ttl=self._ttl),
                services=[feature_service_name(goal) for goal in columns_by_goal],
            )
        self._session = None

    def publish(self, as_of: AsOf, *, replace: bool = False) -> int:
        """Put the snapshot of a moment online and return its number of customers.

        Customers that are not in it keep what was published for them before, and go stale.

        Args:
            as_of: the moment of the snapshot.
            replace: empty the online store first; only then may it go back in time.

        Raises:
            FeatureStoreError: if there is no snapshot of that moment, or a newer one is online.
        """
        import pyarrow.parquet as pq

        from features.snapshots import snapshot_path

        self._open()
        snapshot = snapshot_path(self._snapshots, as_of)
        if not snapshot.exists():
            raise FeatureStoreError(f"there is no snapshot as of {as_of}; {BUILD}")
        with _feast_at_work(f"publishing the features as of {as_of}"):
            customers = int(pq.read_metadata(snapshot).num_rows)
            self._publications.begin(as_of, replace=replace)
            # A session of its own: on a shared connection readers would see half a transaction.
            self._new_session().materialize(as_of)
            self._publications.finish(as_of, customers)
        return customers

    def historical(
        self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
    ) -> FeatureVectors:
        """Return features as they were known at a moment, from the snapshots.

        Args:
            customer_ids: whom to look up, in any number.
            as_of: the moment; no later snapshot is used.
            services: feature services whose columns are wanted.

        Raises:
            FeatureStoreError: if the store is missing, does not know a service, or answers wrongly.
        """
        columns, session = self._columns_of(services), self._open()
        self._require_snapshots()
        ids = tuple(dict.fromkeys(customer_ids))
        with _feast_at_work(f"joining the features as of {as_of}"):
            wide = session.join(ids, as_of, FEATURES_VIEW, (*columns, SNAPSHOT_EPOCH))
            seconds = wide[:, -1].copy()
            missing = np.flatnonzero(np.isnan(seconds))
            unseen = [ids[row] for row in missing]
            last_seen = session.join(unseen, as_of, LAST_SEEN_VIEW, (SNAPSHOT_EPOCH,))
        seconds[missing] = last_seen[:, 0]
        stored = StoredFeatures(ids, columns, wide[:, :-1], seconds)
        return stored.vectors(customer_ids, as_of, self._ttl)

    def online(
        self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
    ) -> FeatureVectors:
        """Return the newest published features: what `historical` says as of now, but at once.

        Args:
            customer_ids: whom to look up; the time it takes grows with their number.
            as_of: now; features must not be newer.
            services: feature services whose columns are wanted.

        Raises:
            FeatureStoreError: if nothing was published, a feature was not, or the online store
                knows more than was known at `as_of`.
        """
        columns, session = self._columns_of(services), self._open()
        self._require_published()
        ids = tuple(dict.fromkeys(customer_ids))
        with _translated("reading the online store"):
            batches = [
                session.read(ids[start : start + READ_BATCH_CUSTOMERS], (*columns, SNAPSHOT_EPOCH))
                for start in range(0, max(len(ids), 1), READ_BATCH_CUSTOMERS)
            ]
        values = np.concatenate([values for values, _ in batches])
        stored = StoredFeatures(ids, columns, values[:, :-1], values[:, -1])
        stored.require_not_after(as_of)
        stored.require_published(
            np.concatenate([found for _, found in batches]), as_of=as_of, ttl=self._ttl
        )
        return stored.vectors(customer_ids, as_of, self._ttl)

    def columns(self, service: str) -> tuple[str, ...]:
        """Return the features of a service, in order.

        Raises:
            FeatureStoreError: if the registry is missing or has no such service.
        """
        services = self._open().services
        if service in services:
            return services[service]
        known = ", ".join(services) or "none"
        raise FeatureStoreError(f"there is no feature service {service}, only {known}; {BUILD}")

    def services(self) -> tuple[str, ...]:
        """Return the names of the registered services.

        Raises:
            FeatureStoreError: if the registry is missing.
        """
        return tuple(self._open().services)

    def status(self) -> StoreStatus:
        """Return what the feature store holds.

        Raises:
            FeatureStoreError: if the registry is missing or cannot be read.
        """
        session = self._open()
        newest = max((path.stem for path in self._snapshots.glob("*.parquet")), default=None)
        with _feast_at_work("reading the online store"):
            online = self._publications.newest(finished=True)
        return StoreStatus(
            views=tuple(session.ttls),
            services=session.services,
            newest_snapshot=AsOf.parse(newest) if newest else None,
            online_as_of=online.as_of if online else None,
            online_customers=online.customers if online else None,
        )

    def _columns_of(self, services: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(map(self.columns, services))))

    def _open(self) -> "Session":
        with self._opening:
            if self._session is None:
                if not self._registry_file.exists():
                    raise FeatureStoreError(f"there is no {self._registry_file}; {BUILD}")
                with _feast_at_work("opening the feature registry"):
                    self._session = self._new_session()
            return self._session

    def _new_session(self) -> "Session":
        from features.definitions.repository import repository_config
        from features.definitions.session import Session

        config = repository_config(
            self._project, registry=self._registry_file, online_store=self._online_file
        )
        return Session(config)

    def _require_snapshots(self) -> None:
        if self._open().ttls.get(FEATURES_VIEW) != self._ttl:
            raise FeatureStoreError(f"features.ttl_days has changed since the build; {BUILD}")
        if next(self._snapshots.glob("*.parquet"), None) is None:
            raise FeatureStoreError(f"there is no snapshot in {self._snapshots}; {BUILD}")

    def _require_published(self) -> None:
        if not self._is_published:
            with _feast_at_work("reading the online store"):
                self._is_published = self._publications.newest(finished=True) is not None
        if not self._is_published:
            raise FeatureStoreError(f"no features are online in {self._online_file}; {BUILD}")


def open_reader(settings: Settings, layout: Layout) -> FeatureReader:
    """Return the reader of a project's features. Nothing is opened before it is used."""
    return FeatureReader(settings, layout)


@contextmanager
def _feast_at_work(doing: str) -> Iterator[None]:
    """Keep what Feast's libraries warn about from the user. Online reads go without: no warnings.

    One thread at a time, for warning filters and Feast's DuckDB connection belong to the process.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # While it is imported, Feast puts warning filters of its own before everybody else's.
        import feast  # noqa: F401
    with _ONE_AT_A_TIME, warnings.catch_warnings(), _translated(doing):
        # Ibis calls DuckDB by an old name.
        warnings.filterwarnings(
            "ignore", r"fetch_arrow_table\(\) is deprecated", DeprecationWarning
        )
        yield


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except _foreign_errors() as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FeatureStoreError(f"{doing} failed: {reason}; {BUILD}") from error


def _foreign_errors() -> tuple[type[Exception], ...]:
    import duckdb
    from feast.errors import FeastError
    from ibis.common.exceptions import IbisError
    from sqlalchemy.exc import SQLAlchemyError

    # Arrow's errors and Feast's own checks are ValueErrors.
    return duckdb.Error, FeastError, IbisError, OSError, SQLAlchemyError, sqlite3.Error, ValueError
