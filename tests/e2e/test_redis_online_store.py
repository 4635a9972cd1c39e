"""A project whose features are online in Redis: publish, read, score over HTTP, status."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from features.contracts.vectors import Presence
from features.store import FeatureReader, open_reader
from pipelines.serve import running_service
from serving.registry import ModelRegistry
from serving.scorer import Scorer
from tests.servers_redis import RedisServer, running_redis
from tests.serving.served_project import (
    CUSTOMERS,
    GOALS,
    MOMENT,
    ServedProject,
    make_ready,
    write_project,
)

pytestmark = pytest.mark.e2e

SERVICES = tuple(f"{goal}_v1" for goal in GOALS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> ServedProject:
    root = tmp_path_factory.mktemp("served") / "a project"
    project = write_project(root, online_store={"type": "redis", "url": server.url})
    make_ready(project)
    return project


@pytest.fixture
def reader(project: ServedProject) -> FeatureReader:
    return open_reader(project.settings, project.layout)


def test_online_features_are_those_of_the_snapshot(
    project: ServedProject, reader: FeatureReader
) -> None:
    asked = [*CUSTOMERS, "nobody"]

    online = reader.online(asked, as_of=MOMENT, services=SERVICES)

    historical = reader.historical(asked, as_of=MOMENT, services=SERVICES)
    assert online.values.tobytes() == historical.values.tobytes()
    assert online.presence.tolist() == [Presence.PRESENT] * 40 + [Presence.UNKNOWN_CUSTOMER]
    assert not project.layout.online_store.exists()


def test_status_tells_what_redis_holds(reader: FeatureReader) -> None:
    status = reader.status()

    assert (status.online_as_of, status.online_customers) == (MOMENT, len(CUSTOMERS))


def test_scores_over_http_are_those_of_a_batch_run(
    project: ServedProject, reader: FeatureReader, server: RedisServer
) -> None:
    uri = project.layout.tracking_uri(project.settings.tracking)
    registry = ModelRegistry(uri, "bellwether", project.layout.models)
    vectors = reader.historical(CUSTOMERS, as_of=MOMENT, services=SERVICES)
    batch = Scorer(registry.load_champions(GOALS)).score(vectors, as_of=MOMENT)

    with running_service(project.root, project.settings, project.layout) as address:
        answer = httpx.post(f"{address}/v1/score", json={"customer_ids": CUSTOMERS})

    assert answer.status_code == 200, answer.text
    for goal in GOALS:
        told = [result["scores"][goal]["probability"] for result in answer.json()["results"]]
        assert np.array(told).tobytes() == batch.goals[goal].probability.tobytes()
    log = (project.layout.state / "service.log").read_text(encoding="utf-8")
    assert server.url not in log
