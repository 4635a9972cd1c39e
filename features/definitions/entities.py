"""Whom features speak of."""

from feast import Entity, ValueType

from features.definitions import CUSTOMER_ID


def customer() -> Entity:
    """Return the customer, known by a string identifier."""
    return Entity(
        name="customer",
        join_keys=[CUSTOMER_ID],
        value_type=ValueType.STRING,
        description="Someone who has ordered, by the user's own identifier.",
    )
