"""Each return meets the order it takes value back from, as a plain search would find it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.contracts.tables import CANCELLED, COMPLETED, ORDERS, RETURNED
from features.return_matching import Returns, match_returns
from features.sources import open_connection

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a load takes too long to shrink

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = ibis.schema({column.name: column.type for column in ORDERS.columns})


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    connection = open_connection()
    yield connection
    connection.disconnect()


ORDER = st.fixed_dictionaries(
    {
        "who": st.sampled_from("ab"),
        "hour": st.integers(0, 6),
        "late": st.integers(0, 3),
        "amount": st.integers(-4, 4),
        "void": st.booleans(),
        "of": st.none() | st.integers(0, 15).map(str),
    }
)


def as_order(place: int, drawn: dict[str, Any]) -> dict[str, Any]:
    amount, at = Decimal(drawn["amount"]), START + timedelta(hours=drawn["hour"])
    status = RETURNED if amount < 0 else CANCELLED if drawn["void"] else COMPLETED
    return dict.fromkeys(SCHEMA.names) | {
        "order_id": str(place),
        "customer_id": drawn["who"],
        "ordered_at": at,
        "known_at": at + timedelta(hours=drawn["late"]),
        "amount": amount,
        "status": status,
        "returns_order_id": drawn["of"] if amount < 0 else None,
    }


def plainly(orders: list[dict[str, Any]], back: dict[str, Any]) -> str | None:
    """Return the id of the order that a return is of, by looking at every one."""
    fitting = [
        (order["ordered_at"], order["order_id"])
        for order in orders
        if order["status"] == COMPLETED
        and order["customer_id"] == back["customer_id"]
        and order["ordered_at"] < back["ordered_at"]
        and order["known_at"] <= back["known_at"]
        and order["amount"] >= -back["amount"]
    ]
    return max(fitting)[1] if fitting else None


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=UNSHRUNK,
)
@given(drawn=st.lists(ORDER, min_size=1, max_size=16))
def test_returns_are_matched_as_by_a_plain_search(
    connection: Any, drawn: list[dict[str, Any]]
) -> None:
    orders = [as_order(place, each) for place, each in enumerate(drawn)]
    drawn_orders = pa.Table.from_pylist(orders, schema=SCHEMA.to_pyarrow())
    connection.con.register("drawn", drawn_orders)
    table = connection.table("drawn")
    connection.raw_sql("DROP TABLE IF EXISTS matched_returns")

    linked, returns = match_returns(connection, table)

    found = {row["order_id"]: row["returns_order_id"] for row in linked.to_pyarrow().to_pylist()}
    backs = [order for order in orders if order["status"] == RETURNED]
    expected = {
        back["order_id"]: back["returns_order_id"] or plainly(orders, back) for back in backs
    }
    assert found == dict.fromkeys(order["order_id"] for order in orders) | expected
    bought = {
        (order["customer_id"], order["order_id"])
        for order in orders
        if order["status"] == COMPLETED
    }
    named = sum((back["customer_id"], back["returns_order_id"]) in bought for back in backs)
    matched = sum(
        back["returns_order_id"] is None and plainly(orders, back) is not None for back in backs
    )
    assert returns == Returns(named, matched, len(backs) - named - matched)


def test_nothing_is_said_where_nothing_came_back() -> None:
    assert Returns(0, 0, 0).notes() == []
    assert Returns(1, 0, 2).notes() == [
        "of 3 returns 1 name their order, 2 have no order in the data and are kept"
    ]
