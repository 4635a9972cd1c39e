"""Stand-ins for the doors, and small real models: what tests wire together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.eligibility import Condition, Eligibility
from features.contracts.errors import FeatureStoreError, ModelUnavailableError
from features.contracts.goals import GoalName
from features.contracts.vectors import FeatureVectors, FloatMatrix, Presence
from serving.model_card import ModelCard, TrainingRecord
from serving.predictors import (
    ClassifierPredictor,
    ClassifierTables,
    HurdlePredictor,
    HurdleTables,
    IntervalTable,
    LogLinear,
    Prediction,
    Predictor,
    Sigmoid,
    StoredPredictor,
    Values,
)
from serving.registry import open_client
from serving.scorer import LoadedModel

AS_OF = AsOf(datetime(2017, 12, 4, tzinfo=UTC))
COLUMNS = ("orders_30d", "days_since_last_order", "spend_90d")


def make_card(
    goal: GoalName = GoalName.CHURN,
    columns: Sequence[str] = COLUMNS,
    conditions: Sequence[Condition] = (),
    warnings: Sequence[str] = (),
) -> ModelCard:
    """Return a card whose percentiles are evenly spread over scores from 0 to 1."""
    return ModelCard(
        goal=goal,
        horizon_days=28,
        columns=tuple(columns),
        feature_service=f"{goal.value}_v1",
        eligibility=Eligibility(conditions=tuple(conditions)),
        percentile_scores=tuple(np.linspace(0.0, 1.0, 101).tolist()),
        band_edges=(50.0, 90.0),
        band_names=("low", "medium", "high"),
        warnings=tuple(warnings),
        metrics={"model": {"average_precision": 0.5}},
        training=TrainingRecord(
            trained_at=datetime(2017, 12, 5, 6, tzinfo=UTC),
            as_of=str(AS_OF),
            moments=("2017-10-09T00:00:00Z",),
            calibration_moment="2017-11-06T00:00:00Z",
            label_end="2017-12-04T00:00:00Z",
            rows=1_000,
            data_hash="ab" * 32,
            dataset_hash="cd" * 32,
            code_version="0.1.0",
            lightgbm_version=lgb.__version__,
            seed=7,
        ),
    )


@dataclass(frozen=True)
class FirstColumnPredictor:
    """Takes the first feature for the chance, and with `is_spend` three times it for the spend."""

    is_spend: bool = False

    def predict(self, matrix: Values) -> Prediction:
        chance = matrix[:, 0]
        nothing = np.full(len(matrix), np.nan)
        if not self.is_spend:
            return Prediction(chance, nothing, nothing, nothing)
        return Prediction(chance, 3.0 * chance, 2.0 * chance, 4.0 * chance)


def make_model(
    goal: GoalName = GoalName.CHURN,
    predictor: Predictor | None = None,
    card: ModelCard | None = None,
    version: str = "3",
) -> LoadedModel:
    """Return a loaded model that scores with its first feature."""
    fake = FirstColumnPredictor(is_spend=goal is GoalName.CLV)
    return LoadedModel(card or make_card(goal), version, predictor or fake)


def make_vectors(
    values: FloatMatrix,
    columns: Sequence[str] = COLUMNS,
    customer_ids: Sequence[str] | None = None,
    presence: Sequence[Presence] | None = None,
) -> FeatureVectors:
    """Return vectors as of `AS_OF`, of customers named c0, c1, ..."""
    found = np.array(presence or [Presence.PRESENT] * len(values), dtype=np.int8)
    moments = np.full(len(values), np.datetime64(AS_OF.naive_utc, "us"))
    moments[found == Presence.UNKNOWN_CUSTOMER] = np.datetime64("NaT")
    return FeatureVectors(
        customer_ids=tuple(customer_ids or (f"c{row}" for row in range(len(values)))),
        columns=tuple(columns),
        values=np.ascontiguousarray(values, dtype=np.float64),
        presence=found,
        features_as_of=moments,
    )


@dataclass
class FakeFeatureReader:
    """Features in memory: whom `values` does not name is unknown, whom `stale` names is stale."""

    values: Mapping[str, Sequence[float]]
    columns: tuple[str, ...] = COLUMNS
    stale: frozenset[str] = frozenset()
    down: bool = False
    asked: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)

    def online(
        self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
    ) -> FeatureVectors:
        del as_of
        self.asked.append((tuple(customer_ids), tuple(services)))
        if self.down:
            raise FeatureStoreError("the online store does not answer; start it")
        nothing = [np.nan] * len(self.columns)
        rows = [self.values.get(customer, nothing) for customer in customer_ids]
        matrix = np.array(rows, dtype=np.float64).reshape(-1, len(self.columns))
        presence = [self._presence(customer) for customer in customer_ids]
        return make_vectors(matrix, self.columns, customer_ids, presence)

    historical = online

    def _presence(self, customer: str) -> Presence:
        if customer in self.stale:
            return Presence.STALE
        return Presence.PRESENT if customer in self.values else Presence.UNKNOWN_CUSTOMER


@dataclass
class FakeRegistry:
    """Champions in memory."""

    models: Mapping[GoalName, LoadedModel]

    def load(self, goal: GoalName, alias: str = "champion") -> LoadedModel:
        if alias != "champion" or goal not in self.models:
            raise ModelUnavailableError(
                f"model '{goal}' has no alias '{alias}'; run: bellwether promote {goal}"
            )
        return self.models[goal]

    def load_champions(
        self,
        goals: Iterable[GoalName],
        *,
        report: Callable[[GoalName, str], None] | None = None,
    ) -> dict[GoalName, LoadedModel]:
        champions = {}
        for goal in goals:
            try:
                champions[goal] = self.load(goal)
            except ModelUnavailableError as error:
                if report is not None:
                    report(goal, str(error))
        return champions


def random_features(rows: int, columns: int = len(COLUMNS), seed: int = 1) -> FloatMatrix:
    """Return skewed features with nulls, as counts, days and amounts are."""
    random = np.random.default_rng(seed)
    matrix: NDArray[np.float64] = random.gamma(1.0, 20.0, (rows, columns))
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    return matrix


@cache
def trained_booster(columns: int = len(COLUMNS), seed: int = 1) -> lgb.Booster:
    """Return a small booster on the scale of log odds."""
    matrix = random_features(600, columns, seed)
    chance = 1.0 / (1.0 + np.nan_to_num(matrix[:, 0]) / 20.0)
    labels = (np.random.default_rng(seed).random(len(matrix)) < chance).astype(np.float64)
    parameters = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    return lgb.train(parameters, lgb.Dataset(matrix, labels), num_boost_round=20)


def trained_predictor(goal: GoalName = GoalName.CHURN, seed: int = 1) -> StoredPredictor:
    """Return a small real predictor, as training would save it."""
    columns = len(COLUMNS)
    linear = LogLinear(
        intercept=-0.3,
        weights=tuple(np.linspace(-0.4, 0.7, columns).tolist()),
        lows=(0.0,) * columns,
        highs=(5.0,) * columns,
    )
    sigmoid = Sigmoid(intercept=0.1, slope=0.9)
    order = trained_booster(columns, seed)
    if goal is not GoalName.CLV:
        return ClassifierPredictor(ClassifierTables(order_linear=linear, sigmoid=sigmoid), order)
    intervals = IntervalTable(
        coverage=0.8, edges=(10.0,), lower_ratios=(0.0, 0.3), upper_ratios=(4.0, 2.5)
    )
    tables = HurdleTables(
        order_linear=linear,
        sigmoid=sigmoid,
        spend_linear=linear,
        spend_scale=40.0,
        intervals=intervals,
    )
    return HurdlePredictor(tables, order, trained_booster(columns, seed + 1))


@cache
def _empty_tracking_database() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tracking.db"
        client = open_client(f"sqlite:///{file}")
        client.search_experiments()
        client.search_registered_models()
        return file.read_bytes()


def tracking_uri(folder: Path) -> str:
    """Return the URI of a real, empty MLflow store in `folder`; making the tables takes seconds."""
    file = folder / "tracking.db"
    file.write_bytes(_empty_tracking_database())
    return f"sqlite:///{file}"
