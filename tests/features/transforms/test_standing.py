import pytest

from features.contracts.tables import CANCELLED
from features.transforms.standing import SEGMENTS, STAGES
from tests.features.hand_made import Features, Row, T, ago, features_at, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

RFM = ("rfm_last_order_quintile", "rfm_order_days_quintile", "rfm_spend_quintile")


def bought(customer: str, *ages: float, amount: str = "10") -> list[Row]:
    return [order(ago(days=age), amount, customer=customer) for age in ages]


def features_by_customer(*rows: Row) -> dict[str, Features]:
    return {customer: found for (customer, _), found in features_at(rows, [T]).items()}


def a_base() -> list[Row]:
    """Return ten customers: the first ordered last, most often and for most."""
    return [
        row
        for number in range(10)
        for row in bought(
            f"{number}",
            *(10 * number + 1 + day for day in range(10 - number)),
            amount=f"{20 - number}",
        )
    ]


def test_quintiles_rank_a_customer_among_all() -> None:
    found = features_by_customer(*a_base())

    assert [found["0"][name] for name in RFM] == [5, 5, 5]
    assert [found["9"][name] for name in RFM] == [1, 1, 1]
    for name in RFM:
        ranks = [found[f"{number}"][name] for number in range(10)]
        assert ranks == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


def test_customers_alike_are_in_one_quintile() -> None:
    found = features_by_customer(
        *(row for number in range(8) for row in bought(f"{number}", 30)),
        *bought("more", 30, 40),
    )

    assert {found[f"{number}"]["rfm_order_days_quintile"] for number in range(8)} == {1}
    assert found["more"]["rfm_order_days_quintile"] == 5


def test_segments_are_named_by_when_and_how_often_a_customer_orders() -> None:
    found = features_by_customer(
        *a_base(), *bought("new", 1), *bought("once loyal", *range(90, 99))
    )

    names = {who: SEGMENTS[int(f["rfm_segment"] or 0) - 1] for who, f in found.items()}
    assert names["0"] == "champion"
    assert names["9"] == "hibernating"
    assert names["new"] == "new"
    assert names["once loyal"] == "cannot lose"


@pytest.mark.parametrize(
    ("ages", "stage"),
    [
        pytest.param((30, 20, 10), "active", id="within the usual time"),
        pytest.param((50, 40, 30, 15), "active", id="at one and a half paces"),
        pytest.param((50, 40, 30, 15.1), "cooling", id="beyond one and a half paces"),
        pytest.param((60, 50, 40, 30), "cooling", id="at three paces"),
        pytest.param((60.1, 50.1, 40.1, 30.1), "lapsed", id="beyond three paces"),
        pytest.param((120, 110, 100, 90, 80, 5), "returned", id="back after more than three paces"),
        pytest.param((160, 150, 140, 130, 120, 45), "lapsed", id="back and silent again"),
        pytest.param((5,), "new", id="a single day"),
        pytest.param((15, 13.8, 12.6), "cooling", id="the pace is a week at least"),
        pytest.param((9, 8.9), "new", id="orders around one day"),
    ],
)
def test_the_stage_is_told_by_the_customer_s_own_rhythm(
    ages: tuple[float, ...], stage: str
) -> None:
    found = features_of(*(order(ago(days=age)) for age in ages))

    assert STAGES[int(found["lifecycle_stage"] or 0) - 1] == stage


def test_the_pace_of_a_first_order_is_that_of_the_base() -> None:
    found = features_by_customer(*bought("ann", 40), *bought("bob", 100, 60), *bought("cy", 90, 60))

    assert found["ann"]["lifecycle_pace_days"] == 35
    assert found["ann"]["lifecycle_silence"] == 40 / 35
    assert found["bob"]["lifecycle_pace_days"] == 40


def test_without_a_completed_order_nobody_stands_anywhere() -> None:
    found = features_of(order(ago(days=3), status=CANCELLED))

    names = (*RFM, "rfm_segment", "lifecycle_stage", "lifecycle_pace_days", "lifecycle_silence")
    assert [found[name] for name in names] == [None] * len(names)


def test_orders_are_set_against_those_of_the_mean_customer() -> None:
    found = features_by_customer(*bought("ann", 1, 2, 3), *bought("bob", 4))

    assert found["ann"]["orders_relative_90d"] == 3 / 2
