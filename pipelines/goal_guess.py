"""Guesses how far ahead the goals of a new project should look, from how often people buy."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis

from features.contracts.as_of import AsOf
from features.contracts.settings import DataSettings
from features.contracts.tables import COMPLETED
from features.labels import observed_until
from features.sources import CanonicalTables, load_tables

USUAL_HORIZON_DAYS = 90
BRISK_HORIZON_DAYS = 28
BRISK_GAP_DAYS = 10
"""Where the middle repeat customer comes back sooner than this, a shorter horizon says more."""

SHORT_HORIZONS_DAYS = (28, 14, 7)
HORIZONS_OF_HISTORY = 4
"""History should be so many horizons long, to train on several moments and test on a later one."""

PAST_DAYS = 60
"""Orders that end longer ago than this are of the past, and scores of today make no sense."""


def guess_goals(content: dict[str, Any], guesses: list[str], *, root: Path) -> None:
    """Add `goals` to the `content` of a project file, and what was guessed to `guesses`.

    Raises:
        SourceError: if the data cannot be loaded as `content` says.
    """
    data = DataSettings.model_validate(content["data"])
    orders_only = data.model_copy(update={"tables": {"orders": data.tables["orders"]}})
    tables = load_tables(orders_only, timezone=content["timezone"], root=root)
    try:
        gap_days = _median_gap_days(tables)
    finally:
        tables.close()
    history_days = tables.last_event.days_since(tables.first_event)
    horizon_days, why = choose_horizon(history_days, gap_days)
    content["goals"] = {
        "churn": {"horizon_days": horizon_days, "active_within_days": 2 * horizon_days},
        "purchase_propensity": {"horizon_days": horizon_days},
    }
    if "amount" in tables.mapped["orders"]:
        content["goals"]["clv"] = {"horizon_days": horizon_days}
    else:
        guesses.append("clv: left out (no column looks like an amount)")
    guesses.append(f"horizon_days: {horizon_days} ({why})")
    if AsOf(datetime.now(UTC)).days_since(tables.last_event) > PAST_DAYS:
        clock = observed_until(tables.last_event, content["timezone"])
        content["serving"] = {"clock": str(clock)}
        guesses.append(
            f"serving.clock: {clock} (the orders end on {tables.last_event}, long ago; "
            "leave it out for data that go on)"
        )


def choose_horizon(history_days: float, gap_days: float | None) -> tuple[int, str]:
    """Return the horizon in days for so much history and so long between orders, and why.

    `gap_days` is the median over the gaps of repeat customers, None when nobody came back.
    """
    if gap_days is None:
        horizon, why = USUAL_HORIZON_DAYS, "nobody ordered twice"
    elif gap_days <= BRISK_GAP_DAYS:
        horizon, why = BRISK_HORIZON_DAYS, f"repeat orders are {gap_days:.1f} days apart"
    else:
        horizon, why = USUAL_HORIZON_DAYS, f"repeat orders are {gap_days:.0f} days apart"
    if history_days >= HORIZONS_OF_HISTORY * horizon:
        return horizon, why
    shorter = [days for days in SHORT_HORIZONS_DAYS if days < horizon]
    fitting = [days for days in shorter if history_days >= HORIZONS_OF_HISTORY * days]
    chosen = fitting[0] if fitting else SHORT_HORIZONS_DAYS[-1]
    return chosen, f"there are only {history_days:.0f} days of orders"


def _median_gap_days(tables: CanonicalTables) -> float | None:
    orders = tables.tables["orders"]
    orders = orders.filter(orders.status == COMPLETED)
    moment = orders.ordered_at.epoch_seconds()
    before = moment.lag().over(ibis.window(group_by="customer_id", order_by="ordered_at"))
    gaps = orders.select(days=(moment - before) / 86_400)
    median = gaps.filter(gaps.days > 0).days.median().to_pyarrow().as_py()
    return None if median is None else float(median)
