"""Of rows that share an id one is kept, whatever the order and number of the others."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.contracts.errors import SourceError
from tests.features.loading import fates, load_texts, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a load takes too long to shrink

FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=UNSHRUNK,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loaded")


TICKET = st.tuples(
    st.sampled_from("12"), st.sampled_from(["a", "b", ""]), st.integers(1, 3), st.integers(4, 6)
)


@FEW
@given(tickets=st.lists(TICKET, min_size=1, max_size=30))
def test_the_version_learnt_last_is_kept(folder: Path, tickets: list[tuple[Any, ...]]) -> None:
    rows = [f"{who},{name},2026-01-01,t{n},2026-02-{day:02}" for who, name, n, day in tickets]

    head = "customer_id,ticket_id,opened_at,topic,known_at"
    tables = load_texts(folder, tickets="\n".join([head, *rows]) + "\n")

    newest: dict[tuple[str, str], tuple[Any, ...]] = {}
    for place, (who, name, n, day) in enumerate(tickets):
        key = (who, name or f"nameless {place}")
        same = [(t[3], i) for i, t in enumerate(tickets) if name and t[:3] == (who, name, n)]
        learnt = min(same, default=(day, place))  # what is said again was known before
        newest[key] = max(newest.get(key, (0, -1, None)), (*learnt, f"t{n}"))
    found = rows_of(tables, "tickets")
    assert sorted((t["customer_id"], t["topic"], t["known_at"].day) for t in found) == sorted(
        (key[0], topic, day) for key, (day, _, topic) in newest.items()
    )
    assert len(found) + sum(fates(tables, "tickets").values()) == len(tickets)
    tables.close()


def test_what_is_exported_every_day_is_known_since_the_first(tmp_path: Path) -> None:
    rows = [f"1,{n},2026-01-01,5,2026-01-{day:02}" for day in (3, 2, 4) for n in range(50)]
    text = "\n".join(["customer_id,order_id,ordered_at,amount,known_at", *rows]) + "\n"

    tables = load_texts(tmp_path, orders=text)

    assert {order["known_at"].day for order in rows_of(tables)} == {2}
    assert fates(tables) == {"repeated_row": 100}
    tables.close()


def orders(n: int, *more: str) -> str:
    head = "customer_id,order_id,ordered_at,amount"
    return "\n".join([head, *(f"1,{i},2026-01-01,5" for i in range(n)), *more]) + "\n"


def test_a_few_orders_with_rows_that_differ_are_slips(tmp_path: Path) -> None:
    tables = load_texts(tmp_path, orders=orders(100, "1,0,2026-01-01,6"))

    (kept,) = [row for row in rows_of(tables) if row["order_id"] == "0"]
    assert kept["amount"] == 6
    assert fates(tables) == {"repeated_id": 1}
    tables.close()


def test_many_orders_with_rows_that_differ_are_lines(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"order '0' of customer '1' has 2 rows.*grain: line"):
        load_texts(tmp_path, orders=orders(100, "1,0,2026-01-01,6", "1,1,2026-01-01,6"))


def test_words_for_a_completed_order_are_no_versions(tmp_path: Path) -> None:
    text = (
        "customer_id,order_id,ordered_at,status\n1,a,2026-01-01,shipped\n1,a,2026-01-01,delivered\n"
    )

    tables = load_texts(tmp_path, orders=text)

    assert fates(tables) == {"repeated_row": 1}
    tables.close()


def test_refused_rows_are_no_versions(tmp_path: Path) -> None:
    text = orders(1, "1,0,2026-01-01,lots", "1,0,1970-01-01,5", ",0,2026-01-01,5")

    tables = load_texts(tmp_path, orders=text)

    assert fates(tables) == {"ancient_date": 1, "guest": 1, "unreadable_amount": 1}
    tables.close()
