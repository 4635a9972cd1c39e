from datetime import timedelta

import pytest

from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, line, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_lines_are_counted_by_the_order_they_belong_to() -> None:
    found = features_of(
        line(ago(days=9), order_id="a"), line(ago(days=9), order_id="a"), line(ago(days=3))
    )

    assert found["lines_per_order"] == 1.5


def test_lines_per_order_lately_know_nothing_of_older_orders() -> None:
    old = [line(ago(days=90) - MICROSECOND, order_id="old") for _ in range(7)]

    found = features_of(
        *old,
        line(ago(days=90), order_id="a"),
        line(ago(days=90), order_id="a"),
        line(ago(days=3), order_id="b"),
    )

    assert found["lines_per_order_90d"] == 1.5
    assert found["basket_lines_largest"] == 7
    assert features_of(*old)["lines_per_order_90d"] is None


def test_the_last_basket_is_compared_with_the_usual_one() -> None:
    found = features_of(
        *(line(ago(days=9), order_id="a", quantity=2) for _ in range(5)),
        line(ago(days=3), order_id="b", quantity=4),
    )

    assert (found["basket_lines_last"], found["basket_quantity_last"]) == (1, 4)
    assert found["lines_per_order"] == 3
    assert found["basket_lines_last_ratio"] == 1 / 3


def test_orders_of_one_second_are_one_last_basket() -> None:
    at = ago(days=3)

    found = features_of(
        line(ago(days=9), order_id="a"),
        line(at, order_id="b"),
        line(at, order_id="c"),
        line(at + timedelta(milliseconds=500), order_id="c"),
    )

    assert found["basket_lines_last"] == 3


def test_quantities_add_up_exactly_and_one_that_was_not_recorded_is_one() -> None:
    found = features_of(
        *(line(ago(days=9), order_id=f"{n}", quantity=0.1) for n in range(3)),
        line(ago(days=3), order_id="last", quantity=None),
    )

    assert found["quantity_total"] == 1.3  # 0.1 + 0.1 + 0.1 is more than 0.3 in floats
    assert found["quantity_per_order"] == 1.3 / 4


def test_the_price_of_a_piece_is_that_of_lines_with_an_amount() -> None:
    found = features_of(
        line(ago(days=9), order_id="a", quantity=2, amount="10"),
        line(ago(days=9), order_id="a", quantity=90, amount=None),
        line(ago(days=3), order_id="b", quantity=2, amount="2"),
    )

    assert (found["unit_price_mean"], found["unit_price_last"]) == (3, 1)


def test_a_last_order_without_amounts_has_no_price_of_a_piece() -> None:
    found = features_of(
        line(ago(days=9), order_id="a"), line(ago(days=3), order_id="b", amount=None)
    )

    assert (found["unit_price_mean"], found["unit_price_last"]) == (10, None)


@pytest.mark.parametrize(
    ("quantity", "amount", "lines"),
    [
        pytest.param(2.0, "10", 1, id="bought"),
        pytest.param(None, None, 1, id="neither quantity nor amount recorded"),
        pytest.param(0.25, "0", 1, id="part of one, for nothing"),
        pytest.param(-1.0, "10", None, id="taken back by quantity"),
        pytest.param(0.0, "10", None, id="none of it"),
        pytest.param(None, "-10", None, id="taken back by amount"),
    ],
)
def test_lines_that_take_goods_back_are_no_part_of_a_basket(
    quantity: float | None, amount: str | None, lines: int | None
) -> None:
    found = features_of(line(ago(days=3), quantity=quantity, amount=amount))

    assert found["basket_lines_last"] == found["lines_per_order"] == lines
    assert found["lines_returned_total"] == (0 if lines else 1)


def test_lines_that_take_goods_back_are_counted_apart() -> None:
    found = features_of(*(line(ago(days=3)) for _ in range(3)), line(ago(days=2), amount="-10"))

    assert (found["lines_returned_total"], found["lines_returned_share"]) == (1, 0.25)


def test_a_customer_without_lines_has_no_basket() -> None:
    found = features_of(order(ago(days=3)), line(ago(days=3), customer="bob"))

    names = ("lines_per_order", "basket_lines_last", "quantity_total", "lines_returned_share")
    assert [found[name] for name in names] == [None] * 4


def test_a_line_that_was_learnt_later_is_not_there_yet() -> None:
    late = line(ago(days=2), "cup", order_id="late", known_at=T.moment + SECOND)

    found = features_of(line(ago(days=3)), line(ago(days=3)), late)

    assert (found["basket_lines_last"], found["lines_per_order"]) == (2, 2)
