"""A real PostgreSQL server for tests: its own folder, its own free port, gone afterwards."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root, so root starts it as this account."""

START_SECONDS = 60


@dataclass(frozen=True)
class PostgresServer:
    """A running server, and its main process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"postgresql://{ACCOUNT}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Halt every process of the server without ending it: it answers nothing, as if hung."""
        main = psutil.Process(self.process.pid)
        processes = [main, *main.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server, wait until it answers, and stop it at the end."""
    tools = _tools()
    folder = Path(tempfile.mkdtemp(prefix="bellwether-postgres-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, ACCOUNT)
        account = {"user": ACCOUNT, "extra_groups": []}
    try:
        subprocess.run(
            [tools / "initdb", "-D", folder / "data", "-U", ACCOUNT, "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **account,
        )  # fmt: skip
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "fsync": "off", "unix_socket_directories": ""}
        written = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [tools / "postgres", "-D", folder / "data", "-p", str(port), *written],
                stdout=log, stderr=log, cwd=folder, start_new_session=True, **account,
            )  # fmt: skip
        try:
            server = PostgresServer(port, process)
            _wait(server, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # "fast": end connections, then stop
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder)


def _tools() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.fail(
            "PostgreSQL's initdb is missing; install it (Debian: apt-get install postgresql)"
        )
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _wait(server: PostgresServer, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL does not start ({error}): {log.read_text()}")
            time.sleep(0.05)
        else:
            return
