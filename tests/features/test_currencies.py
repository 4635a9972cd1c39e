"""Amounts in other currencies become exact amounts in the project's own."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.contracts.errors import SourceError
from tests.features.loading import column, load_texts, notes

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a load takes too long to shrink

HEAD = "customer_id,order_id,ordered_at,amount,currency"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loaded")


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=UNSHRUNK,
)
@given(
    amounts=st.lists(
        st.decimals(Decimal("-9999999"), Decimal("9999999"), places=4), min_size=20, max_size=60
    ),
    rate=st.decimals(Decimal("0.00000001"), Decimal("9999"), places=8),
)
def test_conversion_is_exact(folder: Path, amounts: list[Decimal], rate: Decimal) -> None:
    rows = [f"1,{n:05},2026-01-01,{amount:f},EUR" for n, amount in enumerate(amounts)]

    tables = load_texts(
        folder,
        orders="\n".join([HEAD, *rows]) + "\n",
        currency="GBP",
        exchange_rates={"EUR": rate},
    )

    expected = [(a * rate).quantize(Decimal("0.0001"), ROUND_HALF_UP) for a in amounts]
    assert column(tables, "amount") == expected
    tables.close()


def test_lines_are_converted_before_they_are_added_up(tmp_path: Path) -> None:
    text = f"{HEAD}\n1,a,2026-01-01,10,EUR\n1,a,2026-01-01,10,GBP\n"

    tables = load_texts(
        tmp_path,
        orders={"text": text, "grain": "line"},
        currency="GBP",
        exchange_rates={"EUR": "0.5"},
    )

    assert column(tables, "amount") == [15]
    assert column(tables, "currency") == ["GBP"]
    tables.close()


def test_own_currency_is_never_converted(tmp_path: Path) -> None:
    tables = load_texts(
        tmp_path,
        orders=f"{HEAD}\n1,a,2026-01-01,10,GBP\n",
        currency="GBP",
        exchange_rates={"GBP": 2, "EUR": 3},
    )

    assert column(tables, "amount") == [10]
    assert "converted" not in notes(tables)
    tables.close()


def test_currency_that_no_row_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no order can be used.*1 with an amount in another"):
        load_texts(tmp_path, orders=f"{HEAD}\n1,a,2026-01-01,10,GBP\n", currency="EUR")
