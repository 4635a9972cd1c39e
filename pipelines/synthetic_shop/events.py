"""Visits and what is done on them: more of them the more a customer orders.

Customers who have stopped still come now and then, so that a visit is a hint and no proof.
"""

import numpy as np
import pyarrow as pa

from features.contracts.tables import EventType
from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import (
    customers,
    drawn,
    learnt,
    moments,
    named,
    numbered,
    spread,
    table_of,
)
from pipelines.synthetic_shop.lines import PRODUCTS, draw_products, favourites
from pipelines.synthetic_shop.order_rows import DEVICE_SHARES, DEVICES
from pipelines.synthetic_shop.orders import Orders
from pipelines.synthetic_shop.rates import FloatArray

TYPES = tuple(EventType)
CHANNELS = ("web", "app")
EVENTS_PER_BLOCK = 100_000_000
LATE_SHARE = 0.01
AFTER_STOPPING = 0.1
"""Visits of those who have stopped, against those of their active days."""
SESSION_SECONDS = 900.0
APP_SHARE = 0.25
VIEWS = {"browsing": 2.0, "ordering": 1.5}
CHANCES: dict[EventType, tuple[float, float]] = {
    EventType.SEARCH: (0.3, 0.25),
    EventType.ADD_TO_CART: (0.2, 1.0),
    EventType.DOWNLOAD: (0.02, 0.01),
    EventType.QUOTE_REQUEST: (0.01, 0.02),
    EventType.HELP_VIEW: (0.04, 0.03),
}
"""Chance that it is done on a visit: one to browse, and one that ends in an order."""

ABOUT_A_PRODUCT = (EventType.VIEW, EventType.ADD_TO_CART, EventType.DOWNLOAD)


def events_table(block: Block, orders: Orders) -> pa.Table:
    """Return the table `events` of a block."""
    rng = block.rng("events")
    owners, seconds, is_ordering = _visits(block, rng, orders)
    is_app = rng.random(len(owners)) < APP_SHARE
    device = np.where(is_app, 1, drawn(rng, DEVICE_SHARES, len(owners)))
    visits, types = _done(rng, is_ordering, is_app)
    joined = np.arange(block.size)
    own = np.concatenate([owners[visits], joined])
    moment = seconds[visits] + SESSION_SECONDS * rng.random(len(visits)) * (types != _VISIT)
    moment = np.concatenate([moment, block.clock.seconds(block.joined)])
    types = np.concatenate([types, np.full(block.size, TYPES.index(EventType.SIGN_UP))])
    known = learnt(rng, moment, LATE_SHARE)
    products = draw_products(rng, favourites(block)[own])
    without = ~np.isin(types, [TYPES.index(kind) for kind in ABOUT_A_PRODUCT])
    kept = np.flatnonzero(known < block.end_seconds)
    numbers = block.index * EVENTS_PER_BLOCK + np.arange(len(own))
    of_app = np.concatenate([is_app[visits], np.zeros(block.size, bool)]).astype(np.int64)
    devices = np.concatenate([device[visits], drawn(rng, DEVICE_SHARES, block.size)])
    return table_of(
        {
            "event_id": numbered("e", numbers[kept]),
            "customer_id": customers(block, own[kept]),
            "occurred_at": moments(block, moment[kept]),
            "type": named(types[kept], TYPES),
            "product_id": named(products[kept], PRODUCTS, missing=without[kept]),
            "channel": named(of_app[kept], CHANNELS),
            "device": named(devices[kept], DEVICES),
            "known_at": moments(block, known[kept]),
        }
    )


_VISIT = TYPES.index(EventType.VISIT)


def _visits(
    block: Block, rng: np.random.Generator, orders: Orders
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return owner and time of each visit, and whether it ends in an order."""
    stopped = block.clock.business_days(np.nan_to_num(orders.stopped, nan=block.end_seconds))
    rate = block.latent.rate * block.latent.browsing
    active, after = stopped - block.joined, block.ends - stopped
    owners, places = spread(rng, rng.poisson(rate * active))
    late_owners, late_places = spread(rng, rng.poisson(AFTER_STOPPING * rate * after))
    browsing = np.concatenate(
        [
            block.joined[owners] + places * active[owners],
            stopped[late_owners] + late_places * after[late_owners],
        ]
    )
    before = orders.seconds[orders.completed] - SESSION_SECONDS * (1 + rng.random())
    all_owners = np.concatenate([owners, late_owners, orders.owners[orders.completed]])
    seconds = np.concatenate([block.clock.seconds(browsing), np.maximum(before, 0.0)])
    return all_owners, seconds, (np.arange(len(all_owners)) >= len(browsing)).astype(np.int64)


def _done(
    rng: np.random.Generator,
    is_ordering: IntArray,
    is_app: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> tuple[IntArray, IntArray]:
    """Return for everything done the visit that it belongs to, and its type."""
    n = len(is_ordering)
    all_visits = np.arange(n)
    views = np.repeat(all_visits, rng.poisson(np.array(list(VIEWS.values()))[is_ordering]))
    parts = [(all_visits, EventType.VISIT), (np.flatnonzero(is_app), EventType.APP_OPEN)]
    parts.append((views, EventType.VIEW))
    for kind, chances in CHANCES.items():
        parts.append((np.flatnonzero(rng.random(n) < np.array(chances)[is_ordering]), kind))
    visits = np.concatenate([part for part, _ in parts])
    types = np.concatenate([np.full(len(part), TYPES.index(kind)) for part, kind in parts])
    return visits, types
