from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from features.contracts.errors import DataContractError
from features.contracts.tables import TABLES
from features.push_log import PushedRow
from features.pushed_rows import check_rows, customers_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAPPED = {name: frozenset(c.name for c in table.columns) for name, table in TABLES.items()}
MAPPED["customers"] |= {"attribute_age"}


def order(**changed: Any) -> dict[str, Any]:
    row = {"order_id": "1", "customer_id": "ann", "ordered_at": "2026-03-01T10:00:00Z"}
    return {**row, "amount": "12.5", **changed}


def check(*rows: Any, table: str = "orders", timezone: str = "UTC") -> list[PushedRow]:
    return check_rows(table, rows, mapped=MAPPED, timezone=timezone, now=NOW)


def content(**changed: Any) -> Any:
    (row,) = check(order(**changed))
    return row.content


def test_a_row_is_told_by_its_customer_and_id() -> None:
    (row,) = check(order())

    assert (row.table, row.customer_id, row.row_id) == ("orders", "ann", "1")


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        ("12.5", "12.5000"),
        (12, "12.0000"),
        (0.1, "0.1000"),
        (Decimal("1.00005"), "1.0001"),
        ("-3", "-3.0000"),
        ("", None),
        (None, None),
    ],
)
def test_money_is_exact(amount: object, kept: str | None) -> None:
    assert content(amount=amount)["amount"] == kept


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00.000000+00:00"),
        ("2026-03-01", "2026-02-28T23:00:00.000000+00:00"),
        (datetime(2026, 3, 1, 10), "2026-03-01T09:00:00.000000+00:00"),  # noqa: DTZ001
        (datetime(2026, 3, 1, 10, tzinfo=UTC), "2026-03-01T10:00:00.000000+00:00"),
    ],
    ids=["offset", "date", "naive", "aware"],
)
def test_times_without_a_zone_are_of_the_project(time: object, kept: str) -> None:
    (row,) = check(order(ordered_at=time), timezone="Europe/Berlin")

    assert row.content["ordered_at"] == kept


@pytest.mark.parametrize(
    ("known_at", "kept"),
    [
        (None, "2026-03-01T12:00:00.000000+00:00"),
        ("2026-03-01T11:00:00Z", "2026-03-01T11:00:00.000000+00:00"),
        ("2026-03-01T09:00:00Z", "2026-03-01T10:00:00.000000+00:00"),
    ],
    ids=["now", "as said", "not before it happened"],
)
def test_rows_are_learnt_when_they_are_pushed(known_at: str | None, kept: str) -> None:
    (row,) = check(order(known_at=known_at))

    assert row.known_at == kept


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "completed"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "returned"}, "cancelled"),
        ({"amount": "-1"}, "returned"),
        ({"amount": None}, "completed"),
    ],
    ids=["none", "cancelled", "taken back whole", "below zero", "no amount"],
)
def test_a_status_means_what_it_means_in_sources(changed: dict[str, Any], status: str) -> None:
    assert content(**changed)["status"] == status


def test_rows_without_an_id_are_told_apart_by_what_they_say() -> None:
    rows = [order(order_id=None), order(order_id=None), order(order_id=None, amount="1")]

    ids = [row.row_id for row in check(*rows)]

    assert len(set(ids)) == 3
    assert ids == [row.row_id for row in check(*rows)]
    assert [row.content["order_id"] for row in check(*rows)] == ids


def test_the_time_of_learning_does_not_make_a_row_another() -> None:
    (row,) = check(order())
    (later,) = check_rows(
        "orders", [order()], mapped=MAPPED, timezone="UTC", now=NOW + timedelta(hours=1)
    )

    assert row.digest == later.digest


def test_customers_have_attributes_and_consents() -> None:
    row = {"customer_id": 7, "attribute_age": 3, "email_consent": True, "sms_consent": "false"}

    (found,) = check(row, table="customers")

    assert (found.customer_id, found.row_id) == ("7", "7")
    assert found.content["attribute_age"] == 3.0
    assert (found.content["email_consent"], found.content["sms_consent"]) == (True, False)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (order(colour="red"), "there is no column `colour`; it has order_id"),
        (order(amount="many"), "`amount` cannot be 'many'; it is an amount such as"),
        (order(amount=True), "`amount` cannot be True"),
        (order(amount=float("nan")), "`amount` cannot be nan"),
        (order(amount="1e300"), "`amount` cannot be"),
        (order(amount=10**20), "`amount` cannot be"),
        (order(ordered_at="yesterday"), "`ordered_at` cannot be 'yesterday'; it is a time"),
        (order(ordered_at=5), "`ordered_at` cannot be 5"),
        (order(ordered_at=None), "`ordered_at` is missing"),
        (order(customer_id=" "), "`customer_id` cannot be ' '"),
        (order(customer_id=1.5), "`customer_id` cannot be 1.5; it is text"),
        (order(ordered_at="2026-03-03"), "lies more than a day in the future"),
        (order(status="paid"), "`status` cannot be 'paid'; it is one of completed"),
        ([], "not a mapping"),
    ],
    ids=lambda value: None if isinstance(value, dict | list) else value[:24],
)
def test_a_wrong_row_is_named(row: Any, said: str) -> None:
    with pytest.raises(DataContractError, match="row 2") as caught:
        check(order(), row)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "wrong"), [("perhaps", "email_consent"), ("old", "attribute_age")]
)
def test_wrong_values_of_customers_are_named(value: str, wrong: str) -> None:
    with pytest.raises(DataContractError, match=f"`{wrong}` cannot be '{value}'"):
        check({"customer_id": "ann", wrong: value}, table="customers")


def test_a_table_that_the_project_lacks_is_named() -> None:
    with pytest.raises(DataContractError, match=r"no table `events`.*data\.tables"):
        check_rows("events", [], mapped={"orders": frozenset()}, timezone="UTC", now=NOW)


def test_customers_are_named_once() -> None:
    rows = check(order(), order(order_id="2", customer_id="bob"), order(order_id="3"))

    assert customers_of(rows) == ("ann", "bob")
