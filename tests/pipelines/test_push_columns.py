from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from features.contracts.errors import DataContractError
from features.contracts.settings import DataSettings
from pipelines.push_columns import in_canonical_columns

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN = {
    "order_id": "No",
    "customer_id": "Client",
    "ordered_at": "Date",
    "amount": "Qty * Price",
    "status": "State",
}


def data(**more: Any) -> DataSettings:
    orders = {"path": "orders.csv", "columns": OWN, "status_values": {"cancelled": ["void"]}}
    return DataSettings.model_validate({"tables": {"orders": {**orders, **more}}})


def own(**changed: Any) -> dict[str, Any]:
    row = {"No": "1", "Client": 17850.0, "Date": "28/02/2026 10:00", "Qty": 2, "Price": "1,50 €"}
    return {**row, "State": "paid", **changed}


def canonical(*rows: dict[str, Any], settings: DataSettings | None = None) -> Any:
    settings = settings or DataSettings.model_validate(
        {**data().model_dump(mode="json"), "day_first": True}
    )
    return in_canonical_columns(rows, "orders", settings, timezone="UTC", now=NOW)


def test_canonical_rows_are_left_alone() -> None:
    row = {"order_id": "1", "customer_id": "ann", "ordered_at": "2026-02-28", "amount": "1"}

    assert canonical(row) == (row,)


def test_own_columns_are_read_like_the_source() -> None:
    (row,) = canonical(own())

    assert (row["order_id"], row["customer_id"]) == ("1", "17850")
    assert row["ordered_at"] == datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert row["amount"] == Decimal("3.0000")
    assert row["status"] == "completed"
    assert "known_at" not in row


def test_words_of_the_project_are_understood() -> None:
    (row,) = canonical(own(State="void"))

    assert row["status"] == "cancelled"


def test_lines_of_one_order_are_added_up() -> None:
    lines = [own(), own(Qty=1)]
    settings = DataSettings.model_validate(
        {**data(grain="line").model_dump(mode="json"), "day_first": True}
    )

    (row,) = canonical(*lines, settings=settings)

    assert row["amount"] == Decimal("4.5000")


def test_a_row_that_does_not_pass_a_gate_refuses_the_push() -> None:
    with pytest.raises(DataContractError, match=r"nothing was pushed.*quarantined"):
        canonical(own(), own(No="2", Date="someday"))


def test_a_column_that_is_neither_is_named() -> None:
    with pytest.raises(DataContractError, match="orders has no column `Colour`"):
        canonical(own(Colour="red"))


def test_tables_that_are_not_there_are_told_later() -> None:
    rows = [{"anything": 1}]

    assert in_canonical_columns(rows, "clicks", data(), timezone="UTC", now=NOW) == rows
