"""Features from the calendar: what the moment itself says, the same for every customer.

They are columns of the table of moments, computed here in plain Python, so that every engine and
the request of an online score read one definition.
"""

from functools import partial

from features.contracts.as_of import AsOf
from features.contracts.features import Feature


def calendar_values(as_of: AsOf) -> dict[str, float]:
    """Return the value of each feature below at a moment."""
    return {"month": float(as_of.moment.month)}


_calendar = partial(Feature, table="orders")

FEATURES: tuple[Feature, ...] = (
    _calendar("month", "month", "Month of the moment (UTC), 1 to 12.", derive=lambda t: t["month"]),
)
