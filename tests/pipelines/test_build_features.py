import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError, HistoryError, ImmatureLabelsError
from features.contracts.settings import Settings, validate_settings
from features.dataset_manifest import MANIFEST
from features.snapshots import customers_at, snapshot_path
from pipelines.build_features import (
    QUIET_DAYS,
    build_features,
    build_snapshots,
    data_end,
    knowledge,
    needed_moments,
    require_data_until,
)
from pipelines.wiring import Project
from tests.pipelines.projects import (
    CLOCK,
    DATA_END,
    cdnow_orders,
    checksums,
    project_content,
    write_project,
    write_project_file,
)
from training.splits import make_split

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

FIRST_EVENT = AsOf.parse("2020-01-01")
DAYS = st.integers(1, 400)


@pytest.fixture
def unbuilt(tmp_path: Path) -> Project:
    return write_project(tmp_path / "shop", cdnow_orders(20), goals={"clv": {"horizon_days": 30}})


def snapshots(project: Project) -> list[str]:
    return sorted(path.name for path in project.layout.snapshots.glob("*.parquet"))


def build_without_publishing(project: Project, as_of: AsOf) -> tuple[AsOf, ...]:
    data = project.load_data()
    try:
        return build_snapshots(project, data, as_of, known_at=as_of).moments
    finally:
        data.close()


def test_default_moment_is_the_clock(unbuilt: Project) -> None:
    announced: list[str] = []

    built = build_features(unbuilt, announce=announced.append)

    assert built.as_of == CLOCK
    assert built.customers == len(customers_at(unbuilt.layout.snapshots, CLOCK))
    assert built.customers == len(cdnow_orders(20)["customer_id"].unique())
    status = unbuilt.reader().status()
    assert (status.newest_snapshot, status.online_as_of) == (CLOCK, CLOCK)
    assert status.online_customers == built.customers
    assert status.services["clv_v1"] == built.columns
    assert announced[0] == "reading the data"
    assert f"features as of {CLOCK}: {built.customers:,} customers" in announced


def test_snapshots_of_other_moments_are_removed_and_the_rest_is_built_alike(
    unbuilt: Project,
) -> None:
    before = build_features(unbuilt)
    kept = checksums(unbuilt.layout.snapshots)
    later = CLOCK.plus_days(15)

    between = build_features(unbuilt, as_of=later)
    assert set(between.moments) != set(before.moments)
    assert snapshots(unbuilt) == [
        snapshot_path(unbuilt.layout.snapshots, moment).name for moment in between.moments
    ]

    build_features(unbuilt)
    assert checksums(unbuilt.layout.snapshots) == kept


def test_a_manifest_tells_what_was_built_and_is_the_same_when_it_is_built_again(
    unbuilt: Project,
) -> None:
    moments = build_without_publishing(unbuilt, CLOCK)
    first = (unbuilt.layout.snapshots / MANIFEST).read_bytes()
    build_without_publishing(unbuilt, CLOCK)

    content = json.loads(first)
    assert content["moments"] == [str(moment) for moment in moments]
    assert sorted(content["files"]) == snapshots(unbuilt)
    assert (unbuilt.layout.snapshots / MANIFEST).read_bytes() == first


def test_moment_before_every_order_is_refused_and_nothing_is_removed(unbuilt: Project) -> None:
    build_without_publishing(unbuilt, CLOCK)
    before = checksums(unbuilt.layout.root)

    with pytest.raises(EmptyCohortError, match="nobody had ordered before 1996-12-31"):
        build_features(unbuilt, as_of=AsOf.parse("1996-12-31"))

    assert checksums(unbuilt.layout.root) == before


@pytest.mark.parametrize(
    ("timezone", "end"),
    [("UTC", "1998-07-01T00:00:00Z"), ("America/New_York", "1998-07-01T04:00:00Z")],
)
def test_without_a_clock_the_newest_moment_is_the_end_of_the_last_day_where_the_shop_is(
    timezone: str, end: str, tmp_path: Path
) -> None:
    project = write_project(tmp_path, timezone=timezone, serving={})
    data = project.load_data()
    try:
        assert str(data_end(project, data)) == end
        assert str(knowledge(project, data, AsOf.parse("2030-01-01"))) == end
    finally:
        data.close()


def test_training_needs_no_moment_after_the_end_of_the_data(unbuilt: Project) -> None:
    late = DATA_END.plus_days(45)

    built = build_features(unbuilt, as_of=late)

    needed = needed_moments(unbuilt.settings, DATA_END, AsOf.parse("1997-01-01"))
    assert built.moments == (*needed, late)


def test_moment_long_after_the_data_is_refused_but_a_quiet_fortnight_is_not(
    unbuilt: Project,
) -> None:
    data = unbuilt.load_data()
    try:
        require_data_until(unbuilt, data, DATA_END.plus_days(QUIET_DAYS))
        with pytest.raises(ImmatureLabelsError, match=r"data end at 1998-07-01.*--as-of"):
            require_data_until(unbuilt, data, DATA_END.plus_days(QUIET_DAYS + 1))
    finally:
        data.close()


def test_goal_that_history_cannot_carry_yet_holds_up_no_other(tmp_path: Path) -> None:
    goals = {"churn": {"horizon_days": 1000}, "clv": {"horizon_days": 30}}
    both = write_project_file(tmp_path, goals=goals).settings
    only = write_project_file(tmp_path, goals={"clv": goals["clv"]}).settings
    first = AsOf.parse("1997-01-01")

    assert needed_moments(both, CLOCK, first) == needed_moments(only, CLOCK, first)


def made_settings(horizons: list[int], step_days: int, moments: int, history: int) -> Settings:
    names = ("churn", "purchase_propensity", "clv")
    goals = {name: {"horizon_days": days} for name, days in zip(names, horizons, strict=False)}
    training = {"step_days": step_days, "moments": moments, "min_history_days": history}
    return validate_settings(project_content(goals=goals, training=training), "test")


@given(
    horizons=st.lists(DAYS, min_size=1, max_size=3),
    step_days=st.integers(1, 366),
    moments=st.integers(2, 30),
    history=st.integers(1, 400),
    age_days=st.integers(0, 2000),
)
def test_needed_moments_are_all_those_of_training_and_judging_and_no_others(
    horizons: list[int], step_days: int, moments: int, history: int, age_days: int
) -> None:
    settings = made_settings(horizons, step_days, moments, history)
    as_of = FIRST_EVENT.plus_days(age_days)

    expected = {as_of}
    for goal in settings.goals.values():
        for known_at in (as_of, as_of.plus_days(-goal.horizon_days)):
            try:
                split = make_split(
                    known_at,
                    horizon_days=goal.horizon_days,
                    first_event=FIRST_EVENT,
                    settings=settings.training,
                )
            except HistoryError:
                continue
            expected.update(split.fit)

    found = needed_moments(settings, as_of, FIRST_EVENT)
    assert found == tuple(sorted(expected))
    assert max(found) == as_of


def test_needed_moments_of_the_worked_example() -> None:
    settings = made_settings([28], 14, 4, 30)
    as_of = AsOf(datetime(2020, 12, 4, tzinfo=UTC))

    found = needed_moments(settings, as_of, FIRST_EVENT)

    # Four to learn from up to 11-06, and four up to 10-09 for the model that is judged at 11-06.
    assert [str(moment)[:10] for moment in found] == [
        "2020-08-28",
        "2020-09-11",
        "2020-09-25",
        "2020-10-09",
        "2020-10-23",
        "2020-11-06",
        "2020-12-04",
    ]
