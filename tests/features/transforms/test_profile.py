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


def test_every_declared_attribute_is_a_feature_in_order_of_name() -> None:
    columns = {"customer_id", "attribute_income", "created_at", "attribute_age"}

    names = [feature.name for feature in attribute_features(columns)]

    assert names == ["attribute_age", "attribute_income"]
