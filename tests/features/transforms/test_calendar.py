import math
from datetime import date

import pytest

from features.contracts.as_of import AsOf
from features.transforms.calendar import FEATURES, black_friday, calendar_values


def test_every_feature_has_a_value_and_every_value_a_feature() -> None:
    assert set(calendar_values(AsOf.parse("2026-03-01"))) == {f.name for f in FEATURES}


@pytest.mark.parametrize(
    ("year", "day"), [(2019, 29), (2023, 24), (2024, 29), (2025, 28), (2026, 27), (2029, 23)]
)
def test_black_friday_follows_the_fourth_thursday_of_november(year: int, day: int) -> None:
    assert black_friday(year) == date(year, 11, day)


@pytest.mark.parametrize(
    ("moment", "since", "until", "to_christmas", "to_black_friday"),
    [
        pytest.param("2026-12-24", 27, 1, 1, 337, id="the day before Christmas"),
        pytest.param("2026-12-25", 0, 0, 0, 336, id="Christmas"),
        pytest.param("2026-12-26", 1, 50, 364, 335, id="the day after Christmas"),
        pytest.param("2026-11-27", 0, 0, 28, 0, id="Black Friday"),
        pytest.param("2026-07-01", 137, 149, 177, 149, id="summer"),
        pytest.param("2024-02-28", 14, 275, 301, 275, id="before a leap day"),
    ],
)
def test_peaks_are_whole_days_away(
    moment: str, since: float, until: float, to_christmas: float, to_black_friday: float
) -> None:
    found = calendar_values(AsOf.parse(moment))

    assert (found["days_since_last_peak"], found["days_to_next_peak"]) == (since, until)
    assert found["days_to_christmas"] == to_christmas
    assert found["days_to_black_friday"] == to_black_friday


def test_the_hour_of_the_moment_moves_no_day() -> None:
    early, late = AsOf.parse("2026-12-24T00:00:00Z"), AsOf.parse("2026-12-24T23:59:59Z")

    assert calendar_values(early) == calendar_values(late)


def test_days_are_those_of_utc() -> None:
    in_new_york = AsOf.parse("2026-12-24T20:00:00-05:00")

    assert calendar_values(in_new_york)["days_to_christmas"] == 0


def test_december_and_january_are_neighbours() -> None:
    december, january, july = (
        calendar_values(AsOf.parse(f"2026-{month}-15")) for month in ("12", "01", "07")
    )

    def distance(one: dict[str, float], other: dict[str, float]) -> float:
        return math.dist(
            (one["month_sin"], one["month_cos"]), (other["month_sin"], other["month_cos"])
        )

    assert distance(december, january) < 0.6 < 1.5 < distance(december, july)


def test_a_moment_is_placed_in_its_week_month_and_year() -> None:
    found = calendar_values(AsOf.parse("2026-03-01"))

    assert (found["day_of_week"], found["day_of_month"], found["day_of_year"]) == (7, 1, 60)
    assert found["month"] == 3
