"""Yes and no, kinds of events, and patterns of ids."""

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contracts.data_settings import TEST_CUSTOMERS
from features.contracts.tables import EventType
from features.word_parsing import matches_any, parse_kind, parse_yes_no, pattern_regex
from tests.features.test_value_parsing import Bench

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

MANY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.connection.disconnect()


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([True, False, None], pa.bool_()),
        ([1, 0, 2], pa.int64()),
        ([1.0, 0.0, 0.5], pa.float64()),
        (["yes", "no", "maybe"], pa.string()),
        (["TRUE", "False", "tru"], pa.string()),
        ([" Y ", "N", "J"], pa.string()),
        (["t", "f", ""], pa.string()),
        (["1.0", "0", "10"], pa.string()),
        (["on", "off", "null"], pa.string()),
    ],
    ids=str,
)
def test_yes_and_no_are_read_however_they_are_written(
    bench: Bench, values: list[Any], type: pa.DataType
) -> None:
    assert bench.read(parse_yes_no, values, type=type) == [True, False, None]


@MANY
@given(words=st.lists(st.text(max_size=6), min_size=1, max_size=30))
def test_no_other_word_says_yes_or_no(bench: Bench, words: list[str]) -> None:
    yes, no = {"1", "1.0", "yes", "y", "t", "true", "on"}, {"0", "no", "n", "f", "false", "off"}

    for word, read in zip(words, bench.read(parse_yes_no, words), strict=True):
        if read is not None:
            said = word.strip().lower()
            known = yes if read else no
            assert said in known or re.fullmatch(r"[+-]?[01]\.?0*", said)


def test_kinds_are_named_by_the_project_first_then_by_us(bench: Bench) -> None:
    kinds: dict[EventType, list[str | int]] = {
        EventType.VISIT: ["home", 7],
        EventType.VIEW: ["search"],
    }
    written = ["HOME", "7", "search", "Add to Cart", "add-to-cart", "SIGN_UP", "Else", "visit", ""]

    read = bench.read(lambda value: parse_kind(value, kinds), written)

    assert read == [
        "visit", "visit", "view", "add_to_cart", "add_to_cart", "sign_up", "Else", "visit", None
    ]  # fmt: skip


def test_kinds_may_be_numbers(bench: Bench) -> None:
    kinds = {EventType.VISIT: [1], EventType.DOWNLOAD: [2]}

    assert bench.read(lambda value: parse_kind(value, kinds), [1, 2, 3]) == [
        "visit", "download", "3"
    ]  # fmt: skip


@MANY
@given(
    texts=st.lists(st.text("abT1_.*?[]@(\\-+", max_size=8), min_size=1, max_size=20),
    patterns=st.lists(st.text("abT1_.*?@(\\+-", max_size=5), min_size=1, max_size=3),
)
def test_patterns_match_as_shells_do(bench: Bench, texts: list[str], patterns: list[str]) -> None:
    read = bench.read(lambda value: matches_any(value, patterns), texts)

    for text, found in zip(texts, read, strict=True):
        if text:
            expected = any(
                fnmatch.fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns
            )
            assert found is expected, (text, patterns)


def test_sets_of_characters_are_understood() -> None:
    assert re.search(pattern_regex(["test[0-9]*"]), "TEST7b")
    assert not re.search(pattern_regex(["test[0-9]*"]), "testa")


@MANY
@given(
    ids=st.lists(
        st.one_of(
            st.integers(0, 10**12).map(str),
            st.uuids().map(str),
            st.from_regex(r"\A[A-Z]{1,3}-[0-9]{3,9}\Z"),
            st.emails().filter(lambda address: "example" not in address and ".test" not in address),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_no_usual_id_is_a_test_customers(bench: Bench, ids: list[str]) -> None:
    read = bench.read(lambda value: matches_any(value, TEST_CUSTOMERS), ids)

    odd = [i for i, found in zip(ids, read, strict=True) if found]
    assert all(re.search(r"^test|[.](invalid|example|test)$", i, re.IGNORECASE) for i in odd)
