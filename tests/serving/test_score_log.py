import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import structlog.testing

from features.contracts.errors import ServiceError, SourceError
from features.contracts.goals import GoalName
from features.contracts.vectors import FeatureVectors, Presence
from serving.score_log import LOG_SCHEMA, ROW_GROUP_ROWS, ScoreLog, read_scores
from serving.scorer import Scorer, Scores
from tests.fakes import AS_OF, COLUMNS, make_card, make_model, make_vectors

SCORED_AT = datetime(2017, 12, 4, 9, 30, 15, 123456, tzinfo=UTC)


def scored(
    values: Sequence[Sequence[float]],
    goals: Sequence[GoalName] = (GoalName.CHURN,),
    columns: Sequence[str] = COLUMNS,
    presence: Sequence[Presence] | None = None,
) -> tuple[Scores, FeatureVectors]:
    vectors = make_vectors(np.array(values), columns, presence=presence)
    models = {goal: make_model(goal, card=make_card(goal, columns)) for goal in goals}
    return Scorer(models).score(vectors, as_of=AS_OF), vectors


def append(log: ScoreLog, scores: Scores, vectors: FeatureVectors, request_id: str = "r") -> None:
    log.append(scores, vectors, request_id=request_id, channel="api", scored_at=SCORED_AT)


def test_log_keeps_the_score_its_features_and_their_origin(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path / "log")
    values = [[0.25, np.nan, 1 / 3], [0.5, 2.0, 3.0]]
    append(log, *scored(values, goals=[GoalName.CHURN, GoalName.CLV]), request_id="r-1")
    log.close()

    table = read_scores(tmp_path / "log")

    assert table.schema.names == [*LOG_SCHEMA.names, *(f"feature.{name}" for name in COLUMNS)]
    assert table["customer_id"].to_pylist() == ["c0", "c1", "c0", "c1"]
    assert table["goal"].to_pylist() == ["churn", "churn", "clv", "clv"]
    assert table["probability"].to_pylist() == [0.25, 0.5, 0.25, 0.5]
    assert table["model_version"].to_pylist() == ["3"] * 4
    assert set(table["request_id"].to_pylist()) == {"r-1"}
    assert set(table["channel"].to_pylist()) == {"api"}
    assert set(table["scored_at"].to_pylist()) == {SCORED_AT}
    assert set(table["as_of"].to_pylist()) == {AS_OF.moment}
    assert set(table["features_as_of"].to_pylist()) == {AS_OF.moment}
    assert table["feature.days_since_last_order"].to_pylist() == [None, 2.0, None, 2.0]
    assert table["feature.spend_90d"].to_pylist() == [1 / 3, 3.0, 1 / 3, 3.0]


def test_refused_customers_are_logged_without_numbers(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    append(log, *scored([[np.nan] * 3], presence=[Presence.UNKNOWN_CUSTOMER]))
    log.close()

    row = read_scores(tmp_path).to_pylist()[0]

    assert row["status"] == "unknown_customer"
    assert row["probability"] is None
    assert row["features_as_of"] is None


def test_parts_with_different_features_are_read_together(tmp_path: Path) -> None:
    for goal, column in ((GoalName.CHURN, "orders_30d"), (GoalName.CLV, "spend_90d")):
        log = ScoreLog(tmp_path)
        append(log, *scored([[0.5]], goals=[goal], columns=[column]))
        log.close()

    everything = read_scores(tmp_path)
    churn = read_scores(tmp_path, goal=GoalName.CHURN)

    assert everything.num_rows == 2
    assert churn["goal"].to_pylist() == ["churn"]
    assert churn["feature.orders_30d"].to_pylist() == [0.5]
    assert churn["feature.spend_90d"].to_pylist() == [None]


def test_one_part_holds_answers_to_different_goals(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    append(log, *scored([[0.5]], columns=["orders_30d"]))
    append(log, *scored([[0.6]], goals=[GoalName.CLV], columns=["spend_90d"]))
    log.close()

    assert len(list(tmp_path.glob("*/*.parquet"))) == 1
    assert read_scores(tmp_path)["feature.spend_90d"].to_pylist() == [None, 0.6]


def test_nothing_logged_gives_no_rows(tmp_path: Path) -> None:
    assert read_scores(tmp_path / "absent").schema == LOG_SCHEMA


def test_full_queue_drops_and_counts_instead_of_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ScoreLog(tmp_path, part_customers=1, max_waiting=3)
    stuck, release = threading.Event(), threading.Event()
    write_part = ScoreLog._write_part

    def slow(self: ScoreLog, entries: object) -> None:
        stuck.set()
        release.wait(10)
        write_part(self, entries)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(ScoreLog, "_write_part", slow)
    append(log, *scored([[0.1] * 3]))
    assert stuck.wait(10)

    started = time.perf_counter()
    append(log, *scored([[0.2] * 3] * 2))
    append(log, *scored([[0.3] * 3] * 2))  # four would wait: one too many
    append(log, *scored([[0.4] * 3]))
    seconds = time.perf_counter() - started
    release.set()
    log.close()

    assert seconds < 1.0
    assert log.dropped == 2
    assert read_scores(tmp_path)["probability"].sort().to_pylist() == [0.1, 0.2, 0.2, 0.4]


def test_part_is_written_after_a_while_even_when_few_wait(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path, flush_seconds=0.05)
    append(log, *scored([[0.1] * 3]))
    deadline = time.monotonic() + 10
    while not list(tmp_path.glob("*/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert read_scores(tmp_path).num_rows == 1
    log.close()


def test_log_that_cannot_be_written_counts_and_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "log"
    place.write_text("a file where the folder should be")
    log = ScoreLog(place, flush_seconds=0.01)

    with structlog.testing.capture_logs() as said:
        append(log, *scored([[0.1] * 3] * 2))
        while log.dropped == 0:
            time.sleep(0.01)
    place.unlink()
    append(log, *scored([[0.5] * 3]))
    log.close()

    assert said[0]["event"] == "score_log_not_written"
    assert log.dropped == 2
    assert read_scores(place)["probability"].to_pylist() == [0.5]


def test_closed_log_drops_and_counts(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    log.close()
    append(log, *scored([[0.1] * 3]))
    log.close()

    assert log.dropped == 1
    assert read_scores(tmp_path).num_rows == 0


def test_batch_writes_at_once_in_bounded_row_groups(tmp_path: Path) -> None:
    log = ScoreLog(tmp_path)
    scores, vectors = scored([[0.1] * 3] * (ROW_GROUP_ROWS + 1))

    log.write_now(scores, vectors, request_id="batch-1", scored_at=SCORED_AT)

    (part,) = tmp_path.glob("*/*.parquet")
    rows = [pq.ParquetFile(part).metadata.row_group(i).num_rows for i in range(2)]
    assert rows == [ROW_GROUP_ROWS, 1]
    assert set(read_scores(tmp_path)["channel"].to_pylist()) == {"batch"}


def test_batch_learns_that_the_log_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "log").touch()

    with pytest.raises(ServiceError, match="cannot be written"):
        ScoreLog(tmp_path / "log").write_now(
            *scored([[0.1] * 3]), request_id="b", scored_at=SCORED_AT
        )


def test_damaged_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "2017-12-04").mkdir()
    (tmp_path / "2017-12-04" / "part.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(SourceError, match=r"part\.parquet"):
        read_scores(tmp_path)


def test_unfinished_part_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "2017-12-04").mkdir()
    (tmp_path / "2017-12-04" / ".part.parquet.tmp").write_bytes(b"half")

    assert read_scores(tmp_path).num_rows == 0
