"""`make help` tells of every target that is meant for people."""

import re
import subprocess

from tests.repository import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^([\w-]+):.*## ", MAKEFILE, flags=re.MULTILINE))
PHONY = set(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE))
EXPECTED = {
    *("help", "install", "demo", "serve", "test", "check", "format", "lint", "types", "layers"),
    *("lock", "docs-check", "clean"),
}


def make_help() -> set[str]:
    command = ["make", "--directory", str(ROOT), "--no-print-directory", "help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0] for line in shown.stdout.splitlines()}


def test_help_shows_every_documented_target() -> None:
    assert make_help() == DOCUMENTED


def test_expected_targets_exist() -> None:
    assert EXPECTED <= DOCUMENTED


def test_every_phony_target_is_documented() -> None:
    assert PHONY == DOCUMENTED
