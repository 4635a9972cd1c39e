import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.errors import HistoryError
from features.contracts.settings import TrainingSettings
from training.splits import Split, make_split, step_days

LONG_AGO = AsOf.parse("1700-01-01")
NEW_YEAR = AsOf.parse("2018-01-01")

moments = st.integers(0, 20 * 365 * 86_400).map(lambda s: NEW_YEAR.plus_days(s / 86_400))
horizons = st.integers(1, 1095)
settings = st.builds(
    TrainingSettings,
    moments=st.integers(2, 40),
    step_days=st.integers(1, 366),
    min_history_days=st.integers(1, 400),
)


def split_of(as_of: AsOf, horizon_days: int, asked: TrainingSettings, first: AsOf) -> Split:
    return make_split(as_of, horizon_days=horizon_days, first_event=first, settings=asked)


def days(*texts: str) -> tuple[AsOf, ...]:
    return tuple(AsOf.parse(text) for text in texts)


def test_worked_example() -> None:
    asked = TrainingSettings(moments=5, step_days=14)

    split = split_of(NEW_YEAR, 28, asked, LONG_AGO)

    assert split.calibration == AsOf.parse("2017-12-04")
    assert split.embargoed_fit == days("2017-10-09", "2017-10-23", "2017-11-06")
    assert split.fit == (*split.embargoed_fit, *days("2017-11-20", "2017-12-04"))


@given(as_of=moments, horizon=horizons, asked=settings, history_days=st.integers(1, 5000))
def test_every_label_has_matured_and_every_moment_has_history(
    as_of: AsOf, horizon: int, asked: TrainingSettings, history_days: int
) -> None:
    first = as_of.plus_days(-history_days)
    try:
        split = split_of(as_of, horizon, asked, first)
    except HistoryError:
        assert history_days < horizon + asked.min_history_days
        return

    assert max(split.fit).plus_days(horizon) <= as_of
    assert min(split.fit) >= first.plus_days(asked.min_history_days)
    assert 1 <= len(split.fit) <= asked.moments


@given(as_of=moments, horizon=horizons, asked=settings, history_days=st.integers(1500, 5000))
def test_embargo_is_one_horizon_and_no_more(
    as_of: AsOf, horizon: int, asked: TrainingSettings, history_days: int
) -> None:
    split = split_of(as_of, horizon, asked, as_of.plus_days(-history_days))

    assert split.calibration == max(split.fit)
    label_ends = {moment: moment.plus_days(horizon) for moment in split.fit}
    before = tuple(moment for moment, end in label_ends.items() if end <= split.calibration)
    assert split.embargoed_fit == before


@given(as_of=moments, horizon=horizons, asked=settings)
@example(as_of=NEW_YEAR, horizon=365, asked=TrainingSettings(moments=12, step_days=14))
def test_long_history_always_leaves_moments_beyond_the_embargo(
    as_of: AsOf, horizon: int, asked: TrainingSettings
) -> None:
    split = split_of(as_of, horizon, asked, LONG_AGO)

    assert len(split.fit) == asked.moments
    assert len(split.embargoed_fit) >= asked.moments // 2
    newest = split.embargoed_fit[-1]
    assert newest.plus_days(horizon) == split.calibration


@given(as_of=moments, horizon=horizons, asked=settings, history_days=st.integers(1500, 5000))
def test_training_and_the_earlier_one_that_judges_it_share_a_grid(
    as_of: AsOf, horizon: int, asked: TrainingSettings, history_days: int
) -> None:
    first, test_moment = as_of.plus_days(-history_days), as_of.plus_days(-horizon)
    later = split_of(as_of, horizon, asked, first)
    try:
        earlier = split_of(test_moment, horizon, asked, first)
    except HistoryError:
        assert not later.embargoed_fit
        return

    assert later.calibration == test_moment
    assert set(later.embargoed_fit) <= set(earlier.fit)


@given(horizon=horizons, asked=settings)
def test_steps_are_a_whole_fraction_of_the_horizon(horizon: int, asked: TrainingSettings) -> None:
    steps = horizon / step_days(horizon, asked)

    assert steps == pytest.approx(round(steps))
    assert steps >= 1


@pytest.mark.parametrize(("horizon", "step"), [(28, 14), (30, 15), (7, 7), (90, 15), (14, 14)])
def test_steps_are_about_as_long_as_asked(horizon: int, step: int) -> None:
    assert step_days(horizon, TrainingSettings(step_days=14)) == step


def test_short_history_says_from_when_on_training_is_possible() -> None:
    asked = TrainingSettings(min_history_days=30)
    first = AsOf.parse("2017-12-01")

    with pytest.raises(HistoryError, match="train as of 2018-01-28T00:00:00Z or later") as refused:
        split_of(NEW_YEAR, 28, asked, first)

    assert "28 days" in str(refused.value)
    assert "the first order (2017-12-01T00:00:00Z)" in str(refused.value)
    enough = AsOf.parse("2018-01-28")
    assert split_of(enough, 28, asked, first).fit == days("2017-12-31")
    with pytest.raises(HistoryError):
        split_of(AsOf.parse("2018-01-27T23:59:59"), 28, asked, first)


def test_history_too_short_for_an_embargo_leaves_nothing_to_calibrate_with() -> None:
    split = split_of(NEW_YEAR, 28, TrainingSettings(), AsOf.parse("2017-10-20"))

    assert split.fit == days("2017-11-20", "2017-12-04")
    assert split.embargoed_fit == ()
