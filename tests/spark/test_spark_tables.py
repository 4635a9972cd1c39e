"""Tables that are in Spark already: taken as they are, if they are what they should be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import SourceError
from features.contracts.settings import SparkSettings
from features.spark_tables import lake_tables
from tests.features.hand_made import ago, canonical, order, profile

pytestmark = pytest.mark.integration

ROWS = (order(ago(days=3), "9.99"), order(ago(days=1)), profile(ago(days=9), age=2.0))


def lake(folder: Path, table: str, content: pa.Table) -> SparkSettings:
    pq.write_table(content, folder / "rows.parquet")
    return SparkSettings(tables={table: str(folder / "rows.parquet")})


def changed(table: str, **columns: Any) -> pa.Table:
    """Return the canonical rows of a table with other columns; without those that are None."""
    content = canonical(ROWS)[table]
    for name, values in columns.items():
        content = content.drop_columns([name])
        if values is not None:
            content = content.append_column(name, values)
    return content


def test_canonical_files_are_taken_with_all_columns(spark: Any, tmp_path: Path) -> None:
    settings = lake(tmp_path, "orders", changed("orders"))

    found = lake_tables(spark, settings)["orders"]

    assert found.table.count().to_pyarrow().as_py() == 2
    assert found.table.columns == tuple(canonical(ROWS)["orders"].column_names)
    assert found.mapped == frozenset(found.table.columns)


def test_named_table_of_the_catalogue_is_taken(spark: Any, tmp_path: Path) -> None:
    pq.write_table(changed("orders"), tmp_path / "rows.parquet")
    spark.read_parquet(tmp_path / "rows.parquet", table_name="shop_orders")

    tables = lake_tables(spark, SparkSettings(tables={"orders": "shop_orders"}))

    assert tables["orders"].table.count().to_pyarrow().as_py() == 2


def test_attributes_are_numbers_and_mapped(spark: Any, tmp_path: Path) -> None:
    found = lake_tables(spark, lake(tmp_path, "customers", changed("customers")))["customers"]

    assert "attribute_age" in found.mapped
    assert found.table.attribute_age.max().to_pyarrow().as_py() == 2.0


def test_column_that_is_missing_is_not_mapped(spark: Any, tmp_path: Path) -> None:
    settings = lake(tmp_path, "orders", changed("orders", discount=None))

    found = lake_tables(spark, settings)["orders"]

    assert "discount" in found.table.columns
    assert "discount" not in found.mapped


BAD: Mapping[str, tuple[dict[str, Any], str]] = {
    "no known_at": ({"known_at": None}, "has no column `known_at`"),
    "no customer": ({"customer_id": None}, "has no column `customer_id`"),
    "amount as a float": ({"amount": pa.array([1.5, 2.5])}, r"`amount` of .* is float64, not dec"),
    "fine decimals": (
        {"amount": pa.array([1, 2]).cast(pa.decimal128(38, 6))},
        r"`amount` of .* is decimal\(38, 6\), not decimal\(18, 4\)",
    ),
    "time as text": ({"ordered_at": pa.array(["2026-01-01"] * 2)}, "`ordered_at` .* is string"),
    "guest": ({"customer_id": pa.array(["ann", None])}, "1 of 2 rows .* have no customer_id"),
}


@pytest.mark.parametrize("name", BAD)
def test_table_that_is_not_canonical_is_refused(name: str, spark: Any, tmp_path: Path) -> None:
    columns, said = BAD[name]
    settings = lake(tmp_path, "orders", changed("orders", **columns))

    with pytest.raises(SourceError, match=said):
        lake_tables(spark, settings)


@pytest.mark.parametrize("place", ["no_such_table", "there/is/no/such.parquet"])
def test_table_that_is_not_there_is_named(place: str, spark: Any) -> None:
    with pytest.raises(SourceError, match=rf"orders: {place} cannot be opened in Spark"):
        lake_tables(spark, SparkSettings(tables={"orders": place}))
