"""Orders: the BG/NBD process on the shop's clock, with cancellations, and what each is worth.

A customer joins, mostly with a first order, and then orders at their rate until they stop after one
of these repeat orders, or the data end. Cancelled orders are drawn beside: they are no orders.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import CENTS, learnt, ranks, spread
from pipelines.synthetic_shop.rates import BoolArray, FloatArray, P

JOINS_WITH_ORDER = 0.92
CANCELLED_PER_ORDER = 0.04
LATE_SHARE = 0.03
LEAST_CENTS = 200
ORDERS_PER_BLOCK = 10_000_000
"""Numbers that are kept free for the orders of a block."""


@dataclass(frozen=True)
class Orders:
    """The orders of a block, completed and cancelled, by customer and time.

    Attributes:
        owners: place of the customer in the block.
        seconds: when it was bought, in seconds since the shop opened.
        known: when it was learnt.
        cents: what was paid.
        is_cancelled: whether it was called off.
        stopped: for each customer, when they stopped for ever, in seconds; NaN if they have not.
    """

    block: Block
    owners: IntArray
    seconds: FloatArray
    known: FloatArray
    cents: IntArray
    is_cancelled: BoolArray
    stopped: FloatArray

    @cached_property
    def numbers(self) -> IntArray:
        """The number of each order, its own in the whole shop."""
        result: IntArray = self.block.index * ORDERS_PER_BLOCK + np.arange(len(self.owners))
        return result

    @cached_property
    def completed(self) -> IntArray:
        """Places of the orders that were not cancelled."""
        return np.flatnonzero(~self.is_cancelled)


def draw_orders(block: Block) -> Orders:
    """Return the orders of a block that the shop knows of at the end."""
    rng = block.rng("orders")
    repeat_owners, repeats, stopped = _repeats(block, rng)
    first_owners = np.flatnonzero(rng.random(block.size) < JOINS_WITH_ORDER)
    void_owners, void = _cancelled(block, rng, stopped)
    owners = np.concatenate([first_owners, repeat_owners, void_owners])
    seconds = block.clock.seconds(np.concatenate([block.joined[first_owners], repeats, void]))
    is_void = np.zeros(len(owners), bool)
    is_void[len(owners) - len(void) :] = True
    order = np.lexsort((seconds, owners))
    owners, seconds, is_void = owners[order], seconds[order], is_void[order]
    amounts = rng.gamma(P, block.latent.mean_value[owners] / P)
    cents = np.maximum(np.rint(amounts * CENTS).astype(np.int64), LEAST_CENTS)
    known = learnt(rng, seconds, LATE_SHARE)
    kept = known < block.end_seconds
    return Orders(
        block,
        owners[kept],
        seconds[kept],
        known[kept],
        cents[kept],
        is_void[kept],
        block.clock.seconds(stopped),
    )


def _repeats(block: Block, rng: np.random.Generator) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return owners and times of the repeat orders, and when each customer stopped; NaN if not."""
    length = block.ends - block.joined
    counts = rng.poisson(block.latent.rate * length)
    owners, places = spread(rng, counts)
    times = block.joined[owners] + places * length[owners]
    last = rng.geometric(np.maximum(block.latent.dropout, 1e-9))  # they stop after so many
    stops = last <= counts
    stopped = np.full(block.size, np.nan)
    stopped[stops] = times[(np.cumsum(counts) - counts + last - 1)[stops]]
    kept = ranks(counts) < last[owners]
    return owners[kept], times[kept], stopped


def _cancelled(
    block: Block, rng: np.random.Generator, stopped: FloatArray
) -> tuple[IntArray, FloatArray]:
    length = np.fmin(stopped, block.ends) - block.joined
    owners, places = spread(rng, rng.poisson(CANCELLED_PER_ORDER * block.latent.rate * length))
    return owners, block.joined[owners] + places * length[owners]
