from pathlib import Path

import pytest

from features.atomic_text import write_atomically


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "bellwether.yaml"
    write_atomically(target, "first")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "\ud800")

    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]
