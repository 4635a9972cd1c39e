"""What is wrong is said in one clear line, with the next step, and nothing is destroyed.

Through the command line, with the real flows.
"""

import shutil
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from features.contracts.layout import Layout
from features.contracts.settings import PROJECT_FILE
from pipelines.wiring import Project
from serving.process import Door, ServingProcess
from tests.pipelines.command_line import Ended, run
from tests.pipelines.projects import (
    COLUMNS,
    cdnow_orders,
    checksums,
    values,
    write_content,
    write_project,
    write_project_file,
)
from tests.serving.served_project import CUSTOMERS, ServedProject, make_ready
from tests.serving.served_project import write_project as write_served_project

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

CHURN_ONLY = {"churn": {"horizon_days": 30}}
DAY = timedelta(days=1)


def complaint(ended: Ended, code: int = 1) -> str:
    """Return the one line of a command that failed as it should."""
    assert (ended.code, ended.out) == (code, [])
    (line,) = ended.errors
    assert line.startswith("bellwether: ")
    assert "unexpected" not in line
    return line.removeprefix("bellwether: ")


def refused(root: Path, *arguments: object, option: str = "--project") -> str:
    """Return the one line of a command that failed and changed nothing in the project."""
    before = checksums(root)
    line = complaint(run(*arguments, option, root))
    assert checksums(root) == before
    return line


def orders_table(path: str, **columns: str) -> dict[str, object]:
    return {"tables": {"orders": {"path": path, "columns": {**COLUMNS, **columns}}}}


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("built") / "shop"
    write_project(root, cdnow_orders(40), goals=CHURN_ONLY)
    assert run("features", "build", "--project", root).code == 0
    return root


@pytest.fixture
def built(built_once: Path) -> Iterator[Path]:
    """A small project with features, put back as it was afterwards."""
    kept = {name: (built_once / name).read_bytes() for name in (PROJECT_FILE, "orders.parquet")}
    yield built_once
    for name, content in kept.items():
        (built_once / name).write_bytes(content)


@pytest.mark.parametrize(
    "command", [["check"], ["features", "build"], ["train"]], ids=lambda words: words[-1]
)
def test_missing_file(command: list[str], built: Path) -> None:
    (built / "orders.parquet").unlink()

    line = refused(built, *command)

    assert line == (
        "orders: there is no file orders.parquet (relative paths start at "
        f"{built}, the folder of bellwether.yaml)"
    )


def test_file_that_is_half_there(built: Path) -> None:
    file = built / "orders.parquet"
    file.write_bytes(file.read_bytes()[:5000])

    line = refused(built, "features", "build")

    assert "orders" in line
    assert "cannot be read" in line


def test_missing_column(built: Path) -> None:
    write_project_file(built, goals=CHURN_ONLY, data=orders_table("orders.parquet", amount="total"))

    line = refused(built, "features", "build")

    assert line == (
        "orders: there is no column `total` in orders.parquet; its columns are `customer_id`, "
        "`master_id`, `order_id`, `timestamp`, `quantity`, `amount`"
    )


def test_dates_that_nobody_can_read(built: Path) -> None:
    orders = cdnow_orders(40)
    words = pa.array(["some day"] * orders.num_rows)
    place = orders.column_names.index("timestamp")
    pq.write_table(orders.set_column(place, "timestamp", words), built / "orders.parquet")

    line = refused(built, "features", "build")

    assert line.startswith("orders.ordered_at: column `timestamp` of orders.parquet holds no ")
    assert "its first values are 'some day'" in line
    assert "check the mapping" in line


def test_times_without_a_zone_in_a_project_that_names_none(built: Path) -> None:
    text = (built / PROJECT_FILE).read_text()
    (built / PROJECT_FILE).write_text(text.replace("timezone: UTC\n", ""))

    line = refused(built, "features", "build")

    assert line == f"{built / PROJECT_FILE}: timezone: this key is required"


def test_zone_that_does_not_exist(built: Path) -> None:
    write_content(built, timezone="Europe/Atlantis")

    line = refused(built, "features", "build")

    assert "timezone: unknown time zone 'Europe/Atlantis'; write it like Europe/London" in line


