"""A project that can be served: features online and champions, made by the real parts."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import Settings, load_settings
from features.store import open_reader
from serving.artifact import save_artifact
from tests.fakes import COLUMNS, make_card, random_features, tracking_uri, trained_predictor
from tests.features.snapshot_project import write_snapshot
from training.tracking import ModelTracker

MOMENT = AsOf.parse("2026-03-01")
GOALS = (GoalName.CHURN, GoalName.CLV)
CUSTOMERS = tuple(f"customer {number}" for number in range(40))


@dataclass(frozen=True)
class ServedProject:
    """Settings and layout of a project; `root` holds its project file."""

    settings: Settings
    layout: Layout

    @property
    def root(self) -> Path:
        return self.layout.root


def write_project(root: Path, drain_seconds: float = 0.0, **sections: object) -> ServedProject:
    """Write a project file only: nothing is built, trained or promoted."""
    columns = {"customer_id": "c", "ordered_at": "t"}
    content = {
        "version": 1,
        "timezone": "UTC",
        "data": {"tables": {"orders": {"path": "orders.csv", "columns": columns}}},
        "goals": {goal.value: {"horizon_days": 28} for goal in GOALS},
        "serving": {"clock": "2026-03-01", "drain_seconds": drain_seconds},
        **sections,
    }
    layout = Layout(root)
    layout.state.mkdir(parents=True)
    layout.project_file.write_text(yaml.safe_dump(content))
    return ServedProject(load_settings(layout.project_file), layout)


def make_ready(project: ServedProject) -> None:
    """Put features online and promote a champion for every goal."""
    layout = project.layout
    write_snapshot(layout, MOMENT, CUSTOMERS, random_features(len(CUSTOMERS)), COLUMNS)
    reader = open_reader(project.settings, layout)
    reader.apply(dict.fromkeys(GOALS, COLUMNS))
    reader.publish(MOMENT)
    tracker = ModelTracker(tracking_uri(layout.state), "bellwether", layout.artifacts)
    for goal in GOALS:
        directory = project.root / "trained" / goal
        save_artifact(directory, make_card(goal), trained_predictor(goal))
        tracker.record(goal, directory, parameters={}, metrics={}, tags={})
        tracker.promote(goal)
