"""What every test can rely on: a clean environment, a folder of its own, no outside world."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Variables of a developer's shell that could point a test at real systems or change its result.
STRIPPED_PREFIXES = (
    "AWS_",
    "AZURE_",
    "BELLWETHER_",
    "BENTOML_",
    "DATABRICKS_",
    "FEAST_",
    "GCP_",
    "GOOGLE_",
    "MAKE",  # a make that runs the tests must not hand its flags to a make that a test runs
    "MLFLOW_",
    "POSTGRES_",
    "REDIS_",
    "SNOWFLAKE_",
)
TELEMETRY_OFF = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "FEAST_USAGE": "False",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Strip what could change a result, switch telemetry off, and leave the repository's folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(STRIPPED_PREFIXES):
                patch.delenv(name)
        for name, value in TELEMETRY_OFF.items():
            patch.setenv(name, value)
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        patch.chdir(tmp_path_factory.mktemp("session"))
        yield


@pytest.fixture(scope="session", autouse=True)
def only_this_machine(clean_environment: None) -> Iterator[None]:
    """Refuse connections to any other machine; a service on the loopback address is fine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host not in ("localhost", "::1") and not host.startswith("127."):
                message = f"a test tried to reach {host}: tests talk to this machine only"
                raise PermissionError(message)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in its own empty folder, so that nothing is written in the repository."""
    monkeypatch.chdir(tmp_path)
