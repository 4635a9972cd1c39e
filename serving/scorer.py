"""The one scorer: the API, the batch job, the backtest and the candidate check all score with it.

No input or output, no clock, no environment: the same vectors give the same scores to the last bit,
whoever asks and however many customers are asked for at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName, ScoreStatus
from features.contracts.vectors import FeatureVectors, Presence
from serving.model_card import ModelCard
from serving.predictors import Predictor

_SCORE_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("customer_id", pa.string()),
    pa.field("goal", pa.string()),
    pa.field("as_of", pa.timestamp("us", tz="UTC")),
    pa.field("status", pa.string()),
    pa.field("probability", pa.float64()),
    pa.field("expected_value", pa.float64()),
    pa.field("lower", pa.float64()),
    pa.field("upper", pa.float64()),
    pa.field("percentile", pa.float64()),
    pa.field("band", pa.string()),
    pa.field("model_version", pa.string()),
]
SCORE_SCHEMA = pa.schema(_SCORE_FIELDS)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to score: its card, its registered version and its predictor."""

    card: ModelCard
    version: str
    predictor: Predictor


@dataclass(frozen=True)
class GoalScores:
    """Scores of n customers for one goal; numbers are NaN and bands None where there is no score.

    Attributes:
        goal: the goal.
        model_version: version of the model, None when the goal has no model.
        status: n coded outcomes.
        details: n explanations of a refusal, None where there is a score.
        probability: chance of the goal's event within the horizon, 0..1.
        expected_value: expected spend within the horizon, in the project's currency (CLV only).
        lower: lower end of the spend interval (CLV only).
        upper: upper end of the spend interval (CLV only).
        percentile: rank of the score in the reference base, 0..100.
        band: named range of the percentile.
    """

    goal: GoalName
    model_version: str | None
    status: tuple[ScoreStatus, ...]
    details: tuple[str | None, ...]
    probability: NDArray[np.float64]
    expected_value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    percentile: NDArray[np.float64]
    band: tuple[str | None, ...]


@dataclass(frozen=True)
class Scores:
    """Scores of n customers as of a moment, by goal, in the order of the vectors."""

    customer_ids: tuple[str, ...]
    as_of: AsOf
    features_as_of: NDArray[np.datetime64]
    goals: Mapping[GoalName, GoalScores]

    def to_arrow(self) -> pa.Table:
        """Return one row per customer and goal, in the columns of `SCORE_SCHEMA`."""
        return pa.concat_tables(self._goal_table(scores) for scores in self.goals.values())

    def _goal_table(self, scores: GoalScores) -> pa.Table:
        n = len(self.customer_ids)
        numbers = {
            name: pa.array(getattr(scores, name), from_pandas=True)
            for name in ("probability", "expected_value", "lower", "upper", "percentile")
        }
        return pa.table(
            {
                "customer_id": pa.array(self.customer_ids, pa.string()),
                "goal": pa.array([scores.goal.value] * n, pa.string()),
                "as_of": pa.array([self.as_of.moment] * n, pa.timestamp("us", tz="UTC")),
                "status": pa.array([status.value for status in scores.status], pa.string()),
                **numbers,
                "band": pa.array(scores.band, pa.string()),
                "model_version": pa.array([scores.model_version] * n, pa.string()),
            },
            schema=SCORE_SCHEMA,
        )


class Scorer:
    """Scores feature vectors with one model per goal."""

    def __init__(self, models: Mapping[GoalName, LoadedModel]) -> None:
        self._models = dict(models)

    @property
    def models(self) -> Mapping[GoalName, LoadedModel]:
        """The models by goal."""
        return self._models

    def score(
        self, vectors: FeatureVectors, *, as_of: AsOf, goals: Sequence[GoalName] | None = None
    ) -> Scores:
        """Return the scores of `vectors` for `goals` (all goals that have a model when None).

        Raises:
            FeatureVectorError: if the vectors lack a feature that a model needs.
        """
        wanted = tuple(self._models) if goals is None else tuple(goals)
        return Scores(
            customer_ids=vectors.customer_ids,
            as_of=as_of,
            features_as_of=vectors.features_as_of,
            goals={goal: self._score_goal(goal, vectors) for goal in wanted},
        )

    def _score_goal(self, goal: GoalName, vectors: FeatureVectors) -> GoalScores:
        model = self._models.get(goal)
        if model is None:
            return _unavailable(goal, len(vectors))
        status, details = _outcomes(model.card, vectors)
        scored = np.array([outcome is ScoreStatus.SCORED for outcome in status], dtype=np.bool_)
        matrix = np.ascontiguousarray(vectors.select(model.card.columns)[scored])
        prediction = model.predictor.predict(matrix)
        percentile = _percentile(model.card, prediction.ranking_score)
        return GoalScores(
            goal=goal,
            model_version=model.version,
            status=status,
            details=details,
            probability=_spread(prediction.probability, scored),
            expected_value=_spread(prediction.expected_value, scored),
            lower=_spread(prediction.lower, scored),
            upper=_spread(prediction.upper, scored),
            percentile=_spread(percentile, scored),
            band=_bands(model.card, _spread(percentile, scored)),
        )


def _outcomes(
    card: ModelCard, vectors: FeatureVectors
) -> tuple[tuple[ScoreStatus, ...], tuple[str | None, ...]]:
    failed = card.eligibility.failed_condition(vectors)
    outcomes = [
        _outcome(card, vectors, row, int(presence), int(failed[row]))
        for row, presence in enumerate(vectors.presence)
    ]
    return tuple(status for status, _ in outcomes), tuple(detail for _, detail in outcomes)


def _outcome(
    card: ModelCard, vectors: FeatureVectors, row: int, presence: int, failed: int
) -> tuple[ScoreStatus, str | None]:
    if presence == Presence.UNKNOWN_CUSTOMER:
        return ScoreStatus.UNKNOWN_CUSTOMER, "no features are stored for this customer"
    if presence == Presence.STALE:
        moment = np.datetime_as_string(vectors.features_as_of[row], unit="s")
        return ScoreStatus.FEATURES_STALE, f"the newest features are as of {moment}Z"
    if failed >= 0:
        return ScoreStatus.NOT_ELIGIBLE, str(card.eligibility.conditions[failed])
    return ScoreStatus.SCORED, None


def _percentile(card: ModelCard, score: NDArray[np.float64]) -> NDArray[np.float64]:
    ranks = np.linspace(0.0, 100.0, len(card.percentile_scores))
    return np.interp(score, np.asarray(card.percentile_scores), ranks)


def _bands(card: ModelCard, percentile: NDArray[np.float64]) -> tuple[str | None, ...]:
    edges = np.asarray(card.band_edges)
    places = np.searchsorted(edges, percentile, side="right")
    return tuple(
        None if np.isnan(rank) else card.band_names[place]
        for rank, place in zip(percentile, places, strict=True)
    )


def _spread(values: NDArray[np.float64], scored: NDArray[np.bool_]) -> NDArray[np.float64]:
    spread = np.full(len(scored), np.nan)
    spread[scored] = values
    return spread


def _unavailable(goal: GoalName, n: int) -> GoalScores:
    nothing = np.full(n, np.nan)
    return GoalScores(
        goal=goal,
        model_version=None,
        status=(ScoreStatus.MODEL_UNAVAILABLE,) * n,
        details=(f"no model serves the goal {goal.value}",) * n,
        probability=nothing,
        expected_value=nothing,
        lower=nothing,
        upper=nothing,
        percentile=nothing,
        band=(None,) * n,
    )
