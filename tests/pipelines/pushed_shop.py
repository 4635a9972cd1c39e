"""A shop of six customers with every table, built as of `T`, to push rows to."""

import csv
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from features.catalogue import Stage, of_stage, subjects
from features.contracts.as_of import AsOf
from features.contracts.settings import PROJECT_FILE
from features.contracts.tables import TABLES
from features.snapshots import snapshot_path
from features.transforms.profile import ORIGINS
from pipelines.build_features import build_features
from pipelines.push_features import FeaturePusher
from pipelines.wiring import Project, open_project

T = AsOf.parse("2026-03-01")
NOW = T.moment + timedelta(hours=5, seconds=0.4)
PUSHED_AS_OF = AsOf.parse("2026-03-01T05:00:01+00:00")
CUSTOMERS = ("ann", "bob", "cyd", "dan", "eve", "fay")
SERVICE = "churn_v1"


def at(days: float) -> str:
    """Return the time so long before `T`, as a source writes it."""
    return (T.moment - timedelta(days=days)).isoformat()


def sources() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table, in canonical columns."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for place, customer in enumerate(CUSTOMERS):
        countries = ("GB", "FR", "GB", "DE", "GB", "")
        rows["customers"].append(
            {
                "customer_id": customer,
                "created_at": at(400 + place),
                "country": countries[place],
                "acquisition_channel": "search" if place % 2 else "friend",
            }
        )
        for number in range(place + 1):
            days = 3 + 17 * number + place
            order = {
                "order_id": f"{customer}-{number}",
                "customer_id": customer,
                "ordered_at": at(days),
                "amount": f"{10 + place}.5",
                "discount": "1.25" if number % 2 else "",
                "channel": "web",
                "status": "completed",
                "known_at": at(days - 0.5 * (number % 2)),
            }
            rows["orders"].append(order)
            rows["order_lines"].append(
                {
                    "order_id": order["order_id"],
                    "customer_id": customer,
                    "ordered_at": at(days),
                    "product_id": f"p{number % 3}",
                    "category": "tea",
                    "quantity": "2",
                    "amount": "5",
                }
            )
            rows["events"].append(
                {
                    "event_id": f"{customer}-e{number}",
                    "customer_id": customer,
                    "occurred_at": at(days + 0.01),
                    "type": "visit",
                    "product_id": "",
                    "channel": "web",
                    "device": "phone",
                }
            )
    rows["messages"].append(
        {"message_id": "m1", "customer_id": "bob", "sent_at": at(9), "channel": "email"}
    )
    rows["tickets"].append(
        {"ticket_id": "t1", "customer_id": "cyd", "opened_at": at(8), "closed_at": ""}
    )
    rows["subscriptions"].append(
        {
            "subscription_id": "s1",
            "customer_id": "dan",
            "started_at": at(60),
            "ended_at": "",
            "plan": "basic",
            "price": "9.99",
        }
    )
    return rows


def write_shop(
    root: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, **sections: Any
) -> Project:
    """Write the shop's files and its project file; nothing is built."""
    root.mkdir(parents=True, exist_ok=True)
    tables = {}
    for name, own in (rows or sources()).items():
        columns = list(own[0])
        with (root / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(own)
        tables[name] = {"path": f"{name}.csv", "columns": {c: c for c in columns}}
    content = {
        "version": 1,
        "timezone": "UTC",
        "data": {"tables": tables},
        "goals": {"churn": {"horizon_days": 7}},
        "training": {"moments": 2, "step_days": 7},
        **sections,
    }
    (root / PROJECT_FILE).write_text(yaml.safe_dump(content), encoding="utf-8")
    return open_project(root)


def built_shop(root: Path, **sections: Any) -> Project:
    """Return the shop, built as of `T`."""
    project = write_shop(root, **sections)
    build_features(project, as_of=T)
    return project


def pusher_of(project: Project, now: datetime = NOW, sink: Any = None) -> FeaturePusher:
    """Return what pushes rows to a project at a moment."""
    return FeaturePusher(project.layout, sink or project.reader(), timezone="UTC", now=lambda: now)


def online(project: Project, customer: str, as_of: AsOf = PUSHED_AS_OF) -> dict[str, Any]:
    """Return the online features of a customer; None where they are null."""
    vectors = project.reader().online([customer], as_of=as_of, services=[SERVICE])
    assert vectors.presence.tolist() == [0]
    values = [None if math.isnan(value) else value for value in vectors.values[0].tolist()]
    return dict(zip(vectors.columns, values, strict=True))


def rebuilt(project: Project, customer: str, as_of: AsOf = PUSHED_AS_OF) -> dict[str, Any]:
    """Return the features of a customer in the snapshot of a whole build."""
    build_features(project, as_of=as_of)
    snapshot = pq.read_table(snapshot_path(project.layout.snapshots, as_of)).to_pylist()
    (row,) = [row for row in snapshot if row["customer_id"] == customer]
    return row


def of_the_base(project: Project) -> set[str]:
    """Return the features that look at other customers, which a push carries from the build."""
    mapped = {
        name: frozenset(table.columns) for name, table in project.settings.data.tables.items()
    }
    carried = subjects(mapped)
    base = {feature.name for feature in of_stage(carried, Stage.BASE)} | set(ORIGINS)
    for feature in of_stage(carried, Stage.STANDING):
        if base.intersection(feature.needs_features):
            base.add(feature.name)
    return base


def order(
    order_id: str | None = "new", customer: str | None = "ann", **changed: Any
) -> dict[str, Any]:
    """Return an order of a minute before `NOW`."""
    placed = (NOW - timedelta(minutes=1)).isoformat()
    row = {"order_id": order_id, "customer_id": customer, "ordered_at": placed, "amount": "20"}
    return {**row, **changed}


def visit(
    event_id: str | None = "new", customer: str | None = "ann", **changed: Any
) -> dict[str, Any]:
    """Return a visit of a minute before `NOW`."""
    seen = (NOW - timedelta(minutes=1)).isoformat()
    row = {"event_id": event_id, "customer_id": customer, "occurred_at": seen, "type": "visit"}
    return {**row, **changed}
