"""Projects that cost seconds to make: read, never changed, by the tests of the flows."""

import pytest

from pipelines.build_features import build_features
from pipelines.wiring import Project
from tests.pipelines.projects import (
    CHURN,
    PURCHASE,
    TrainedProject,
    cdnow_orders,
    trained_cdnow,
    write_project,
)


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> TrainedProject:
    """All goals on all customers, built, trained and promoted."""
    return trained_cdnow(tmp_path_factory.getbasetemp() / "cdnow")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two goals on a quarter of the customers, built; tests may train and score on top."""
    goals = {"churn": CHURN, "clv": PURCHASE}
    project = write_project(tmp_path_factory.mktemp("small"), cdnow_orders(4), goals=goals)
    build_features(project)
    return project
