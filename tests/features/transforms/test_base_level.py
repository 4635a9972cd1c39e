import pytest

from features.contracts.tables import CANCELLED
from features.transforms.base_level import QUINTILES, quintile_names
from tests.features.hand_made import ANN, Features, Row, T, ago, features_at, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def base_of(*rows: Row) -> Features:
    """Return what is said of the whole base, which is the same for every customer."""
    every = [
        {name: value for name, value in found.items() if name.startswith("base_")}
        for found in features_at(rows, [T]).values()
    ]
    assert all(found == every[0] for found in every)
    return every[0]


def test_the_base_is_everybody_together() -> None:
    found = base_of(
        order(ago(days=400), customer="old"),
        *(order(ago(days=age), customer="busy") for age in (100, 20, 10)),
        order(ago(days=5), customer="new"),
        order(ago(days=3), customer="undecided", status=CANCELLED),
    )

    assert found["base_customers"] == 4
    assert (found["base_orders_30d"], found["base_orders_90d"]) == (3, 3)
    assert found["base_active_share_30d"] == found["base_active_share_90d"] == 2 / 4
    assert found["base_active_share_365d"] == 2 / 4
    assert found["base_new_share_90d"] == 1 / 4
    assert found["base_days_since_first_order"] == 400
    assert found["base_gap_days_median"] == 45


def test_the_level_of_the_base_is_that_against_the_same_days_last_year() -> None:
    found = base_of(
        order(ago(days=500), customer="first of all"),
        *(order(ago(days=365 + age), customer=str(age)) for age in (1, 2, 3, 4)),
        *(order(ago(days=365 - age), customer=str(age)) for age in (1, 2)),
        *(order(ago(days=age), customer=str(age)) for age in (1, 2, 3, 4, 5, 6)),
    )

    assert found["base_level_30d"] == 6 / 4
    assert found["base_season_30d"] == 2 / 4


def test_a_history_that_does_not_reach_has_no_level() -> None:
    last_year = [order(ago(days=370), customer=str(number)) for number in range(3)]
    now = order(ago(days=3))

    too_short = base_of(now, *last_year, order(ago(days=394)))
    enough = base_of(now, *last_year, order(ago(days=395)))

    assert too_short["base_level_30d"] is too_short["base_season_30d"] is None
    assert enough["base_level_30d"] == 1 / 4
    assert enough["base_season_30d"] == 0
    assert enough["base_level_90d"] is None


def test_the_trend_is_above_one_for_a_base_that_orders_more_lately() -> None:
    found = base_of(*(order(ago(days=age)) for age in (1, 2, 3, 40)))

    assert found["base_trend_30d"] == 3 * 3 / 4


def test_quintiles_cut_the_base_into_fifths() -> None:
    found = base_of(
        *(order(ago(days=10 * number), str(number), customer=str(number)) for number in range(1, 7))
    )

    days = quintile_names("days_since_last_order")
    assert len(days) == len(QUINTILES) == 4
    assert [found[name] for name in days] == [20, 30, 40, 50]
    assert [found[name] for name in quintile_names("spend_total")] == [2, 3, 4, 5]
    assert [found[name] for name in quintile_names("order_days_total")] == [1, 1, 1, 1]


def test_a_quintile_between_two_customers_lies_at_a_fifth() -> None:
    found = base_of(*(order(ago(days=age), customer=str(age)) for age in (10, 11, 12)))

    names = quintile_names("days_since_last_order")
    assert [found[name] for name in names] == [10.4, 10.8, 11.2, 11.6]


def test_orders_that_were_learnt_later_are_not_of_the_base_yet() -> None:
    late = order(ago(days=3), customer="late", known_at=ago(days=-1))

    assert features_of(order(ago(days=5)), late) == features_of(order(ago(days=5)))
    assert (ANN, T) in features_at([order(ago(days=5)), late], [T])
