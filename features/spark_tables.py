"""Canonical tables in Spark: handed over from DuckDB, or in the user's lake already.

Rows that were cleaned on this machine go to Spark as Parquet files in a folder that both see. For
those whose data outgrow one machine, tables that are canonical already are taken as they are: they
are trusted, after a light look at their columns, types and keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from features.column_mapping import ATTRIBUTE_PREFIX
from features.contracts.errors import SourceError
from features.contracts.settings import SparkSettings
from features.contracts.tables import TABLES, Column

PARQUET = ".parquet"
REFERENCE = "see docs/reference/tables.md"


@dataclass(frozen=True)
class LakeTable:
    """A canonical table in Spark, with all canonical columns, and which of them are filled."""

    table: Any
    mapped: frozenset[str]


def hand_over(tables: Mapping[str, Any], spark: Any, folder: Path) -> dict[str, Any]:
    """Return tables of DuckDB as tables of Spark, by way of Parquet files in `folder`."""
    handed = {}
    for name, table in tables.items():
        place = folder / name
        place.mkdir(parents=True)
        connection = table.get_backend()
        target = str(place).replace("'", "''")
        # A file for each thread: Spark reads them side by side.
        connection.raw_sql(
            f"COPY ({connection.compile(table)}) TO '{target}' (FORMAT parquet, PER_THREAD_OUTPUT)"
        )
        handed[name] = spark.read_parquet(place)
    return handed


def lake_tables(spark: Any, settings: SparkSettings) -> dict[str, LakeTable]:
    """Return the tables that `features.spark.tables` names, if they are what they should be.

    A canonical column that is missing counts as not mapped. Times must be Spark's `timestamp`,
    amounts decimals of four digits at most; further columns that start with `attribute_` are
    attributes of customers, as numbers.

    Raises:
        SourceError: if a table cannot be opened, lacks a required column, has one of another type,
            or has rows without customer or event time.
    """
    return {name: _checked(spark, name, place) for name, place in settings.tables.items()}


def _checked(spark: Any, name: str, place: str) -> LakeTable:
    table = _opened(spark, name, place)
    columns = TABLES[name].columns
    required = {"known_at", *(column.name for column in columns if column.required)}
    for column in sorted(required - set(table.columns)):
        raise SourceError(
            f"{name}: {place} has no column `{column}`; write it canonically, {REFERENCE}, or "
            "leave the table out of features.spark.tables"
        )
    attributes = [c for c in table.columns if c.startswith(ATTRIBUTE_PREFIX)]
    given = table.select(
        **{c.name: _typed(table, name, c, place) for c in columns},
        **{attribute: table[attribute].cast("float64") for attribute in attributes},
    )
    _check_rows(given, name, place, sorted(required))
    present = {column.name for column in columns} & set(table.columns)
    return LakeTable(given, frozenset(present | set(attributes)))


def _opened(spark: Any, name: str, place: str) -> Any:
    from_files = "/" in place or place.endswith(PARQUET)
    try:
        return spark.read_parquet(place) if from_files else _named(spark, place)
    # The errors of catalogues and file systems have no class in common.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(
            f"{name}: {place} cannot be opened in Spark: {reason}; check features.spark.tables"
        ) from error


def _named(spark: Any, place: str) -> Any:
    *parents, table = place.split(".")
    return spark.table(table, database=".".join(parents) or None)


def _typed(table: Any, name: str, column: Column, place: str) -> Any:
    if column.name not in table.columns:
        return ibis.null(column.type)
    found = table[column.name].type()
    if _same_kind(found, dt.dtype(column.type)):
        return table[column.name].cast(column.type)
    raise SourceError(
        f"{name}: column `{column.name}` of {place} is {found}, not {column.type}; write it in "
        f"the canonical type, {REFERENCE}"
    )


def _same_kind(found: Any, wanted: Any) -> bool:
    if wanted.is_decimal():
        return bool(found.is_decimal() and found.scale <= wanted.scale)
    if wanted.is_floating():
        return bool(found.is_floating() or found.is_integer())
    return type(found) is type(wanted)


def _check_rows(table: Any, name: str, place: str, keys: list[str]) -> None:
    nulls = {key: table[key].isnull().ifelse(1, 0).sum().fill_null(0) for key in keys}
    (found,) = table.aggregate(rows=table.count(), **nulls).to_pyarrow().to_pylist()
    for key in keys:
        if found[key]:
            raise SourceError(
                f"{name}: {found[key]:,} of {found['rows']:,} rows of {place} have no {key}; "
                "clean the table first, or read it through `data`, which puts such rows aside"
            )
