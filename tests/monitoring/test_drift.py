import json
import re
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName, ScoreStatus
from monitoring.columns import finite
from monitoring.drift import Comparison, compare
from monitoring.psi import in_tenths, psi
from monitoring.results import ColumnDrift, DriftResult
from tests.monitoring.planted import FEBRUARY, JANUARY, window

pytestmark = pytest.mark.integration

ROWS = 1500
Features = dict[str, NDArray[np.float64]]


def base(seed: int, rows: int = ROWS) -> Features:
    random = np.random.default_rng(seed)
    return {
        "orders_90d": random.poisson(1.5, rows).astype(np.float64),
        "spend_365d": random.lognormal(3, 1.5, rows),
        "days_since_last_order": random.exponential(60, rows),
        "satisfaction_365d": np.where(random.random(rows) < 0.5, np.nan, random.normal(size=rows)),
    }


def planted_reference() -> Features:
    broken = np.random.default_rng(5).normal(size=ROWS)
    values = np.random.default_rng(6).integers(1, 11, ROWS).astype(np.float64)
    return base(0) | {
        "went_null_30d": broken,
        "went_infinite_30d": broken,
        "went_constant_30d": broken,
        "coarse_30d": values,
        "null_in_both_30d": np.full(ROWS, np.nan),
    }


def planted_current() -> Features:
    features = base(1)
    infinite = np.random.default_rng(7).normal(size=ROWS)
    infinite[4] = np.inf
    return features | {
        "spend_365d": 3 * features["spend_365d"],
        "went_null_30d": np.full(ROWS, np.nan),
        "went_infinite_30d": infinite,
        "went_constant_30d": np.zeros(ROWS),
        "coarse_30d": np.random.default_rng(8).uniform(1, 11, ROWS),
        "null_in_both_30d": np.full(ROWS, np.nan),
    }


@pytest.fixture(scope="module")
def planted() -> Comparison:
    reference = window(JANUARY, planted_reference(), version="1")
    current = window(
        FEBRUARY, planted_current(), version="2", refused={ScoreStatus.FEATURES_STALE: 500}
    )
    return compare(reference, current, goal=GoalName.CHURN, seed=7)


def column(result: DriftResult, name: str) -> ColumnDrift:
    return next(column for column in result.columns if column.name == name)


def widget(page: str, kind: str) -> dict[str, Any]:
    content = re.search(r"var metric_\w+ = ", page)
    assert content is not None
    report, _ = json.JSONDecoder().raw_decode(page[content.end() :])
    widgets = [*report["widgets"], *report["widgets"][0]["widgets"]]
    return next(found for found in widgets if found["type"] == kind)


def center(histogram: dict[str, list[float]]) -> float:
    edges = np.array(histogram["x"])
    return float(np.average((edges[:-1] + edges[1:]) / 2, weights=histogram["y"]))


def test_planted_drift_is_found_and_nothing_else(planted: Comparison) -> None:
    drifted = {column.name for column in planted.result.columns if column.drifted}

    assert drifted == {
        "spend_365d",
        "went_null_30d",
        "went_infinite_30d",
        "went_constant_30d",
    }
    assert not planted.result.score.drifted


@pytest.mark.parametrize("name", ["spend_365d", "coarse_30d", "orders_90d", "satisfaction_365d"])
def test_the_published_statistic_is_the_one_whose_noise_is_known(
    planted: Comparison, name: str
) -> None:
    then, now = (finite(features()[name]) for features in (planted_reference, planted_current))

    expected = psi(*in_tenths(then, now))
    assert column(planted.result, name).statistic == pytest.approx(expected, rel=1e-9)


def test_reference_and_current_are_not_swapped(planted: Comparison) -> None:
    rows = {row["column_name"]: row for row in widget(planted.html, "big_table")["params"]["data"]}
    spend = rows["spend_365d"]

    assert center(spend["reference_distribution"]) < 45 < 55 < center(spend["current_distribution"])
    assert planted.result.reference.start < planted.result.current.start


def test_what_evidently_cannot_judge_is_a_finding_of_its_own(planted: Comparison) -> None:
    methods = {column.name: column.method for column in planted.result.columns}

    assert methods["went_null_30d"] == "all_null"
    assert methods["went_infinite_30d"] == "infinite"
    assert methods["went_constant_30d"] == "constant"
    assert column(planted.result, "spend_365d").note is None


