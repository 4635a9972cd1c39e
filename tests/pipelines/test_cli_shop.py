from pathlib import Path

import pytest

from pipelines.wiring import open_project
from tests.pipelines.command_line import run
from tests.pipelines.projects import checksums

SMALL = ("--customers", 300, "--days", 400, "--end", "2025-06-01")

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_shop_is_a_project_that_passes_the_check(tmp_path: Path) -> None:
    ended = run("shop", tmp_path / "shop", *SMALL)

    assert ended.code == 0
    assert ended.out[0] == "customers: 300 rows"
    assert ended.out[-1] == f"next: bellwether check --project {tmp_path / 'shop'}"
    assert run("check", "--project", tmp_path / "shop").code == 0
    assert str(open_project(tmp_path / "shop").clock) == "2025-06-01T00:00:00Z"


def test_same_arguments_give_the_same_shop(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run("shop", tmp_path / name, *SMALL)

    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--customers", 0, "--customers"),
        ("--days", 3, "3650 days"),
        ("--end", "soon", "'soon'"),
    ],
)
def test_impossible_shop_is_bad_usage(
    option: str, value: object, said: str, tmp_path: Path
) -> None:
    ended = run("shop", tmp_path / "shop", option, value)

    assert ended.code == 2
    assert said in " ".join(ended.errors)
    assert not (tmp_path / "shop").exists()


def test_folder_in_use_is_one_line_of_error(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").touch()

    ended = run("shop", tmp_path, *SMALL)

    assert ended.code == 1
    assert "is not empty" in " ".join(ended.errors)
