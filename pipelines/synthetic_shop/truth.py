"""The truth about each customer: what drives them, and the chances that follow from it.

`truth.parquet` has one row per customer. Chances and expectations are those of the horizon that
starts at the end of the data, given everything about the customer, also whether they have stopped;
`..._given_orders` is the best that can be said from their orders alone. Spend is before returns.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.contracts.as_of import AsOf
from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.columns import TIMESTAMP, moments, table_of
from pipelines.synthetic_shop.orders import Orders
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.rates import (
    BoolArray,
    FloatArray,
    order_chance,
    order_chance_given_orders,
    orders_expected,
)
from pipelines.synthetic_shop.season import Clock

TRUTH_FILE = "truth.parquet"
HORIZONS_DAYS = (28, 30, 90)
PLAN_KEY = "bellwether_shop"


def truth_table(block: Block, orders: Orders) -> pa.Table:
    """Return the truth about a block's customers as of the end."""
    latent, clock = block.latent, block.clock
    is_active = np.isnan(orders.stopped)
    repeats, last = _repeats(block, orders)
    age = block.ends - block.joined
    known = {
        f"order_chance_{days}d_given_orders": order_chance_given_orders(
            repeats, last, age, business_days_ahead(clock, block.plan.end, days)
        )
        for days in HORIZONS_DAYS
    }
    return table_of(
        {
            "customer_id": block.customer_ids,
            "joined_at": moments(block, clock.seconds(block.joined)),
            "stopped_at": moments(block, orders.stopped),
            "is_active": is_active,
            "purchase_rate": latent.rate,
            "dropout_probability": latent.dropout,
            "order_value_mean": latent.mean_value,
            **_ahead(
                clock, block.plan.end, is_active, latent.rate, latent.dropout, latent.mean_value
            ),
            **known,
        }
    )


def truth_at(folder: Path, as_of: AsOf) -> pa.Table:
    """Return the truth about everyone who had joined by a moment of the shop's period.

    One row per customer: `customer_id`, `is_active` (at that moment), and for each of the horizons
    of 28, 30 and 90 days that start at it `order_chance_<days>d`, `orders_expected_<days>d` and
    `spend_expected_<days>d`.
    """
    file = pq.ParquetFile(folder / TRUTH_FILE)
    clock = Clock(plan_of(file.metadata.metadata or {}))
    table = file.read()
    moment = pa.scalar(as_of.moment, TIMESTAMP)
    table = table.filter(pc.less(table["joined_at"], moment))
    gone: Any = pc.less(table["stopped_at"], moment)
    is_active = ~gone.fill_null(False).to_numpy()
    rate, dropout, value = (
        table[name].to_numpy()
        for name in ("purchase_rate", "dropout_probability", "order_value_mean")
    )
    ahead = _ahead(clock, as_of, is_active, rate, dropout, value)
    return table_of({"customer_id": table["customer_id"], "is_active": is_active, **ahead})


def business_days_ahead(clock: Clock, moment: AsOf, days: float) -> float:
    """Return the days of business in the `days` from a moment on."""
    return clock.at(moment.plus_days(days)) - clock.at(moment)


def plan_metadata(plan: ShopPlan) -> dict[str, str]:
    """Return the plan as metadata of a Parquet file."""
    content = {"customers": plan.customers, "seed": plan.seed, "days": plan.days}
    return {PLAN_KEY: json.dumps(content | {"end": str(plan.end)})}


def plan_of(metadata: dict[bytes, bytes]) -> ShopPlan:
    """Return the plan of a shop from the metadata of its truth."""
    content: dict[str, Any] = json.loads(metadata[PLAN_KEY.encode()])
    return ShopPlan(**(content | {"end": AsOf.parse(content["end"])}))


def _ahead(
    clock: Clock,
    moment: AsOf,
    is_active: BoolArray,
    rate: FloatArray,
    dropout: FloatArray,
    value: FloatArray,
) -> dict[str, FloatArray]:
    columns: dict[str, FloatArray] = {}
    for days in HORIZONS_DAYS:
        business = business_days_ahead(clock, moment, days)
        expected = orders_expected(rate, dropout, business) * is_active
        columns[f"order_chance_{days}d"] = order_chance(rate, business) * is_active
        columns[f"orders_expected_{days}d"] = expected
        columns[f"spend_expected_{days}d"] = expected * value
    return columns


def _repeats(block: Block, orders: Orders) -> tuple[FloatArray, FloatArray]:
    """Return how many repeat orders each customer has, and how long after joining the newest is."""
    seconds, owners = orders.seconds[orders.completed], orders.owners[orders.completed]
    joined = block.clock.seconds(block.joined)
    is_repeat = seconds > joined[owners]
    repeats = np.bincount(owners[is_repeat], minlength=block.size).astype(np.float64)
    newest = np.copy(joined)
    np.maximum.at(newest, owners, seconds)
    return repeats, block.clock.business_days(newest) - block.joined
