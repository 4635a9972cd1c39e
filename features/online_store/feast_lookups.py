"""What Feast's `get_online_features` asks of a store: views, and the keys of their entities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feast import FeatureView, RepoConfig, utils
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value

from features.online_store.feast_values import keys_of_values
from features.online_store.row_store import Rows

Grouped = Sequence[tuple[FeatureView, list[str]]]


@dataclass(frozen=True)
class Lookup:
    """One read of the store: several views of the same customers, in one round trip.

    Attributes:
        places: position of each view among those that were asked for.
        views: their names in the store.
        keys: the customers.
    """

    places: list[int]
    views: list[str]
    keys: list[bytes]


def stored_name(config: RepoConfig, view: FeatureView) -> str:
    """Return the name of a view in the store, with its version if Feast keeps several."""
    return compute_versioned_name(view, config.registry.enable_online_feature_view_versioning)


def lookups(
    config: RepoConfig,
    grouped: Grouped,
    join_key_values: dict[str, list[Value]],
    join_keys: dict[str, str],
) -> list[Lookup]:
    """Return the reads that answer a request; one, when all views are about the same entity.

    Args:
        config: Feast's configuration.
        grouped: the views and the features wanted of each.
        join_key_values: the entities asked for: n values by join key.
        join_keys: the join key of each entity.

    Raises:
        KeyError: if the request lacks the join key of a view.
    """
    by_keys: dict[tuple[bytes, ...], Lookup] = {}
    for place, (view, _) in enumerate(grouped):
        keys = _keys(view, join_key_values, join_keys)
        lookup = by_keys.setdefault(tuple(keys), Lookup([], [], keys))
        lookup.places.append(place)
        lookup.views.append(stored_name(config, view))
    return list(by_keys.values())


def in_order(asked: Sequence[Lookup], read: Sequence[Sequence[Rows]]) -> list[Rows]:
    """Return what was read, in the order in which the views were asked for."""
    placed = {
        place: rows
        for lookup, answered in zip(asked, read, strict=True)
        for place, rows in zip(lookup.places, answered, strict=True)
    }
    return [placed[place] for place in range(len(placed))]


def tell_versions(response: GetOnlineFeaturesResponse, grouped: Grouped) -> None:
    """Add the version of each view to a response, once."""
    told = {view.name for view in response.metadata.feature_view_metadata}
    for view, _ in grouped:
        name = view.projection.name_alias or view.projection.name
        if name not in told:
            version = getattr(view, "current_version_number", 0) or 0
            response.metadata.feature_view_metadata.add(name=name, version=version)
            told.add(name)


def _keys(
    view: FeatureView, join_key_values: dict[str, list[Value]], join_keys: dict[str, str]
) -> list[bytes]:
    values: Mapping[str, list[Value]] = utils._get_table_entity_values(
        view, join_keys, join_key_values
    )
    if not any(values.values()):
        # Feast's own check, for its own error. It sorts every entity, which we can do without.
        utils._get_unique_entities(view, join_key_values, join_keys)
    return keys_of_values(values)
