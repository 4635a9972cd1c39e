from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import (
    ConfigurationError,
    EmptyCohortError,
    FeatureStoreError,
    ModelUnavailableError,
    ServiceError,
)
from features.contracts.goals import GoalName, ScoreStatus
from features.snapshots import customers_at
from pipelines import batch_score as batch
from pipelines.batch_score import BatchResult, batch_score
from pipelines.problems import newest_moment
from pipelines.promote import promote
from pipelines.train import train
from pipelines.wiring import Project, open_project
from serving.score_log import LOG_SCHEMA, ScoreLog, read_scores
from serving.scorer import SCORE_SCHEMA
from tests.pipelines.projects import CLOCK, TrainedProject, only, values, write_project

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

CHURN, CLV = GoalName.CHURN, GoalName.CLV
NUMBERS = ("probability", "expected_value", "lower", "upper", "percentile")


@pytest.fixture(scope="module")
def result(cdnow: TrainedProject, tmp_path_factory: pytest.TempPathFactory) -> BatchResult:
    return batch_score(cdnow.project, out=tmp_path_factory.mktemp("scores") / "all.parquet")


@pytest.fixture(scope="module")
def half_promoted(small: Project) -> Project:
    """Churn has a champion, CLV has none."""
    train(small, [CHURN])
    promote(small, CHURN, force=True)
    return small


def rows(result: BatchResult, goal: GoalName) -> pa.Table:
    return only(pq.read_table(result.out), "goal", goal.value)


