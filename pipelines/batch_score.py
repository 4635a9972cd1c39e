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

    from serving.scorer import LoadedModel, Scorer

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
        without_champion: goals that have no model, and why.
    """

    as_of: AsOf
    out: Path
    customers: int
    outcomes: dict[GoalName, dict[ScoreStatus, int]]
    without_champion: dict[GoalName, str]

    def scored(self, goal: GoalName) -> int:
        """Return the number of customers that have a score for `goal`."""
        return self.outcomes[goal].get(ScoreStatus.SCORED, 0)


def batch_score(
    project: Project, *, out: Path, as_of: AsOf | None = None, announce: Announce = silent
) -> BatchResult:
    """Score everyone known at `as_of` (the newest features when None) into `out`.

    Customers of a goal without a champion are rows too, refused with a reason, as over HTTP.

    Raises:
        ModelUnavailableError: if no goal has a champion.
        FeatureStoreError: if features are missing.
        ConfigurationError: if `out` has an unknown ending or cannot be written.
    """
    from serving.scorer import Scorer
    from serving.sinks import write_scores

    announce("loading the champions")
    models, missing = _champions(project)
    moment = as_of or newest_moment(project)
    customers = _customers(project, moment, announce)
    scorer, counts = Scorer(models), Counter[tuple[GoalName, ScoreStatus]]()
    chunks = _scored_chunks(project, scorer, customers, moment, counts, announce)
    write_scores(out, chunks)
    outcomes = {
        goal: {status: counts[goal, status] for status in ScoreStatus if counts[goal, status]}
        for goal in project.settings.goals
    }
    return BatchResult(moment, out, len(customers), outcomes, missing)


def _champions(project: Project) -> "tuple[dict[GoalName, LoadedModel], dict[GoalName, str]]":
    missing: dict[GoalName, str] = {}
    models = project.registry().load_champions(project.settings.goals, report=missing.__setitem__)
    if not models:
        raise ModelUnavailableError(f"no goal has a champion: {next(iter(missing.values()))}")
    return models, missing


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
    goals = tuple(project.settings.goals)
    services = sorted({model.card.feature_service for model in scorer.models.values()})
    run_id = f"batch-{uuid.uuid4().hex}"
    for start in range(0, len(customers), CHUNK_CUSTOMERS):
        chunk = customers[start : start + CHUNK_CUSTOMERS]
        announce(f"scoring {start + len(chunk):,} of {len(customers):,} customers")
        vectors = reader.historical(chunk, as_of=moment, services=services)
        scores = scorer.score(vectors, as_of=moment, goals=goals)
        for goal, of_goal in scores.goals.items():
            counts.update((goal, status) for status in of_goal.status)
        score_log.write_now(scores, vectors, request_id=run_id, scored_at=datetime.now(UTC))
        yield scores.to_arrow()
