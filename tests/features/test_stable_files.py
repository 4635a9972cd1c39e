"""Files that change while they are read are noticed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from features.contracts.errors import SourceError
from features.stable_files import unchanged


def rewrite(file: Path) -> None:
    """Write as many bytes within the same moment of the clock: only the file itself is another."""
    then = file.stat()
    other = file.with_name("other")
    other.write_text("b")
    os.utime(other, ns=(then.st_atime_ns, then.st_mtime_ns))
    other.replace(file)


def touch_later(file: Path) -> None:
    then = file.stat().st_mtime_ns
    os.utime(file, ns=(then, then + 1_000_000))


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda file: file.write_text("aa"),
    "later": touch_later,
    "gone": lambda file: file.unlink(),
    "replaced": rewrite,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_file_is_named(tmp_path: Path, change: Callable[[Path], object]) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text("a")

    said = r"orders: .*b\.csv changed while it was read, load it again"
    with pytest.raises(SourceError, match=said), unchanged(files, "orders"):
        change(files[1])


def tear(file: Path) -> None:
    file.write_text("aa")
    raise ValueError("torn")


def test_change_explains_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a")

    with pytest.raises(SourceError, match="changed while") as raised, unchanged([file], "orders"):
        tear(file)

    assert isinstance(raised.value.__cause__, ValueError)


def test_error_without_a_change_stays_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a")

    with pytest.raises(ValueError, match="torn"), unchanged([file], "orders"):
        raise ValueError("torn")


def test_files_that_stay_are_no_news(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a")

    with unchanged([file], "orders"):
        file.read_text()
