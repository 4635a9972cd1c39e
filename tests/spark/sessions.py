"""Spark as tests want it: small, and quick to start."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.as_of import AsOf
from features.contracts.settings import SparkSettings
from features.spark_snapshots import write_spark_snapshots
from tests.features.hand_made import CATALOGUE, MAPPED, Features, Row, canonical

# The data are small: what takes time is to plan queries and to compile them.
SMALL = SparkSettings(
    master="local[2]",
    conf={
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    },
)


def on_spark(
    spark: Any, rows: Iterable[Row], moments: Sequence[AsOf], folder: Path
) -> dict[tuple[str, AsOf], Features]:
    """Return the features of each customer and moment, from snapshots that Spark wrote."""
    tables = {}
    for name, table in canonical(rows).items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "rows.parquet")
        tables[name] = spark.read_parquet(folder / name)
    files = write_spark_snapshots(
        spark, tables, MAPPED, moments, folder / "snapshots", staging=folder / "staging"
    )
    return {
        (row["customer_id"], AsOf(row["as_of"])): {name: row[name] for name in CATALOGUE}
        for file in files
        for row in _content(file.path).to_pylist()
    }


def _content(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read()
