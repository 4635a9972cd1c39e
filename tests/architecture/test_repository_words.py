"""What is committed makes sense on any machine and leaves no loose ends."""

import re

import pytest

from tests.repository import ROOT, text_files

# Put together from pieces, so that this file does not accuse itself.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["work", "root", r"home/\w+"]) + r")/")
LOOSE_END = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")


def lines_with(pattern: re.Pattern[str], unless: str = "\0") -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line) and unless not in line
    ]


def test_the_scan_reads_the_repository() -> None:
    names = {str(path.relative_to(ROOT)) for path, _ in text_files()}

    assert {"pyproject.toml", "Makefile", "README.md"} <= names
    assert not any(name.startswith((".venv", ".tools", "uv.lock")) for name in names)


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_every_loose_end_links_to_its_issue() -> None:
    assert lines_with(LOOSE_END, unless="https://") == []


@pytest.mark.parametrize("folder", ["work", "root", "home/ann"])
def test_machine_paths_are_recognised(folder: str) -> None:
    assert MACHINE_PATH.search(f"open('/{folder}/data.csv')")
    assert not MACHINE_PATH.search(f"https://example.org/net{folder}/")
