"""Shops that the tests share, and questions to their files."""

from pathlib import Path
from typing import Any

import duckdb

from features.contracts.as_of import AsOf
from features.contracts.tables import TABLES
from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.season import Clock

END = AsOf.parse("2026-01-01")
SMALL = ShopPlan(customers=900, seed=5, days=500, end=END, block_customers=200, file_blocks=2)


def block(customers: int = 4_000, seed: int = 3, days: int = 730) -> Block:
    """Return the only block of a shop."""
    plan = ShopPlan(customers, seed, days, END, block_customers=customers)
    return Block(Clock(plan), 0)


def rows(query: str, shop: Path) -> list[tuple[Any, ...]]:
    """Answer a query about the tables of a shop, by name, and its `truth`."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name in TABLES:
            files = connection.read_parquet(str(shop / "data" / name / "*.parquet"))
            files.create_view(name)
        connection.read_parquet(str(shop / "truth.parquet")).create_view("truth")
        return connection.execute(query).fetchall()
