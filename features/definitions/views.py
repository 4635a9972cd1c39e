"""Where features are kept and which there are: one wide view over the snapshots."""

import glob
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from feast import FeatureView, Field, FileSource, PushSource
from feast.types import Float64

from features.contracts.vectors import SNAPSHOT_EPOCH
from features.definitions import FEATURES_VIEW, LAST_SEEN_VIEW, PUSHED_FEATURES
from features.definitions.entities import customer

REMEMBERED = timedelta(days=3650)
"""Whoever was in no snapshot for so long counts as unknown, no longer as stale."""


def snapshot_source(snapshots: Path) -> FileSource:
    """Return the snapshot files in a folder as one source: a row per customer and moment."""
    return FileSource(
        name="snapshots",
        path=f"{glob.escape(str(snapshots))}/*.parquet",
        timestamp_field="as_of",
        created_timestamp_column="known_at",
        description="Features of every customer as of a moment, one file per moment.",
    )


def push_source(source: FileSource) -> PushSource:
    """Return the source by which Feast's own `push` writes rows of features online.

    Whole rows, as of their `as_of`: orders and visits are pushed with `bellwether features push`,
    which computes the row.
    """
    return PushSource(
        name=PUSHED_FEATURES,
        batch_source=source,
        description="Features of single customers as of a moment, newer than their snapshot.",
    )


def customer_features(source: PushSource, columns: Sequence[str], *, ttl: timedelta) -> FeatureView:
    """Return the view of all features.

    One view, because each view is a read of its own online.

    Args:
        source: the snapshots, and what is pushed between them.
        columns: names of the features, all float64, in the order of the catalogue.
        ttl: older features are not joined.
    """
    return FeatureView(
        name=FEATURES_VIEW,
        entities=[customer()],
        ttl=ttl,
        schema=[Field(name=name, dtype=Float64) for name in (*columns, SNAPSHOT_EPOCH)],
        source=source,
        online=True,
    )


def customer_last_seen(source: FileSource) -> FeatureView:
    """Return the view that tells a stale customer from an unknown one; never online.

    The join drops features older than the ttl, so that both would look alike. One narrow column is
    cheap to look for in the whole past; the wide view is not.
    """
    return FeatureView(
        name=LAST_SEEN_VIEW,
        entities=[customer()],
        ttl=REMEMBERED,
        schema=[Field(name=SNAPSHOT_EPOCH, dtype=Float64)],
        source=source,
        online=False,
    )
