from datetime import UTC, datetime, timedelta, timezone

import pytest

from features.online_store.refresh_names import moment_of, refresh_name

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def test_moment_is_found_in_the_name_again() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-7)))

    assert moment_of(refresh_name(MOMENT, "some-content")) == MOMENT
    assert refresh_name(elsewhere, "some-content") == refresh_name(MOMENT, "some-content")


def test_other_content_has_another_name() -> None:
    assert refresh_name(MOMENT, "one") != refresh_name(MOMENT, "other")


def test_other_names_have_no_moment() -> None:
    with pytest.raises(ValueError, match="does not match"):
        moment_of("nightly")
