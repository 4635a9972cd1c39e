from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import (
    ConfigurationError,
    FeatureStoreError,
    ImmatureLabelsError,
)
from features.contracts.goals import GoalName
from features.contracts.vectors import Presence
from features.snapshots import customers_at
from pipelines.build_features import needed_moments
from pipelines.problems import make_problems, newest_moment, read_vectors
from pipelines.wiring import Project, open_project
from tests.pipelines.projects import CLOCK, HORIZON_DAYS, cdnow_orders, query, write_project

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

CLV, CHURN = GoalName.CLV, GoalName.CHURN
LABEL_MOMENT = CLOCK.plus_days(-HORIZON_DAYS)


@pytest.fixture(scope="module")
def problems(small: Project) -> Iterator[dict[GoalName, Any]]:
    data = small.load_orders()
    yield dict(make_problems(small, data, [CHURN, CLV], CLOCK))
    data.close()


def test_problem_holds_the_features_of_everyone_at_every_moment_that_is_needed(
    small: Project, problems: dict[GoalName, Any]
) -> None:
    vectors = problems[CLV].vectors

    assert tuple(vectors) == needed_moments(small.settings, CLOCK, AsOf.parse("1997-01-01"))
    for moment, known in vectors.items():
        assert known.customer_ids == customers_at(small.layout.snapshots, moment)
        assert (known.presence == Presence.PRESENT).all()
        assert (known.features_as_of == np.datetime64(moment.naive_utc)).all()


def test_problem_says_what_the_project_says(small: Project, problems: dict[GoalName, Any]) -> None:
    for goal, problem in problems.items():
        assert problem.spec.goal is goal
        assert problem.goal == small.settings.goals[goal]
        assert problem.training == small.settings.training
        assert problem.seed == small.settings.seed
        assert problem.feature_service == f"{goal.value}_v1"
        assert problem.first_event == AsOf.parse("1997-01-01")


def test_labels_are_what_a_plain_query_counts(problems: dict[GoalName, Any]) -> None:
    customers = problems[CLV].vectors[LABEL_MOMENT].customer_ids
    expected = query(
        "select customer_id, count(distinct order_id), sum(amount::decimal(18,4))::double"
        " from orders where timestamp >= '1998-01-31' and timestamp < '1998-04-01' group by all",
        orders=cdnow_orders(4),
    )
    happened = {str(customer): (count, spend) for customer, count, spend in expected}

    found = problems[CLV].labels(customers, LABEL_MOMENT, CLOCK)

    assert len(expected) > 50
    assert found.orders.tolist() == [happened.get(c, (0, 0.0))[0] for c in customers]
    assert found.spend.tolist() == [happened.get(c, (0, 0.0))[1] for c in customers]


def test_labels_that_have_not_matured_are_refused(problems: dict[GoalName, Any]) -> None:
    customers = problems[CLV].vectors[CLOCK].customer_ids

    with pytest.raises(ImmatureLabelsError, match="60 days from 1998-04-01"):
        problems[CLV].labels(customers, CLOCK, CLOCK)


def test_goal_whose_column_is_not_mapped_is_named_with_the_column(tmp_path: Path) -> None:
    columns = {"customer_id": "customer_id", "ordered_at": "timestamp"}
    orders = {"path": "orders.parquet", "columns": columns}
    project = write_project(tmp_path, data={"tables": {"orders": orders}})
    data = project.load_orders()
    try:
        with pytest.raises(ConfigurationError, match=r"clv needs the column `amount`.*map it"):
            make_problems(project, data, [CHURN, CLV], CLOCK)
    finally:
        data.close()


def test_moment_that_was_not_built_is_named_with_the_command(small: Project) -> None:
    missing = CLOCK.plus_days(3)

    with pytest.raises(FeatureStoreError, match=rf"{missing}; build it with `bellwether"):
        read_vectors(small, [missing])


def test_training_that_lacks_a_snapshot_names_the_command_that_builds_it(small: Project) -> None:
    data = small.load_orders()
    later = CLOCK.plus_days(10)
    try:
        with pytest.raises(
            FeatureStoreError, match=f"run `bellwether features build --as-of {later}"
        ):
            make_problems(small, data, [CHURN], later)
    finally:
        data.close()


def test_each_moment_is_announced(small: Project) -> None:
    announced: list[str] = []

    read_vectors(small, [CLOCK], announce=announced.append)

    assert announced == [f"joining the features as of {CLOCK}"]


def test_newest_moment_is_the_one_that_was_built_whatever_batches_added(small: Project) -> None:
    later = small.layout.snapshots / "19980501T000000Z.parquet"
    later.write_bytes((small.layout.snapshots / "19980401T000000Z.parquet").read_bytes())
    try:
        assert newest_moment(small) == CLOCK
    finally:
        later.unlink()


def test_project_without_features_names_the_command(tmp_path: Path) -> None:
    write_project(tmp_path)

    with pytest.raises(FeatureStoreError, match="run `bellwether features build`"):
        newest_moment(open_project(tmp_path))


def test_registered_but_unpublished_features_count_as_not_built(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    project.reader().apply({CHURN: ("orders_total",)})

    with pytest.raises(FeatureStoreError, match="no features were built yet; run"):
        newest_moment(project)
