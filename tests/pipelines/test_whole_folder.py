from pathlib import Path

import pytest

from pipelines.whole_folder import appearing_whole


def test_folder_appears_with_all_that_was_put_into_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "shop"

    with appearing_whole(folder) as growing:
        (growing / "orders").write_text("all of them")
        assert not folder.exists()

    assert [path.name for path in folder.iterdir()] == ["orders"]
    assert [path.name for path in folder.parent.iterdir()] == ["shop"]


def fill_half(folder: Path) -> None:
    with appearing_whole(folder) as growing:
        (growing / "half").touch()
        raise KeyboardInterrupt


def test_what_was_interrupted_does_not_appear_and_is_gone_the_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "shop"

    with pytest.raises(KeyboardInterrupt):
        fill_half(folder)
    assert not folder.exists()
    with appearing_whole(folder) as growing:
        assert list(growing.iterdir()) == []

    assert [path.name for path in tmp_path.iterdir()] == ["shop"]
