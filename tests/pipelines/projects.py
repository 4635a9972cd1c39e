"""Real projects on the CDNOW sample, made by the real commands."""

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from features.contracts.settings import PROJECT_FILE, validate_settings
from pipelines.wiring import Project, open_project
from tests.pipelines.command_line import Ended, run
from tests.repository import ROOT

CLOCK = AsOf.parse("1998-04-01")
DATA_END = AsOf.parse("1998-07-01")
HORIZON_DAYS = 60
COLUMNS = {name: name for name in ("customer_id", "order_id", "amount")} | {
    "ordered_at": "timestamp"
}
CHURN = {"horizon_days": HORIZON_DAYS, "active_within_days": 300}
PURCHASE = {"horizon_days": HORIZON_DAYS}
ALL_GOALS = {"churn": CHURN, "purchase_propensity": PURCHASE, "clv": PURCHASE}


@dataclass(frozen=True)
class TrainedProject:
    """A project that was built, trained and promoted, and how each command ended."""

    project: Project
    ended: Mapping[str, Ended]

    @property
    def root(self) -> Path:
        return self.project.layout.root


def cdnow_orders(one_customer_in: int = 1) -> pa.Table:
    """Return the orders of every customer, or of one in so many."""
    table = pq.read_table(ROOT / "tests" / "data" / "cdnow_sample.parquet")
    places = pc.divide(table["customer_id"], one_customer_in)
    return table.filter(
        pc.equal(pc.multiply(places, pa.scalar(one_customer_in)), table["customer_id"])
    )


def project_content(**sections: Any) -> dict[str, Any]:
    """Return a project file's content; `sections` replace or add to its own."""
    orders = {"path": "orders.parquet", "columns": COLUMNS}
    return {
        "version": 1,
        "timezone": "UTC",
        "data": {"tables": {"orders": orders}},
        "goals": ALL_GOALS,
        "training": {"moments": 4, "step_days": 30},
        "serving": {"clock": "1998-04-01"},
    } | sections


def write_project(root: Path, orders: pa.Table | None = None, **sections: Any) -> Project:
    """Write a project file and its orders; nothing is built."""
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(cdnow_orders() if orders is None else orders, root / "orders.parquet")
    return write_project_file(root, **sections)


def write_project_file(root: Path, **sections: Any) -> Project:
    """Write the project file anew."""
    write_content(root, **sections)
    return open_project(root)


def write_content(root: Path, **sections: Any) -> None:
    """Write a project file that may be wrong."""
    content = yaml.safe_dump(project_content(**sections), sort_keys=False)
    (root / PROJECT_FILE).write_text(content, encoding="utf-8")


def with_changes(project: Project, **sections: Any) -> Project:
    """Return the project with other settings; its file stays as it is."""
    return Project(validate_settings(project_content(**sections), "test"), project.layout)


@cache
def trained_cdnow(root: Path) -> TrainedProject:
    """Build, train and promote all goals on all customers, once per test run."""
    project = write_project(root)
    ended = {
        "build": run("features", "build", "--project", root),
        "train": run("train", "--project", root),
    }
    for goal in GoalName:
        ended[f"promote {goal.value}"] = run("promote", goal.value, "--project", root, "--force")
    return TrainedProject(project, ended)


def values(table: pa.Table, column: str) -> list[Any]:
    """Return a column's values, in order."""
    return table[column].to_pylist()


def only(table: pa.Table, column: str, value: str) -> pa.Table:
    """Return the rows that have a value."""
    return table.filter(pc.equal(table[column], pa.scalar(value)))


def query(sql: str, **tables: pa.Table) -> list[tuple[Any, ...]]:
    """Answer a query about tables, by name."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.execute(sql).fetchall()


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder`; of a database, that of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_content(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"SQLite format 3"):
        return content
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return "\n".join(database.iterdump()).encode()
