"""Whoever asks, in batch or over HTTP, gets the same numbers to the last bit."""

from dataclasses import dataclass
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.contracts.goals import GoalName
from pipelines.batch_score import batch_score
from pipelines.serve import running_service
from serving.score_log import read_scores
from tests.pipelines.projects import CLOCK, TrainedProject, trained_cdnow, values

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

PAGE = 1000
STRANGER = "nobody"
NUMBERS = ("probability", "expected_value", "lower", "upper", "percentile")


@dataclass(frozen=True)
class Answers:
    """What was answered over HTTP: a row per customer and goal, and the ids of the requests."""

    rows: dict[tuple[str, str], dict[str, Any]]
    request_ids: list[str]


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> TrainedProject:
    return trained_cdnow(tmp_path_factory.getbasetemp() / "cdnow")


@pytest.fixture(scope="module")
def batch(cdnow: TrainedProject, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    out = tmp_path_factory.mktemp("scores") / "scores.parquet"
    batch_score(cdnow.project, out=out)
    return pq.read_table(out)


@pytest.fixture(scope="module")
def answers(cdnow: TrainedProject, batch: pa.Table) -> Answers:
    project = cdnow.project
    everyone = [*batch["customer_id"].unique().to_pylist(), STRANGER]
    found = Answers({}, [])
    with running_service(cdnow.root, project.settings, project.layout) as address:
        for start in range(0, len(everyone), PAGE):
            body = {"customer_ids": everyone[start : start + PAGE]}
            response = httpx.post(f"{address}/v1/score", json=body, timeout=60)
            response.raise_for_status()
            answer = response.json()
            assert answer["as_of"] == str(CLOCK)
            found.request_ids.append(answer["request_id"])
            for result in answer["results"]:
                for goal, told in result["scores"].items():
                    key = (result["customer_id"], goal)
                    found.rows[key] = {**told, "features_as_of": result["features_as_of"]}
    return found  # the service has stopped, and with it written what waited in the score log


def bits(row: dict[str, Any]) -> dict[str, str | None]:
    """Return the numbers of a row in hexadecimal, where not one bit can hide."""
    return {name: None if row.get(name) is None else row[name].hex() for name in NUMBERS}


def test_everyone_gets_the_same_numbers_from_both(batch: pa.Table, answers: Answers) -> None:
    rows = batch.to_pylist()

    assert len(rows) == 2357 * len(GoalName)
    scored = 0
    for row in rows:
        told = answers.rows[row["customer_id"], row["goal"]]
        assert bits(told) == bits(row)
        assert told["status"] == row["status"]
        assert told.get("band") == row["band"]
        assert told["model_version"] == row["model_version"]
        scored += row["status"] == "scored"
    assert scored > 2 * 2357


def test_same_customers_are_refused_by_both_and_told_why(batch: pa.Table, answers: Answers) -> None:
    refused = [row for row in batch.to_pylist() if row["status"] != "scored"]

    assert {(row["goal"], row["status"]) for row in refused} == {("churn", "not_eligible")}
    for row in refused:
        told = answers.rows[row["customer_id"], row["goal"]]
        assert told["detail"] == "days_since_last_order must be at most 300"


def test_stranger_is_told_apart(batch: pa.Table, answers: Answers) -> None:
    told = [answers.rows[STRANGER, goal.value] for goal in GoalName]

    assert {row["status"] for row in told} == {"unknown_customer"}
    assert [row["features_as_of"] for row in told] == [None] * len(GoalName)
    assert all(set(bits(row).values()) == {None} for row in told)
    assert STRANGER not in batch["customer_id"].to_pylist()


def test_score_log_has_every_row_that_was_answered(
    cdnow: TrainedProject, batch: pa.Table, answers: Answers
) -> None:
    logged = read_scores(cdnow.project.layout.score_log)
    ours = logged.filter(pc.is_in(logged["request_id"], pa.array(answers.request_ids)))

    assert ours.num_rows == len(answers.rows)
    assert set(ours["channel"].to_pylist()) == {"api"}
    for row in ours.select([*batch.column_names]).to_pylist():
        told = answers.rows[row["customer_id"], row["goal"]]
        assert bits(row) == bits(told)
        assert row["status"] == told["status"]


def test_features_that_were_logged_are_the_same_online_and_in_batch(
    cdnow: TrainedProject, answers: Answers
) -> None:
    logged = read_scores(cdnow.project.layout.score_log, goal=GoalName.CLV)
    names = [name for name in logged.column_names if name.startswith("feature.")]
    channels = pc.is_in(logged["request_id"], pa.array(answers.request_ids))
    online = features_by_customer(logged.filter(channels), names)
    batch = features_by_customer(
        logged.filter(pc.starts_with(logged["request_id"], "batch-")), names
    )

    assert len(names) > 30
    assert len(batch) == 2357
    assert {customer: online[customer] for customer in batch} == batch


def features_by_customer(rows: pa.Table, names: list[str]) -> dict[str, tuple[str | None, ...]]:
    columns = [
        [None if value is None else value.hex() for value in rows[name].to_pylist()]
        for name in names
    ]
    return dict(zip(values(rows, "customer_id"), zip(*columns, strict=True), strict=True))
