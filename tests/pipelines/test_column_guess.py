"""Which column holds what: by name first, and only if it holds what the name says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.column_evidence import ColumnEvidence
from pipelines.column_guess import guess_columns, guess_status, plain

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

DATES = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
BASE: dict[str, Sequence[Any]] = {"user_id": [1, 2, 1, 2], "date": DATES}


def evidence_of(tmp_path: Path, **columns: Sequence[Any]) -> ColumnEvidence:
    file = tmp_path / "orders.csv"
    pd.DataFrame(columns).to_csv(file, index=False)
    return ColumnEvidence([file])


def guessed(tmp_path: Path, **columns: Sequence[Any]) -> dict[str, str]:
    evidence = evidence_of(tmp_path, **columns)
    found = guess_columns(evidence, "orders.csv")
    evidence.close()
    return {name: guess.column for name, guess in found.items()}


@pytest.mark.parametrize(
    "name",
    ["CustomerID", "Customer ID", "customer_id", "household_id", "User-Id", "client", "member_no",
     "loyal_customer_key", "Kundennummer", "crm_id"],
)  # fmt: skip
def test_customer_is_known_by_many_names(tmp_path: Path, name: str) -> None:
    columns: dict[str, Sequence[Any]] = {name: [1, 2, 1, 2], "date": DATES}

    assert guessed(tmp_path, **columns)["customer_id"] == name


def test_columns_are_known_by_their_names(tmp_path: Path) -> None:
    columns: dict[str, Sequence[Any]] = {
        "basket_id": [1, 2, 3, 4], "transaction_timestamp": DATES, "household_id": [1, 1, 2, 2],
        "sales_value": [1.5, 2, 3, 4], "retail_disc": [0, 1, 3, 0], "store_id": [1, 2, 1, 2],
        "product_id": [1, 2, 3, 4], "quantity": [1, 1, 1, 2], "department": list("abab"),
    }  # fmt: skip

    assert guessed(tmp_path, **columns) == {
        "customer_id": "household_id",
        "order_id": "basket_id",
        "ordered_at": "transaction_timestamp",
        "amount": "sales_value",
        "discount": "retail_disc",
        "channel": "store_id",
        "product_id": "product_id",
        "quantity": "quantity",
        "category": "department",
    }


def test_name_without_fitting_values_is_passed_over(tmp_path: Path) -> None:
    found = guessed(
        tmp_path,
        **BASE,
        created=["soon", "later", "never", "?"],
        Total=["a lot", "little", "little", "none"],
        spend=[1, 2, 3, 4],
        customer=["all", "all", "all", "all"],
    )

    assert (found["ordered_at"], found["amount"], found["customer_id"]) == (
        "date",
        "spend",
        "user_id",
    )


def test_time_of_any_name_is_known_by_its_values(tmp_path: Path) -> None:
    found = guessed(
        tmp_path, client=[1, 2, 1, 2], birth_day=DATES, code=[20260101] * 4, bought=DATES
    )

    assert found["ordered_at"] == "bought"


def test_dates_as_numbers_are_known_by_name(tmp_path: Path) -> None:
    found = guessed(tmp_path, client=[1, 2, 1, 2], date=[19970101, 19970118, 19970802, 19971212])

    assert found["ordered_at"] == "date"


@pytest.mark.parametrize(
    ("columns", "amount"),
    [
        ({"Quantity": [1, 2, 3, 4], "UnitPrice": [1, 2, 3, 4]}, "Quantity * UnitPrice"),
        ({"qty": [1, 2, 3, 4], "price": [1, 2, 3, 4]}, "qty * price"),
        ({"price": [1, 2, 3, 4]}, "price"),
        (
            {"price": [1, 2, 3, 4], "qty": [1, 1, 1, 1], "revenue": ["1,5", "2", "3", "4"]},
            "revenue",
        ),
        ({"weight": [1, 2, 3, 4]}, None),
    ],
    ids=["product", "short", "price", "total", "none"],
)
def test_amount_is_a_total_or_a_product(
    tmp_path: Path, columns: dict[str, Sequence[Any]], amount: str | None
) -> None:
    assert guessed(tmp_path, **BASE, **columns).get("amount") == amount


def test_rate_is_no_discount(tmp_path: Path) -> None:
    assert "discount" not in guessed(tmp_path, **BASE, discount=[0, 0.1, 0.25, 0])
    assert "discount" in guessed(tmp_path, **BASE, discount=[0, 1.5, 0.25, 0])


@pytest.mark.parametrize(
    ("name", "values", "meanings"),
    [
        ("is_cancellation", [True, False, False, False], {"cancelled": [True]}),
        ("is_cancelled", [1, 0, 0, 0], {"cancelled": [True]}),
        ("Returned", ["N", "Y", "N", "N"], {"returned": ["y"]}),
        (
            "order_status",
            ["shipped", "Canceled", "unpaid", "Refunded"],
            {"returned": ["Refunded"], "cancelled": ["Canceled", "unpaid"]},
        ),
        ("status", ["shipped", "delivered", "shipped", "done"], None),
        ("status", [1, 0, 1, 0], None),
    ],
    ids=["boolean", "number", "letter", "words", "nothing cancelled", "code"],
)
def test_status_is_guessed_where_it_speaks_of_cancelling(
    tmp_path: Path, name: str, values: Sequence[Any], meanings: dict[str, Any] | None
) -> None:
    evidence = evidence_of(tmp_path, **BASE, **{name: values})

    status = guess_status(evidence)

    evidence.close()
    assert (status[1] if status else None) == meanings


def test_names_are_compared_without_case_and_marks() -> None:
    assert plain("Customer-ID (new)") == "customeridnew"