def bits(table: pa.Table) -> list[tuple[object, ...]]:
    """Return the rows with every number told to the last bit."""
    columns = [
        [value.hex() if isinstance(value, float) else value for value in column.to_pylist()]
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def test_everyone_is_scored_or_refused_once_for_every_goal(
    cdnow: TrainedProject, result: BatchResult
) -> None:
    everyone = customers_at(cdnow.project.layout.snapshots, CLOCK)

    assert pq.read_schema(result.out) == SCORE_SCHEMA
    assert result.as_of == CLOCK
    assert result.customers == len(everyone)
    for goal in GoalName:
        table = rows(result, goal)
        assert table["customer_id"].to_pylist() == list(everyone)
        assert set(table["as_of"].to_pylist()) == {CLOCK.moment}
        statuses = Counter(table["status"].to_pylist())
        assert statuses == {s.value: n for s, n in result.outcomes[goal].items()}
        assert sum(result.outcomes[goal].values()) == result.customers


def test_numbers_are_there_exactly_for_those_who_were_scored(result: BatchResult) -> None:
    for goal in GoalName:
        table = rows(result, goal)
        scored = [status == ScoreStatus.SCORED for status in values(table, "status")]
        expected = ("probability", "percentile") if goal is not CLV else NUMBERS
        for name in NUMBERS:
            known = [value is not None for value in values(table, name)]
            assert known == [name in expected and was for was in scored]
        assert result.scored(goal) == sum(scored)


def test_only_customers_who_ordered_lately_are_asked_about_leaving(
    cdnow: TrainedProject, result: BatchResult
) -> None:
    orders = pq.read_table(cdnow.root / "orders.parquet")
    before = orders.filter(pc.less(orders["timestamp"], pa.scalar(CLOCK.naive_utc)))
    last = before.group_by("customer_id").aggregate([("timestamp", "max")])
    active = {
        str(customer)
        for customer, moment in zip(
            values(last, "customer_id"), values(last, "timestamp_max"), strict=True
        )
        if (CLOCK.naive_utc - moment).days <= 300
    }

    table = rows(result, CHURN)
    scored = only(table, "status", "scored")

    assert 0 < len(active) < result.customers
    assert set(scored["customer_id"].to_pylist()) == active
    assert set(table["status"].to_pylist()) == {"scored", "not_eligible"}


def test_scores_are_logged_with_the_features_they_came_from(
    cdnow: TrainedProject, result: BatchResult
) -> None:
    logged = read_scores(cdnow.project.layout.score_log)
    table = pq.read_table(result.out)
    first = next(run for run in values(logged, "request_id") if run.startswith("batch-"))
    logged = only(logged, "request_id", first)

    assert bits(logged.select(SCORE_SCHEMA.names)) == bits(table)
    assert set(logged["channel"].to_pylist()) == {"batch"}
    assert set(logged["features_as_of"].to_pylist()) == {CLOCK.moment}
    features = set(logged.column_names) - set(LOG_SCHEMA.names)
    assert features == {
        f"feature.{name}" for name in cdnow.project.registry().load(CHURN).card.columns
    }


def test_csv_holds_the_same_numbers_to_the_last_bit(
    cdnow: TrainedProject, result: BatchResult, tmp_path: Path
) -> None:
    as_csv = batch_score(cdnow.project, out=tmp_path / "all.csv")

    options = pa_csv.ConvertOptions(column_types=SCORE_SCHEMA, strings_can_be_null=True)
    read = pa_csv.read_csv(as_csv.out, convert_options=options)

    assert bits(read) == bits(pq.read_table(result.out))


def test_chunks_change_no_bit(
    cdnow: TrainedProject,
    result: BatchResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "CHUNK_CUSTOMERS", 1000)
    announced: list[str] = []

    chunked = batch_score(
        cdnow.project, out=tmp_path / "chunked.parquet", announce=announced.append
    )

    assert announced[1:] == [
        f"scoring {done:,} of {result.customers:,} customers" for done in (1000, 2000, 2357)
    ]
    assert chunked.outcomes == result.outcomes
    for goal in GoalName:
        assert bits(rows(chunked, goal)) == bits(rows(result, goal))


def test_failure_half_way_leaves_the_old_file(
    cdnow: TrainedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "all.parquet"
    out.write_bytes(b"the scores of yesterday")
    monkeypatch.setattr(batch, "CHUNK_CUSTOMERS", 1000)
    written: list[int] = []

    def full(self: ScoreLog, scores: object, *_: object, **__: object) -> None:
        written.append(1)
        if len(written) == 2:
            raise ServiceError("the score log cannot be written: the disk is full")

    monkeypatch.setattr(ScoreLog, "write_now", full)

    with pytest.raises(ServiceError, match="disk is full"):
        batch_score(cdnow.project, out=out)

    assert out.read_bytes() == b"the scores of yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["all.parquet"]


def test_place_that_cannot_be_written_is_refused(cdnow: TrainedProject, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for out, problem in [
        (tmp_path / "file" / "scores.parquet", "cannot be written to .*; choose another place"),
        (tmp_path / "scores.xlsx", r"use a name that ends in \.parquet or \.csv"),
    ]:
        with pytest.raises(ConfigurationError, match=problem):
            batch_score(cdnow.project, out=out)


def test_goal_without_a_champion_refuses_everyone_with_the_reason(
    half_promoted: Project, tmp_path: Path
) -> None:
    result = batch_score(half_promoted, out=tmp_path / "scores.parquet")

    assert result.scored(CLV) == 0
    assert result.outcomes[CLV] == {ScoreStatus.MODEL_UNAVAILABLE: result.customers}
    assert result.scored(CHURN) > 0
    assert list(result.without_champion) == [CLV]
    assert "run: bellwether promote clv" in result.without_champion[CLV]
    assert set(rows(result, CLV)["model_version"].to_pylist()) == {None}


def test_another_moment_is_built_for_the_batch_and_changes_nothing_else(
    half_promoted: Project, tmp_path: Path
) -> None:
    later = CLOCK.plus_days(31)

    result = batch_score(half_promoted, out=tmp_path / "scores.parquet", as_of=later)

    assert result.as_of == later
    assert result.scored(CHURN) > 0
    assert set(rows(result, CHURN)["as_of"].to_pylist()) == {later.moment}
    assert newest_moment(open_project(half_promoted.layout.root)) == CLOCK


def test_moment_before_every_order_is_refused(half_promoted: Project, tmp_path: Path) -> None:
    with pytest.raises(EmptyCohortError, match="nobody had ordered before"):
        batch_score(half_promoted, out=tmp_path / "s.csv", as_of=CLOCK.plus_days(-1000))

    assert list(tmp_path.iterdir()) == []


def test_project_without_champions_is_refused_with_the_next_step(tmp_path: Path) -> None:
    project = write_project(tmp_path)

    with pytest.raises(ModelUnavailableError, match=r"no goal has a champion: .*promote churn"):
        batch_score(project, out=tmp_path / "scores.parquet")


def test_champions_without_features_are_refused_with_the_next_step(
    cdnow: TrainedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cdnow.project.layout, "feature_registry", tmp_path / "missing" / "registry.db"
    )

    with pytest.raises(FeatureStoreError, match="run `bellwether features build`"):
        batch_score(cdnow.project, out=tmp_path / "scores.parquet")


@pytest.fixture(autouse=True)
def nothing_half_written_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert list(tmp_path.glob(".*")) == []
