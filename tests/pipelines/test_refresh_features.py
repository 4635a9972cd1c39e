"""Rows that were late, or are only in the user's own tables, get online without a build."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.push_log import PushLog
from pipelines.refresh_features import refresh_features
from pipelines.wiring import Project, open_project
from tests.pipelines.pushed_shop import (
    T,
    at,
    built_shop,
    online,
    order,
    pusher_of,
    sources,
    write_shop,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

LATER = T.plus_days(1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return built_shop(tmp_path_factory.mktemp("built") / "shop")


def with_rows(built: Project, root: Path, *orders: Mapping[str, Any]) -> Project:
    """Return the built shop a day later, with more orders in its own table."""
    shutil.copytree(built.layout.root, root, dirs_exist_ok=True)
    rows: dict[str, Sequence[Mapping[str, Any]]] = {**sources()}
    extra = [{**rows["orders"][0], **more} for more in orders]
    rows["orders"] = [*rows["orders"], *extra]
    return write_shop(root, rows, serving={"clock": str(LATER)})


def source_order(order_id: str, days: float, learnt: float, customer: str = "ann") -> Any:
    row = {"order_id": order_id, "customer_id": customer, "ordered_at": at(days)}
    return {**row, "known_at": at(learnt)}


def test_new_and_late_rows_of_the_tables_get_online(built: Project, tmp_path: Path) -> None:
    new, late = source_order("new", -0.5, -0.5), source_order("late", 20, -0.2, "bob")
    project = with_rows(built, tmp_path / "shop", new, late)
    before = {name: online(project, name, LATER)["orders_total"] for name in ("ann", "bob", "cyd")}

    refreshed = refresh_features(project)

    after = {name: online(project, name, LATER)["orders_total"] for name in ("ann", "bob", "cyd")}
    assert after == {"ann": before["ann"] + 1, "bob": before["bob"] + 1, "cyd": before["cyd"]}
    assert refreshed.since == T.plus_days(-3)
    assert refreshed.served.as_of == LATER
    assert online(project, "ann", LATER)["days_since_last_order"] == 0.5


def test_the_lookback_decides_how_late_rows_may_be(built: Project, tmp_path: Path) -> None:
    # Learnt before the build's moment, but the build did not have it: only a lookback finds it.
    project = with_rows(built, tmp_path / "shop", source_order("late", 9, 4))

    refresh_features(project, lookback_days=2)
    assert online(project, "ann", LATER)["orders_total"] == 1

    project.layout.history.unlink()
    shutil.copy(built.layout.history, project.layout.history)
    refresh_features(project, lookback_days=5)
    assert online(project, "ann", LATER)["orders_total"] == 2


def test_a_refresh_may_be_repeated(built: Project, tmp_path: Path) -> None:
    project = with_rows(built, tmp_path / "shop", source_order("new", -0.5, -0.5))
    refresh_features(project)
    once = online(project, "ann", LATER)

    refresh_features(project)

    assert online(project, "ann", LATER) == once


def test_a_refresh_that_was_killed_is_finished_by_a_replay(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = with_rows(built, tmp_path / "shop", source_order("new", -0.5, -0.5))

    def killed(self: Project) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Project, "pusher", killed)
        with pytest.raises(KeyboardInterrupt):
            refresh_features(project)
    assert "ann" in PushLog(project.layout.pushed).waiting()

    project.pusher().replay()

    assert online(project, "ann", LATER)["orders_total"] == 2


def test_a_refresh_keeps_what_was_pushed(built: Project, tmp_path: Path) -> None:
    project = with_rows(built, tmp_path / "shop")
    pusher_of(project).push("orders", [order()])

    refresh_features(project)

    assert online(project, "ann", LATER)["orders_total"] == 2
    pusher_of(project, LATER.moment).push("orders", [order("two")])
    assert online(project, "ann", AsOf.parse("2026-03-02T00:00:01+00:00"))["orders_total"] == 3


def test_changed_tables_need_a_build(built: Project, tmp_path: Path) -> None:
    shutil.copytree(built.layout.root, tmp_path / "shop")
    write_shop(tmp_path / "shop", {"orders": sources()["orders"]})

    with pytest.raises(FeatureStoreError, match="changed since the build"):
        refresh_features(open_project(tmp_path / "shop"))
