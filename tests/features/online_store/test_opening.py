"""Feast and we open the same store."""

from pathlib import Path
from typing import Any

import pytest
from feast import RepoConfig
from feast.infra.online_stores.helpers import get_online_store_from_config

from features.contracts.layout import Layout
from features.contracts.online_settings import OnlineStoreSettings
from features.contracts.settings import Settings
from features.definitions.repository import repository_config
from features.online_store.feast_store import ColumnarOnlineStore
from features.online_store.opening import feast_section, open_rows
from features.online_store.schema import RowSchema, ValueType
from tests.features.snapshot_project import settings
from tests.servers_redis import RedisServer

pytestmark = pytest.mark.integration

SCHEMA = RowSchema(("spend_90d",), (ValueType.FLOAT64,))


def project_with(**online_store: Any) -> Settings:
    return settings().model_copy(
        update={"online_store": OnlineStoreSettings.model_validate(online_store)}
    )


def config_of(own: Settings, layout: Layout) -> RepoConfig:
    section = feast_section(own, layout)
    return repository_config(own.name, registry=layout.feature_registry, online_store=section)


def feast_store(config: RepoConfig) -> ColumnarOnlineStore:
    store = get_online_store_from_config(config.online_store)
    assert isinstance(store, ColumnarOnlineStore)
    return store


@pytest.mark.parametrize("path", [None, "elsewhere/features.db"])
def test_sqlite_file_is_the_same_for_feast(tmp_path: Path, path: str | None) -> None:
    own, layout = project_with(path=path), Layout(tmp_path)
    rows = open_rows(own, layout)
    rows.register("view", SCHEMA)

    config = config_of(own, layout)
    theirs = feast_store(config).rows(config)

    assert theirs.views() == ("view",)
    assert (tmp_path / (path or "state/online.db")).is_file()
    rows.close()
    theirs.close()


def test_redis_is_the_same_for_feast_and_its_password_is_not_shown(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    own, layout = project_with(type="redis", url=redis_server.url), Layout(tmp_path)
    rows = open_rows(own, layout)
    rows.register("view", SCHEMA)

    config = config_of(own, layout)
    theirs = feast_store(config).rows(config)

    assert theirs.views() == ("view",)
    assert redis_server.url not in f"{config!r} {config.online_store!r} {own!r}"
    rows.close()
    theirs.close()
