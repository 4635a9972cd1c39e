"""The five folders have generic names; each must be ours and nobody else's."""

from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.repository import PACKAGES, ROOT


def owners(package: str) -> set[str]:
    # An editable install lists no files of its own, so for ours the set may also be empty.
    return set(packages_distributions().get(package, []))


@pytest.mark.parametrize("package", PACKAGES)
def test_name_belongs_to_bellwether_only(package: str) -> None:
    assert owners(package) <= {"bellwether"}


@pytest.mark.parametrize("package", PACKAGES)
def test_name_imports_from_this_repository(package: str) -> None:
    assert Path(str(import_module(package).__file__)).parent == ROOT / package


def test_another_owner_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, package = tmp_path / "squatter-1.0.dist-info", tmp_path / "features"
    metadata.mkdir()
    package.mkdir()
    (package / "__init__.py").touch()  # newer readers of metadata ask whether the file is there
    (metadata / "METADATA").write_text("Name: squatter\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("features/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert "squatter" in owners("features")


def test_docs_is_never_a_package() -> None:
    # Feast installs a top-level package of that name.
    assert list((ROOT / "docs").rglob("__init__.py")) == []
