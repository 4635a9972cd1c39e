"""A real browser for tests of pages: Chromium without a window and without the network."""

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # a page that needs the network shows it
)  # fmt: skip
SECONDS = 120


def browse(page: Path, *options: str, profile: Path) -> str:
    """Open a page with these options of Chromium; return what it prints."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail("Chromium is missing; install it (Debian: apt-get install chromium)")
    ended = subprocess.run(
        [program, *OPTIONS, f"--user-data-dir={profile}", *options, page.resolve().as_uri()],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    return ended.stdout


def rendered(page: Path, *, profile: Path) -> str:
    """Return the document that the browser made of a page."""
    return browse(page, "--dump-dom", profile=profile)


def screenshot(page: Path, picture: Path, *, profile: Path, size: str = "1200,2000") -> Path:
    """Draw a page into a PNG file."""
    browse(page, f"--screenshot={picture}", f"--window-size={size}", profile=profile)
    return picture
