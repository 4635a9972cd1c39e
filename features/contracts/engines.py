"""The engines there are."""

from enum import StrEnum


class EngineName(StrEnum):
    """What computes features: DuckDB in this process, or Spark for more than a machine holds."""

    DUCKDB = "duckdb"
    SPARK = "spark"
