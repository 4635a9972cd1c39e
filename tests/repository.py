"""Where things are in this repository, for the tests that read it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("features", "serving", "training", "monitoring", "pipelines")
NOT_OURS = {".git", ".venv", ".tools", "__pycache__", "bellwether-demo"}


def python_files() -> list[Path]:
    """Return the source files of the five packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def modules(*packages: str) -> list[str]:
    """Return the import names of all modules in the given packages, or in all five."""
    names = []
    for path in python_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in (packages or PACKAGES) and parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def text_files() -> Iterator[tuple[Path, str]]:
    """Yield every text file that is, or is about to be, committed, with its content."""
    for path in _committed_files():
        if path.name != "uv.lock" and path.is_file():
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def run_python(
    code: str, *arguments: str, cwd: Path, timeout_seconds: float = 180
) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that leaves no bytecode behind."""
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


def _committed_files() -> list[Path]:
    """Ask git; a source tree without git is walked instead."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "--cached"]
    command += ["--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in sorted(filter(None, listed.split("\0")))]
    return [path for path in sorted(ROOT.rglob("*")) if not NOT_OURS & set(path.parts)]
