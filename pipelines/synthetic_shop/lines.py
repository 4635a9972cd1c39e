"""Lines of completed orders, and what comes back: a return takes back the first line of an order.

The lines of an order add up to its amount, to the cent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import (
    customers,
    drawn,
    joined,
    learnt,
    moments,
    money,
    named,
    ranks,
    table_of,
)
from pipelines.synthetic_shop.orders import LATE_SHARE, Orders
from pipelines.synthetic_shop.rates import BoolArray, FloatArray

MORE_LINES = 1.3
QUANTITIES = (0.8, 0.14, 0.04, 0.02)
FAVOURITE_SHARE = 0.5
CATEGORY_PRODUCTS = 40
CATEGORIES = (
    *("bags", "bedding", "books", "candles", "carpets", "ceramics", "chairs", "clocks"),
    *("curtains", "cutlery", "frames", "games", "garden", "glass", "kitchen", "lamps"),
    *("linen", "mirrors", "paper", "shelves", "tables", "tools", "towels", "vases"),
)
PRODUCTS = tuple(
    f"{category}-{place:02d}" for category in CATEGORIES for place in range(CATEGORY_PRODUCTS)
)
RETURNED_SHARE = 0.06
RETURN_DAYS = 8.0


@dataclass(frozen=True)
class Lines:
    """Lines of completed orders, and which orders come back when.

    Attributes:
        orders: place of the order of each line among the block's orders.
        products: place in `PRODUCTS`.
        quantities: how many.
        cents: what was paid for the line.
        returns: places of the lines that are taken back.
        returned: when, in seconds since the shop opened.
        returned_known: when that was learnt.
    """

    orders: IntArray
    products: IntArray
    quantities: FloatArray
    cents: IntArray
    returns: IntArray
    returned: FloatArray
    returned_known: FloatArray


def draw_lines(block: Block, orders: Orders) -> Lines:
    """Return the lines of a block's completed orders."""
    rng = block.rng("lines")
    counts = 1 + rng.poisson(MORE_LINES, len(orders.completed))
    counts = np.minimum(counts, orders.cents[orders.completed])
    owners = np.repeat(orders.completed, counts)
    cents = _shared_out(rng, orders.cents[orders.completed], counts)
    products = draw_products(rng, favourites(block)[orders.owners[owners]])
    first = np.cumsum(counts) - counts
    returns = first[rng.random(len(first)) < RETURNED_SHARE]
    days = 1 + rng.exponential(RETURN_DAYS, len(returns))
    returned: FloatArray = orders.seconds[owners[returns]] + days * 86_400
    known = np.maximum(learnt(rng, returned, LATE_SHARE), orders.known[owners[returns]])
    kept = known < block.end_seconds
    quantities = 1 + drawn(rng, QUANTITIES, len(owners)).astype(np.float64)
    return Lines(owners, products, quantities, cents, returns[kept], returned[kept], known[kept])


def favourites(block: Block) -> IntArray:
    """Return each customer's favourite category."""
    return block.rng("profile").integers(0, len(CATEGORIES), block.size)


def draw_products(rng: np.random.Generator, favourite: IntArray) -> IntArray:
    """Return a product for each favourite category: half of them from it, few of all sell most."""
    n = len(favourite)
    popularity = 1 / np.arange(2.0, len(CATEGORIES) + 2)
    category = np.where(
        rng.random(n) < FAVOURITE_SHARE, favourite, drawn(rng, tuple(popularity), n)
    )
    place = (CATEGORY_PRODUCTS * rng.random(n) ** 2).astype(np.int64)
    result: IntArray = category * CATEGORY_PRODUCTS + place
    return result


def lines_table(block: Block, orders: Orders, lines: Lines) -> pa.Table:
    """Return the table `order_lines`: lines that were bought, then those that were taken back."""
    owners = np.concatenate([lines.orders, lines.orders[lines.returns]])
    products = np.concatenate([lines.products, lines.products[lines.returns]])
    is_return = np.arange(len(owners)) >= len(lines.orders)
    sign = np.where(is_return, -1, 1)
    return table_of(
        {
            "order_id": order_names(orders.numbers[owners], is_return),
            "customer_id": customers(block, orders.owners[owners]),
            "ordered_at": moments(block, np.concatenate([_of(orders, lines), lines.returned])),
            "product_id": named(products, PRODUCTS),
            "category": named(products // CATEGORY_PRODUCTS, CATEGORIES),
            "quantity": sign * np.concatenate([lines.quantities, lines.quantities[lines.returns]]),
            "amount": money(sign * np.concatenate([lines.cents, lines.cents[lines.returns]])),
            "known_at": moments(
                block, np.concatenate([orders.known[lines.orders], lines.returned_known])
            ),
        }
    )


def order_names(numbers: IntArray, is_return: BoolArray) -> Any:
    """Return the ids of orders and of returns, which are orders of their own."""
    prefixes = named(is_return.astype(np.int64), ("o", "r")).cast(pa.string())
    return joined(prefixes, pa.array(numbers).cast(pa.string()))


def _of(orders: Orders, lines: Lines) -> FloatArray:
    result: FloatArray = orders.seconds[lines.orders]
    return result


def _shared_out(rng: np.random.Generator, cents: IntArray, counts: IntArray) -> IntArray:
    """Share each amount out among its lines: a cent for each, and the rest by chance."""
    owners = np.repeat(np.arange(len(counts)), counts)
    weights = np.cumsum(rng.gamma(2.0, 1.0, len(owners)))
    last = np.cumsum(counts) - 1
    before = np.concatenate([[0.0], weights[last][:-1]]) if len(counts) else weights
    whole = weights[last] - before
    share = (weights - before[owners]) / whole[owners]
    rest = (cents - counts)[owners]
    edges = np.minimum(np.floor(share * rest).astype(np.int64), rest)
    edges[last] = rest[last]
    earlier = np.concatenate([[0], edges[:-1]]) if len(edges) else edges
    result: IntArray = 1 + edges - np.where(ranks(counts) == 0, 0, earlier)
    return result
