from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import HistoryError, ImmatureLabelsError, OneClassError
from features.contracts.goals import GoalName
from features.contracts.vectors import Presence
from serving.artifact import save_artifact
from serving.predictors import Sigmoid, StoredPredictor
from tests.training.samples import (
    CDNOW_AS_OF,
    CDNOW_FIRST,
    HORIZON_DAYS,
    Shop,
    cdnow_problem,
)
from training import fit as fitting
from training.dataset import make_training_set
from training.evaluate import MODEL, evaluate
from training.fit import Candidate, fit_candidate, fit_unjudged
from training.models.classifier import fit_classifier
from training.models.hurdle import fit_hurdle

TEST_MOMENT = CDNOW_AS_OF.plus_days(-HORIZON_DAYS)
BOTH = [GoalName.CHURN, GoalName.CLV]


def files(candidate: Candidate, folder: Path) -> dict[str, bytes]:
    """Return the files of a candidate as if it had been trained at one and the same time."""
    trained_at = CDNOW_AS_OF.moment
    record = candidate.card.training.model_copy(update={"trained_at": trained_at})
    save_artifact(
        folder, candidate.card.model_copy(update={"training": record}), candidate.predictor
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shop_that_changed_from(moment: AsOf) -> Shop:
    """Return CDNOW with other amounts from a moment on, and two of three orders left out."""
    return Shop(
        f"SELECT * REPLACE (CASE WHEN later THEN amount * 7 ELSE amount END AS amount) FROM "
        f"(SELECT *, timestamp >= '{moment.naive_utc}' AS later FROM orders) "
        "WHERE NOT later OR order_id % 3 = 0"
    )


@pytest.fixture
def candidate(request: pytest.FixtureRequest) -> Candidate:
    found: Candidate = request.getfixturevalue(f"{request.param.value}_candidate")
    return found


class TestWhatAModelMayKnow:
    @pytest.mark.parametrize("candidate", BOTH, indirect=True)
    def test_nothing_after_the_moment_of_knowledge_reaches_a_candidate(
        self, candidate: Candidate, tmp_path: Path
    ) -> None:
        changed = shop_that_changed_from(CDNOW_AS_OF)

        again = fit_candidate(cdnow_problem(candidate.card.goal, changed), CDNOW_AS_OF)

        assert files(again, tmp_path / "again") == files(candidate, tmp_path / "first")

    @pytest.mark.parametrize("goal", BOTH)
    def test_no_label_of_the_test_moment_reaches_the_model_that_is_judged(
        self, goal: GoalName, shop: Shop, tmp_path: Path
    ) -> None:
        changed = shop_that_changed_from(TEST_MOMENT)

        first, second = (
            fit_unjudged(cdnow_problem(goal, known, TEST_MOMENT), TEST_MOMENT)
            for known in (shop, changed)
        )

        assert files(first, tmp_path / "first") == files(second, tmp_path / "second")

    @pytest.mark.parametrize("goal", BOTH)
    def test_labels_up_to_the_moment_of_knowledge_do_reach_it(
        self, goal: GoalName, shop: Shop
    ) -> None:
        changed = shop_that_changed_from(CDNOW_AS_OF.plus_days(-1))

        first, second = (
            fit_unjudged(cdnow_problem(goal, known), CDNOW_AS_OF) for known in (shop, changed)
        )

        assert first.predictor.tables != second.predictor.tables

    @pytest.mark.parametrize(
        ("candidate", "fit"),
        [(GoalName.CHURN, fit_classifier), (GoalName.CLV, fit_hurdle)],
        indirect=["candidate"],
    )
    def test_calibration_comes_from_a_model_whose_labels_ended_before_it_began(
        self, candidate: Candidate, fit: Callable[..., StoredPredictor], shop: Shop
    ) -> None:
        problem = cdnow_problem(candidate.card.goal, shop)
        whole = make_training_set(
            problem.spec,
            problem.rule,
            problem.vectors,
            [AsOf.parse(moment) for moment in candidate.card.training.moments],
            known_at=CDNOW_AS_OF,
            labels=problem.labels,
        )
        newest = AsOf.parse("1998-02-04")
        before = [AsOf.parse("1997-11-12"), AsOf.parse("1997-12-10")]
        assert before[-1].plus_days(HORIZON_DAYS) == newest

        by_hand = fit(whole, whole.at([newest]), whole.at(before), problem.seed)

        assert candidate.predictor.tables == by_hand.tables
        assert candidate.predictor.tables != fit(whole, whole.at([newest]), whole, 7).tables

    @pytest.mark.parametrize("candidate", BOTH, indirect=True)
    def test_card_says_what_the_model_learnt_from(self, candidate: Candidate, shop: Shop) -> None:
        record = candidate.card.training

        assert record.as_of == "1998-04-01T00:00:00Z"
        assert record.moments == (
            "1997-11-12T00:00:00Z",
            "1997-12-10T00:00:00Z",
            "1998-01-07T00:00:00Z",
            "1998-02-04T00:00:00Z",
        )
        assert record.calibration_moment == record.moments[-1]
        assert record.label_end == record.as_of
        customers = [len(shop.vectors(AsOf.parse(moment))) for moment in record.moments]
        assert record.rows == sum(customers)


class TestWhatAModelPromises:
    @pytest.mark.parametrize("candidate", BOTH, indirect=True)
    def test_metrics_are_those_of_the_model_of_one_horizon_earlier(
        self, candidate: Candidate, shop: Shop
    ) -> None:
        problem = cdnow_problem(candidate.card.goal, shop)
        part = fitting.make_test_slice(problem, TEST_MOMENT, known_at=CDNOW_AS_OF)

        earlier = fit_unjudged(problem, TEST_MOMENT)

        evaluation = evaluate(
            problem.spec,
            part,
            earlier.predictor.predict(part.matrix),
            earlier.card.columns,
            everyone=part.matrix,
            horizon_days=HORIZON_DAYS,
            seed=problem.seed,
        )
        assert candidate.card.metrics == dict(evaluation.metrics)
        assert {MODEL, "days_since_last_order", "rfm"} < candidate.card.metrics.keys()
        assert earlier.card.metrics == {}

    def test_model_ranks_real_customers(
        self, churn_candidate: Candidate, clv_candidate: Candidate
    ) -> None:
        churn, clv = churn_candidate.card.metrics[MODEL], clv_candidate.card.metrics[MODEL]

        assert (churn["auc"] or 0.0) > 0.75
        assert (churn["calibration_error"] or 1.0) < 0.08
        assert (clv["normalised_gini"] or 0.0) > 0.55
        # More than eight of ten spend nothing, so that even empty intervals cover more than 80 %.
        assert 0.78 < (clv["interval_coverage"] or 0.0) < 0.95

    @pytest.mark.parametrize("candidate", BOTH, indirect=True)
    def test_percentiles_are_those_of_everybody_eligible_now(
        self, candidate: Candidate, shop: Shop
    ) -> None:
        now = candidate.predictor.predict(shop.vectors(CDNOW_AS_OF).values).ranking_score
        scores = candidate.card.percentile_scores

        assert len(scores) == 1001
        assert scores[0] == now.min()
        assert scores[500] == pytest.approx(np.median(now))
        assert scores[-1] == now.max()

    def test_nobody_eligible_now_is_no_reason_not_to_train(self, shop: Shop) -> None:
        problem = cdnow_problem(GoalName.CHURN, shop)
        now = problem.vectors[CDNOW_AS_OF]
        gone = replace(now, presence=np.full(len(now), Presence.UNKNOWN_CUSTOMER, dtype=np.int8))
        vectors = {**problem.vectors, CDNOW_AS_OF: gone}

        card = fit_unjudged(replace(problem, vectors=vectors), CDNOW_AS_OF).card

        assert card.percentile_scores == (0.0, 0.0)


class TestWarnings:
    @pytest.mark.parametrize("candidate", BOTH, indirect=True)
    def test_history_of_a_year_and_more_needs_none(self, candidate: Candidate) -> None:
        assert candidate.card.warnings == ()
        assert candidate.predictor.tables.sigmoid != Sigmoid()

    def test_short_history_is_said_before_the_outcome_is_known(self, shop: Shop) -> None:
        as_of = AsOf.parse("1997-05-05")

        found = fit_candidate(cdnow_problem(GoalName.CHURN, shop, as_of), as_of)

        season, calibration, judgement = found.card.warnings
        assert season.startswith("history of 124 days does not contain the coming 56 days")
        assert calibration == "not calibrated out of time: history is too short for an embargo"
        assert judgement.startswith("not judged out of time: as of 1997-03-10T00:00:00Z no horizon")
        assert found.card.metrics == {}
        assert found.predictor.tables.sigmoid == Sigmoid()

    def test_slice_with_few_events_does_not_calibrate(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        problem = cdnow_problem(GoalName.CHURN, shop)
        part = fitting.make_test_slice(problem, TEST_MOMENT, known_at=CDNOW_AS_OF)
        stayed = int((1 - part.event).sum())
        monkeypatch.setattr(fitting, "SMALLEST_SLICE", stayed + 1)

        found = fit_unjudged(problem, CDNOW_AS_OF)

        (warning,) = found.card.warnings
        assert warning == (
            f"not calibrated out of time: fewer than {stayed + 1} of one of two outcomes to "
            "calibrate with"
        )
        assert found.predictor.tables.sigmoid == Sigmoid()

    def test_spend_that_nobody_has_yet_is_not_judged(self, shop: Shop) -> None:
        """Amounts came late: the model that is to be judged has none to learn from."""
        late = Shop(
            f"SELECT * REPLACE (CASE WHEN timestamp >= '{TEST_MOMENT.naive_utc}' "
            "THEN amount ELSE 0 END AS amount) FROM orders"
        )

        found = fit_candidate(cdnow_problem(GoalName.CLV, late), CDNOW_AS_OF)

        assert found.card.metrics == {}
        assert "the event of clv happened to none of" in found.card.warnings[-1]


class TestRefusals:
    def test_too_short_a_history_says_when_it_will_do(self, shop: Shop) -> None:
        as_of = AsOf.parse("1997-04-01")

        with pytest.raises(HistoryError, match="train as of 1997-04-27T00:00:00Z or later"):
            fit_candidate(cdnow_problem(GoalName.CHURN, shop, as_of), as_of)

    def test_outcome_that_is_not_known_yet_is_not_compared_with(self, shop: Shop) -> None:
        problem = cdnow_problem(GoalName.CHURN, shop)

        with pytest.raises(ImmatureLabelsError, match="1998-05-27"):
            fitting.make_test_slice(problem, CDNOW_AS_OF, known_at=CDNOW_AS_OF)

    def test_outcome_that_is_the_same_for_all_cannot_judge(self) -> None:
        closed = Shop(f"SELECT * FROM orders WHERE timestamp < '{TEST_MOMENT.naive_utc}'")
        problem = cdnow_problem(GoalName.CHURN, closed)

        with pytest.raises(OneClassError, match="happened to all"):
            fitting.make_test_slice(problem, TEST_MOMENT, known_at=CDNOW_AS_OF)

        assert problem.first_event == CDNOW_FIRST
