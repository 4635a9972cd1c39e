"""The one place where real parts are put together for the command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.engines import EngineName
from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import (
    PROJECT_FILE,
    DataSettings,
    GoalSettings,
    Settings,
    load_settings,
)

if TYPE_CHECKING:
    from features.sources import CanonicalTables
    from features.store import FeatureReader
    from pipelines.push_features import FeaturePusher
    from serving.registry import ModelRegistry
    from serving.score_log import ScoreLog
    from training.tracking import ModelTracker

Announce = Callable[[str], None]
"""Told what a flow does next, in words for the person who waits."""


def silent(step: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Project:
    """A project: what it wants and where it keeps its files. Parts are made when asked for."""

    settings: Settings
    layout: Layout

    @property
    def clock(self) -> AsOf | None:
        """The moment at which the project's clock stands still, or None when it runs."""
        clock = self.settings.serving.clock
        return AsOf.parse(clock, self.settings.timezone) if clock else None

    @property
    def now(self) -> AsOf:
        """The moment that the project's clock shows."""
        return self.clock or AsOf(datetime.now(UTC))

    def goal(self, name: GoalName) -> GoalSettings:
        """Return what the project asks about a goal.

        Raises:
            ConfigurationError: if the project does not have the goal.
        """
        if name in self.settings.goals:
            return self.settings.goals[name]
        known = ", ".join(goal.value for goal in self.settings.goals)
        raise ConfigurationError(
            f"the project has no goal {name.value}, only {known}; add it under `goals` in "
            f"{self.layout.project_file}"
        )

    def on(self, engine: EngineName | None) -> "Project":
        """Return the project with another engine than its settings'; the same when None."""
        if engine is None:
            return self
        features = self.settings.features.model_copy(update={"engine": engine})
        return replace(self, settings=self.settings.model_copy(update={"features": features}))

    @property
    def lake_tables(self) -> frozenset[str]:
        """The canonical tables that Spark reads where they are, past this machine."""
        features = self.settings.features
        return frozenset(features.spark.tables if features.engine is EngineName.SPARK else ())

    def load_data(self) -> "CanonicalTables":
        """Read the user's data as canonical tables, but those that Spark has already.

        The orders are read in any case: labels are counted here.
        """
        data, elsewhere = self.settings.data, self.lake_tables
        tables = {n: t for n, t in data.tables.items() if n == "orders" or n not in elsewhere}
        return self._load(data.model_copy(update={"tables": tables}))

    def load_orders(self) -> "CanonicalTables":
        """Read the orders alone: all that labels need once features are built."""
        tables = {"orders": self.settings.data.tables["orders"]}
        return self._load(self.settings.data.model_copy(update={"tables": tables}))

    def _load(self, data: DataSettings) -> "CanonicalTables":
        from features.pushed_union import add_pushed_rows
        from features.sources import load_tables

        tables = load_tables(data, timezone=self.settings.timezone, root=self.layout.root)
        add_pushed_rows(tables, self.layout.pushed)
        return tables

    def pusher(self) -> "FeaturePusher":
        """Return what pushes rows. It opens the history of customers when it is first used.

        Raises:
            ConfigurationError: if Spark reads tables where they are: their rows are not here.
        """
        from pipelines.push_features import FeaturePusher

        if self.lake_tables:
            raise ConfigurationError(
                f"rows cannot be pushed while Spark reads {', '.join(sorted(self.lake_tables))} "
                "where they are (features.spark.tables): the history of a customer is not on this "
                "machine; run `bellwether features build` instead"
            )

        return FeaturePusher(
            self.layout, self.reader(), timezone=self.settings.timezone, clock=self.clock
        )

    def reader(self) -> "FeatureReader":
        """Return the reader of the feature store."""
        from features.store import open_reader

        return open_reader(self.settings, self.layout)

    def registry(self) -> "ModelRegistry":
        """Return the registry that serves models."""
        from serving.registry import ModelRegistry

        tracking = self.settings.tracking
        return ModelRegistry(
            self.layout.tracking_uri(tracking), tracking.experiment, self.layout.models
        )

    def tracker(self) -> "ModelTracker":
        """Return the tracker that records training."""
        from training.tracking import ModelTracker

        tracking = self.settings.tracking
        return ModelTracker(
            self.layout.tracking_uri(tracking), tracking.experiment, self.layout.artifacts
        )

    def score_log(self) -> "ScoreLog":
        """Return the score log."""
        from serving.score_log import ScoreLog

        return ScoreLog(self.layout.score_log)


def open_project(where: Path) -> Project:
    """Return the project at `where`, a folder or its project file.

    Raises:
        ConfigurationError: if there is no project file, or it is wrong.
    """
    project_file = where / PROJECT_FILE if where.is_dir() else where
    if not project_file.exists():
        raise ConfigurationError(
            f"there is no project file {project_file}; make one with "
            "`bellwether init DIR --orders FILE`, or name the folder with --project"
        )
    return Project(load_settings(project_file), Layout(project_file.parent))
