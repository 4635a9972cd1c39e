from typing import Any

import pytest

from features.transforms.profile import attribute_features
from tests.features.hand_made import MICROSECOND, SECOND, T, ago, features_of, order, profile

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_tenure_is_the_time_since_the_customer_was_first_known() -> None:
    assert features_of(profile(ago(days=400, hours=12)))["days_since_created"] == 400.5


def test_a_record_without_a_time_was_known_all_along() -> None:
    found = features_of(profile(None, age=3.0))

    assert found["attribute_age"] == 3
    assert found["days_since_created"] is None


def test_a_record_made_at_the_moment_is_not_known_yet() -> None:
    found = features_of(profile(T.moment, age=3.0))

    assert found["attribute_age"] is None
    assert found["days_since_created"] is None


def test_a_record_learnt_at_the_moment_is_known() -> None:
    assert features_of(profile(ago(days=9), age=3.0, known_at=T.moment))["attribute_age"] == 3


def test_a_record_learnt_after_the_moment_is_not_known_yet() -> None:
    late = profile(ago(days=400), age=3.0, known_at=T.moment + MICROSECOND)

    assert features_of(late)["attribute_age"] is None
    assert features_of(late)["days_since_created"] is None
    assert features_of(late, as_of=T.plus_days(1))["attribute_age"] == 3


def test_a_record_without_a_creation_time_waits_until_it_is_learnt() -> None:
    late = profile(None, age=3.0, known_at=T.moment + SECOND)

    assert features_of(late)["attribute_age"] is None


def test_a_level_that_is_not_declared_is_null() -> None:
    assert features_of(profile(ago(days=9), age=None))["attribute_age"] is None


def test_a_customer_without_a_record_has_no_profile() -> None:
    found = features_of(order(ago(days=9)), profile(ago(days=9), customer="bob", age=1.0))

    assert found["attribute_age"] is None
    assert found["days_since_created"] is None


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
@pytest.mark.parametrize(
    ("agreed", "value"), [(True, 1), (False, 0), (None, None)], ids=["yes", "no", "not recorded"]
)
def test_a_consent_is_one_or_zero_and_null_where_not_recorded(
    channel: str, agreed: bool | None, value: int | None
) -> None:
    found = features_of(profile(ago(days=9), consents={channel: agreed}))

    assert found[f"{channel}_consent"] == value
    others = {"email", "sms", "push"} - {channel}
    assert [found[f"{other}_consent"] for other in others] == [None, None]


def of(word: str | None, column: str) -> dict[str, Any]:
    return {column: word}


SHARES = pytest.mark.parametrize(
    ("name", "column"), [("country_share", "country"), ("acquisition_share", "acquisition")]
)


@SHARES
def test_a_share_tells_how_many_of_all_known_customers_are_alike(name: str, column: str) -> None:
    others = [
        profile(ago(days=9), customer=customer, **of(word, column))
        for customer, word in (("bob", "a"), ("cy", "b"), ("di", "b"), ("ed", None))
    ]

    found = features_of(profile(ago(days=9), **of("a", column)), *others)

    assert found[name] == 2 / 4


@SHARES
def test_a_share_knows_nothing_of_customers_to_come(name: str, column: str) -> None:
    rows = [
        profile(ago(days=9), **of("a", column)),
        profile(ago(days=9), customer="bob", known_at=T.moment + MICROSECOND, **of("b", column)),
        profile(T.moment, customer="cy", **of("b", column)),
    ]

    assert features_of(*rows)[name] == 1
    assert features_of(*rows, as_of=T.plus_days(1))[name] == 1 / 3


@SHARES
def test_two_records_of_one_customer_are_one_customer(name: str, column: str) -> None:
    found = features_of(
        profile(ago(days=9), **of("a", column)),
        profile(ago(days=9), **of("a", column)),
        profile(ago(days=9), customer="bob", **of("b", column)),
    )

    assert found[name] == 0.5


@SHARES
def test_a_customer_of_unknown_origin_has_no_share(name: str, column: str) -> None:
    found = features_of(
        profile(ago(days=9)), profile(ago(days=9), customer="bob", **of("b", column))
    )

    assert found[name] is None


def test_every_declared_attribute_is_a_feature_in_order_of_name() -> None:
    columns = {"customer_id", "attribute_income", "created_at", "attribute_age"}

    names = [feature.name for feature in attribute_features(columns)]

    assert names == ["attribute_age", "attribute_income"]
