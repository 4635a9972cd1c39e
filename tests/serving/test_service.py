"""The real service: BentoML's process, Feast's store and MLflow's registry, over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from features.store import open_reader
from pipelines.serve import running_service
from serving.registry import ModelRegistry
from serving.scorer import Scorer
from tests.serving.served_project import (
    CUSTOMERS,
    GOALS,
    MOMENT,
    ServedProject,
    make_ready,
    write_project,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ServedProject:
    project = write_project(tmp_path_factory.mktemp("served") / "a project")
    make_ready(project)
    return project


@pytest.fixture(scope="module")
def address(project: ServedProject) -> Iterator[str]:
    with running_service(project.root, project.settings, project.layout) as url:
        yield url


def ask(address: str, customer_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    response = httpx.post(f"{address}/v1/score", json={"customer_ids": customer_ids})
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def test_scores_over_http_are_equal_to_a_batch_run_to_the_last_bit(
    project: ServedProject, address: str
) -> None:
    uri = project.layout.tracking_uri(project.settings.tracking)
    registry = ModelRegistry(uri, "bellwether", project.layout.models)
    vectors = open_reader(project.settings, project.layout).historical(
        CUSTOMERS, as_of=MOMENT, services=[f"{goal}_v1" for goal in GOALS]
    )
    batch = Scorer(registry.load_champions(GOALS)).score(vectors, as_of=MOMENT)

    results = ask(address, CUSTOMERS[:1]) + ask(address, CUSTOMERS[1:])

    for goal in GOALS:
        told = np.array([result["scores"][goal]["probability"] for result in results])
        assert told.tobytes() == batch.goals[goal].probability.tobytes()
    assert {result["features_as_of"] for result in results} == {"2026-03-01T00:00:00Z"}


def test_unknown_customer_is_told_apart(address: str) -> None:
    (result,) = ask(address, ("nobody",))

    assert result["scores"]["churn"]["status"] == "unknown_customer"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/v1/nothing", 404),
        ("/metrics", 404),
        ("/v1/score", 405),
    ],
)
def test_addresses_are_the_plain_ones(address: str, path: str, status: int) -> None:
    assert httpx.get(address + path).status_code == status


def test_errors_and_request_ids_pass_through_the_server(address: str) -> None:
    response = httpx.post(
        f"{address}/v1/score", content=b"{", headers={"X-Request-ID": "campaign-7"}
    )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"
    assert response.headers["x-request-id"] == "campaign-7"
