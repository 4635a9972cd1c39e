"""Training data for tests: simulated customers, and the real ones of CDNOW."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.errors import ImmatureLabelsError
from features.contracts.goals import GoalName
from features.contracts.settings import GoalSettings, TrainingSettings
from features.contracts.vectors import FeatureVectors, FloatMatrix
from features.labels import Outcomes
from tests.fakes import make_vectors
from training.dataset import LabelReader, Slice, TrainingSet
from training.fit import GoalProblem
from training.specs import SPECS

Values = NDArray[np.float64]

MONDAY = AsOf.parse("2026-01-05")
COLUMNS = ("orders_90d", "days_since_last_order", "spend_total")

CDNOW = Path(__file__).parent.parent / "data" / "cdnow_sample.parquet"
CDNOW_FIRST = AsOf.parse("1997-01-01")
CDNOW_AS_OF = AsOf.parse("1998-04-01")
HORIZON_DAYS = 56
TRAINING = TrainingSettings(moments=4, step_days=28, min_history_days=60)

FEATURES_SQL = """
SELECT customer_id,
       count(*)::DOUBLE AS orders_total,
       sum(amount)::DOUBLE AS spend_total,
       count(DISTINCT timestamp::DATE)::DOUBLE AS order_days_total,
       epoch(moment - max(timestamp)) / 86400 AS days_since_last_order,
       epoch(moment - min(timestamp)) / 86400 AS days_since_first_order,
       count(*) FILTER (moment - timestamp <= INTERVAL 90 DAY)::DOUBLE AS orders_90d,
       spend_total * 30 / greatest(days_since_first_order, 30) AS spend_per_30d
FROM (SELECT *, $moment::TIMESTAMP AS moment FROM orders) WHERE timestamp < moment
GROUP BY customer_id, moment ORDER BY customer_id
"""
OUTCOMES_SQL = """
SELECT customer_id, count(*)::DOUBLE, sum(amount)::DOUBLE FROM orders
WHERE timestamp >= $start::TIMESTAMP AND timestamp < $stop::TIMESTAMP GROUP BY customer_id
"""


def random_matrix(rows: int, seed: int = 0) -> FloatMatrix:
    """Return skewed features in the columns `COLUMNS`, some of them null."""
    random = np.random.default_rng(seed)
    matrix = random.gamma(1.0, [2.0, 60.0, 150.0], (rows, len(COLUMNS)))
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix


def simulated_slice(rows: int = 600, as_of: AsOf = MONDAY, seed: int = 0) -> Slice:
    """Return customers who buy the likelier the lately they bought, at lognormal amounts."""
    random = np.random.default_rng(seed)
    matrix = random_matrix(rows, seed)
    known = np.log1p(np.nan_to_num(matrix))
    chance = 1.0 / (1.0 + np.exp(0.8 * (known[:, 1] - 3.0) - 0.5 * known[:, 0]))
    event = np.asarray(random.random(rows) < chance, dtype=np.float64)
    spend = event * np.exp(1.0 + 0.4 * known[:, 2] + random.normal(0.0, 0.6, rows))
    return Slice(as_of, tuple(f"c{row}" for row in range(rows)), matrix, event, spend)


def simulated_set(slices: int = 3, rows: int = 600, seed: int = 0) -> TrainingSet:
    """Return slices of simulated customers, 28 days apart."""
    return TrainingSet(
        COLUMNS,
        tuple(
            simulated_slice(rows, MONDAY.plus_days(28 * number), seed * 100 + number)
            for number in range(slices)
        ),
    )


def with_column(training_set: TrainingSet, place: int, values: float | Values) -> TrainingSet:
    """Return the set with other values in one column."""
    changed = []
    for part in training_set.slices:
        matrix = part.matrix.copy()
        matrix[:, place] = values
        changed.append(replace(part, matrix=matrix))
    return TrainingSet(training_set.columns, tuple(changed))


class Shop:
    """The orders of CDNOW, or a changed copy of them, in memory."""

    def __init__(self, change: str = "SELECT * FROM orders") -> None:
        self._connection = duckdb.connect()
        read = f"SELECT * FROM read_parquet('{CDNOW}') WHERE customer_id::BIGINT % 2 = 0"
        self._connection.execute(f"CREATE TABLE found AS WITH orders AS ({read}) {change}")
        self._connection.execute("CREATE VIEW orders AS SELECT * FROM found")

    def vectors(self, as_of: AsOf) -> FeatureVectors:
        """Return the features of everyone who had ordered before the moment."""
        found = self._connection.execute(FEATURES_SQL, {"moment": as_of.naive_utc}).fetchnumpy()
        ids = [str(customer) for customer in found.pop("customer_id")]
        return make_vectors(np.column_stack(list(found.values())), tuple(found), ids)

    def labels(self, horizon_days: int = HORIZON_DAYS) -> LabelReader:
        """Return the reader of what happened."""

        def read(customers: tuple[str, ...], as_of: AsOf, known_at: AsOf) -> Outcomes:
            end = as_of.plus_days(horizon_days)
            if end > known_at:
                raise ImmatureLabelsError(f"not known before {end}; wait")
            found = self._connection.execute(
                OUTCOMES_SQL, {"start": as_of.naive_utc, "stop": end.naive_utc}
            ).fetchall()
            happened = {str(customer): (orders, spend) for customer, orders, spend in found}
            rows = np.array([happened.get(customer, (0.0, 0.0)) for customer in customers])
            return Outcomes(orders=rows[:, 0].copy(), spend=rows[:, 1].copy())

        return read


def cdnow_problem(
    goal: GoalName, shop: Shop, as_of: AsOf = CDNOW_AS_OF, training: TrainingSettings = TRAINING
) -> GoalProblem:
    """Return the problem of a goal, with the moments that training and judging it need."""
    steps = 2 * HORIZON_DAYS // training.step_days + training.moments
    back = [as_of.plus_days(-training.step_days * number) for number in range(steps)]
    vectors: Mapping[AsOf, FeatureVectors] = {
        moment: shop.vectors(moment) for moment in back if moment > CDNOW_FIRST
    }
    return GoalProblem(
        spec=SPECS[goal],
        goal=GoalSettings(horizon_days=HORIZON_DAYS),
        training=training,
        first_event=CDNOW_FIRST,
        vectors=vectors,
        labels=shop.labels(),
        feature_service=f"{goal.value}_v1",
        seed=7,
        code_version="test",
    )
