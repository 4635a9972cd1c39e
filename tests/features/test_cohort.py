import numpy as np
import pytest

from features.cohort import eligibility, eligible_rows
from features.contracts.eligibility import Eligibility
from features.contracts.settings import GoalSettings
from features.contracts.tables import CANCELLED
from features.contracts.vectors import FeatureVectors, Presence
from tests.features.hand_made import SECOND, Features, ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

EVER = eligibility(GoalSettings(horizon_days=28))
LATELY = eligibility(GoalSettings(horizon_days=28, active_within_days=60))


def vectors(*customers: Features, presence: Presence = Presence.PRESENT) -> FeatureVectors:
    columns = ("days_since_last_order", "orders_total")
    values = [[customer[name] for name in columns] for customer in customers]
    return FeatureVectors(
        customer_ids=tuple(map(str, range(len(customers)))),
        columns=columns,
        values=np.array(values, dtype=np.float64),
        presence=np.full(len(customers), presence, dtype=np.int8),
        features_as_of=np.full(len(customers), np.datetime64("2026-03-01", "us")),
    )


@pytest.fixture(scope="module")
def everybody() -> list[Features]:
    """Return who never ordered, ordered long ago, at the edge of 60 days, and just past it."""
    return [
        features_of(order(ago(days=3), status=CANCELLED)),
        features_of(order(ago(days=1000))),
        features_of(order(ago(days=60))),
        features_of(order(ago(days=60) - SECOND)),
    ]


@pytest.mark.parametrize(
    ("rule", "eligible"), [(EVER, [1, 2, 3]), (LATELY, [2])], ids=["ever ordered", "lately"]
)
def test_a_goal_is_about_those_who_ordered_within_its_days(
    rule: Eligibility, eligible: list[int], everybody: list[Features]
) -> None:
    assert eligible_rows(rule, vectors(*everybody)).tolist() == eligible


def test_lately_means_what_the_window_of_orders_means(everybody: list[Features]) -> None:
    ordered = [row for row, customer in enumerate(everybody) if customer["orders_60d"]]

    assert eligible_rows(LATELY, vectors(*everybody)).tolist() == ordered


@pytest.mark.parametrize("presence", [Presence.STALE, Presence.UNKNOWN_CUSTOMER])
def test_who_is_stale_or_unknown_is_in_no_cohort(
    presence: Presence, everybody: list[Features]
) -> None:
    assert eligible_rows(EVER, vectors(*everybody, presence=presence)).tolist() == []


def test_a_refused_customer_can_be_told_why(everybody: list[Features]) -> None:
    (failed,) = LATELY.failed_condition(vectors(everybody[1]))

    assert str(LATELY.conditions[failed]) == "days_since_last_order must be at most 60"


def test_nobody_makes_an_empty_cohort() -> None:
    nobody = FeatureVectors(
        customer_ids=(),
        columns=("days_since_last_order", "orders_total"),
        values=np.empty((0, 2)),
        presence=np.empty(0, dtype=np.int8),
        features_as_of=np.empty(0, dtype="datetime64[us]"),
    )

    assert eligible_rows(LATELY, nobody).tolist() == []
