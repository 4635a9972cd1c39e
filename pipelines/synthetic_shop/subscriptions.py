"""The table `subscriptions`: a membership of some customers, which ends when they stop ordering."""

import numpy as np
import pyarrow as pa

from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.columns import (
    CENTS,
    customers,
    moments,
    money,
    named,
    numbered,
    table_of,
)
from pipelines.synthetic_shop.orders import Orders

MEMBER_SHARE = 0.12
PLANS = ("basic", "plus")
PRICES = (4.99, 9.99)
PLUS_SHARE = 0.3
WAIT_DAYS, NOTICE_DAYS = 40.0, 30.0


def subscriptions_table(block: Block, orders: Orders) -> pa.Table:
    """Return the table `subscriptions` of a block: one at most for each customer."""
    rng = block.rng("subscriptions")
    joined = block.clock.seconds(block.joined)
    started = joined + rng.exponential(WAIT_DAYS * 86_400, block.size)
    ended = orders.stopped + rng.uniform(1.0, NOTICE_DAYS, block.size) * 86_400
    begins = ~(started >= orders.stopped) & (started < block.end_seconds)  # not stopped is NaN
    owners = np.flatnonzero((rng.random(block.size) < MEMBER_SHARE) & begins)
    ended = np.where(ended < block.end_seconds, ended, np.nan)
    plans = (rng.random(block.size) < PLUS_SHARE).astype(np.int64)[owners]
    prices = np.rint(np.array(PRICES) * CENTS).astype(np.int64)
    return table_of(
        {
            "subscription_id": numbered("s", block.first + owners),
            "customer_id": customers(block, owners),
            "started_at": moments(block, started[owners]),
            "ended_at": moments(block, ended[owners]),
            "plan": named(plans, PLANS),
            "price": money(prices[plans]),
            "known_at": moments(block, started[owners]),
        }
    )
