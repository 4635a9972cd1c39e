import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serving.predictors import logistic
from training.calibrate import fit_intervals, fit_sigmoid
from training.metrics import coverage

Values = NDArray[np.float64]


def happened(margin: Values, seed: int = 0) -> Values:
    """Return events whose log odds are the margins."""
    draws = np.random.default_rng(seed).random(len(margin))
    return np.asarray(draws < logistic(margin), dtype=np.float64)


def margins(rows: int, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(-0.5, 1.2, rows)


def spenders(rows: int, seed: int, zeros: float = 0.5) -> tuple[Values, Values]:
    """Return expected and true spend: a share spends nothing, the others lognormal amounts."""
    random = np.random.default_rng(seed)
    size = random.lognormal(3.0, 1.0, rows)
    buys = random.random(rows) >= zeros
    spend = buys * size * random.lognormal(-0.125, 0.5, rows)
    return (1.0 - zeros) * size, spend


SPREAD = np.linspace(-4.0, 4.0, 200)


class TestSigmoid:
    def test_calibrated_margins_stay_as_they_are(self) -> None:
        margin = margins(50_000)

        sigmoid = fit_sigmoid(margin, margin, happened(margin))

        assert sigmoid.intercept == pytest.approx(0.0, abs=0.02)
        assert sigmoid.slope == pytest.approx(1.0, abs=0.02)

    @pytest.mark.parametrize("moved", [-1.0, 1.0])
    def test_intercept_goes_where_the_level_went(self, moved: float) -> None:
        margin = margins(5_000)

        sigmoid = fit_sigmoid(margin, margin, happened(margin + moved))

        assert 0.2 < sigmoid.intercept / moved < 1.0

    @pytest.mark.parametrize("stretch", [0.5, 2.0])
    def test_slope_goes_where_the_spread_went(self, stretch: float) -> None:
        margin = margins(5_000)

        sigmoid = fit_sigmoid(margin, margin, happened(stretch * margin))

        assert sorted([1.0, sigmoid.slope, stretch])[1] == sigmoid.slope
        assert abs(sigmoid.slope - 1.0) > 0.1

    def test_prior_pulls_about_half_the_way_whatever_the_size_of_the_slice(self) -> None:
        pulled = []
        for copies in (1, 100):
            margin = np.repeat(margins(1_000), copies)
            event = np.repeat(happened(margins(1_000) + 0.5), copies)
            pulled.append(fit_sigmoid(margin, margin, event))

        small, large = pulled
        assert small.intercept == pytest.approx(large.intercept, abs=1e-4)
        assert small.slope == pytest.approx(large.slope, abs=1e-4)
        assert small.intercept / 0.5 == pytest.approx(0.5, abs=0.15)

    @pytest.mark.parametrize("rate", [0.03, 0.2, 0.5])
    def test_prior_takes_the_level_half_the_way_however_rare_the_event(self, rate: float) -> None:
        margin = 0.5 * margins(20_000) + np.log(rate / (1 - rate))

        sigmoid = fit_sigmoid(margin, margin, happened(margin + 0.3))

        moved = (sigmoid.intercept + (sigmoid.slope - 1.0) * margin).mean()
        assert moved / 0.3 == pytest.approx(0.5, abs=0.15)

    def test_level_of_the_early_model_does_not_matter(self) -> None:
        margin = margins(2_000)
        event = happened(margin)

        moved, same = (fit_sigmoid(early, margin, event) for early in (margin - 1.0, margin))

        assert moved.intercept == pytest.approx(same.intercept, abs=1e-5)
        assert moved.slope == pytest.approx(same.slope, abs=1e-5)

    def test_overconfident_margins_are_pulled_in_until_they_come_true_more_often(self) -> None:
        truth = margins(20_000)
        overconfident = 3.0 * truth

        sigmoid = fit_sigmoid(overconfident, overconfident, happened(truth))

        # A third is the whole way; the prior holds little here, for the margins spread far.
        assert sigmoid.slope == pytest.approx(1 / 3, abs=0.1)
        before = np.abs(logistic(overconfident) - logistic(truth)).mean()
        after = np.abs(sigmoid.probability(overconfident) - logistic(truth)).mean()
        assert after < 0.4 * before

    @pytest.mark.parametrize("event", [np.repeat([0.0, 1.0], 100), np.repeat([1.0, 0.0], 100)])
    def test_ranking_is_kept_even_where_the_slice_speaks_against_it(self, event: Values) -> None:
        sigmoid = fit_sigmoid(SPREAD, SPREAD, event)

        assert sigmoid.slope > 0
        assert np.isfinite(sigmoid.intercept)

    def test_one_margin_for_all_moves_the_level_alone(self) -> None:
        sigmoid = fit_sigmoid(np.zeros(1000), np.zeros(1000), np.repeat([0.0, 1.0], [300, 700]))

        assert sigmoid.slope == pytest.approx(1.0)
        assert 0.3 < sigmoid.intercept < np.log(7 / 3)

    def test_huge_margins_do_not_overflow(self) -> None:
        margin = np.repeat([-1e6, 1e6], 100)

        sigmoid = fit_sigmoid(margin, margin, np.tile([0.0, 1.0], 100))

        assert np.isfinite([sigmoid.intercept, sigmoid.slope]).all()


class TestIntervals:
    @pytest.mark.parametrize("zeros", [0.0, 0.05, 0.3, 0.6])
    def test_coverage_is_what_it_says_out_of_sample(self, zeros: float) -> None:
        table = fit_intervals(*spenders(20_000, seed=1, zeros=zeros))
        expected, spend = spenders(20_000, seed=2, zeros=zeros)

        lower, upper = table.bounds(expected)

        assert coverage(spend, lower, upper) == pytest.approx(0.8, abs=0.02)
        assert np.all(lower <= upper)
        assert np.all(lower >= 0)

    def test_interval_adapts_to_the_size_of_the_customer(self) -> None:
        """Small customers spend far from what is expected of them, large ones near it."""
        random = np.random.default_rng(3)
        expected = np.repeat([1.0, 100.0], 10_000) * random.uniform(0.5, 2.0, 20_000)
        spread = np.where(expected < 10, 1.0, 0.1)
        spend = expected * np.exp(random.normal(0.0, spread))

        lower, upper = fit_intervals(expected, spend).bounds(expected)

        for part in (expected < 10, expected > 10):
            inside = coverage(spend[part], lower[part], upper[part])
            assert inside == pytest.approx(0.8, abs=0.02)
        assert (upper / lower)[expected < 10].min() > 2 * (upper / lower)[expected > 10].max()

    def test_lower_end_is_zero_where_many_spend_nothing(self) -> None:
        expected, spend = spenders(5_000, seed=1, zeros=0.3)

        table = fit_intervals(expected, spend)

        assert set(table.lower_ratios) == {0.0}
        assert min(table.upper_ratios) > 1.0

    def test_both_ends_are_above_zero_where_everybody_spends(self) -> None:
        table = fit_intervals(*spenders(5_000, seed=1, zeros=0.0))

        assert min(table.lower_ratios) > 0.1
        assert max(table.lower_ratios) < 1.0 < min(table.upper_ratios)

    def test_where_hardly_anybody_spends_the_interval_is_zero_and_covers_more(self) -> None:
        expected, spend = spenders(5_000, seed=1, zeros=0.95)

        lower, upper = fit_intervals(expected, spend).bounds(expected)

        assert lower.max() == upper.max() == 0.0
        assert coverage(spend, lower, upper) == pytest.approx(0.95, abs=0.01)

    def test_all_zeros(self) -> None:
        table = fit_intervals(np.linspace(1.0, 2.0, 300), np.zeros(300))

        assert set(table.lower_ratios) | set(table.upper_ratios) == {0.0}

    @pytest.mark.parametrize("rows", [300, 5])
    def test_one_expectation_for_all_is_one_bin(self, rows: int) -> None:
        spend = np.random.default_rng(1).lognormal(0.0, 1.0, rows)

        table = fit_intervals(np.full(rows, 7.0), spend)

        assert table.edges == ()
        lower, upper = table.bounds(np.array([0.0, 7.0, 1e9]))
        assert np.all(lower <= upper)

    @pytest.mark.parametrize("rows", [1, 2, 3, 50])
    def test_tiny_slices_reach_over_all_that_was_seen(self, rows: int) -> None:
        expected, spend = spenders(rows, seed=4, zeros=0.0)

        table = fit_intervals(expected, spend)

        assert len(table.lower_ratios) == 1
        lower, upper = table.bounds(expected)
        assert coverage(spend, lower, upper) >= 0.8

    def test_bins_hold_a_hundred_customers_and_there_are_at_most_twenty(self) -> None:
        bins = [len(fit_intervals(*spenders(n, 1)).lower_ratios) for n in (199, 200, 900, 9_000)]

        assert bins == [1, 2, 9, 20]

    @given(
        rows=st.lists(
            st.tuples(
                st.floats(0.0, 1e9) | st.sampled_from([0.0, 1.0]),
                st.floats(0.0, 1e9) | st.just(0.0),
            ),
            min_size=1,
            max_size=20,
        ),
        copies=st.integers(1, 150),
        probes=st.lists(st.floats(0.0, 1e12), min_size=1, max_size=5),
    )
    def test_any_spend_gives_ends_in_order(
        self, rows: list[tuple[float, float]], copies: int, probes: list[float]
    ) -> None:
        expected, spend = np.tile(np.array(rows), (copies, 1)).T

        lower, upper = fit_intervals(expected, spend).bounds(np.array(probes))

        assert np.all(np.isfinite(upper))
        assert np.all((lower >= 0) & (lower <= upper))
