from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from training import metrics

Values = NDArray[np.float64]

FEW = [0.0, 1.0, 2.0, 5.0]
CONSTANT = np.full(20, 0.3)


def array(*values: float) -> Values:
    return np.array(values, dtype=np.float64)


def sample(rows: int = 500, seed: int = 1) -> tuple[Values, Values, Values]:
    """Return chances with many ties, events that they are right about, and amounts."""
    random = np.random.default_rng(seed)
    chance = np.round(random.beta(1.0, 4.0, rows), 2)
    event = np.asarray(random.random(rows) < chance, dtype=np.float64)
    return chance, event, event * random.lognormal(3.0, 1.0, rows)


def gini_by_hand(amount: Values, score: Values) -> float:
    """Mean over many orders of tied rows of the area between the concentration curve and chance."""
    random, areas = np.random.default_rng(0), []
    for _ in range(4000):
        shuffled = random.permutation(len(amount))
        order = shuffled[np.argsort(-score[shuffled], kind="stable")]
        curve = np.cumsum(amount[order]) / amount.sum()
        chance = np.arange(1, len(amount) + 1) / len(amount)
        areas.append((curve - chance).mean())
    return float(np.mean(areas))


class TestAgainstOtherImplementations:
    def test_chance_metrics(self) -> None:
        chance, event, _ = sample()
        inside = np.clip(chance, 0.01, 0.99)

        assert metrics.auc(event, chance) == pytest.approx(roc_auc_score(event, chance))
        assert metrics.logarithmic_loss(event, inside) == pytest.approx(log_loss(event, inside))
        assert metrics.brier(event, chance) == pytest.approx(brier_score_loss(event, chance))

    def test_spearman_is_scipys_ties_and_all(self) -> None:
        chance, _, amount = sample()

        assert metrics.spearman(amount, chance) == pytest.approx(spearmanr(amount, chance)[0])


class TestByHand:
    def test_auc_is_the_share_of_pairs_in_order(self) -> None:
        # Pairs (event, non-event): 0.8 > 0.5, 0.8 > 0.2, 0.5 = 0.5 counts half, 0.5 > 0.2.
        assert metrics.auc(array(1, 1, 0, 0), array(0.8, 0.5, 0.5, 0.2)) == 3.5 / 4

    def test_logarithmic_loss_is_in_nats(self) -> None:
        loss = metrics.logarithmic_loss(array(1, 0), array(0.5, 0.75))

        assert loss == pytest.approx((np.log(2) + np.log(4)) / 2)

    def test_brier(self) -> None:
        assert metrics.brier(array(1, 0), array(0.5, 0.1)) == pytest.approx((0.25 + 0.01) / 2)

    def test_calibration_error_is_the_mean_gap_of_ten_bins(self) -> None:
        # Ten bins of two rows: the chance is 0.05 + bin / 10, and one of two rows has the event.
        chance = np.repeat(np.arange(10) / 10 + 0.05, 2)
        event = np.tile([0.0, 1.0], 10)

        gaps = [0.45, 0.35, 0.25, 0.15, 0.05] * 2
        assert metrics.calibration_error(event, chance) == pytest.approx(np.mean(gaps))

    def test_calibration_error_weighs_bins_by_their_rows(self) -> None:
        # Eleven rows: the first bin has two rows, which are 0.5 off, and all others are right.
        chance = array(0.5, 0.5, *np.linspace(0.9, 0.99, 9))
        event = array(0, 0, *np.linspace(0.9, 0.99, 9))

        assert metrics.calibration_error(event, chance) == pytest.approx(0.5 * 2 / 11)

    def test_lift_is_the_rate_of_the_best_tenth_over_the_rate_of_all(self) -> None:
        event = array(1, 1, 0, 1, *[0] * 16)

        assert metrics.lift_top_tenth(event, np.arange(20.0)[::-1]) == pytest.approx(1.0 / 0.15)

    def test_normalised_gini(self) -> None:
        # Cumulated shares by score: 0, .3, .4, 1; at best: .6, .9, 1, 1; by chance: .25 .5 .75 1.
        amount, score = array(1, 6, 0, 3), array(2, 1, 4, 3)

        expected = (0 + 0.3 + 0.4 + 1 - 2.5) / (0.6 + 0.9 + 1 + 1 - 2.5)
        assert metrics.normalised_gini(amount, score) == pytest.approx(expected)

    def test_normalised_gini_of_ties_is_the_mean_over_their_orders(self) -> None:
        amount, score = array(0, 5, 1, 0, 7, 2), array(1, 1, 1, 2, 2, 0)

        by_hand = gini_by_hand(amount, score) / gini_by_hand(amount, amount)
        assert metrics.normalised_gini(amount, score) == pytest.approx(by_hand, abs=0.02)

    def test_decile_error_and_bias_of_twice_too_much(self) -> None:
        amount = np.arange(20.0)

        assert metrics.decile_error(amount, 2 * amount) == pytest.approx(1.0)
        assert metrics.total_bias(amount, 2 * amount) == pytest.approx(1.0)

    def test_decile_error_sees_what_the_total_hides(self) -> None:
        amount, expected = np.repeat([0.0, 10.0], 10), np.repeat([2.0, 8.0], 10)

        assert metrics.total_bias(amount, expected) == pytest.approx(0.0)
        assert metrics.decile_error(amount, expected) == pytest.approx(2 / 5)

    def test_coverage_includes_both_ends(self) -> None:
        inside = metrics.coverage(array(0, 1, 2, 3), array(0, 0, 2.5, 1), array(0, 1, 3, 2))

        assert inside == 0.5


