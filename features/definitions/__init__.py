"""What Feast is told: the entity, the source, the views and the services, and how it is opened.

The modules below import Feast, which takes seconds; the names here are light, for everyone.
"""

from features.contracts.goals import GoalName

CUSTOMER_ID = "customer_id"
"""Join key of the customer: a string."""

FEATURES_VIEW = "customer_features"
"""The one wide view: all features of a customer, from one snapshot."""

PUSHED_FEATURES = "pushed_customer_features"
"""Feast's push source of the wide view: rows of features that somebody else computed."""

LAST_SEEN_VIEW = "customer_last_seen"
"""When a customer was last in a snapshot, however long ago."""


def feature_service_name(goal: GoalName) -> str:
    """Return the name of the feature service that a goal's model reads."""
    return f"{goal.value}_v1"
