import pytest

from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, line, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize("days", [30, 90, 365])
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
    assert found["product_top_share"] == 0.75


def test_a_product_is_bought_again_at_another_time_not_twice_at_once() -> None:
    found = features_of(
        *(line(ago(days=9), product) for product in ("tea", "tea", "cup")), line(ago(days=8), "cup")
    )

    assert (found["products_repeated_total"], found["products_repeated_share"]) == (1, 0.5)


def test_a_product_is_new_if_it_was_never_bought_before_the_window() -> None:
    found = features_of(
        line(ago(days=91), "tea"),
        line(ago(days=5), "tea"),
        line(ago(days=90), "cup"),
        line(ago(days=4), "cup"),
    )

    assert (found["products_90d"], found["products_new_90d"]) == (2, 1)
    assert found["products_new_share_90d"] == 0.5
    assert found["days_since_new_product"] == 90


def test_without_a_line_lately_no_share_of_them_is_new() -> None:
    found = features_of(line(ago(days=91), category="drinks"))

    names = ("products_new_share_90d", "category_top_share_90d", "category_affinity_90d")
    assert [found[name] for name in names] == [None] * 3
    assert found["products_new_90d"] == found["categories_new_90d"] == 0


def test_lines_without_a_category_count_in_no_category() -> None:
    found = features_of(
        *(line(ago(days=3), category=None) for _ in range(5)),
        line(ago(days=3), category="drinks"),
        line(ago(days=91), category="drinks"),
        line(ago(days=91), category="crockery"),
    )

    assert (found["categories_30d"], found["categories_90d"]) == (1, 1)
    assert found["categories_365d"] == found["categories_total"] == 2
    assert found["category_top_share"] == 2 / 3


def test_lines_of_one_category_are_concentrated_and_of_many_are_not() -> None:
    one = features_of(*(line(ago(days=3), category="a") for _ in range(4)))
    many = features_of(*(line(ago(days=3), category=category) for category in "abcd"))

    assert one["category_concentration"] == 1
    assert many["category_concentration"] == 0.25


def test_a_favourite_category_fades_when_others_are_bought_lately() -> None:
    found = features_of(
        *(line(ago(days=200), category="tea") for _ in range(5)),
        line(ago(days=9), category="tea"),
        *(line(ago(days=8), category="cups") for _ in range(2)),
    )

    assert found["category_top_share"] == 6 / 8
    assert found["category_favourite_share_90d"] == 1 / 3
    assert found["category_affinity_90d"] == (1 / 3) / (6 / 8)
    assert found["category_top_share_90d"] == 2 / 3


def test_of_two_favourite_categories_the_more_frequent_one_lately_is_meant() -> None:
    found = features_of(
        line(ago(days=200), category="tea"),
        line(ago(days=9), category="cups"),
        line(ago(days=8), category="tea"),
        line(ago(days=8), category="cups"),
    )

    assert found["category_favourite_share_90d"] == 2 / 3


def test_a_category_is_new_once() -> None:
    found = features_of(
        line(ago(days=100), category="tea"),
        line(ago(days=50), category="cups"),
        line(ago(days=5), category="cups"),
    )

    assert found["categories_new_90d"] == 1
    assert found["days_since_new_category"] == 50


def test_with_no_category_recorded_nothing_is_said_of_categories() -> None:
    found = features_of(line(ago(days=3), category=None))

    names = ("categories_90d", "categories_total", "category_top_share", "category_concentration")
    assert [found[name] for name in names] == [None] * 4
    assert found["order_lines_total"] == 1


def test_a_customer_without_lines_has_no_assortment() -> None:
    found = features_of(order(ago(days=3)), line(ago(days=3), customer="bob"))

    names = ("order_lines_30d", "products_total", "products_new_90d", "repeat_lines_share")
    assert [found[name] for name in names] == [None] * 4


def test_lines_that_take_goods_back_are_left_out() -> None:
    found = features_of(line(ago(days=3)), line(ago(days=2), "cup", category="a", amount="-1"))

    assert (found["products_total"], found["categories_total"]) == (1, None)


def test_a_line_that_was_learnt_later_is_not_there_yet() -> None:
    late = line(ago(days=2), "cup", known_at=T.moment + SECOND)

    assert features_of(line(ago(days=3)), late)["products_total"] == 1
