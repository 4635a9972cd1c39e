"""Batch scoring: everyone known at a moment, into one file, with the scorer of the API."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.errors import ModelUnavailableError
from features.contracts.goals import GoalName, ScoreStatus
from pipelines.problems import newest_moment
from pipelines.wiring import Announce, Project, silent

if TYPE_CHECKING:
    import pyarrow as pa

    from features.store import FeatureReader
    from serving.scorer import Scorer
    from serving.score_log import ScoreLog

CHUNK_CUSTOMERS = 50_000
"""Customers scored together: bounds memory, and does not change a single bit of the scores."""


@dataclass(frozen=True)
class BatchResult:
    """What a batch did: customers in = rows per goal = scored + refused.

    Attributes:
        as_of: the moment scored.
        out: the file written.
        customers: customers known at the moment.
        outcomes: rows by goal and status.
    """

    as_of: AsOf
    out: Path
    customers: int
    outcomes: dict[GoalName, dict[ScoreStatus, int]]

    def scored(self, goal: GoalName) -> int:
        """Return the number of customers that have a score for `goal`."""
        return self.outcomes[goal].get(ScoreStatus.SCORED, 0)


def batch_score(
    project: Project, *, out: Path, as_of: AsOf | None = None, announce: Announce = silent
) -> BatchResult:
    """Score everyone known at `as_of` (the newest features when None) into `out`.

    Raises:
        ModelUnavailableError: if no goal has a champion.
        FeatureStoreError: if features are missing.
        ConfigurationError: if `out` has an unknown ending or cannot be written.
    """
    from serving.scorer import Scorer
    from serving.sinks import write_scores

    announce("loading the champions")
    models = project.registry().load_champions(project.settings.goals)
    if not models:
        raise ModelUnavailableError(
            "no goal has a champion; run `bellwether train` and `bellwether promote`"
        )
    moment = as_of or newest_moment(project)
    customers = _customers(project, moment, announce)
    scorer, counts = Scorer(models), Counter[tuple[GoalName, ScoreStatus]]()
    chunks = _scored_chunks(project, scorer, customers, moment, counts, announce)
    write_scores(out, chunks)
    outcomes = {
        goal: {status: counts[goal, status] for status in ScoreStatus if counts[goal, status]}
        for goal in models
    }
    return BatchResult(moment, out, len(customers), outcomes)


def _customers(project: Project, moment: AsOf, announce: Announce) -> tuple[str, ...]:
    from features.snapshots import customers_at, snapshot_path

    if not snapshot_path(project.layout.snapshots, moment).exists():
        _add_snapshot(project, moment, announce)
    return customers_at(project.layout.snapshots, moment)


def _add_snapshot(project: Project, moment: AsOf, announce: Announce) -> None:
    from features.snapshots import write_snapshots

    newest_moment(project)
    announce(f"building the features as of {moment}")
    data = project.load_data()
    try:
        for _ in write_snapshots(
            data.connection, data.tables, data.mapped, [moment], project.layout.snapshots
        ):
            pass
    finally:
        data.close()


def _scored_chunks(
    project: Project,
    scorer: "Scorer",
    customers: Sequence[str],
    moment: AsOf,
    counts: Counter[tuple[GoalName, ScoreStatus]],
    announce: Announce,
) -> Iterator["pa.Table"]:
    reader, score_log = project.reader(), project.score_log()
    run_id = f"batch-{uuid.uuid4().hex}"
    for start in range(0, len(customers), CHUNK_CUSTOMERS):
        chunk = customers[start : start + CHUNK_CUSTOMERS]
        announce(f"scoring {start + len(chunk):,} of {len(customers):,} customers")
        yield _score_chunk(scorer, reader, score_log, chunk, moment, run_id, counts)


def _score_chunk(
    scorer: "Scorer",
    reader: "FeatureReader",
    score_log: "ScoreLog",
    customers: Sequence[str],
    moment: AsOf,
    run_id: str,
    counts: Counter[tuple[GoalName, ScoreStatus]],
) -> "pa.Table":
    services = sorted({model.card.feature_service for model in scorer.models.values()})
    vectors = reader.historical(customers, as_of=moment, services=services)
    scores = scorer.score(vectors, as_of=moment)
    for goal, of_goal in scores.goals.items():
        counts.update((goal, status) for status in of_goal.status)
    score_log.write_now(scores, vectors, request_id=run_id, scored_at=datetime.now(UTC))
    return scores.to_arrow()
