"""Backtest: what would Bellwether have said at a moment of the past, and was it right?

Everything is made anew in a scratch folder from what was known at the moment: features, training
and scores. The project itself is not touched.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.atomic_text import write_atomically
from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import OnlineStoreSettings
from pipelines.build_features import build_snapshots, data_end, require_data_until
from pipelines.problems import make_problems
from pipelines.wiring import Announce, Project, silent

if TYPE_CHECKING:
    from features.sources import CanonicalTables
    from serving.scorer import GoalScores, LoadedModel, Scores
    from training.fit import GoalProblem

SCORES, METRICS = "scores.parquet", "metrics.json"


@dataclass(frozen=True)
class GoalBacktest:
    """What a backtest found of one goal.

    Attributes:
        goal: the goal.
        horizon_days: its horizon.
        problem: why the goal could not be trained, or what happened is not known yet; else None.
        metrics: metrics of the model and of the baselines; empty when there is a problem.
        warnings: what could be said beforehand.
        model_version: version in the scores; None when the goal could not be trained.
        record: where the model came from.
    """

    goal: GoalName
    horizon_days: int
    problem: str | None
    metrics: Mapping[str, Mapping[str, float | int | None]]
    warnings: tuple[str, ...]
    model_version: str | None
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Backtest:
    """A backtest: its moment, its files and what it found by goal."""

    as_of: AsOf
    folder: Path
    customers: int
    goals: tuple[GoalBacktest, ...]


def backtest(project: Project, *, as_of: AsOf, out: Path, announce: Announce = silent) -> Backtest:
    """Train with what was known at `as_of`, score everyone, and compare with what happened.

    Writes `scores.parquet` and `metrics.json` into `out`.

    Raises:
        HistoryError: if no goal can be trained as of the moment, or the data end long before it.
        SourceError: if the data cannot be read.
        ConfigurationError: if a goal needs a column that is not mapped, or `out` is not writable.
    """
    announce("reading the data")
    data = project.load_data()
    try:
        require_data_until(project, data, as_of)
        with _scratch(project, out) as scratch:
            build_snapshots(scratch, data, as_of, known_at=as_of, announce=announce)
            return _replay(scratch, data, as_of, out, announce)
    finally:
        data.close()


@contextmanager
def _scratch(project: Project, out: Path) -> Iterator[Project]:
    state = out / f".backtest-{uuid.uuid4().hex}"
    # The project file may name an online store elsewhere, which is not for us to touch.
    settings = project.settings.model_copy(update={"online_store": OnlineStoreSettings()})
    try:
        state.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(
            f"the backtest cannot write to {out} ({error}); choose another folder with --out"
        ) from error
    try:
        yield Project(settings, Layout(project.layout.root, state=state))
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _replay(
    project: Project, data: "CanonicalTables", as_of: AsOf, out: Path, announce: Announce
) -> Backtest:
    from serving.scorer import Scorer
    from serving.sinks import write_scores

    goals = tuple(project.settings.goals)
    problems = make_problems(project, data, goals, as_of, announce=announce)
    models, failures = _fit_all(problems, as_of, announce)
    if not models:
        raise HistoryError("; ".join(dict.fromkeys(failures.values())))
    announce("scoring everyone")
    vectors = next(iter(problems.values())).vectors[as_of]
    scores = Scorer(models).score(vectors, as_of=as_of, goals=goals)
    announce("comparing with what happened")
    end = data_end(project, data)
    found = tuple(
        _failed(problems[goal], failures[goal])
        if goal in failures
        else _compared(problems[goal], models[goal], scores, end)
        for goal in goals
    )
    result = Backtest(as_of, out, len(vectors), found)
    write_scores(out / SCORES, [scores.to_arrow()])
    _write_metrics(out / METRICS, result, end)
    return result


def _fit_all(
    problems: "Mapping[GoalName, GoalProblem]", as_of: AsOf, announce: Announce
) -> "tuple[dict[GoalName, LoadedModel], dict[GoalName, str]]":
    from serving.scorer import LoadedModel
    from training.fit import fit_unjudged

    models, failures = {}, {}
    for goal, problem in problems.items():
        announce(f"training {goal.value}")
        try:
            candidate = fit_unjudged(problem, as_of)
        except HistoryError as error:
            failures[goal] = str(error)
            continue
        version = f"backtest-{candidate.card.training.data_hash[:12]}"
        models[goal] = LoadedModel(candidate.card, version, candidate.predictor)
    return models, failures


def _compared(
    problem: "GoalProblem",
    model: "LoadedModel",
    scores: "Scores",
    end: AsOf,
) -> GoalBacktest:
    from training.fit import judge

    reason, metrics, warnings = None, {}, model.card.warnings
    try:
        served = _prediction(scores.goals[problem.spec.goal])
        evaluation = judge(problem, scores.as_of, lambda _: served, known_at=end)
        metrics, warnings = dict(evaluation.metrics), (*warnings, *evaluation.warnings)
    except HistoryError as error:
        reason = f"not compared with what happened: {error}"
    return GoalBacktest(
        goal=problem.spec.goal,
        horizon_days=problem.goal.horizon_days,
        problem=reason,
        metrics=metrics,
        warnings=warnings,
        model_version=model.version,
        record=model.card.training.model_dump(mode="json"),
    )


def _prediction(scores: "GoalScores") -> Any:
    """Return the published numbers of those who were scored: what is judged is what is served."""
    from serving.predictors import Prediction

    scored = ~np.isnan(scores.probability)
    return Prediction(
        probability=scores.probability[scored],
        expected_value=scores.expected_value[scored],
        lower=scores.lower[scored],
        upper=scores.upper[scored],
    )


def _failed(problem: "GoalProblem", reason: str) -> GoalBacktest:
    return GoalBacktest(
        goal=problem.spec.goal,
        horizon_days=problem.goal.horizon_days,
        problem=f"not trained: {reason}",
        metrics={},
        warnings=(),
        model_version=None,
        record={},
    )


def _write_metrics(path: Path, result: Backtest, end: AsOf) -> None:
    content = {
        "as_of": str(result.as_of),
        "data_until": str(end),
        "customers": result.customers,
        "goals": {
            found.goal.value: {
                "horizon_days": found.horizon_days,
                "model_version": found.model_version,
                "compared": bool(found.metrics),
                "problem": found.problem,
                "metrics": found.metrics,
                "warnings": found.warnings,
                "training": found.record,
            }
            for found in result.goals
        },
    }
    write_atomically(path, json.dumps(content, indent=2, allow_nan=False))
