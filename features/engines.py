"""What computes features: DuckDB in this process, or Spark. Behind it, nothing can tell which."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.engines import EngineName
from features.contracts.layout import Layout
from features.contracts.settings import FeatureSettings
from features.snapshots import SnapshotFile, write_snapshots
from features.spark_session import open_spark
from features.spark_snapshots import staging_folder, write_spark_snapshots
from features.spark_tables import hand_over, lake_tables

if TYPE_CHECKING:
    from features.sources import CanonicalTables


@dataclass(frozen=True)
class Engine:
    """An engine that holds the canonical tables.

    Attributes:
        mapped: canonical columns that are filled, by table.
        write: from moments and the folder of the snapshots to the snapshots, each yielded once it
            is there.
    """

    mapped: dict[str, frozenset[str]]
    write: Callable[[Sequence[AsOf], Path], Iterator[SnapshotFile]]


@contextmanager
def open_engine(
    settings: FeatureSettings, data: "CanonicalTables", layout: Layout
) -> Iterator[Engine]:
    """Yield the engine that the project wants, holding its data.

    With Spark, the tables that `features.spark.tables` names come from there, others from `data`.

    Raises:
        ConfigurationError: if Spark cannot be started.
        SourceError: if a table in Spark is not canonical.
    """
    if settings.engine is EngineName.DUCKDB:
        write = partial(write_snapshots, data.connection, data.tables, data.mapped)
        yield Engine(data.mapped, write)
        return
    parent = layout.root / (settings.spark.staging or layout.state / "spark")
    with staging_folder(parent) as staging, open_spark(settings.spark) as spark:
        lake = lake_tables(spark, settings.spark)
        own = {name: table for name, table in data.tables.items() if name not in lake}
        handed = hand_over(own, spark, staging / "tables")
        tables = handed | {name: found.table for name, found in lake.items()}
        mapped = data.mapped | {name: found.mapped for name, found in lake.items()}
        write = partial(write_spark_snapshots, spark, tables, mapped, staging=staging)
        yield Engine(mapped, write)
