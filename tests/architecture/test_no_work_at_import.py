"""Importing a module does nothing: no file, no network, no client, no logging set-up."""

import json
from pathlib import Path

import pytest

from tests.repository import PACKAGES, ROOT, modules, run_python

# Watches what the interpreter does while modules are imported. Work counts as ours when the
# nearest frame outside the standard library is ours: a library that reads its own files while we
# import it is that library's affair.
WATCH = """
import json, logging, os, sys
root, packages, names, done = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), []
ours = tuple(os.path.join(root, package) + os.sep for package in packages)
watched = ("open", "os.mkdir", "os.remove", "os.rename", "socket.connect", "socket.getaddrinfo",
           "sqlite3.connect", "subprocess.Popen", "urllib.Request")

def is_ours(frame):
    while frame is not None:
        file = frame.f_code.co_filename
        if "site-packages" in file or file.startswith("<frozen importlib"):
            return None
        if file.startswith(ours):
            return file
        frame = frame.f_back
    return None

def hook(event, arguments):
    if event in watched:
        file = is_ours(sys._getframe(1))
        if file:
            done.append(f"{file}: {event} {arguments[:1]}")
        if event in ("socket.connect", "socket.getaddrinfo"):
            raise PermissionError("no network while importing")

sys.addaudithook(hook)
handlers = list(logging.getLogger().handlers)
for name in names:
    __import__(name)
    if logging.getLogger().handlers != handlers:
        done.append(f"{name}: logging set up")
        handlers = list(logging.getLogger().handlers)
import structlog
if structlog.is_configured():
    done.append("structlog set up")
print(json.dumps({"done": done, "loaded": sorted(sys.modules)}))
"""

# What makes `bellwether --help` slow.
HEAVY = {
    "bentoml",
    "evidently",
    "feast",
    "ibis",
    "lightgbm",
    "mlflow",
    "pandas",
    "scipy",
    "sklearn",
}


def _watch_imports(names: list[str], cwd: Path, root: Path = ROOT) -> dict[str, list[str]]:
    arguments = (str(root), json.dumps(PACKAGES), json.dumps(names))
    result = run_python(WATCH, *arguments, cwd=cwd)
    assert result.returncode == 0, result.stderr
    answer: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_importing_everything_does_nothing(tmp_path: Path) -> None:
    names = modules()
    assert len(names) >= len(PACKAGES)
    tmp_path.chmod(0o555)

    answer = _watch_imports(names, cwd=tmp_path)

    assert answer["done"] == []
    assert list(tmp_path.iterdir()) == []


def test_command_line_starts_light(tmp_path: Path) -> None:
    loaded = set(_watch_imports(["pipelines.cli"], cwd=tmp_path)["loaded"])

    assert not HEAVY & loaded


@pytest.mark.parametrize(
    "work",
    [
        "open('state.txt', 'w').close()",
        "import pathlib; pathlib.Path('state').mkdir()",
        "import sqlite3; sqlite3.connect(':memory:').close()",
    ],
    ids=["writes a file", "makes a folder", "opens a database"],
)
def test_the_watch_sees_work_at_import(work: str, tmp_path: Path) -> None:
    house = tmp_path / "features"
    house.mkdir()
    (house / "__init__.py").touch()
    (house / "guilty.py").write_text(work)

    # The folder the interpreter starts in comes first on its path, so this `features` wins.
    answer = _watch_imports(["features.guilty"], cwd=tmp_path, root=tmp_path)

    assert len(answer["done"]) == 1