class TestEdges:
    def test_a_constant_score_ranks_nobody(self) -> None:
        _, event, amount = sample(20)

        assert metrics.auc(event, CONSTANT) == 0.5
        assert metrics.lift_top_tenth(event, CONSTANT) == pytest.approx(1.0)
        assert metrics.normalised_gini(amount, CONSTANT) == pytest.approx(0.0)
        assert metrics.spearman(amount, CONSTANT) == 0.0

    def test_a_constant_chance_is_as_wrong_as_it_is_off_the_rate(self) -> None:
        event = np.repeat([0.0, 1.0], [14, 6])

        assert metrics.calibration_error(event, CONSTANT) == pytest.approx(0.0)
        assert metrics.calibration_error(event, CONSTANT + 0.1) == pytest.approx(0.1)

    def test_the_perfect_and_the_reverse_ranking_are_one_apart_from_chance(self) -> None:
        _, _, amount = sample(50)

        assert metrics.normalised_gini(amount, 3 * amount) == pytest.approx(1.0)
        assert metrics.normalised_gini(amount, -amount) == pytest.approx(-1.0)

    def test_fewer_rows_than_bins(self) -> None:
        assert metrics.calibration_error(array(1, 0), array(1, 0)) == 0
        assert metrics.decile_error(array(4, 0), array(4, 0)) == 0
        assert metrics.lift_top_tenth(array(1, 0), array(1, 0)) == 2

    def test_chances_of_nought_and_one_are_finite_when_wrong(self) -> None:
        assert np.isfinite(metrics.logarithmic_loss(array(1, 0), array(0, 1)))


@given(
    st.lists(st.tuples(st.sampled_from(FEW), st.sampled_from(FEW)), min_size=2, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_never_matters(
    rows: list[tuple[float, float]], random: Random
) -> None:
    rows = [(1.0, 2.0), (0.0, 1.0), *rows]
    shuffled = rows.copy()
    random.shuffle(shuffled)

    results = []
    for amount, score in (np.array(rows).T, np.array(shuffled).T):
        event = np.minimum(amount, 1.0)
        results.append(
            [
                metrics.auc(event, score),
                metrics.calibration_error(event, score / 5),
                metrics.lift_top_tenth(event, score),
                metrics.normalised_gini(amount, score),
                metrics.spearman(amount, score),
                metrics.decile_error(amount, score),
            ]
        )

    assert results[0] == pytest.approx(results[1])
    assert -1 - 1e-9 <= results[0][3] <= 1 + 1e-9
