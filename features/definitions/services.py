"""Which features a goal's model reads."""

from collections.abc import Sequence

from feast import FeatureService, FeatureView

from features.contracts.goals import GoalName
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.definitions import feature_service_name


def feature_service(goal: GoalName, view: FeatureView, columns: Sequence[str]) -> FeatureService:
    """Return the service of a goal: `columns` of `view`, and the moment they speak of."""
    return FeatureService(
        name=feature_service_name(goal),
        features=[view[[*columns, SNAPSHOT_EPOCH]]],
        description=f"What the {goal.value} model reads.",
    )
