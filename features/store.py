"""The feature store: the same features for training, batch and online scoring. The door of Feast.

`historical` joins snapshots at a moment, `online` reads what was published; both give the same
columns, the same order and the same bits. Feast names the features and joins them; online reads go
past it, straight to the packed rows. It takes seconds to import, so it is imported when a reader is
first used.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
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
from features.definitions.at_work import BUILD, feast_at_work
from features.freshness import StoredFeatures
from features.request_time import RequestTime, RequestTimePlan, load_plan, save_plan
from features.transforms.calendar import calendar_values

if TYPE_CHECKING:
    from features.definitions.session import Session
    from features.online_store.published import PublishedFeatures
    from features.online_store.row_store import ViewStatus
    from features.recomputation import FreshFeatures


@dataclass(frozen=True)
class StoreStatus:
    """What the feature store holds.

    Attributes:
        views: registered feature views.
        services: columns of each registered service.
        newest_snapshot: moment of the newest snapshot file, None when there is none.
        online_as_of: moment that was published last, None when nothing was.
        online: what is online by view: customers, versions of their rows, ages.
    """

    views: tuple[str, ...]
    services: Mapping[str, tuple[str, ...]]
    newest_snapshot: AsOf | None
    online_as_of: AsOf | None
    online: Mapping[str, "ViewStatus"]

    @property
    def online_customers(self) -> int:
        """The number of customers whose features are online."""
        return self.online[FEATURES_VIEW].rows if FEATURES_VIEW in self.online else 0


class FeatureReader:
    """Reads features as of a moment. Threads may share one.

    Definitions are read once: a reader that is open does not notice what another process applies.

    Args:
        settings: the project file.
        layout: where the project keeps its files.
    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._ttl = timedelta(days=settings.features.ttl_days)
        self._snapshots = layout.snapshots
        self._registry_file = layout.feature_registry
        self._session: Session | None = None
        self._request_time = RequestTime(RequestTimePlan(), calendar_values)
        self._opening = threading.Lock()

    def apply(
        self,
        columns_by_goal: Mapping[GoalName, Sequence[str]],
        request_time: RequestTimePlan | None = None,
    ) -> None:
        """Register the features that each goal reads, and drop what is no longer named.

        Args:
            columns_by_goal: names of the features, all float64, in the order of the vectors.
            request_time: which of them move with the clock, and how; none when None.

        Raises:
            FeatureStoreError: if the registry or the online store cannot be written.
        """
        self._registry_file.parent.mkdir(parents=True, exist_ok=True)
        with feast_at_work("registering the features"):
            from features.definitions.repository import definitions

            save_plan(request_time or RequestTimePlan(), self._layout.request_time)
            session = self._new_session()
            session.register(
                definitions(self._snapshots, columns_by_goal, ttl=self._ttl),
                services=[feature_service_name(goal) for goal in columns_by_goal],
            )
        self._session = None

    def publish(self, as_of: AsOf, *, replace: bool = False) -> int:
        """Put the snapshot of a moment online, all at once, and return its number of customers.

        Whoever is not in it is not online any more, unless newer features of theirs were pushed.

        Args:
            as_of: the moment of the snapshot.
            replace: let it go back in time; nothing newer lives on then.

        Raises:
            FeatureStoreError: if there is no snapshot of that moment, or a newer one is online.
        """
        import pyarrow.parquet as pq

        from features.snapshots import snapshot_path

        self._open()
        snapshot = snapshot_path(self._snapshots, as_of)
        if not snapshot.exists():
            raise FeatureStoreError(f"there is no snapshot as of {as_of}; {BUILD}")
        newest = self._online.as_of()
        goes_back = newest is not None and newest > as_of
        if goes_back and not replace:
            raise FeatureStoreError(
                f"features as of {newest} are online, which is after {as_of}; "
                "publish a later moment, or replace what is online"
            )
        with feast_at_work(f"publishing the features as of {as_of}"):
            customers = int(pq.read_metadata(snapshot).num_rows)
            self._new_session("replace" if goes_back else "full").materialize(as_of, as_of)
        return customers

    def refresh(self, as_of: AsOf, lookback: timedelta) -> None:
        """Write the snapshots of a window over what is online, row by row: the newest one wins.

        For rows that were late: whoever is not in the window keeps what is online.

        Args:
            as_of: end of the window.
            lookback: its length.

        Raises:
            FeatureStoreError: if the registry is missing, or the online store cannot be written.
        """
        self._open()
        with feast_at_work(f"refreshing the features up to {as_of}"):
            start = as_of.plus_days(-lookback / timedelta(days=1))
            self._new_session().materialize(start, as_of)

    def push(self, fresh: "FreshFeatures") -> None:
        """Write features of some customers over older ones that are online; newer ones stay.

        Raises:
            FeatureStoreError: if nothing was published, or the online store cannot be written.
        """
        self._online.push(fresh)

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
        ids, reads = tuple(dict.fromkeys(customer_ids)), self._request_time.reads(columns)
        with feast_at_work(f"joining the features as of {as_of}"):
            wide = session.join(ids, as_of, FEATURES_VIEW, (*reads, SNAPSHOT_EPOCH))
            seconds = wide[:, -1].copy()
            missing = np.flatnonzero(np.isnan(seconds))
            unseen = [ids[row] for row in missing]
            last_seen = session.join(unseen, as_of, LAST_SEEN_VIEW, (SNAPSHOT_EPOCH,))
        seconds[missing] = last_seen[:, 0]
        stored = StoredFeatures(ids, reads, wide[:, :-1], seconds)
        moved = stored.brought_forward(as_of, self._request_time, columns)
        return moved.vectors(customer_ids, as_of, self._ttl)

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
        columns, ids = self._columns_of(services), tuple(dict.fromkeys(customer_ids))
        stored, found = self._online.read(ids, self._request_time.reads(columns))
        stored.require_not_after(as_of)
        stored.require_published(found, as_of=as_of, ttl=self._ttl)
        moved = stored.brought_forward(as_of, self._request_time, columns)
        return moved.vectors(customer_ids, as_of, self._ttl)

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
        return StoreStatus(
            views=tuple(session.ttls),
            services=session.services,
            newest_snapshot=AsOf.parse(newest) if newest else None,
            online_as_of=self._online.as_of(),
            online=self._online.status(),
        )

    @cached_property
    def _online(self) -> "PublishedFeatures":
        from features.online_store.published import PublishedFeatures

        return PublishedFeatures(self._settings, self._layout)

    def _columns_of(self, services: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(map(self.columns, services))))

    def _open(self) -> "Session":
        with self._opening:
            if self._session is None:
                if not self._registry_file.exists():
                    raise FeatureStoreError(f"there is no {self._registry_file}; {BUILD}")
                plan = load_plan(self._layout.request_time)
                self._request_time = RequestTime(plan, calendar_values)
                with feast_at_work("opening the feature registry"):
                    self._session = self._new_session()
            return self._session

    def _new_session(self, refresh: str = "rows") -> "Session":
        from features.definitions.repository import repository_config
        from features.definitions.session import Session
        from features.online_store.opening import feast_section

        config = repository_config(
            self._settings.name,
            registry=self._registry_file,
            online_store=feast_section(self._settings, self._layout),
            refresh=refresh,
        )
        return Session(config)

    def _require_snapshots(self) -> None:
        if self._open().ttls.get(FEATURES_VIEW) != self._ttl:
            raise FeatureStoreError(f"features.ttl_days has changed since the build; {BUILD}")
        if next(self._snapshots.glob("*.parquet"), None) is None:
            raise FeatureStoreError(f"there is no snapshot in {self._snapshots}; {BUILD}")


def open_reader(settings: Settings, layout: Layout) -> FeatureReader:
    """Return the reader of a project's features. Nothing is opened before it is used."""
    return FeatureReader(settings, layout)
