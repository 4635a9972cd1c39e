from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from tests.training.samples import CDNOW, CDNOW_AS_OF, HORIZON_DAYS, Shop
from training.baselines import (
    BG_NBD,
    BG_NBD_GAMMA_GAMMA,
    DAYS_SINCE_LAST_ORDER,
    NAIVE_RATE,
    RFM,
    Baselines,
    predict_baselines,
    purchase_history,
    rfm_score,
)
from training.btyd import PurchaseHistory, fit_bgnbd, fit_gamma_gamma, predict_spend
from training.dataset import Slice

Values = NDArray[np.float64]

MOMENT = AsOf.parse("1997-10-01")


def slice_of(columns: tuple[str, ...], matrix: Values) -> Slice:
    unread = np.full(len(matrix), np.nan)  # baselines must not touch the labels
    ids = tuple(str(row) for row in range(len(matrix)))
    return Slice(MOMENT, ids, matrix, event=unread, spend=unread)


def baselines_of(goal: GoalName, shop: Shop, as_of: AsOf = MOMENT) -> tuple[Baselines, Slice]:
    vectors = shop.vectors(as_of)
    part = slice_of(vectors.columns, vectors.values)
    found = predict_baselines(
        goal, part, vectors.columns, everyone=part.matrix, horizon_days=HORIZON_DAYS, seed=7
    )
    return found, part


@pytest.fixture(scope="module")
def history() -> PurchaseHistory:
    """CDNOW's purchase histories as of `MOMENT`, straight from the orders, day by day."""
    table = pq.read_table(CDNOW)
    table = table.filter(pa.array(table["customer_id"].to_numpy() % 2 == 0))
    end = MOMENT.naive_utc.date()
    days: dict[str, dict[date, float]] = {}
    for customer, moment, amount in zip(
        *(table[name].to_pylist() for name in ("customer_id", "timestamp", "amount")), strict=True
    ):
        if moment.date() < end:
            own = days.setdefault(str(customer), {})
            own[moment.date()] = own.get(moment.date(), 0.0) + amount
    rows = []
    for own in (days[customer] for customer in sorted(days, key=int)):
        first, last, repeats = min(own), max(own), len(own) - 1
        mean = sum(own.values()) / len(own) if repeats else 0.0
        rows.append((repeats, (last - first).days, (end - first).days, mean))
    return PurchaseHistory(*np.array(rows, dtype=np.float64).T)


class TestBuyTillYouDie:
    def test_features_tell_the_purchase_history_of_the_orders(
        self, shop: Shop, history: PurchaseHistory
    ) -> None:
        vectors = shop.vectors(MOMENT)

        told = purchase_history(dict(zip(vectors.columns, vectors.values.T, strict=True)))

        # CDNOW's orders carry dates, so that days are exact.
        for name in ("repeat_orders", "btyd_recency_days", "age_days", "mean_repeat_spend"):
            assert getattr(told, name) == pytest.approx(getattr(history, name)), name

    def test_chance_through_features_is_that_of_the_model_itself(
        self, shop: Shop, history: PurchaseHistory
    ) -> None:
        direct = fit_bgnbd(history, seed=7).probability_of_order(history, HORIZON_DAYS)

        bought, _ = baselines_of(GoalName.PURCHASE_PROPENSITY, shop)
        left, _ = baselines_of(GoalName.CHURN, shop)

        assert bought.predictions[BG_NBD].chance == pytest.approx(direct)
        assert left.predictions[BG_NBD].chance == pytest.approx(1.0 - direct)
        assert bought.warnings == left.warnings == ()

    def test_spend_through_features_is_that_of_the_models_themselves(
        self, shop: Shop, history: PurchaseHistory
    ) -> None:
        models = fit_bgnbd(history, seed=7), fit_gamma_gamma(history)

        found, _ = baselines_of(GoalName.CLV, shop)

        direct = predict_spend(*models, history, HORIZON_DAYS)
        assert found.predictions[BG_NBD_GAMMA_GAMMA].expected == pytest.approx(direct)
        assert found.warnings == ()

    @pytest.mark.parametrize("goal", GoalName)
    def test_fit_without_repeat_orders_is_left_out_and_named(
        self, goal: GoalName, shop: Shop
    ) -> None:
        vectors = shop.vectors(MOMENT)
        matrix = vectors.values.copy()
        matrix[:, vectors.columns.index("order_days_total")] = 1.0
        part = slice_of(vectors.columns, matrix)

        found = predict_baselines(
            goal, part, vectors.columns, everyone=part.matrix, horizon_days=28, seed=7
        )

        assert not {BG_NBD, BG_NBD_GAMMA_GAMMA} & found.predictions.keys()
        assert {DAYS_SINCE_LAST_ORDER, RFM} <= found.predictions.keys()
        (warning,) = found.warnings
        assert "BG/NBD is left out" in warning
        assert "no customer has a repeat order" in warning

    def test_fit_of_amounts_that_are_all_alike_is_left_out_and_named(self, shop: Shop) -> None:
        vectors = shop.vectors(MOMENT)
        matrix = vectors.values.copy()
        days = matrix[:, vectors.columns.index("order_days_total")]
        matrix[:, vectors.columns.index("spend_total")] = 10.0 * days
        part = slice_of(vectors.columns, matrix)

        found = predict_baselines(
            GoalName.CLV, part, vectors.columns, everyone=part.matrix, horizon_days=28, seed=7
        )

        assert BG_NBD_GAMMA_GAMMA not in found.predictions
        (warning,) = found.warnings
        assert "Gamma-Gamma is left out" in warning

    def test_money_taken_back_does_not_make_amounts_negative(self) -> None:
        feature = {
            "order_days_total": np.array([3.0, 1.0]),
            "days_since_first_order": np.array([90.0, 9.0]),
            "days_since_last_order": np.array([10.0, 9.0]),
            "spend_total": np.array([-5.0, 7.0]),
        }

        history = purchase_history(feature)

        assert history.mean_repeat_spend.tolist() == [0.0, 0.0]
        assert history.repeat_orders.tolist() == [2.0, 0.0]
        assert history.btyd_recency_days.tolist() == [80.0, 0.0]

    def test_shop_without_amounts_has_histories_all_the_same(self) -> None:
        feature = {
            "order_days_total": np.array([2.0]),
            "days_since_first_order": np.array([30.0]),
            "days_since_last_order": np.array([10.0]),
        }

        assert purchase_history(feature).mean_repeat_spend.tolist() == [0.0]