def test_goal_that_does_not_exist(built: Path) -> None:
    write_content(built, goals={"loyalty": {"horizon_days": 30}})

    line = refused(built, "check")

    assert line.endswith("goals.loyalty: should be 'churn', 'purchase_propensity' or 'clv'")


def test_project_file_that_is_not_yaml(built: Path) -> None:
    (built / PROJECT_FILE).write_text("goals: [unfinished")

    assert "bellwether.yaml cannot be read as YAML" in refused(built, "train")


def test_horizon_longer_than_the_history(built: Path) -> None:
    write_project_file(built, goals={"churn": {"horizon_days": 700}})

    line = refused(built, "train")

    assert "no horizon of 700 days has matured" in line
    assert "train as of" in line


def test_moment_whose_horizon_the_data_do_not_tell(built: Path) -> None:
    line = refused(built, "train", "--as-of", "1998-09-01")

    assert "the data end at 1998-0" in line
    assert "choose an earlier moment with --as-of" in line


def test_moment_before_every_order(built: Path) -> None:
    line = refused(built, "features", "build", "--as-of", "1990-01-01")

    assert line == "nobody had ordered before 1990-01-01T00:00:00Z; choose a later moment"


def regular_orders(last: datetime, every: timedelta, customers: int = 12) -> pa.Table:
    """Return orders of customers who all buy as regularly as a clock."""
    days = [last - n * every for n in range(int(timedelta(days=300) / every))]
    rows = [(c, f"{c}-{day:%j%y}", day, 10.0) for c in range(customers) for day in days]
    customer_id, order_id, timestamp, amount = zip(*rows, strict=True)
    return pa.table(
        {
            "customer_id": customer_id,
            "order_id": order_id,
            "timestamp": timestamp,
            "amount": amount,
        }
    )


def test_cohort_without_anybody(tmp_path: Path) -> None:
    # Everybody orders on the same day every eight weeks: seldom is anybody active within a day.
    orders = regular_orders(datetime(1998, 3, 31), every=56 * DAY)  # noqa: DTZ001 - made-up days
    goals = {"churn": {"horizon_days": 30, "active_within_days": 1}}
    write_project(tmp_path, orders, goals=goals)
    assert run("features", "build", "--project", tmp_path).code == 0

    line = refused(tmp_path, "train")

    assert line.startswith("nobody is eligible for churn as of 1997-")
    assert "days_since_last_order must be at most 1" in line
    assert "widen `active_within_days`" in line


def test_only_one_class(tmp_path: Path) -> None:
    orders = regular_orders(datetime(1998, 3, 31), every=7 * DAY)  # noqa: DTZ001 - made-up days
    write_project(tmp_path, orders, goals=CHURN_ONLY)
    assert run("features", "build", "--project", tmp_path).code == 0

    line = refused(tmp_path, "train")

    assert "the event of churn happened to none of" in line
    assert "change the goal's horizon_days or active_within_days" in line


def test_goal_that_the_project_does_not_have(built: Path) -> None:
    line = refused(built, "train", "clv")

    assert line == (
        f"the project has no goal clv, only churn; add it under `goals` in {built / PROJECT_FILE}"
    )


def test_score_without_a_champion(built: Path, tmp_path: Path) -> None:
    line = refused(built, "score", "--out", tmp_path / "scores.parquet")

    assert line == (
        "no goal has a champion: model 'churn' has no alias 'champion'; "
        "run: bellwether promote churn"
    )
    assert list(tmp_path.glob("scores*")) == []


def test_service_without_a_champion(built: Path) -> None:
    line = refused(built, "serve")

    assert line == "model 'churn' has no alias 'champion'; run: bellwether promote churn"


def test_promotion_without_a_challenger(built: Path) -> None:
    line = refused(built, "promote", "churn")

    assert line == "model 'churn' has no alias 'challenger'; run: bellwether train"


def test_drift_without_scores(built: Path) -> None:
    line = refused(built, "monitor", "drift")

    assert "score_log is empty; score customers first" in line


def test_backtest_into_a_file(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("important")

    line = refused(
        built, "backtest", "--as-of", "1998-02-01", "--out", tmp_path / "mine", option="--config"
    )

    assert "choose another folder with --out" in line
    assert (tmp_path / "mine").read_text() == "important"


def test_orders_in_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "orders.xlsx").write_bytes(b"PK")

    line = complaint(run("init", tmp_path / "shop", "--orders", tmp_path / "orders.xlsx"))

    assert "an Excel workbook: save it as CSV" in line
    assert not (tmp_path / "shop").exists()


