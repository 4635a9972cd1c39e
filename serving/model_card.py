"""The model card: what a saved model promises, in JSON, beside the model itself."""

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.contracts.eligibility import Eligibility
from features.contracts.goals import GoalName

CARD_FORMAT: Literal[1] = 1

Metrics = dict[str, float | int | None]


class Card(BaseModel):
    """A part of a model card: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TrainingRecord(Card):
    """Where a model comes from."""

    trained_at: datetime
    as_of: str
    """Moment of knowledge: nothing after it went into the model."""
    moments: tuple[str, ...]
    """As-of moments whose labels the model learnt from, oldest first."""
    calibration_moment: str
    """As-of moment of the slice that calibrated it; no model fitted for it had seen its labels."""
    label_end: str
    """End of the last label window: nothing after it was known to the model."""
    rows: int
    data_hash: str
    """SHA-256 of the training set."""
    dataset_hash: str = ""
    """Hash of the manifest of the snapshots it was made of; empty on older cards."""
    code_version: str
    lightgbm_version: str
    seed: int


class ModelCard(Card):
    """What a saved model promises."""

    format: Literal[1] = CARD_FORMAT
    goal: GoalName
    horizon_days: Annotated[int, Field(ge=1)]
    columns: tuple[str, ...]
    """Features in the order of the model's matrix."""
    feature_service: str
    eligibility: Eligibility
    percentile_scores: tuple[float, ...]
    """Scores at evenly spaced ranks 0..100 % of the reference base; percentiles are read off it."""
    band_edges: tuple[float, ...]
    """Percentiles that part the bands."""
    band_names: tuple[str, ...]
    """Bands from low to high, one more than edges."""
    warnings: tuple[str, ...] = ()
    """What a user of the scores must know, such as a level that is shifting."""
    metrics: dict[str, Metrics]
    """Out-of-time metrics of the model and of each baseline, by name."""
    training: TrainingRecord

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> Self:
        if len(set(self.columns)) != len(self.columns) or not self.columns:
            raise ValueError("columns do not name one feature each")
        return self

    @model_validator(mode="after")
    def _percentiles_are_readable(self) -> Self:
        scores = self.percentile_scores
        if len(scores) < 2 or any(low > high for low, high in pairwise(scores)):
            raise ValueError("percentile_scores do not rise")
        return self

    @model_validator(mode="after")
    def _bands_are_parted(self) -> Self:
        if len(self.band_names) != len(self.band_edges) + 1:
            raise ValueError("band_names are not one more than band_edges")
        if any(low >= high for low, high in pairwise((0.0, *self.band_edges, 100.0))):
            raise ValueError("band_edges do not rise between 0 and 100")
        return self