class TestRules:
    def test_churn_turns_the_rankings_of_buying_upside_down(self, shop: Shop) -> None:
        buying, part = baselines_of(GoalName.PURCHASE_PROPENSITY, shop)
        leaving, _ = baselines_of(GoalName.CHURN, shop)

        silent = part.matrix[:, shop.vectors(MOMENT).columns.index("days_since_last_order")]
        assert leaving.predictions[DAYS_SINCE_LAST_ORDER].ranking.tolist() == silent.tolist()
        for name in (DAYS_SINCE_LAST_ORDER, RFM):
            up, down = buying.predictions[name].ranking, leaving.predictions[name].ranking
            assert up.tolist() == (-down).tolist()

    def test_naive_rate_stretches_the_spend_so_far_to_the_horizon(self, shop: Shop) -> None:
        found, part = baselines_of(GoalName.CLV, shop)

        monthly = part.matrix[:, shop.vectors(MOMENT).columns.index("spend_per_30d")]
        assert found.predictions[NAIVE_RATE].expected == pytest.approx(monthly * 56 / 30)

    def test_rfm_adds_up_three_classes_of_five(self) -> None:
        steps = np.arange(10.0)
        feature = {
            "days_since_last_order": steps[::-1],
            "orders_total": steps,
            "spend_total": steps * 100,
        }

        assert rfm_score(feature).tolist() == [3, 3, 6, 6, 9, 9, 12, 12, 15, 15]
        del feature["spend_total"]
        assert rfm_score(feature).tolist() == [2, 2, 4, 4, 6, 6, 8, 8, 10, 10]

    @pytest.mark.parametrize("goal", GoalName)
    @pytest.mark.parametrize("as_of", [MOMENT, CDNOW_AS_OF])
    def test_every_customer_has_a_place_in_every_ranking(
        self, goal: GoalName, as_of: AsOf, shop: Shop
    ) -> None:
        found, part = baselines_of(goal, shop, as_of)

        assert len(found.predictions) >= 3
        for name, prediction in found.predictions.items():
            for values in (prediction.ranking, prediction.chance, prediction.expected):
                if values is not None:
                    assert values.shape == (len(part),), name
                    assert np.isfinite(values).all(), name
            if prediction.chance is not None:
                assert 0 <= prediction.chance.min() <= prediction.chance.max() <= 1
            if prediction.expected is not None:
                assert prediction.expected.min() >= 0

    def test_btyd_models_are_fitted_to_everyone_and_not_to_the_eligible_alone(
        self, shop: Shop
    ) -> None:
        everybody, part = baselines_of(GoalName.CLV, shop)
        columns = shop.vectors(MOMENT).columns
        recent = part.matrix[:, columns.index("days_since_last_order")] < 60
        eligible = replace(
            part,
            customer_ids=tuple(np.array(part.customer_ids)[recent]),
            matrix=part.matrix[recent],
            event=part.event[recent],
            spend=part.spend[recent],
        )

        found = predict_baselines(
            GoalName.CLV,
            eligible,
            columns,
            everyone=part.matrix,
            horizon_days=HORIZON_DAYS,
            seed=7,
        )

        whole = everybody.predictions["bg_nbd_gamma_gamma"].ranking[recent]
        assert found.predictions["bg_nbd_gamma_gamma"].ranking == pytest.approx(whole, rel=1e-9)

    def test_labels_are_not_read(self, shop: Shop) -> None:
        found, part = baselines_of(GoalName.CLV, shop)
        columns = shop.vectors(MOMENT).columns
        labelled = replace(part, event=np.ones(len(part)), spend=np.arange(float(len(part))))

        again = predict_baselines(
            GoalName.CLV,
            labelled,
            columns,
            everyone=part.matrix,
            horizon_days=HORIZON_DAYS,
            seed=7,
        )

        for name, prediction in found.predictions.items():
            assert again.predictions[name].ranking.tobytes() == prediction.ranking.tobytes()
