"""Starting and stopping the real service, and what must hold before it starts."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import pipelines.serve
from features.contracts.errors import FeatureStoreError, ModelUnavailableError, ServiceError
from features.definitions import FEATURES_VIEW
from features.online_store.opening import open_rows
from features.online_store.refresh_names import refresh_name
from features.online_store.row_store import RowStore
from features.online_store.schema import RowSchema
from pipelines.serve import check_before_start, running_service
from serving.score_log import read_scores
from tests.repository import ROOT
from tests.serving.served_project import GOALS, MOMENT, ServedProject, make_ready, write_project

pytestmark = pytest.mark.e2e

FOREGROUND = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from features.contracts.layout import Layout
from features.contracts.settings import load_settings
from pipelines.serve import serve
layout = Layout(Path(sys.argv[2]))
serve(layout.root, load_settings(layout.project_file), layout, port=int(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ServedProject:
    project = write_project(tmp_path_factory.mktemp("served") / "a project", drain_seconds=1.5)
    make_ready(project)
    return project


@pytest.fixture(autouse=True)
def nothing_is_left_running(project: ServedProject) -> Iterator[None]:
    yield
    assert family(project) == []


def family(project: ServedProject) -> list[psutil.Process]:
    """Return every process that serves the project and still runs."""
    return [process for process in psutil.process_iter() if serves(process, project)]


def serves(process: psutil.Process, project: ServedProject) -> bool:
    try:
        is_ours = process.environ().get("BELLWETHER_PROJECT") == str(project.root)
        return bool(is_ours and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError):
        return False


def fail_while_running(project: ServedProject, started: list[psutil.Process]) -> None:
    with running_service(project.root, project.settings, project.layout):
        started += family(project)
        next(process for process in started if "serve" in process.cmdline()).kill()
        raise RuntimeError("the demo failed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(url: str) -> int:
    try:
        return httpx.get(url).status_code
    except httpx.TransportError:
        return 0


def test_taken_port_is_named(project: ServedProject) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        message = f"port {port} is taken by another process; choose another with --port"
        with pytest.raises(ServiceError, match=message):
            check_before_start(project.settings, project.layout, port)


def test_missing_features_name_the_next_command(tmp_path: Path) -> None:
    project = write_project(tmp_path / "new")

    with pytest.raises(
        FeatureStoreError, match=r"there is no online store.*`bellwether features build`"
    ):
        check_before_start(project.settings, project.layout, free_port())


def online_store_of(project: ServedProject) -> RowStore:
    rows = open_rows(project.settings, project.layout)
    rows.register(FEATURES_VIEW, RowSchema((), ()))
    return rows


def test_store_without_features_names_the_next_command(tmp_path: Path) -> None:
    project = write_project(tmp_path / "new")
    online_store_of(project).close()

    with pytest.raises(FeatureStoreError, match=r"no features are online.*features build"):
        check_before_start(project.settings, project.layout, free_port())


def test_missing_champion_names_the_next_command(tmp_path: Path) -> None:
    project = write_project(tmp_path / "new")
    rows, refresh = online_store_of(project), refresh_name(MOMENT.moment, "nobody")
    rows.begin_refresh(FEATURES_VIEW, refresh)
    rows.publish_refresh(FEATURES_VIEW, refresh)
    rows.close()

    with pytest.raises(ModelUnavailableError, match="run: bellwether promote churn"):
        check_before_start(project.settings, project.layout, free_port())


def test_foreground_service_drains_answers_logs_and_ends_well(project: ServedProject) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", FOREGROUND, str(ROOT), str(project.root), str(port)]
    with subprocess.Popen(command) as process:
        try:
            wait_for(lambda: status(f"{url}/health/ready") == 200)
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: status(f"{url}/health/ready") == 503, seconds=1.5)
            answer = httpx.post(f"{url}/v1/score", json={"customer_ids": ["customer 1"]})
        finally:
            process.terminate()

    assert process.returncode == 0
    assert answer.status_code == 200
    logged = read_scores(project.layout.score_log)["request_id"].to_pylist()
    assert logged == [answer.json()["request_id"]] * len(GOALS)


def test_worker_that_outlives_its_master_is_ended_too(project: ServedProject) -> None:
    started: list[psutil.Process] = []

    with pytest.raises(RuntimeError, match="the demo failed"):
        fail_while_running(project, started)

    assert len(started) > 1


def test_service_that_ends_at_once_is_told_with_its_log(
    project: ServedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines.serve, "SERVICE", "serving.service:Nothing")

    with (
        pytest.raises(ServiceError, match=r"ended at once with code 1; see .*service\.log"),
        running_service(project.root, project.settings, project.layout),
    ):
        pass

    assert "Nothing" in (project.layout.state / "service.log").read_text()


def test_service_that_is_not_ready_in_time_is_stopped(project: ServedProject) -> None:
    with (
        pytest.raises(ServiceError, match=r"not ready after 0\.5 s: it does not answer yet"),
        running_service(project.root, project.settings, project.layout, start_seconds=0.5),
    ):
        pass
