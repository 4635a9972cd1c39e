import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog.testing
from starlette.testclient import TestClient

from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName
from serving import process
from serving.process import Door, ServingProcess
from serving.scorer import LoadedModel
from tests.fakes import FakeFeatureReader, FakeRegistry, make_model
from tests.serving.served_project import ServedProject, write_project

CHURN, CLV = GoalName.CHURN, GoalName.CLV


class Parts:
    """What the process is wired with; tests change it while the process runs."""

    def __init__(self) -> None:
        self.models: Mapping[GoalName, LoadedModel] = {
            goal: make_model(goal) for goal in (CHURN, CLV)
        }
        self.reader = FakeFeatureReader({"ann": (0.5, 1.0, 2.0)})


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    parts = Parts()
    monkeypatch.setattr(process, "ModelRegistry", lambda *_: FakeRegistry(parts.models))
    monkeypatch.setattr(process, "open_reader", lambda *_: parts.reader)
    monkeypatch.setattr(process, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr("gc.freeze", lambda: None)  # this process goes on to other tests
    return parts


@pytest.fixture
def project(tmp_path: Path) -> ServedProject:
    return write_project(tmp_path / "project")


@pytest.fixture
def serving(project: ServedProject, parts: Parts) -> Iterator[ServingProcess]:
    serving = ServingProcess(project.root, Door())
    yield serving
    serving.close()


def client_of(serving: ServingProcess) -> TestClient:
    return TestClient(serving._door)


def wait_until(happened: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(1_000):
        if happened():
            return
        waiting.wait(0.01)
    pytest.fail("it did not happen")


def test_started_process_answers_as_of_the_projects_clock(serving: ServingProcess) -> None:
    serving.start()

    answer = client_of(serving).post("/v1/score", json={"customer_ids": ["ann"]}).json()

    assert serving.is_ready
    assert answer["as_of"] == "2026-03-01T00:00:00Z"
    assert answer["results"][0]["scores"]["churn"]["probability"] == 0.5


def test_warm_up_is_not_logged_as_a_score(
    serving: ServingProcess, project: ServedProject, parts: Parts
) -> None:
    serving.start()
    serving.close()

    assert parts.reader.asked[0][0] == process.WARM_UP_IDS
    assert not project.layout.score_log.exists()


def test_before_the_start_nothing_is_ready_and_the_api_says_so(serving: ServingProcess) -> None:
    client = client_of(serving)

    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").json()["error"]["message"] == "starting"
    assert client.post("/v1/score", json={"customer_ids": ["ann"]}).status_code == 503


def test_missing_champions_are_told_and_tried_again(serving: ServingProcess, parts: Parts) -> None:
    models, parts.models = parts.models, {}
    with structlog.testing.capture_logs():
        serving.start()
        response = client_of(serving).get("/health/ready")
        assert response.status_code == 503
        assert "run: bellwether promote churn" in response.json()["error"]["message"]

        parts.models = models
        wait_until(lambda: serving.is_ready)

    assert client_of(serving).get("/health/ready").status_code == 200
    assert len(client_of(serving).get("/v1/models").json()["models"]) == 2


def test_missing_features_are_told_and_tried_again(serving: ServingProcess, parts: Parts) -> None:
    parts.reader.down = True
    with structlog.testing.capture_logs():
        serving.start()
        response = client_of(serving).get("/health/ready")
        assert "online store does not answer" in response.json()["error"]["message"]

        parts.reader.down = False
        wait_until(lambda: serving.is_ready)


def test_one_champion_is_enough_and_the_other_goal_says_so(
    serving: ServingProcess, parts: Parts
) -> None:
    parts.models = {CHURN: make_model()}
    with structlog.testing.capture_logs() as said:
        serving.start()

    answer = client_of(serving).post("/v1/score", json={"customer_ids": ["ann"]}).json()

    scores = answer["results"][0]["scores"]
    assert (scores["churn"]["status"], scores["clv"]["status"]) == ("scored", "model_unavailable")
    assert said[-1]["without_champion"] == ["clv"]


def test_missing_project_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no project file"):
        ServingProcess(tmp_path, Door())


def test_sigterm_flips_readiness_before_the_server_stops(serving: ServingProcess) -> None:
    serving.start()
    stopped: list[int] = []
    ready_when_stopped: list[bool] = []

    def stop(number: int, frame: object) -> None:
        stopped.append(number)
        ready_when_stopped.append(serving.is_ready)

    async def run() -> None:
        serving.drain_on_sigterm()
        os.kill(os.getpid(), signal.SIGTERM)
        assert not serving.is_ready
        while not stopped:
            await asyncio.sleep(0.001)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        asyncio.run(run())
    finally:
        signal.signal(signal.SIGTERM, before)

    assert (stopped, ready_when_stopped) == ([signal.SIGTERM], [False])
