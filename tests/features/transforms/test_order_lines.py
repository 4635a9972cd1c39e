import pytest

from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, line, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [30, 90])
def test_a_window_holds_a_line_of_exactly_its_days_and_none_older(days: int) -> None:
    edge = ago(days=days)

    found = features_of(line(edge, "tea"), line(edge - MICROSECOND, "cup"), line(edge, "tea"))

    assert found[f"order_lines_{days}d"] == 2
    assert found[f"products_{days}d"] == 1
    assert (found["order_lines_total"], found["products_total"]) == (3, 2)


def test_a_product_is_recent_if_its_last_purchase_is() -> None:
    found = features_of(line(ago(days=300), "tea"), line(ago(days=3), "tea"))

    assert (found["products_30d"], found["products_total"]) == (1, 1)


def test_repeats_are_lines_after_the_first_of_their_product() -> None:
    found = features_of(*(line(ago(days=9), product) for product in ("tea", "tea", "tea", "cup")))

    assert found["repeat_lines_share"] == 0.5


def test_lines_are_counted_by_the_order_they_belong_to() -> None:
    found = features_of(
        line(ago(days=9), order_id="a"), line(ago(days=9), order_id="a"), line(ago(days=3))
    )

    assert found["lines_per_order"] == 1.5


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
def test_lines_that_take_goods_back_are_left_out(
    quantity: float | None, amount: str | None, lines: int | None
) -> None:
    found = features_of(line(ago(days=3), quantity=quantity, amount=amount))

    assert found["order_lines_total"] == lines


def test_lines_without_a_category_count_in_no_category() -> None:
    found = features_of(
        *(line(ago(days=3), category=None) for _ in range(5)),
        line(ago(days=3), category="drinks"),
        line(ago(days=91), category="drinks"),
        line(ago(days=91), category="crockery"),
    )

    assert found["categories_90d"] == 1
    assert found["categories_total"] == 2
    assert found["category_top_share"] == 2 / 3


def test_categories_of_long_ago_leave_none_lately() -> None:
    found = features_of(line(ago(days=91), category="drinks"))

    assert (found["categories_90d"], found["categories_total"]) == (0, 1)


def test_with_no_category_recorded_nothing_is_said_of_categories() -> None:
    found = features_of(line(ago(days=3), category=None))

    names = ("categories_90d", "categories_total", "category_top_share")
    assert [found[name] for name in names] == [None] * 3
    assert found["order_lines_total"] == 1


def test_a_customer_without_lines_has_no_line_features() -> None:
    found = features_of(order(ago(days=3)), line(ago(days=3), customer="bob"))

    names = ("order_lines_30d", "products_total", "lines_per_order", "repeat_lines_share")
    assert [found[name] for name in names] == [None] * 4


def test_a_line_that_was_learnt_later_is_not_there_yet() -> None:
    late = line(ago(days=2), "cup", known_at=T.moment + SECOND)

    assert features_of(line(ago(days=3)), late)["products_total"] == 1
