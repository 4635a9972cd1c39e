import numpy as np
import pytest

from features.contracts.goals import GoalName
from features.labels import Outcomes
from training.specs import BAND_EDGES, BAND_NAMES, LIGHTGBM_PARAMETERS, SPECS

# Bought; bought and took all of it back; did nothing; bought for nothing.
OUTCOMES = Outcomes(orders=np.array([2.0, 1.0, 0.0, 1.0]), spend=np.array([30.0, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize(
    ("goal", "happened"),
    [
        (GoalName.CHURN, [0, 0, 1, 0]),
        (GoalName.PURCHASE_PROPENSITY, [1, 1, 0, 1]),
        (GoalName.CLV, [1, 0, 0, 0]),
    ],
)
def test_event_of_a_goal_is_read_off_the_outcomes(goal: GoalName, happened: list[int]) -> None:
    event = SPECS[goal].event(OUTCOMES)

    assert event.tolist() == happened
    assert event.dtype == np.float64


def test_every_goal_has_a_spec_of_its_own() -> None:
    assert {goal: spec.goal for goal, spec in SPECS.items()} == {goal: goal for goal in GoalName}


def test_only_spend_needs_amounts() -> None:
    assert [goal for goal, spec in SPECS.items() if spec.spends] == [GoalName.CLV]
    assert [goal for goal, spec in SPECS.items() if "amount" in spec.needs] == [GoalName.CLV]


def test_there_is_one_band_more_than_edges() -> None:
    assert len(BAND_NAMES) == len(BAND_EDGES) + 1
    assert list(BAND_EDGES) == sorted(BAND_EDGES)


def test_training_is_told_to_be_repeatable_and_quiet() -> None:
    assert LIGHTGBM_PARAMETERS["deterministic"] is True
    assert LIGHTGBM_PARAMETERS["force_row_wise"] is True
    assert LIGHTGBM_PARAMETERS["verbosity"] == -1
