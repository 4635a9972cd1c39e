"""The project file of a synthetic shop: every table and column mapped, all goals."""

from typing import Any

import yaml

from features.contracts.tables import CANCELLED, COMPLETED, RETURNED, TABLES
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.profiles import AGES

HEADER = """\
# A made-up shop: {customers:,} customers, seed {seed}, {days} days. What is true of each customer
# is in truth.parquet. The clock of `serving` stands still at the end of the data.
"""


def project_text(plan: ShopPlan) -> str:
    """Return the project file."""
    header = HEADER.format(customers=plan.customers, seed=plan.seed, days=plan.days)
    return header + yaml.safe_dump(project_content(plan), sort_keys=False, width=96)


def project_content(plan: ShopPlan) -> dict[str, Any]:
    """Return what the project file says."""
    tables: dict[str, dict[str, Any]] = {
        name: {
            "path": f"data/{name}/*.parquet",
            "columns": {column.name: column.name for column in table.columns},
        }
        for name, table in TABLES.items()
    }
    statuses = (COMPLETED, CANCELLED, RETURNED)
    tables["orders"]["status_values"] = {status: [status] for status in statuses}
    tables["customers"]["attributes"] = {"age": list(AGES)}
    return {
        "version": 1,
        "name": "synthetic_shop",
        "timezone": "UTC",
        "seed": plan.seed,
        "data": {"tables": tables},
        "goals": {
            "churn": {"horizon_days": 90, "active_within_days": 180},
            "purchase_propensity": {"horizon_days": 28},
            "clv": {"horizon_days": 90},
        },
        "serving": {"clock": str(plan.end)},
    }
