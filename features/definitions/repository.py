"""The whole Feast repository, made in Python: its configuration and everything it declares."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from feast import RepoConfig
from sqlalchemy import URL

from features.contracts.goals import GoalName
from features.definitions.entities import customer
from features.definitions.services import feature_service
from features.definitions.views import (
    customer_features,
    customer_last_seen,
    push_source,
    snapshot_source,
)

ENGINE = "features.online_store.materialization.ColumnarComputeEngine"

REGISTRY_CACHE_SECONDS = 300
"""How long definitions are remembered before the registry is asked again."""


def repository_config(
    project: str, *, registry: Path, online_store: Mapping[str, object], refresh: str = "rows"
) -> RepoConfig:
    """Return the configuration: the registry on SQLite, joins on DuckDB, our own online store.

    Args:
        project: name of the project.
        registry: file of the registry.
        online_store: the section of the online store.
        refresh: what materializing does: `rows`, `full` or `replace`.
    """
    url = URL.create("sqlite", database=str(registry)).render_as_string(hide_password=False)
    return RepoConfig(
        project=project,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": url,
            "cache_ttl_seconds": REGISTRY_CACHE_SECONDS,
            # Feast refuses online reads of a view while it is being materialized, and for good
            # when that was cut short. Readers see whole rows of one refresh, so reading on is safe.
            "serve_features_while_materializing": True,
        },
        offline_store={"type": "duckdb"},
        online_store=dict(online_store),
        batch_engine={"type": ENGINE, "refresh": refresh, "show_progress": False},
        entity_key_serialization_version=3,
    )


def definitions(
    snapshots: Path, columns_by_goal: Mapping[GoalName, Sequence[str]], *, ttl: timedelta
) -> list[Any]:
    """Return everything there is to register, for features in `snapshots` that live for `ttl`."""
    source = snapshot_source(snapshots)
    columns = dict.fromkeys(chain.from_iterable(columns_by_goal.values()))
    pushes = push_source(source)
    view = customer_features(pushes, tuple(columns), ttl=ttl)
    services = [feature_service(goal, view, own) for goal, own in columns_by_goal.items()]
    return [customer(), source, pushes, view, customer_last_seen(source), *services]
