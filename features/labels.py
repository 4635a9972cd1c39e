"""What then happened: orders and spend within [as_of, as_of + horizon).

Worked example: as of 2017-12-04 with 28 days, the labels look at orders from 2017-12-04T00:00Z up
to, but not including, 2018-01-01T00:00Z. They are matured once the data reach that end.
"""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from features.contracts.as_of import AsOf
from features.contracts.errors import ImmatureLabelsError
from features.contracts.tables import COMPLETED, RETURNED


@dataclass(frozen=True)
class Outcomes:
    """What happened to n customers within the horizon, in the order they were asked for.

    Attributes:
        orders: completed orders.
        spend: amount of completed orders less what was taken back, never below zero; in the
            project's currency. Zero throughout where amounts are not mapped.
    """

    orders: NDArray[np.float64]
    spend: NDArray[np.float64]


def observed_until(last_event: AsOf, timezone: str) -> AsOf:
    """Return the moment up to which the data tell what happened: the end of their last day.

    The last order stands for its whole day in the business's own time zone: nobody orders at every
    minute, and a file is made after its last day.
    """
    local = last_event.moment.astimezone(ZoneInfo(timezone))
    next_day = (local + timedelta(days=1)).date()
    return AsOf.parse(next_day.isoformat(), timezone)


def outcomes(
    orders: ir.Table,
    customer_ids: tuple[str, ...],
    *,
    as_of: AsOf,
    horizon_days: int,
    observed_until: AsOf,
) -> Outcomes:
    """Return what happened to the customers in the horizon that starts at `as_of`.

    Only rows learnt by `observed_until` count, so a replay of the past sees what the past saw.

    Raises:
        ImmatureLabelsError: if the horizon ends after `observed_until`.
    """
    end = as_of.plus_days(horizon_days)
    if end > observed_until:
        raise ImmatureLabelsError(
            f"what happens in the {horizon_days} days from {as_of} is known at {end}, but the data "
            f"end at {observed_until}; choose an earlier moment or a shorter horizon"
        )
    rows = orders.filter(
        orders.ordered_at >= as_of.moment,
        orders.ordered_at < end.moment,
        orders.known_at <= observed_until.moment,
    )
    net = rows.status.isin([COMPLETED, RETURNED]).ifelse(rows.amount, 0)
    summed = (
        rows.mutate(net=net, is_order=(rows.status == COMPLETED).ifelse(1, 0))
        .group_by("customer_id")
        .aggregate(orders=lambda t: t.is_order.sum(), spend=lambda t: t.net.sum().cast("float64"))
        .to_pyarrow()
        .to_pydict()
    )
    happened = {
        customer: (count, spend)
        for customer, count, spend in zip(
            summed["customer_id"], summed["orders"], summed["spend"], strict=True
        )
    }
    found = np.array(
        [happened.get(customer, (0, 0.0)) for customer in customer_ids], dtype=np.float64
    ).reshape(len(customer_ids), 2)
    return Outcomes(orders=found[:, 0].copy(), spend=np.maximum(np.nan_to_num(found[:, 1]), 0.0))
