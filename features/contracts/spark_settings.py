"""Where and how Spark runs: a section of the project file."""

from pydantic import field_validator

from features.contracts.data_settings import Section
from features.contracts.tables import TABLES


class SparkSettings(Section):
    """Where and how Spark runs, for `features.engine: spark`."""

    master: str = "local[2]"
    """Spark's master: `local[2]`, `spark://host:7077`, `yarn` or `k8s://https://host:443`."""
    conf: dict[str, str] = {}  # noqa: RUF012 - Pydantic makes a new one for each section
    """Further properties of Spark, such as `spark.executor.memory: 8g`."""
    staging: str | None = None
    """Folder that the driver and all executors see; `state/spark` in the project by default."""
    tables: dict[str, str] = {}  # noqa: RUF012 - Pydantic makes a new one for each section
    """Canonical table -> Spark table or Parquet path that is canonical already, not read by us."""

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, tables: dict[str, str]) -> dict[str, str]:
        for name in tables:
            if name not in TABLES:
                raise ValueError(f"unknown table `{name}`; known are {', '.join(TABLES)}")
        return tables
