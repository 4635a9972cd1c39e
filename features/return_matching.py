"""Finds the order that each return takes value back from."""

from dataclasses import dataclass
from typing import Any

from features.contracts.tables import COMPLETED, ORDERS, RETURNED

_KEY = ("customer_id", "order_id")


@dataclass(frozen=True)
class Returns:
    """How many returns name an order that is there, were matched to one, or have none."""

    named: int
    matched: int
    unmatched: int

    def notes(self) -> list[str]:
        """Say what was found, if there are returns at all."""
        total = self.named + self.matched + self.unmatched
        if not total:
            return []
        parts = [
            f"{self.named:,} name their order" if self.named else "",
            f"{self.matched:,} are matched to the newest earlier order of at least their amount"
            if self.matched
            else "",
            f"{self.unmatched:,} have no order in the data and are kept" if self.unmatched else "",
        ]
        return [f"of {total:,} returns {', '.join(part for part in parts if part)}"]


def match_returns(connection: Any, orders: Any) -> tuple[Any, Returns]:
    """Return the orders with `returns_order_id` filled in, and how many returns were matched.

    A return that names an order is taken at its word. Else it is of the newest earlier completed
    order of the same customer with at least its amount, among those known by then.
    """
    returns = orders.filter(orders.status == RETURNED)
    if not _count(returns):
        return orders, Returns(0, 0, 0)
    purchases = orders.filter(orders.status == COMPLETED).select(
        "customer_id", bought_id="order_id", bought_at="ordered_at", paid="amount",
        learnt_at="known_at",
    )  # fmt: skip
    named = _count(
        returns.semi_join(
            purchases,
            ["customer_id", returns.returns_order_id == purchases.bought_id],
        )
    )
    nameless = returns.filter(returns.returns_order_id.isnull())
    found = connection.create_table("matched_returns", _newest_earlier(nameless, purchases))
    matched = _count(found)
    filled = orders.left_join(
        found, [orders.customer_id == found.returner, orders.order_id == found.return_id]
    )
    link = filled.returns_order_id.coalesce(filled.match_id)
    columns = [column.name for column in ORDERS.columns]
    linked = filled.mutate(returns_order_id=link).select(*columns)
    return linked, Returns(named, matched, _count(returns) - named - matched)


def _newest_earlier(returns: Any, purchases: Any) -> Any:
    """Return for each return the newest order that fits; of one moment, that of the last id."""
    pairs = returns.join(
        purchases,
        [
            returns.customer_id == purchases.customer_id,
            returns.ordered_at > purchases.bought_at,
            returns.known_at >= purchases.learnt_at,
            -returns.amount <= purchases.paid,
        ],
    )
    newest = pairs.group_by(list(_KEY)).agg(
        newest_at=pairs.bought_at.max(), least=-pairs.amount.max()
    )
    ties = newest.join(
        purchases,
        [
            newest.customer_id == purchases.customer_id,
            newest.newest_at == purchases.bought_at,
            newest.least <= purchases.paid,
        ],
    )
    return ties.group_by(returner=ties.customer_id, return_id=ties.order_id).agg(
        match_id=ties.bought_id.max()
    )


def _count(rows: Any) -> int:
    return int(rows.count().to_pyarrow().as_py())
