"""Start the scoring service: in the foreground for people, or for a while for the demo and tests.

The service is a child process of its own (`bentoml serve`), so that it runs here exactly as it runs
in a container.
"""

import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from features.contracts.errors import ServiceError
from features.contracts.layout import Layout
from features.contracts.settings import Settings

if TYPE_CHECKING:
    import psutil

SERVICE = "serving.service:BellwetherService"
START_SECONDS = 120.0
STOP_SECONDS = 15.0
STOP_ROUNDS = 5
POLL_SECONDS = 0.1
FAMILY_MARK = "BELLWETHER_SERVICE_RUN"


def serve(project_dir: Path, settings: Settings, layout: Layout, *, port: int) -> None:
    """Serve the project at `port` until told to stop (Ctrl-C or SIGTERM).

    Raises:
        ServiceError: if the port is taken.
        ModelUnavailableError: if a goal has no champion.
        FeatureStoreError: if there are no online features.
        SystemExit: with the service's code, if it ends by itself and not well.
    """
    check_before_start(settings, layout, port)
    child = _Child(project_dir, settings, layout, port, None)
    try:
        with _signals_go_to(child.process):
            code = child.process.wait()
    finally:
        child.stop()
    # A service that ended because it was told to has ended well.
    if code not in (0, -signal.SIGTERM):
        raise SystemExit(code if code > 0 else 128 - code)


@contextmanager
def running_service(
    project_dir: Path,
    settings: Settings,
    layout: Layout,
    *,
    port: int | None = None,
    start_seconds: float = START_SECONDS,
) -> Iterator[str]:
    """Run the service for a while and yield its address, such as `http://127.0.0.1:3000`.

    Whatever happens inside, the service and everything that it started are gone afterwards. What it
    prints goes to `state/service.log`.

    Args:
        project_dir: folder of the project file.
        settings: the project file.
        layout: where the project keeps its files.
        port: where to listen; any free port by default.
        start_seconds: how long it may take until it is ready.

    Raises:
        ServiceError: if the port is taken, or the service is not ready in time.
        ModelUnavailableError: if a goal has no champion.
        FeatureStoreError: if there are no online features.
    """
    chosen = port or _free_port(settings.serving.host)
    check_before_start(settings, layout, chosen)
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "service.log").open("wb") as output:
        child = _Child(project_dir, settings, layout, chosen, output)
        try:
            child.wait_until_ready(start_seconds, output.name)
            yield f"http://{settings.serving.host}:{chosen}"
        finally:
            child.stop()


def check_before_start(settings: Settings, layout: Layout, port: int) -> None:
    """Check what would keep the service from answering, while it can still be said plainly.

    Raises:
        ServiceError: if the port is taken.
        FeatureStoreError: if there are no online features.
        ModelUnavailableError: if a goal has no champion.
    """
    _require_free(settings.serving.host, port)
    from features.online_store.published import PublishedFeatures
    from serving.registry import ModelRegistry

    PublishedFeatures(settings, layout).require()

    tracking = settings.tracking
    uri = layout.tracking_uri(tracking)
    registry = ModelRegistry(uri, tracking.experiment, layout.models)
    for goal in settings.goals:
        registry.load(goal)


class _Child:
    """The service as a child process, and everything that it starts."""

    def __init__(
        self,
        project_dir: Path,
        settings: Settings,
        layout: Layout,
        port: int,
        output: IO[bytes] | None,
    ) -> None:
        self._host, self._port = settings.serving.host, port
        self._mark = uuid.uuid4().hex
        home = layout.state / "bentoml"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,  # noqa: TID251 - the child is our heir, told where its project is
            "BELLWETHER_PROJECT": str(project_dir.resolve()),
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
            "DO_NOT_TRACK": "true",
            FAMILY_MARK: self._mark,
        }
        command = [sys.executable, "-m", "bentoml", "serve", SERVICE]
        command += ["--host", self._host, "--port", str(port)]
        # A session of its own, so that Ctrl-C comes to it from us only; and a folder of its own,
        # because BentoML puts the current one first on Python's path.
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=environment,
            cwd=home,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def wait_until_ready(self, seconds: float, log: str) -> None:
        """Return when the service answers that it is ready.

        Raises:
            ServiceError: if it ends, or is not ready in time.
        """
        deadline, reason = time.monotonic() + seconds, "it does not answer yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise ServiceError(f"the scoring service ended at once with code {code}; see {log}")
            problem = _not_ready(self._host, self._port)
            if problem is None:
                return
            reason = problem or reason
            time.sleep(POLL_SECONDS)
        raise ServiceError(
            f"the scoring service is not ready after {seconds:g} s: {reason}; see {log}"
        )

    def stop(self) -> None:
        """End the service and what it started: gracefully, and after a while for certain.

        BentoML gives each worker a session of its own, so a process group does not hold them all,
        and a worker may outlive its parent; a mark in the environment finds every one of them.
        """
        import psutil

        for _ in range(STOP_ROUNDS):  # one that was just being started is seen the next time
            family = [process for process in psutil.process_iter() if self._is_ours(process)]
            if not family:
                break
            for process in family if self.process.poll() is not None else ():
                with suppress(psutil.NoSuchProcess):
                    process.terminate()  # nobody else will
            self.process.terminate()
            _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait()

    def _is_ours(self, process: "psutil.Process") -> bool:
        import psutil

        try:
            return bool(process.environ().get(FAMILY_MARK) == self._mark)
        except (psutil.Error, OSError):
            return False


@contextmanager
def _signals_go_to(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to the child as SIGTERM, which stops it gracefully."""

    def forward(number: int, frame: FrameType | None) -> None:
        del number, frame
        child.terminate()

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _not_ready(host: str, port: int) -> str | None:
    """Return why the service is not ready: None when it is, nothing when it does not answer."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = response.read()
        return None if response.status == 200 else str(json.loads(body)["error"]["message"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()


def _require_free(host: str, port: int) -> None:
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServiceError(
                    f"port {port} is taken by another process; choose another with --port"
                ) from error
            raise ServiceError(
                f"the service cannot listen at {host}:{port} ({error}); "
                "mend serving.host in bellwether.yaml or choose another --port"
            ) from error


def _free_port(host: str) -> int:
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
