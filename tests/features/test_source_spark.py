"""Tables of Spark, by its Ibis URL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from features.contracts.errors import SourceError
from features.contracts.settings import DataSettings
from features.sources import load_tables

pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of PySpark's own sockets
    pytest.mark.integration,
]

URL = "pyspark://"
COLUMNS = {"customer_id": "who", "order_id": "id", "ordered_at": "at", "amount": "paid"}


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[Any]:
    """A session as a user's own would run; the source lets go of it at the end of a load."""
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.warehouse.dir", str(tmp_path)).getOrCreate()
    session.sql(
        "CREATE OR REPLACE TEMPORARY VIEW sales AS SELECT id AS who, concat('o', id) AS id, "
        "timestamp_ltz'2026-01-01 10:00:00+00:00' AS at, "
        "timestamp_ntz'2026-01-02 10:00:00' AS seen, "
        "CAST(id / 4 AS decimal(10, 2)) AS paid FROM range(50)"
    )
    yield session
    session.stop()


def load(table: str, **columns: str) -> list[dict[str, Any]]:
    data = DataSettings.model_validate(
        {"url": URL, "tables": {"orders": {"table": table, "columns": COLUMNS | columns}}}
    )
    now = datetime(2026, 6, 1, tzinfo=UTC)
    tables = load_tables(data, timezone="America/New_York", root=Path(), now=now)
    try:
        rows: list[dict[str, Any]] = tables.tables["orders"].to_pyarrow().to_pylist()
        return rows
    finally:
        tables.close()


@pytest.mark.usefixtures("spark")
def test_table_of_spark_is_read_exactly_and_its_moments_are_moments() -> None:
    rows = load("sales", known_at="seen")

    assert sorted(row["amount"] for row in rows) == [Decimal(n) / 4 for n in range(50)]
    assert {row["ordered_at"] for row in rows} == {datetime(2026, 1, 1, 10, tzinfo=UTC)}
    # A time without a zone is on the wall clock of the project.
    assert {row["known_at"] for row in rows} == {datetime(2026, 1, 2, 15, tzinfo=UTC)}


@pytest.mark.usefixtures("spark")
def test_table_that_spark_has_not_is_told_with_close_matches() -> None:
    with pytest.raises(SourceError, match=r"no table sale at pyspark://; did you mean `sales`\?"):
        load("sale")
