"""How far ahead a new project looks."""

import pytest

from pipelines.goal_guess import choose_horizon


@pytest.mark.parametrize(
    ("history_days", "gap_days", "horizon"),
    [
        (400, 30.0, 90),
        (360, 10.1, 90),
        (400, 10.0, 28),
        (400, None, 90),
        (359, 30.0, 28),
        (112, 5.0, 28),
        (111, 5.0, 14),
        (55, 5.0, 7),
        (5, None, 7),
    ],
)
def test_horizon_follows_the_pace_of_orders_and_their_history(
    history_days: float, gap_days: float | None, horizon: int
) -> None:
    assert choose_horizon(history_days, gap_days)[0] == horizon


def test_reason_names_what_decided() -> None:
    assert choose_horizon(400, 2.25)[1] == "repeat orders are 2.2 days apart"
    assert choose_horizon(100, 2.25)[1] == "there are only 100 days of orders"
    assert choose_horizon(400, None)[1] == "nobody ordered twice"
