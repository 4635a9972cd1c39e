from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.as_of import AsOf
from features.contracts.eligibility import Condition, Eligibility
from features.contracts.errors import (
    EmptyCohortError,
    FeatureVectorError,
    ImmatureLabelsError,
    OneClassError,
)
from features.contracts.goals import GoalName
from features.contracts.vectors import FeatureVectors, Presence
from features.labels import Outcomes
from tests.fakes import make_vectors
from training.dataset import Slice, TrainingSet, make_slice, make_training_set
from training.specs import SPECS

EARLY, LATE, KNOWN = (AsOf.parse(f"2026-{month}-01") for month in ("01", "02", "03"))
COLUMNS = ("orders_total", "spend_total")
EVER = Eligibility(conditions=(Condition(feature="orders_total", minimum=1),))
SPEC = SPECS[GoalName.PURCHASE_PROPENSITY]


def vectors_of(
    *rows: Sequence[float], presence: Sequence[Presence] | None = None
) -> FeatureVectors:
    return make_vectors(np.array(rows, dtype=np.float64), COLUMNS, presence=presence)


def even_ones_buy(customers: tuple[str, ...], as_of: AsOf, known_at: AsOf) -> Outcomes:
    """Labels of 28 days: customers c0, c2, ... order once, and spend ten times their number."""
    if as_of.plus_days(28) > known_at:
        raise ImmatureLabelsError(f"the horizon of {as_of} is not over; wait")
    number = np.array([float(customer[1:]) for customer in customers])
    buys = number % 2 == 0
    return Outcomes(orders=buys * 1.0, spend=buys * number * 10.0)


def training_set_of(vectors: dict[AsOf, FeatureVectors], known_at: AsOf = KNOWN) -> TrainingSet:
    return make_training_set(
        SPEC, EVER, vectors, tuple(vectors), known_at=known_at, labels=even_ones_buy
    )


def test_labels_meet_the_customers_they_belong_to() -> None:
    unknown, stale, known = Presence.UNKNOWN_CUSTOMER, Presence.STALE, Presence.PRESENT
    orders = (5.0, 0.0, 5.0, np.nan, 5.0, 5.0, 5.0)
    rows = [(count, number + 1.0) for number, count in enumerate(orders)]
    presence = [known, known, known, known, stale, unknown, known]

    part = make_slice(
        SPEC,
        EVER,
        vectors_of(*rows, presence=presence),
        as_of=EARLY,
        known_at=KNOWN,
        labels=even_ones_buy,
    )

    assert part.customer_ids == ("c0", "c2", "c6")
    assert part.matrix.tolist() == [[5, 1], [5, 3], [5, 7]]
    assert part.event.tolist() == [1, 1, 1]
    assert part.spend.tolist() == [0, 20, 60]


def test_slices_lie_below_each_other_in_the_order_of_the_moments() -> None:
    training_set = training_set_of(
        {EARLY: vectors_of([1, 1], [1, 2]), LATE: vectors_of([1, 3], [0, 4], [1, 5])}
    )

    assert training_set.matrix[:, 1].tolist() == [1, 2, 3, 5]
    assert training_set.event.tolist() == [1, 0, 1, 1]
    assert training_set.spend.tolist() == [0, 0, 0, 20]
    assert training_set.at([LATE]).matrix[:, 1].tolist() == [3, 5]
    assert training_set.at([LATE]).columns == COLUMNS


def test_labels_that_are_not_known_yet_are_refused() -> None:
    everybody = vectors_of([1, 1], [1, 2])

    with pytest.raises(ImmatureLabelsError, match="2026-02-01"):
        training_set_of(
            {EARLY: everybody, LATE: everybody}, known_at=AsOf.parse("2026-02-28T23:59:59")
        )


def test_nobody_eligible_is_said_with_the_rule() -> None:
    with pytest.raises(
        EmptyCohortError, match=r"purchase_propensity as of 2026-02-01.*orders_total must be at"
    ):
        training_set_of({EARLY: vectors_of([1, 1], [1, 2]), LATE: vectors_of([0, 1], [np.nan, 2])})


