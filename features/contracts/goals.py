"""The three questions that Bellwether answers about a customer."""

from enum import StrEnum


class GoalName(StrEnum):
    """Name of a goal; also the name of its model and of its feature service."""

    CHURN = "churn"
    PURCHASE_PROPENSITY = "purchase_propensity"
    CLV = "clv"


class ScoreStatus(StrEnum):
    """Why a customer has a score, or the coded reason why not."""

    SCORED = "scored"
    UNKNOWN_CUSTOMER = "unknown_customer"
    NOT_ELIGIBLE = "not_eligible"
    FEATURES_STALE = "features_stale"
    MODEL_UNAVAILABLE = "model_unavailable"
