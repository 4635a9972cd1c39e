"""The table `tickets`: questions after orders. Those who will soon stop are less satisfied."""

import numpy as np
import pyarrow as pa

from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.columns import customers, drawn, moments, named, numbered, table_of
from pipelines.synthetic_shop.orders import Orders

PER_ORDER = 0.07
TOPICS = ("delivery", "return", "invoice", "product", "account")
TOPIC_SHARES = (0.4, 0.25, 0.1, 0.2, 0.05)
AFTER_HOURS, OPEN_HOURS = 60.0, 30.0
ANSWERED_SHARE = 0.6
TICKETS_PER_BLOCK = 10_000_000


def tickets_table(block: Block, orders: Orders) -> pa.Table:
    """Return the table `tickets` of a block; some are open at the end."""
    rng = block.rng("tickets")
    about = np.flatnonzero(rng.random(len(orders.owners)) < PER_ORDER)
    opened = orders.seconds[about] + 60 + rng.exponential(AFTER_HOURS * 3_600, len(about))
    about, opened = about[opened < block.end_seconds], opened[opened < block.end_seconds]
    owners = orders.owners[about]
    closed = opened + 60 + rng.exponential(OPEN_HOURS * 3_600, len(owners))
    closed[closed >= block.end_seconds] = np.nan
    mood = 4.6 - 3.0 * block.latent.dropout[owners] + rng.normal(0.0, 0.8, len(owners))
    answered = ~np.isnan(closed) & (rng.random(len(owners)) < ANSWERED_SHARE)
    satisfaction = np.clip(np.rint(mood), 1, 5)
    return table_of(
        {
            "ticket_id": numbered("t", block.index * TICKETS_PER_BLOCK + np.arange(len(owners))),
            "customer_id": customers(block, owners),
            "opened_at": moments(block, opened),
            "closed_at": moments(block, closed),
            "topic": named(drawn(rng, TOPIC_SHARES, len(owners)), TOPICS),
            "satisfaction": pa.array(satisfaction, pa.float64(), mask=~answered),
            "known_at": moments(block, opened),
        }
    )