@pytest.mark.parametrize(
    ("rows", "what"), [([[1, 1], [0, 1]], "all of 1"), ([[0, 1], [1, 1]], "none of 1")]
)
def test_one_class_is_refused(rows: list[list[float]], what: str) -> None:
    with pytest.raises(OneClassError, match=f"happened to {what} customers"):
        training_set_of({EARLY: vectors_of(*rows)})


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_feature_is_named(value: float) -> None:
    with pytest.raises(FeatureVectorError, match="spend_total is infinite as of 2026-02-01"):
        training_set_of(
            {EARLY: vectors_of([1, 1], [1, 2]), LATE: vectors_of([1, np.nan], [1, value])}
        )


def test_infinite_feature_of_somebody_who_is_not_eligible_does_no_harm() -> None:
    training_set = training_set_of({EARLY: vectors_of([1, 1], [1, 2], [0, np.inf])})

    assert np.isfinite(training_set.matrix).all()


def test_features_that_change_between_the_moments_are_refused() -> None:
    early = vectors_of([1, 1], [1, 2])
    swapped = replace(early, columns=COLUMNS[::-1])

    with pytest.raises(FeatureVectorError, match=r"as of 2026-02-01.*differ from.*2026-01-01"):
        training_set_of({EARLY: early, LATE: swapped})


def test_same_inputs_give_the_same_bytes() -> None:
    rows = np.random.default_rng(1).random((50, 2)) + 1.0
    rows[7, 1] = np.nan

    first, second, other_order = (
        training_set_of({EARLY: make_vectors(values, COLUMNS), LATE: make_vectors(values, COLUMNS)})
        for values in (rows, rows.copy(), np.asfortranarray(rows))
    )

    assert first.matrix.tobytes() == second.matrix.tobytes() == other_order.matrix.tobytes()
    assert first.content_hash() == second.content_hash() == other_order.content_hash()


numbers = st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=2, max_size=2)
names = st.lists(st.text(',"\n]a', max_size=3), min_size=2, max_size=2)
parts = st.builds(
    lambda as_of, ids, column, event, spend: Slice(
        as_of, tuple(ids), np.array([column]).T, np.array(event), np.array(spend)
    ),
    st.sampled_from([EARLY, LATE]),
    names,
    numbers,
    numbers,
    numbers,
)
sets = st.builds(
    lambda name, slices: TrainingSet((name,), tuple(slices)),
    st.text(',"\n]a', max_size=2),
    st.lists(parts, min_size=1, max_size=2),
)


def content(training_set: TrainingSet) -> object:
    return training_set.columns, [
        (s.as_of, s.customer_ids, s.matrix.tobytes(), s.event.tobytes(), s.spend.tobytes())
        for s in training_set.slices
    ]


@given(sets, sets)
def test_hash_is_equal_for_equal_content_alone(one: TrainingSet, other: TrainingSet) -> None:
    assert (one.content_hash() == other.content_hash()) == (content(one) == content(other))


@given(sets, st.data())
def test_hash_changes_with_any_change(before: TrainingSet, data: st.DataObject) -> None:
    part = before.slices[0]
    changed = data.draw(
        st.sampled_from(
            [
                replace(part, as_of=part.as_of.plus_days(1)),
                replace(part, customer_ids=("b", *part.customer_ids[1:])),
                replace(part, customer_ids=("\n".join(part.customer_ids),)),
                replace(part, matrix=part.matrix + 1e-9),
                replace(part, event=np.array([0.5, *part.event[1:]])),
                replace(part, spend=np.array([*part.spend[:1], 1e-300])),
                replace(part, event=part.spend, spend=part.event + 2),
            ]
        )
    )
    after = replace(before, slices=(changed, *before.slices[1:]))

    if content(after) != content(before):
        assert after.content_hash() != before.content_hash()
    assert replace(before, columns=("b",)).content_hash() != before.content_hash()