def test_orders_in_a_csv_with_a_header_only(tmp_path: Path) -> None:
    empty = cdnow_orders(40).slice(0, 0)
    pa_csv.write_csv(empty, tmp_path / "orders.csv")
    write_project_file(tmp_path, data=orders_table("orders.csv"))

    assert "orders.csv has no rows" in refused(tmp_path, "features", "build")


@pytest.fixture
def served(tmp_path: Path) -> ServedProject:
    """A project that is ready to be served: features online, a champion for every goal."""
    project = write_served_project(tmp_path / "served")
    make_ready(project)
    return project


def test_port_that_is_taken(served: ServedProject) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        line = complaint(run("serve", "--project", served.root, "--port", port))

    assert line == f"port {port} is taken by another process; choose another with --port"


def corrupt(folder: Path) -> list[Path]:
    """Damage every stored booster below a folder, as a full disk would."""
    files = sorted(folder.rglob("order.txt"))
    for file in files:
        file.write_bytes(file.read_bytes()[:-200])
    return files


@pytest.mark.parametrize("command", ["score", "serve"])
def test_model_that_is_damaged(command: str, served: ServedProject, tmp_path: Path) -> None:
    assert corrupt(served.layout.artifacts)
    out = tmp_path / "scores.parquet"
    out.write_bytes(b"the scores of yesterday")

    options = ["--out", out] if command == "score" else []
    line = complaint(run(command, "--project", served.root, *options))

    assert "is corrupt: the file order.txt was altered after it was saved" in line
    assert "train it again with `bellwether train` or go back with" in line
    assert out.read_bytes() == b"the scores of yesterday"


def test_model_whose_local_copy_is_damaged_is_fetched_again(
    served: ServedProject, tmp_path: Path
) -> None:
    good = run("score", "--project", served.root, "--out", tmp_path / "good.parquet")
    assert (good.code, good.errors) == (0, [])
    assert corrupt(served.layout.models)

    mended = run("score", "--project", served.root, "--out", tmp_path / "mended.parquet")

    assert mended.code == 0
    assert all(line.startswith("bellwether: note: cached model damaged") for line in mended.errors)
    assert len(mended.errors) == 2
    assert (tmp_path / "mended.parquet").read_bytes() == (tmp_path / "good.parquet").read_bytes()


def test_model_whose_files_are_gone(served: ServedProject, tmp_path: Path) -> None:
    shutil.rmtree(served.layout.artifacts)

    line = complaint(run("score", "--project", served.root, "--out", tmp_path / "scores.parquet"))

    assert line.startswith("no goal has a champion: the files of model 'churn' version 1 are gone")
    assert line.endswith("run: bellwether train")


def test_customer_whom_nobody_knows(
    served: ServedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gc.freeze", lambda: None)  # this process goes on to other tests
    door = Door()
    process = ServingProcess(served.root, door)
    process.start()
    try:
        body = {"customer_ids": ["nobody", CUSTOMERS[0]]}
        answer = TestClient(door).post("/v1/score", json=body)
    finally:
        process.close()
    ended = run("score", "--project", served.root, "--out", tmp_path / "scores.parquet")

    nobody, somebody = answer.json()["results"]
    assert answer.status_code == 200
    for told in nobody["scores"].values():
        assert told["status"] == "unknown_customer"
        assert told["detail"] == "no features are stored for this customer"
        assert "probability" not in told
    assert {told["status"] for told in somebody["scores"].values()} == {"scored"}
    assert ended.code == 0
    assert set(values(pq.read_table(tmp_path / "scores.parquet"), "customer_id")) == {*CUSTOMERS}


def test_tracking_store_that_is_not_one(built: Path) -> None:
    project = Project(write_project_file(built, goals=CHURN_ONLY).settings, Layout(built))
    project.layout.tracking.write_text("this is no database")
    try:
        line = refused(built, "promote", "churn")
    finally:
        project.layout.tracking.unlink()

    assert "tracking.db does not answer (" in line
    assert "mend tracking.uri" in line
