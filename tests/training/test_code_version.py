import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from training import code_version as versions
from training.code_version import code_version


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two modules that stands for the sources."""
    folder = tmp_path / "toy_sources"
    (folder / "part").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "part" / "__init__.py").write_text("")
    (folder / "part" / "rule.py").write_text("RULE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, "SOURCES", ("toy_sources",))
    yield folder
    for name in [name for name in sys.modules if name.startswith("toy_sources")]:
        del sys.modules[name]


def test_version_is_the_release_and_twelve_digits() -> None:
    release, digits = code_version().split("+")

    assert release == version("bellwether")
    assert len(digits) == 12
    assert int(digits, 16) > 0
    assert code_version() == f"{release}+{digits}"


def test_version_covers_all_that_makes_a_model() -> None:
    assert {"features", "serving", "training"} == set(versions.SOURCES)


def test_version_changes_with_any_source(package: Path) -> None:
    before = code_version()

    (package / "part" / "rule.py").write_text("RULE = 2\n")

    assert code_version() != before


def test_version_changes_with_the_name_of_a_source(package: Path) -> None:
    before = code_version()

    (package / "part" / "rule.py").rename(package / "part" / "other.py")

    assert code_version() != before


def test_version_does_not_change_with_what_is_no_source(package: Path) -> None:
    before = code_version()

    (package / "part" / "notes.txt").write_text("read me")
    (package / "part" / "rule.cpython-311.pyc").write_bytes(b"\0")

    assert code_version() == before
