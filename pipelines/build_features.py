"""Build features: snapshots of all moments that training and scoring need, then the store."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.atomic_text import write_atomically
from features.contracts.as_of import AsOf
from features.contracts.errors import HistoryError, ImmatureLabelsError
from features.contracts.goals import GoalName
from features.contracts.settings import Settings
from pipelines.wiring import Announce, Project, silent

if TYPE_CHECKING:
    from features.sources import CanonicalTables

QUIET_DAYS = 14
"""A moment may lie this long after the last order: shops have weekends and holidays."""


@dataclass(frozen=True)
class BuiltFeatures:
    """What was built: the newest moment, all moments, customers at the newest, and features."""

    as_of: AsOf
    moments: tuple[AsOf, ...]
    customers: int
    columns: tuple[str, ...]


def build_features(
    project: Project, *, as_of: AsOf | None = None, announce: Announce = silent
) -> BuiltFeatures:
    """Build the snapshots up to `as_of` and publish the newest.

    When None, `as_of` is the fixed clock of the project, or else the end of the data, but not after
    now.

    Raises:
        SourceError: if the data cannot be read.
        EmptyCohortError: if nobody had ordered before a moment.
    """
    from features.push_log import PushLog

    log = PushLog(project.layout.pushed)
    pushed_until = log.last()
    announce("reading the data")
    data = project.load_data()
    try:
        # The last day of the data may be today: what is online must not be of tonight.
        newest = as_of or project.clock or min(data_end(project, data), project.now)
        known = knowledge(project, data, newest)
        built = build_snapshots(project, data, newest, known_at=known, announce=announce)
        if project.lake_tables:
            # Rows that this machine never sees cannot be added to: no pushes, until all are read.
            project.layout.history.unlink(missing_ok=True)
        else:
            announce("keeping the history of customers")
            _keep_history(project, data, newest, pushed_until)
    finally:
        data.close()
    announce("publishing the newest features online")
    project.reader().publish(newest, replace=True)
    if not project.lake_tables and log.wait_again(pushed_until, newest):
        announce("renewing whoever had rows pushed since")
        project.pusher().replay()
    return built


def _keep_history(
    project: Project, data: "CanonicalTables", as_of: AsOf, pushed_until: int
) -> None:
    from features.history_building import keep_history

    keep_history(
        data.connection.con,
        data.mapped,
        as_of=as_of,
        snapshots=project.layout.snapshots,
        pushed_until=pushed_until,
        path=project.layout.history,
    )


def build_snapshots(
    project: Project,
    data: "CanonicalTables",
    as_of: AsOf,
    *,
    known_at: AsOf,
    announce: Announce = silent,
) -> BuiltFeatures:
    """Build the snapshots of `as_of` and of what training as of `known_at` needs, and register.

    Snapshots of other moments are removed: they may hold other features. A manifest beside them
    says what they were made of; it is missing while they are built.
    """
    from features.catalogue import feature_columns
    from features.dataset_manifest import MANIFEST, make_manifest
    from features.engines import open_engine
    from features.request_time_plan import request_time_plan

    manifest = project.layout.snapshots / MANIFEST
    needed = needed_moments(project.settings, known_at, data.first_event)
    moments = tuple(sorted({*needed, as_of}))
    customers = 0
    written = {}
    with open_engine(project.settings.features, data, project.layout) as engine:
        mapped, columns = engine.mapped, feature_columns(engine.mapped)
        for file in engine.write(moments, project.layout.snapshots):
            manifest.unlink(missing_ok=True)  # it speaks of the snapshots before
            announce(f"features as of {file.as_of}: {file.customers:,} customers")
            customers = file.customers
            written[str(file.as_of)] = file.path
    for path in set(project.layout.snapshots.glob("*.parquet")) - set(written.values()):
        path.unlink()
    announce("hashing what the snapshots were made of")
    made = make_manifest(data.connection, data.tables, project.settings, columns, written)
    write_atomically(manifest, made.to_json())
    announce("registering the features")
    project.reader().apply(
        dict.fromkeys(project.settings.goals, columns), request_time_plan(mapped)
    )
    return BuiltFeatures(as_of, moments, customers, columns)


def data_end(project: Project, data: "CanonicalTables") -> AsOf:
    """Return the moment up to which the project's data tell what happened."""
    from features.labels import observed_until

    return observed_until(data.last_event, project.settings.timezone)


def knowledge(project: Project, data: "CanonicalTables", as_of: AsOf) -> AsOf:
    """Return the moment up to which training as of `as_of` knows what happened.

    That is the end of the data when it comes first: days after it did not go by without orders,
    they are not known yet.
    """
    return min(as_of, data_end(project, data))


def require_data_until(project: Project, data: "CanonicalTables", as_of: AsOf) -> None:
    """Check that the data tell what happened until `as_of`, but for a few days without orders.

    Raises:
        ImmatureLabelsError: if they end long before.
    """
    end = data_end(project, data)
    if as_of > end.plus_days(QUIET_DAYS):
        raise ImmatureLabelsError(
            f"what happened until {as_of} is not known: the data end at {end}; "
            "choose an earlier moment with --as-of, or add newer data"
        )


def needed_moments(settings: Settings, as_of: AsOf, first_event: AsOf) -> tuple[AsOf, ...]:
    """Return the moments that training and judging every goal as of `as_of` need, oldest first.

    A goal that history cannot carry yet adds none; training then says what is short.
    """
    moments = {as_of}
    for goal in settings.goals:
        horizon = settings.goals[goal].horizon_days
        for knowledge in (as_of, as_of.plus_days(-horizon)):
            moments.update(_moments(settings, goal, knowledge, first_event))
    return tuple(sorted(moments))


def _moments(
    settings: Settings, goal: GoalName, as_of: AsOf, first_event: AsOf
) -> tuple[AsOf, ...]:
    from training.splits import make_split

    try:
        return make_split(
            as_of,
            horizon_days=settings.goals[goal].horizon_days,
            first_event=first_event,
            settings=settings.training,
        ).fit
    except HistoryError:
        return ()
