"""Training problems of a project: features from the store, labels from the data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, FeatureStoreError
from features.contracts.goals import GoalName
from pipelines.build_features import needed_moments
from pipelines.wiring import Announce, Project, silent

if TYPE_CHECKING:
    from features.contracts.vectors import FeatureVectors
    from features.labels import Outcomes
    from features.sources import CanonicalTables
    from training.dataset import LabelReader
    from training.fit import GoalProblem


def read_vectors(
    project: Project,
    moments: Sequence[AsOf],
    *,
    announce: Announce = silent,
) -> "dict[AsOf, FeatureVectors]":
    """Return the features of everyone at each moment, through the feature store.

    Raises:
        FeatureStoreError: if a snapshot is missing.
    """
    from features.snapshots import customers_at

    reader = project.reader()
    services = reader.services()
    vectors = {}
    for moment in moments:
        announce(f"joining the features as of {moment}")
        customers = customers_at(project.layout.snapshots, moment)
        vectors[moment] = reader.historical(customers, as_of=moment, services=services)
    return vectors


def make_problems(
    project: Project,
    data: "CanonicalTables",
    goals: Sequence[GoalName],
    as_of: AsOf,
    *,
    announce: Announce = silent,
) -> "dict[GoalName, GoalProblem]":
    """Return what a fit of each goal as of `as_of` needs.

    Raises:
        ConfigurationError: if a goal needs a column that is not mapped.
        FeatureStoreError: if a snapshot is missing.
    """
    from features.dataset_manifest import read_dataset_hash
    from features.definitions import feature_service_name
    from training.code_version import code_version
    from training.fit import GoalProblem
    from training.specs import SPECS

    for goal in goals:
        _require_columns(data, goal)
    moments = needed_moments(project.settings, as_of, data.first_event)
    _require_snapshots(project, moments, as_of)
    vectors = read_vectors(project, moments, announce=announce)
    version, dataset_hash = code_version(), read_dataset_hash(project.layout.snapshots)
    return {
        goal: GoalProblem(
            spec=SPECS[goal],
            goal=project.settings.goals[goal],
            training=project.settings.training,
            first_event=data.first_event,
            vectors=vectors,
            labels=_label_reader(data, project.settings.goals[goal].horizon_days),
            feature_service=feature_service_name(goal),
            seed=project.settings.seed,
            code_version=version,
            dataset_hash=dataset_hash,
        )
        for goal in goals
    }


def _label_reader(data: "CanonicalTables", horizon_days: int) -> "LabelReader":
    from features.labels import outcomes

    def read(customers: tuple[str, ...], as_of: AsOf, known_at: AsOf) -> "Outcomes":
        return outcomes(
            data.tables["orders"],
            customers,
            as_of=as_of,
            horizon_days=horizon_days,
            observed_until=known_at,
        )

    return read


def _require_columns(data: "CanonicalTables", goal: GoalName) -> None:
    from training.specs import SPECS

    missing = sorted(SPECS[goal].needs - data.mapped["orders"])
    if missing:
        raise ConfigurationError(
            f"the goal {goal.value} needs the column `{missing[0]}` of orders: map it in "
            "bellwether.yaml, or remove the goal"
        )


def _require_snapshots(project: Project, moments: Sequence[AsOf], as_of: AsOf) -> None:
    from features.snapshots import snapshot_path

    for moment in moments:
        if not snapshot_path(project.layout.snapshots, moment).exists():
            raise FeatureStoreError(
                f"there is no snapshot as of {moment}, which training as of {as_of} needs; "
                f"run `bellwether features build --as-of {as_of}`"
            )


def newest_moment(project: Project) -> AsOf:
    """Return the moment of the features that were built last and are online.

    Snapshots of later moments do not count: batch scoring adds some on its own.

    Raises:
        FeatureStoreError: if no features were built.
    """
    newest = project.reader().status().online_as_of
    if newest is None:
        raise FeatureStoreError("no features were built yet; run `bellwether features build`")
    return newest
