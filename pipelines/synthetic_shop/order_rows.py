"""The table `orders`: completed and cancelled orders, then returns."""

import numpy as np
import pyarrow as pa

from features.contracts.tables import CANCELLED, COMPLETED, RETURNED
from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import (
    customers,
    drawn,
    moments,
    money,
    named,
    numbered,
    table_of,
)
from pipelines.synthetic_shop.lines import Lines, order_names
from pipelines.synthetic_shop.orders import Orders

CURRENCY = "EUR"
CHANNELS = ("web", "app", "store")
CHANNEL_SHARES = (0.6, 0.25, 0.15)
STORE = 2
DEVICES = ("desktop", "mobile", "tablet")
DEVICE_SHARES = (0.5, 0.42, 0.08)
DISCOUNTED_SHARE = 0.25
DISCOUNTS = (0.05, 0.30)
MARGINS = (0.25, 0.45)


def orders_table(block: Block, orders: Orders, lines: Lines) -> pa.Table:
    """Return every order as a row, and every return as a row of its own that takes value back."""
    rng = block.rng("profile").spawn(1)[0]
    n, taken_back = len(orders.owners), lines.orders[lines.returns]
    bought = np.concatenate([np.arange(n), taken_back])
    is_return = np.arange(len(bought)) >= n
    cents = np.concatenate([orders.cents, -lines.cents[lines.returns]])
    discount = np.where(rng.random(n) < DISCOUNTED_SHARE, rng.uniform(*DISCOUNTS, n), 0.0)
    off = _share(np.concatenate([orders.cents * discount, np.zeros(len(taken_back))]))
    channel = drawn(rng, CHANNEL_SHARES, n)[bought]
    return table_of(
        {
            "order_id": order_names(orders.numbers[bought], is_return),
            "customer_id": customers(block, orders.owners[bought]),
            "ordered_at": moments(block, np.concatenate([orders.seconds, lines.returned])),
            "amount": money(cents),
            "discount": money(off),
            "margin": money(_share(cents * rng.uniform(*MARGINS, n)[bought]) - off),
            "currency": named(np.zeros(len(bought), np.int64), (CURRENCY,)),
            "channel": named(channel, CHANNELS),
            "device": named(
                drawn(rng, DEVICE_SHARES, n)[bought], DEVICES, missing=channel == STORE
            ),
            "status": named(
                np.where(is_return, 2, orders.is_cancelled[bought]),
                (COMPLETED, CANCELLED, RETURNED),
            ),
            "returns_order_id": numbered("o", orders.numbers[bought], missing=~is_return),
            "known_at": moments(block, np.concatenate([orders.known, lines.returned_known])),
        }
    )


def _share(cents: np.ndarray[tuple[int], np.dtype[np.float64]]) -> IntArray:
    return np.rint(cents).astype(np.int64)
