"""From moments to a candidate: one goal, fitted with what was known at a moment, and judged.

A candidate is judged by fitting the same goal one horizon earlier and scoring the test moment that
has matured since, through the very scorer that customers meet. Then the goal is fitted again with
all that is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.cohort import EVER_ORDERED, eligibility, eligible_rows
from features.contracts.as_of import AsOf
from features.contracts.eligibility import Eligibility
from features.contracts.errors import HistoryError
from features.contracts.settings import GoalSettings, TrainingSettings
from features.contracts.vectors import FeatureVectors
from serving.model_card import Metrics, ModelCard, TrainingRecord
from serving.predictors import Prediction, StoredPredictor
from training.dataset import (
    LabelReader,
    Slice,
    TrainingSet,
    make_slice,
    make_training_set,
    require_two_classes,
)
from training.evaluate import Evaluation, evaluate
from training.level import level_warnings
from training.models.classifier import fit_classifier
from training.models.hurdle import fit_hurdle
from training.specs import BAND_EDGES, BAND_NAMES, PERCENTILE_POINTS, GoalSpec
from training.splits import Split, make_split

SMALLEST_SLICE = 50
"""Fewest events and fewest non-events of a slice that calibrates."""


@dataclass(frozen=True)
class GoalProblem:
    """All that a fit of one goal needs.

    Attributes:
        spec: how the goal is labelled and judged.
        goal: the goal's section of the project file.
        training: the training section of the project file.
        first_event: the first order there is.
        vectors: features of everyone, by moment.
        labels: reads what happened after a moment.
        feature_service: where the features come from.
        seed: seed of everything that draws random numbers.
        code_version: version of the code that fits.
        dataset_hash: hash of the manifest of the snapshots; empty when they have none.
    """

    spec: GoalSpec
    goal: GoalSettings
    training: TrainingSettings
    first_event: AsOf
    vectors: Mapping[AsOf, FeatureVectors]
    labels: LabelReader
    feature_service: str
    seed: int
    code_version: str
    dataset_hash: str = ""

    @property
    def rule(self) -> Eligibility:
        """Who may be scored."""
        return eligibility(self.goal)

    def split(self, as_of: AsOf) -> Split:
        """Return the moments to learn from with what was known at `as_of`."""
        return make_split(
            as_of,
            horizon_days=self.goal.horizon_days,
            first_event=self.first_event,
            settings=self.training,
        )


@dataclass(frozen=True)
class Candidate:
    """A fitted model with its card."""

    card: ModelCard
    predictor: StoredPredictor


@dataclass(frozen=True)
class _Fit:
    predictor: StoredPredictor
    training_set: TrainingSet
    split: Split
    warnings: tuple[str, ...]


def fit_candidate(problem: GoalProblem, as_of: AsOf) -> Candidate:
    """Return a candidate fitted with what was known at `as_of`, with its out-of-time metrics.

    Raises:
        HistoryError: if history is too short, nobody is eligible, or only one class is there.
    """
    fitted = _fit(problem, as_of)
    judged = _judge_earlier(problem, as_of)
    card = _card(problem, as_of, fitted, dict(judged.metrics), (*fitted.warnings, *judged.warnings))
    return Candidate(card, fitted.predictor)


def make_test_slice(problem: GoalProblem, as_of: AsOf, *, known_at: AsOf) -> Slice:
    """Return the eligible customers of a test moment with what then happened to them.

    Raises:
        HistoryError: if the horizon has not matured at `known_at`, nobody is eligible, or the event
            happened to all or to none.
    """
    vectors = problem.vectors[as_of]
    part = make_slice(
        problem.spec,
        problem.rule,
        vectors,
        as_of=as_of,
        known_at=known_at,
        labels=problem.labels,
    )
    require_two_classes(problem.spec, TrainingSet(vectors.columns, (part,)))
    return part


def fit_unjudged(problem: GoalProblem, as_of: AsOf) -> Candidate:
    """Return a candidate without metrics, for a caller that judges it on its own."""
    fitted = _fit(problem, as_of)
    return Candidate(_card(problem, as_of, fitted, {}, fitted.warnings), fitted.predictor)


def _fit(problem: GoalProblem, as_of: AsOf) -> _Fit:
    split = problem.split(as_of)
    training_set = make_training_set(
        problem.spec,
        problem.rule,
        problem.vectors,
        split.fit,
        known_at=as_of,
        labels=problem.labels,
    )
    warnings = level_warnings(training_set, problem.goal.horizon_days, as_of, problem.first_event)
    held_out, embargoed, problems = _calibration_parts(training_set, split)
    fit = fit_hurdle if problem.spec.spends else fit_classifier
    predictor = fit(training_set, held_out, embargoed, problem.seed)
    return _Fit(predictor, training_set, split, (*warnings, *problems))


def _calibration_parts(
    training_set: TrainingSet, split: Split
) -> tuple[TrainingSet | None, TrainingSet | None, tuple[str, ...]]:
    """Return the slice that calibrates, those before the embargo, and why there are none."""
    not_calibrated = "not calibrated out of time:"
    if not split.embargoed_fit:
        return None, None, (f"{not_calibrated} history is too short for an embargo",)
    held_out = training_set.at([split.calibration])
    embargoed = training_set.at(split.embargoed_fit)
    for part in (held_out, embargoed):
        events = part.event.sum()
        if min(events, len(part.event) - events) < SMALLEST_SLICE:
            reason = f"fewer than {SMALLEST_SLICE} of one of two outcomes to calibrate with"
            return None, None, (f"{not_calibrated} {reason}",)
    return held_out, embargoed, ()


def judge(
    problem: GoalProblem, as_of: AsOf, predict: Callable[[Slice], Prediction], *, known_at: AsOf
) -> Evaluation:
    """Return how good the predictions for a test moment were, with the baselines beside them.

    Raises:
        HistoryError: if the horizon has not matured at `known_at`, nobody is eligible, or the event
            happened to all or to none.
    """
    part = make_test_slice(problem, as_of, known_at=known_at)
    vectors = problem.vectors[as_of]
    return evaluate(
        problem.spec,
        part,
        predict(part),
        vectors.columns,
        everyone=vectors.values[eligible_rows(Eligibility(conditions=(EVER_ORDERED,)), vectors)],
        horizon_days=problem.goal.horizon_days,
        seed=problem.seed,
    )


def _judge_earlier(problem: GoalProblem, as_of: AsOf) -> Evaluation:
    test_moment = as_of.plus_days(-problem.goal.horizon_days)
    try:
        earlier = _fit(problem, test_moment).predictor
        return judge(
            problem, test_moment, lambda part: earlier.predict(part.matrix), known_at=as_of
        )
    except HistoryError as error:
        return Evaluation({}, (f"not judged out of time: {error}",))


def _card(
    problem: GoalProblem,
    as_of: AsOf,
    fitted: _Fit,
    judged: dict[str, Metrics],
    warnings: tuple[str, ...],
) -> ModelCard:
    split = fitted.split
    return ModelCard(
        goal=problem.spec.goal,
        horizon_days=problem.goal.horizon_days,
        columns=fitted.training_set.columns,
        feature_service=problem.feature_service,
        eligibility=problem.rule,
        percentile_scores=_percentile_scores(problem, as_of, fitted.predictor),
        band_edges=BAND_EDGES,
        band_names=BAND_NAMES,
        warnings=warnings,
        metrics=judged,
        training=TrainingRecord(
            trained_at=datetime.now(UTC),
            as_of=str(as_of),
            moments=tuple(str(moment) for moment in split.fit),
            calibration_moment=str(split.calibration),
            label_end=str(split.calibration.plus_days(problem.goal.horizon_days)),
            rows=len(fitted.training_set.event),
            data_hash=fitted.training_set.content_hash(),
            dataset_hash=problem.dataset_hash,
            code_version=problem.code_version,
            lightgbm_version=lgb.__version__,
            seed=problem.seed,
        ),
    )


def _percentile_scores(
    problem: GoalProblem, as_of: AsOf, predictor: StoredPredictor
) -> tuple[float, ...]:
    base = problem.vectors[as_of]
    scores: NDArray[np.float64] = predictor.predict(
        np.ascontiguousarray(base.values[eligible_rows(problem.rule, base)])
    ).ranking_score
    points = np.linspace(0.0, 1.0, PERCENTILE_POINTS)
    return tuple(np.quantile(scores, points).tolist()) if len(scores) else (0.0,) * 2
