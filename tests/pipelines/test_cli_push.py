"""Pushing from the command line: what is said, and how it ends."""

import io
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from features.push_log import PushLog
from pipelines.wiring import Project, open_project
from tests.pipelines.command_line import Ended, run
from tests.pipelines.pushed_shop import T, at, built_shop, online, order

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return built_shop(tmp_path_factory.mktemp("built") / "shop", serving={"clock": str(T)})


@pytest.fixture
def shop(built: Project, tmp_path: Path) -> Project:
    shutil.copytree(built.layout.root, tmp_path / "shop")
    return open_project(tmp_path / "shop")


def lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps({'ordered_at': at(1), **row})}\n" for row in rows)


def an_order(order_id: str, **changed: Any) -> dict[str, Any]:
    return order(order_id, **{"ordered_at": at(1), **changed})


def push(shop: Project, *arguments: object, text: str | None = None) -> Ended:
    words = ("features", "push", *arguments, "--project", shop.layout.root)
    if text is None:
        return run(*words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(text))
        return run(*words)


def orders(shop: Project) -> Any:
    return online(shop, "ann", T)["orders_total"]


def test_a_file_is_pushed(shop: Project, tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text(lines(an_order("a"), an_order("b")))

    ended = push(shop, tmp_path / "new.jsonl", "--table", "orders")

    assert (ended.code, ended.out) == (
        0,
        ["2 rows kept, 1 customers online as of 2026-03-01T00:00:00Z"],
    )
    assert orders(shop) == 3


def test_standard_input_is_pushed(shop: Project) -> None:
    ended = push(shop, "-", "--table", "orders", text=lines(an_order("a"), an_order("b")))

    assert (ended.code, orders(shop)) == (0, 3)


def test_a_stream_goes_on_after_a_wrong_line(shop: Project) -> None:
    text = lines(an_order("a"), an_order("b", colour="red"), an_order("c")) + "{\n"

    ended = push(shop, "-", "--table", "orders", "--follow", text=text)

    assert ended.code == 1
    assert orders(shop) == 3
    assert any(line.startswith("line 2: orders") and "colour" in line for line in ended.out)
    assert any(line.startswith("line 4: line 4 is not JSON") for line in ended.out)
    assert ended.errors[-1].endswith("2 lines were refused; see above")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"colour": "red"}, "no column `colour`"),
        ({"amount": "much"}, "`amount` cannot be 'much'"),
    ],
    ids=["column", "value"],
)
def test_a_wrong_row_is_told_and_nothing_is_kept(
    shop: Project, row: dict[str, Any], said: str
) -> None:
    ended = push(shop, "-", "--table", "orders", text=lines(an_order("a"), an_order("b", **row)))

    assert ended.code == 1
    assert said in ended.errors[-1]
    assert PushLog(shop.layout.pushed).last() == 0


def test_an_unknown_table_is_told(shop: Project) -> None:
    ended = push(shop, "-", "--table", "clicks", text=lines(an_order("a")))

    assert ended.code == 1
    assert "there is no table `clicks`" in ended.errors[-1]


@pytest.mark.parametrize(
    "arguments",
    [(), ("rows.csv",), ("rows.csv", "--table", "orders", "--replay")],
    ids=["nothing", "no table", "both"],
)
def test_what_makes_no_sense_is_refused(shop: Project, arguments: Sequence[str]) -> None:
    ended = push(shop, *arguments)

    assert ended.code == 1
    assert "give --table and a file" in ended.errors[-1]


def test_only_standard_input_can_be_followed(shop: Project) -> None:
    ended = push(shop, "rows.csv", "--table", "orders", "--follow")

    assert ended.code == 1
    assert "--follow reads standard input" in ended.errors[-1]


def test_a_replay_serves_who_waits(shop: Project) -> None:
    PushLog(shop.layout.pushed).let_wait(["ann"])

    assert push(shop, "--replay").out == ["1 customers served, as of 2026-03-01T00:00:00Z"]
    assert push(shop, "--replay").out == ["nobody waited"]


def test_a_refresh_tells_since_when(shop: Project) -> None:
    ended = run("features", "refresh", "--project", shop.layout.root, "--lookback-days", 4)

    assert ended.code == 0
    assert "2026-02-25T00:00:00Z" in ended.out[-1]
