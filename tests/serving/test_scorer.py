import numpy as np
import pytest

from features.contracts.eligibility import Condition
from features.contracts.errors import FeatureVectorError
from features.contracts.goals import GoalName, ScoreStatus
from features.contracts.vectors import Presence
from serving.scorer import SCORE_SCHEMA, GoalScores, Scorer
from tests.fakes import (
    AS_OF,
    COLUMNS,
    make_card,
    make_model,
    make_vectors,
    random_features,
    trained_predictor,
)

NUMBERS = ("probability", "expected_value", "lower", "upper", "percentile")


def score_in_batches(scorer: Scorer, goal: GoalName, size: int) -> list[GoalScores]:
    features = random_features(1_000, seed=5)
    return [
        scorer.score(make_vectors(features[start : start + size]), as_of=AS_OF).goals[goal]
        for start in range(0, len(features), size)
    ]


@pytest.mark.parametrize("goal", [GoalName.CHURN, GoalName.CLV])
@pytest.mark.parametrize("size", [1, 7])
def test_score_has_the_same_bits_alone_and_in_any_batch(goal: GoalName, size: int) -> None:
    card = make_card(goal, conditions=[Condition(feature="orders_30d", minimum=2)])
    scorer = Scorer({goal: make_model(goal, trained_predictor(goal), card)})
    (together,) = score_in_batches(scorer, goal, 1_000)

    parts = score_in_batches(scorer, goal, size)

    for name in NUMBERS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tobytes() == getattr(together, name).tobytes(), name
    assert len(set(together.probability[~np.isnan(together.probability)])) > 50
    assert 0 < np.isnan(together.probability).sum() < 1_000


def test_columns_are_taken_by_name_not_by_place() -> None:
    scorer = Scorer({GoalName.CHURN: make_model()})
    values = np.array([[7.0, 8.0, 0.25, 9.0]])
    columns = ("unused", "spend_90d", "orders_30d", "days_since_last_order")

    scores = scorer.score(make_vectors(values, columns), as_of=AS_OF)

    assert scores.goals[GoalName.CHURN].probability.tolist() == [0.25]


def test_missing_feature_is_named() -> None:
    scorer = Scorer({GoalName.CHURN: make_model()})

    with pytest.raises(FeatureVectorError, match="spend_90d"):
        scorer.score(make_vectors(np.zeros((1, 2)), COLUMNS[:2]), as_of=AS_OF)


def test_refused_customers_carry_a_reason_and_no_numbers() -> None:
    card = make_card(conditions=[Condition(feature="spend_90d", minimum=1)])
    scorer = Scorer({GoalName.CHURN: make_model(card=card)})
    values = np.array([[0.5, 1.0, 5.0], [0.5, 1.0, 0.5], [0.5, 1.0, np.nan], [0.5] * 3, [0.5] * 3])
    known, stale, unknown = Presence.PRESENT, Presence.STALE, Presence.UNKNOWN_CUSTOMER
    vectors = make_vectors(values, presence=[known, known, known, stale, unknown])

    scores = scorer.score(vectors, as_of=AS_OF).goals[GoalName.CHURN]

    assert scores.status == (
        ScoreStatus.SCORED,
        ScoreStatus.NOT_ELIGIBLE,
        ScoreStatus.NOT_ELIGIBLE,
        ScoreStatus.FEATURES_STALE,
        ScoreStatus.UNKNOWN_CUSTOMER,
    )
    assert scores.details[0] is None
    assert scores.details[1] == "spend_90d must be at least 1"
    assert "2017-12-04T00:00:00Z" in str(scores.details[3])
    assert np.isnan(scores.probability[1:]).all()
    assert scores.band == ("medium", None, None, None, None)


def test_everybody_refused_is_no_error() -> None:
    scorer = Scorer({GoalName.CHURN: make_model(predictor=trained_predictor())})
    vectors = make_vectors(np.full((2, 3), np.nan), presence=[Presence.UNKNOWN_CUSTOMER] * 2)

    scores = scorer.score(vectors, as_of=AS_OF).goals[GoalName.CHURN]

    assert set(scores.status) == {ScoreStatus.UNKNOWN_CUSTOMER}


def test_goal_without_model_is_told_apart() -> None:
    scorer = Scorer({GoalName.CHURN: make_model()})
    vectors = make_vectors(np.full((1, 3), 0.5))

    scores = scorer.score(vectors, as_of=AS_OF, goals=[GoalName.CHURN, GoalName.CLV])

    assert scores.goals[GoalName.CHURN].status == (ScoreStatus.SCORED,)
    assert scores.goals[GoalName.CLV].status == (ScoreStatus.MODEL_UNAVAILABLE,)
    assert scores.goals[GoalName.CLV].model_version is None


def test_percentile_and_band_rank_by_expected_value_where_there_is_one() -> None:
    scorer = Scorer({goal: make_model(goal) for goal in (GoalName.CHURN, GoalName.CLV)})
    vectors = make_vectors(np.array([[0.25, 0.0, 0.0], [0.5, 0.0, 0.0]]))

    scores = scorer.score(vectors, as_of=AS_OF)

    assert scores.goals[GoalName.CHURN].percentile.tolist() == [25.0, 50.0]
    assert scores.goals[GoalName.CHURN].band == ("low", "medium")
    assert scores.goals[GoalName.CLV].percentile.tolist() == [75.0, 100.0]
    assert scores.goals[GoalName.CLV].band == ("medium", "high")


def test_arrow_table_has_nulls_where_there_are_no_numbers() -> None:
    scorer = Scorer({GoalName.CHURN: make_model()})
    presence = [Presence.PRESENT, Presence.UNKNOWN_CUSTOMER]
    vectors = make_vectors(np.array([[0.5] * 3, [np.nan] * 3]), presence=presence)

    table = scorer.score(vectors, as_of=AS_OF).to_arrow()

    assert table.schema == SCORE_SCHEMA
    assert table["probability"].to_pylist() == [0.5, None]
    assert table["expected_value"].null_count == 2
    assert table["as_of"].to_pylist() == [AS_OF.moment] * 2
    assert table["status"].to_pylist() == ["scored", "unknown_customer"]
