"""Every dependency has a lower bound and a reason."""

import re
import tomllib

import pytest

from tests.repository import ROOT

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


PYPROJECT = tomllib.loads(TEXT)
LISTS = [
    PYPROJECT["project"]["dependencies"],
    *PYPROJECT["project"]["optional-dependencies"].values(),
    *PYPROJECT["dependency-groups"].values(),
]
REQUIREMENTS = [entry for entries in LISTS for entry in entries if isinstance(entry, str)]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_dependency_has_a_lower_bound(requirement: str) -> None:
    assert re.search(r">=\s*\d", requirement)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_dependency_has_a_reason(requirement: str) -> None:
    lines = [line for line in TEXT.splitlines() if f'"{requirement}"' in line]

    assert lines
    assert all(re.search(r'",\s*# \S.{3,}$', line) for line in lines)
