import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import (
    ConfigurationError,
    EmptyCohortError,
    HistoryError,
    ImmatureLabelsError,
)
from features.contracts.goals import GoalName
from pipelines.backtest import Backtest, backtest
from pipelines.wiring import Project
from serving.scorer import SCORE_SCHEMA
from tests.pipelines.projects import (
    COLUMNS,
    HORIZON_DAYS,
    cdnow_orders,
    checksums,
    only,
    query,
    write_project,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

DATE = AsOf.parse("1998-02-01")
CHURN, CLV = GoalName.CHURN, GoalName.CLV
SHORT = {"horizon_days": 30}
TRAINING = {"moments": 2, "step_days": 30}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was never built: a backtest needs no state."""
    goals = {
        "churn": {"horizon_days": HORIZON_DAYS},
        "clv": {"horizon_days": HORIZON_DAYS},
        # Longer than the history before the date: cannot be trained.
        "purchase_propensity": {"horizon_days": 500},
    }
    return write_project(
        tmp_path_factory.mktemp("shops") / "shop",
        cdnow_orders(4),
        goals=goals,
        training=TRAINING,
        online_store={"path": "../online.db"},
    )


@pytest.fixture(scope="module")
def result(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    before = checksums(project.layout.root)
    found = backtest(project, as_of=DATE, out=tmp_path_factory.mktemp("replay") / "out")
    assert checksums(project.layout.root) == before
    return found


@pytest.fixture(scope="module")
def metrics(result: Backtest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((result.folder / "metrics.json").read_text())
    return content


def test_only_the_two_files_are_left(result: Backtest) -> None:
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "metrics.json",
        "scores.parquet",
    ]


def test_scores_hold_one_row_per_customer_and_goal(result: Backtest, project: Project) -> None:
    table = pq.read_table(result.folder / "scores.parquet")
    orders = cdnow_orders(4)
    known = orders.filter(pc.less(orders["timestamp"], pa.scalar(DATE.naive_utc)))
    everyone = {str(customer) for customer in known["customer_id"].unique().to_pylist()}

    assert table.schema == SCORE_SCHEMA
    assert result.customers == len(everyone)
    pairs = list(zip(table["customer_id"].to_pylist(), table["goal"].to_pylist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {(c, goal.value) for c in everyone for goal in project.settings.goals}
    assert set(table["as_of"].to_pylist()) == {DATE.moment}


def test_metrics_say_what_was_found_of_every_goal(metrics: dict[str, Any]) -> None:
    assert metrics["as_of"] == str(DATE)
    assert metrics["data_until"] == "1998-07-01T00:00:00Z"
    assert set(metrics) == {"as_of", "data_until", "customers", "goals"}
    for goal in metrics["goals"].values():
        assert set(goal) == {
            "horizon_days",
            "model_version",
            "compared",
            "problem",
            "metrics",
            "warnings",
            "training",
        }
    churn = metrics["goals"]["churn"]
    assert churn["compared"] is True
    assert churn["problem"] is None
    assert set(churn["metrics"]) == {"model", "days_since_last_order", "rfm", "bg_nbd"}
    assert churn["training"]["label_end"] == str(DATE)
    assert churn["training"]["as_of"] == str(DATE)


def test_what_happened_is_what_a_plain_query_counts(
    result: Backtest, metrics: dict[str, Any]
) -> None:
    end = DATE.plus_days(HORIZON_DAYS)
    ((spenders, spent),) = query(
        "select count(distinct customer_id), sum(amount::decimal(18, 4))::double from orders "
        f"where timestamp >= '{DATE.naive_utc}' and timestamp < '{end.naive_utc}' "
        f"and customer_id in (from orders select customer_id where timestamp < '{DATE.naive_utc}')",
        orders=cdnow_orders(4),
    )

    churn, clv = metrics["goals"]["churn"]["metrics"], metrics["goals"]["clv"]["metrics"]

    assert churn["model"]["customers"] == result.customers
    assert churn["model"]["base_rate"] == pytest.approx(1 - spenders / result.customers)
    assert clv["model"]["mean_spend"] == pytest.approx(spent / result.customers)


def test_goal_that_cannot_be_trained_holds_up_no_other(
    result: Backtest, metrics: dict[str, Any]
) -> None:
    failed = metrics["goals"]["purchase_propensity"]

    assert failed["compared"] is False
    assert failed["model_version"] is None
    assert failed["metrics"] == {}
    assert failed["problem"].startswith("not trained: as of 1998-02-01")
    table = pq.read_table(result.folder / "scores.parquet")
    rows = only(table, "goal", "purchase_propensity")
    assert set(rows["status"].to_pylist()) == {"model_unavailable"}
    assert rows["probability"].null_count == len(rows)
    assert metrics["goals"]["clv"]["compared"] is True


def test_horizon_that_has_not_matured_is_scored_but_not_compared(tmp_path: Path) -> None:
    goals = {"churn": SHORT, "clv": {"horizon_days": HORIZON_DAYS}}
    project = write_project(tmp_path / "shop", cdnow_orders(8), goals=goals, training=TRAINING)
    late = AsOf.parse("1998-05-20")

    result = backtest(project, as_of=late, out=tmp_path / "out")

    churn, clv = result.goals
    assert churn.problem is None
    assert churn.metrics
    assert clv.problem is not None
    assert clv.problem.startswith("not compared with what happened: ")
    assert "known at 1998-07-19" in clv.problem
    assert clv.metrics == {}
    table = pq.read_table(tmp_path / "out" / "scores.parquet")
    scored = only(table, "goal", "clv")
    assert set(scored["status"].to_pylist()) == {"scored"}
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())["goals"]["clv"]
    assert (written["compared"], written["problem"]) == (False, clv.problem)


def with_known_at(orders: pa.Table) -> pa.Table:
    """Return the orders with the moment at which each was learnt: an hour after it happened."""
    learnt = pc.add(orders["timestamp"], pa.scalar(timedelta(hours=1)))
    return orders.append_column("learnt", learnt)


def poisoned(orders: pa.Table) -> pa.Table:
    """Return the same past with another future, and with a past that was learnt in the future."""
    past = orders.filter(pc.less(orders["timestamp"], pa.scalar(DATE.naive_utc)))
    future = orders.filter(pc.greater_equal(orders["timestamp"], pa.scalar(DATE.naive_utc)))
    dearer = future.set_column(
        future.column_names.index("amount"), "amount", pc.multiply(future["amount"], 7.0)
    ).slice(0, future.num_rows // 2)
    row = past.slice(0, 1).to_pylist()[0]
    customers = past["customer_id"].unique().to_pylist()
    planted = [
        row | {"order_id": 10**9 + place, "customer_id": customer} | when
        for place, customer in enumerate(customers[::3])
        for when in (
            {"timestamp": datetime(1998, 1, 30), "learnt": datetime(1998, 2, 2)},  # noqa: DTZ001
        )
    ]
    newcomers = [
        row | {"order_id": 2 * 10**9 + n, "customer_id": 10**8 + n, "timestamp": day, "learnt": day}
        for n in range(40)
        for day in [datetime(1998, 2, 1) + timedelta(days=n)]  # noqa: DTZ001
    ]
    strangers = pa.Table.from_pylist([*planted, *newcomers], schema=orders.schema)
    return pa.concat_tables([past, dearer, strangers])


def test_nothing_learnt_after_the_date_moves_a_single_bit_of_the_scores(tmp_path: Path) -> None:
    orders = with_known_at(cdnow_orders(4))
    past = orders.filter(pc.less(orders["timestamp"], pa.scalar(DATE.naive_utc)))
    columns = {**COLUMNS, "known_at": "learnt"}
    data = {"tables": {"orders": {"path": "orders.parquet", "columns": columns}}}
    goals = {"churn": SHORT, "clv": SHORT}
    found = []
    for name, table in (("true", orders), ("poisoned", poisoned(orders)), ("cut off", past)):
        project = write_project(tmp_path / name, table, data=data, goals=goals, training=TRAINING)
        out = tmp_path / f"{name} out"
        found.append(backtest(project, as_of=DATE, out=out))

    true, other, cut = ((result.folder / "scores.parquet").read_bytes() for result in found)

    assert other == true
    assert cut == true
    rates = [goal.metrics["model"]["base_rate"] for goal in (found[0].goals[0], found[1].goals[0])]
    assert rates[0] != rates[1]
    assert found[2].goals[0].problem is not None


def test_failure_leaves_no_scratch_folder_and_the_old_files(
    project: Project, result: Backtest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "scores.parquet").write_bytes(b"old")
    before = checksums(project.layout.root)

    with pytest.raises(EmptyCohortError, match="nobody had ordered before 1996-01-01"):
        backtest(project, as_of=AsOf.parse("1996-01-01"), out=out)
    with pytest.raises(HistoryError, match=r"train as of .* or later") as refused:
        backtest(project, as_of=AsOf.parse("1997-01-20"), out=out)

    assert "; " in str(refused.value)  # every goal says what it lacks
    assert [path.name for path in out.iterdir()] == ["scores.parquet"]
    assert (out / "scores.parquet").read_bytes() == b"old"
    assert checksums(project.layout.root) == before


def test_interruption_leaves_no_scratch_folder(project: Project, tmp_path: Path) -> None:
    def interrupt(step: str) -> None:
        if step.startswith("joining"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtest(project, as_of=DATE, out=tmp_path / "out", announce=interrupt)

    assert list((tmp_path / "out").iterdir()) == []


def test_date_long_after_the_data_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImmatureLabelsError, match="data end at 1998-07-01"):
        backtest(project, as_of=AsOf.parse("1999-01-01"), out=tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_place_that_is_a_file_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ConfigurationError, match="choose another folder with --out"):
        backtest(project, as_of=DATE, out=tmp_path / "file")

    assert (tmp_path / "file").read_text() == "mine"


def test_online_store_elsewhere_is_not_touched(project: Project, result: Backtest) -> None:
    assert result.folder.exists()
    assert [path.name for path in project.layout.root.parent.iterdir()] == ["shop"]
