"""Real Redis servers for tests, on free ports, and a road to them that can be blocked."""

import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

START_SECONDS = 20


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A server that keeps nothing on disk."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where to find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """Return a client of its own for the test."""
        return redis.Redis(port=self.port)

    def start(self) -> None:
        """Start it and wait until it answers."""
        binary = shutil.which("redis-server")
        assert binary, "these tests need redis-server: apt-get install -y redis-server"
        fixed = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        )
        self._process = subprocess.Popen(
            [binary, *fixed, "--enable-debug-command", "yes", *self._options],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "redis-server did not start"
                    assert self._process.poll() is None, "redis-server gave up"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Kill it; what it knew is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server for the time of a test."""
    server = RedisServer(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Road:
    """A TCP proxy to a port that, once blocked, swallows what comes from either side."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.is_blocked = False
        self.connections = 0
        self._other_end: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._is_open = True
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Redis, by this road."""
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        """Close the road and every connection on it."""
        self._is_open = False
        self._thread.join()
        for end in (*self._other_end, self._listener):
            end.close()
        self._selector.close()

    def _forward(self) -> None:
        while self._is_open:
            for key, _ in self._selector.select(timeout=0.02):
                if key.fileobj is self._listener:
                    self._connect()
                elif isinstance(key.fileobj, socket.socket):
                    self._pass_on(key.fileobj)

    def _connect(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._to_port))
        self.connections += 1
        self._other_end |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            data = end.recv(1 << 16)
            if data and not self.is_blocked:
                self._other_end[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (end, self._other_end.pop(end)):
                self._other_end.pop(each, None)
                self._selector.unregister(each)
                each.close()


@contextmanager
def road_to(server: RedisServer) -> Iterator[Road]:
    """Open a road to a server for the time of a test."""
    road = Road(server.port)
    try:
        yield road
    finally:
        road.close()