def test_the_share_leaves_out_features_that_were_never_known(planted: Comparison) -> None:
    assert len(planted.result.columns) == 9
    assert planted.result.share_drifted == pytest.approx(4 / 8)


def test_the_result_says_what_was_compared(planted: Comparison) -> None:
    current = planted.result.current

    assert (current.start, current.moments, current.rows) == (FEBRUARY.moment, 1, ROWS)
    assert current.model_versions == ("2",)
    assert current.refused_shares == {ScoreStatus.FEATURES_STALE: 0.25}
    assert planted.result.reference.refused_shares == {}


def test_means_are_those_of_the_windows(planted: Comparison) -> None:
    found = column(planted.result, "spend_365d")

    assert found.mean_reference == pytest.approx(planted_reference()["spend_365d"].mean())
    assert found.mean_current == pytest.approx(planted_current()["spend_365d"].mean())


def test_a_result_survives_json(planted: Comparison) -> None:
    assert DriftResult.model_validate_json(planted.result.model_dump_json()) == planted.result


def test_the_page_shows_the_compared_columns(planted: Comparison) -> None:
    assert "spend_365d" in planted.html
    assert "score (probability)" in planted.html
    assert "went_null_30d" not in planted.html


def test_the_page_asks_the_network_for_nothing(planted: Comparison) -> None:
    # Addresses within scripts are texts of licences and error messages; these forms are fetched.
    fetched = (
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc\s*=|<link\b|@import|url\(["']?(?!data:|#)\w"""
    )
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", planted.html, flags=re.DOTALL)

    assert re.findall(fetched, markup) == []
    assert len(planted.html) > 100_000


def test_the_page_holds_no_customer_id(planted: Comparison) -> None:
    assert "c00001" not in planted.html


def test_usage_tracking_is_never_loaded(planted: Comparison) -> None:
    assert "evidently" in sys.modules
    assert "evidently.telemetry" not in sys.modules


@pytest.mark.parametrize("rows", [30, ROWS])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_windows_of_one_population_show_no_drift(rows: int, seed: int) -> None:
    reference = window(JANUARY, base(100 + seed, rows))
    current = window(FEBRUARY, base(200 + seed, rows))

    result = compare(reference, current, goal=GoalName.CHURN, seed=seed).result

    assert (result.drifted, result.share_drifted, result.score.drifted) == ((), 0.0, False)


def test_what_is_the_same_for_all_customers_of_a_moment_is_no_drift() -> None:
    then = base(3) | {"month": np.full(ROWS, 1.0), "base_orders_30d": np.full(ROWS, 900.0)}
    now = base(4) | {"month": np.full(ROWS, 2.0), "base_orders_30d": np.full(ROWS, 100.0)}

    result = compare(
        window(JANUARY, then), window(FEBRUARY, now), goal=GoalName.CHURN, seed=1
    ).result

    assert {column.name for column in result.columns} == set(base(3))


def test_a_sample_is_drawn_the_same_way_for_the_same_seed() -> None:
    reference, current = window(JANUARY, base(0)), window(FEBRUARY, base(1))

    first, again, other = (
        compare(reference, current, goal=GoalName.CHURN, seed=seed, sample_rows=300).result
        for seed in (1, 1, 2)
    )

    assert first == again
    assert first.columns[0].statistic != other.columns[0].statistic
    assert first.columns[0].mean_current == other.columns[0].mean_current


def test_windows_without_a_comparable_column_still_get_a_result_and_a_page() -> None:
    features = {"gone_30d": np.full(40, np.nan)}
    constant = np.full(40, 0.5)
    windows = [window(at, features, score=constant) for at in (JANUARY, FEBRUARY)]

    comparison = compare(*windows, goal=GoalName.CHURN, seed=0)

    assert (comparison.result.share_drifted, comparison.result.score.method) == (0.0, "constant")
    assert "No column could be compared" in comparison.html


def test_a_missing_evidently_is_said_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evidently", None)

    with pytest.raises(ConfigurationError, match="install the extra `monitor`"):
        compare(
            window(JANUARY, base(0, 40)), window(FEBRUARY, base(1, 40)), goal=GoalName.CHURN, seed=0
        )
