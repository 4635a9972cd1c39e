import numpy as np
import pyarrow as pa
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, HistoryError
from features.contracts.goals import GoalName, ScoreStatus
from monitoring.windows import choose_windows, goals_in
from tests.monitoring.planted import FEBRUARY, JANUARY, MARCH, scored


def spend(n: int, value: float) -> dict[str, np.ndarray]:
    return {"spend_30d": np.full(n, value)}


def log_of(*parts: pa.Table) -> pa.Table:
    return pa.concat_tables(parts)


def test_the_earliest_moment_is_the_reference_and_the_latest_is_current() -> None:
    log = log_of(
        scored(FEBRUARY, spend(4, 2.0)),
        scored(MARCH, spend(5, 3.0)),
        scored(JANUARY, spend(3, 1.0)),
    )

    reference, current = choose_windows(log, GoalName.CHURN)

    assert (reference.start, reference.rows.num_rows) == (JANUARY, 3)
    assert (current.start, current.rows.num_rows) == (MARCH, 5)
    assert set(current.rows["feature.spend_30d"].to_pylist()) == {3.0}


def test_single_requests_beside_batch_runs_are_no_window() -> None:
    lone = AsOf.parse("2026-03-01T09:30:11+00:00")
    log = log_of(
        scored(JANUARY, spend(30, 1.0)), scored(MARCH, spend(30, 3.0)), scored(lone, spend(1, 9.0))
    )

    _, current = choose_windows(log, GoalName.CHURN)

    assert current.start == MARCH


def test_a_range_holds_its_start_but_not_its_end() -> None:
    log = log_of(*(scored(at, spend(3, 1.0)) for at in (JANUARY, FEBRUARY, MARCH)))

    reference, current = choose_windows(
        log, GoalName.CHURN, reference=(JANUARY, FEBRUARY), current=(FEBRUARY, MARCH)
    )

    assert reference.rows["as_of"].unique().to_pylist() == [JANUARY.moment]
    assert current.rows["as_of"].unique().to_pylist() == [FEBRUARY.moment]


def test_a_customer_counts_once_with_the_latest_outcome() -> None:
    early = scored(JANUARY, spend(3, 1.0), customers=["a", "b", "c"])
    late = scored(JANUARY, spend(1, 2.0), customers=["b"], minutes_later=5)
    refused = scored(
        JANUARY,
        spend(1, 0.0),
        customers=["c"],
        minutes_later=9,
        status=ScoreStatus.FEATURES_STALE,
    )
    log = log_of(late, refused, early, scored(MARCH, spend(3, 1.0)))

    reference, _ = choose_windows(log, GoalName.CHURN)

    found = dict(
        zip(
            reference.rows["customer_id"].to_pylist(),
            reference.rows["feature.spend_30d"].to_pylist(),
            strict=True,
        )
    )
    assert found == {"a": 1.0, "b": 2.0}
    assert reference.refused == {ScoreStatus.FEATURES_STALE: 1}


def test_the_latest_outcome_counts_across_the_moments_of_a_range() -> None:
    log = log_of(
        scored(FEBRUARY, spend(2, 2.0)),
        scored(JANUARY, spend(2, 1.0)),
        scored(MARCH, spend(2, 3.0)),
    )

    reference, _ = choose_windows(log, GoalName.CHURN, reference=(JANUARY, MARCH))

    assert reference.rows["feature.spend_30d"].to_pylist() == [2.0, 2.0]


def test_refused_customers_are_counted_and_kept_out_of_the_rows() -> None:
    refused = scored(
        MARCH, spend(1, 0.0), customers=["x"], status=ScoreStatus.NOT_ELIGIBLE, minutes_later=1
    )
    log = log_of(scored(JANUARY, spend(3, 1.0)), scored(MARCH, spend(3, 1.0)), refused)

    reference, current = choose_windows(log, GoalName.CHURN)

    assert reference.refused_shares == {}
    assert current.refused_shares == {ScoreStatus.NOT_ELIGIBLE: 0.25}
    assert "x" not in current.rows["customer_id"].to_pylist()


def test_a_window_speaks_of_one_goal() -> None:
    log = log_of(
        scored(JANUARY, spend(3, 1.0)),
        scored(MARCH, spend(3, 1.0)),
        scored(MARCH, spend(5, 1.0), goal=GoalName.CLV),
    )

    _, current = choose_windows(log, GoalName.CHURN)

    assert goals_in(log) == (GoalName.CHURN, GoalName.CLV)
    assert current.rows.num_rows == 3


def test_a_window_names_the_models_that_scored_it() -> None:
    log = log_of(
        scored(JANUARY, spend(2, 1.0), version="3"),
        scored(FEBRUARY, spend(4, 1.0), version="2", customers=["p", "q", "r", "s"]),
        scored(MARCH, spend(3, 1.0), version="4"),
    )

    reference, current = choose_windows(log, GoalName.CHURN, reference=(JANUARY, MARCH))

    assert (reference.model_versions, current.model_versions) == (("2", "3"), ("4",))


def test_one_moment_is_not_enough() -> None:
    with pytest.raises(HistoryError, match=r"holds 1 \(2026-01-01T00:00:00Z\); score customers"):
        choose_windows(scored(JANUARY, spend(3, 1.0)), GoalName.CHURN)


def test_a_goal_without_scores_is_refused() -> None:
    with pytest.raises(HistoryError, match="no clv scores"):
        choose_windows(scored(JANUARY, spend(3, 1.0)), GoalName.CLV)


@pytest.mark.parametrize(
    ("reference", "current", "words"),
    [
        ((MARCH, JANUARY), None, "is empty"),
        ((JANUARY, JANUARY), None, "is empty"),
        ((JANUARY, MARCH), (FEBRUARY, MARCH), "overlap"),
        (None, (JANUARY, MARCH), "overlap"),
    ],
)
def test_impossible_ranges_are_refused(
    reference: tuple[AsOf, AsOf] | None, current: tuple[AsOf, AsOf] | None, words: str
) -> None:
    log = log_of(scored(JANUARY, spend(3, 1.0)), scored(MARCH, spend(3, 1.0)))

    with pytest.raises(ConfigurationError, match=words):
        choose_windows(log, GoalName.CHURN, reference=reference, current=current)


def test_a_window_where_everybody_was_refused_is_refused() -> None:
    log = log_of(
        scored(JANUARY, spend(3, 1.0)),
        scored(MARCH, spend(2, 1.0), status=ScoreStatus.MODEL_UNAVAILABLE),
    )

    with pytest.raises(
        HistoryError, match=r"nobody has a churn score .* \(2 customers were refused"
    ):
        choose_windows(log, GoalName.CHURN)


def test_a_range_without_any_row_is_refused() -> None:
    log = log_of(scored(JANUARY, spend(3, 1.0)), scored(MARCH, spend(3, 1.0)))

    with pytest.raises(HistoryError, match="nobody has a churn score"):
        choose_windows(log, GoalName.CHURN, current=(FEBRUARY, MARCH))
