"""What a data set of snapshots was made of, and one hash over all of it.

The same inputs, code and configuration give the same hash on any day and any machine: what is
hashed of a table is its content, whatever the order of its rows and the dates of its files.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from features.code_digest import code_digest
from features.contracts.errors import FeatureStoreError
from features.contracts.settings import Settings

MANIFEST = "manifest.json"

LIBRARIES = ("duckdb", "ibis-framework", "pyarrow")
"""Libraries that compute features or write them: other versions may write other bytes."""

NOTHING = "chr(30)"
BETWEEN = "chr(31)"
"""Characters, in SQL, that stand for null and between values: no text is likely to hold them."""


@dataclass(frozen=True)
class DatasetManifest:
    """What snapshots were made of.

    Attributes:
        tables: digest of the content of each canonical table, by name.
        configuration: digest of the settings that features depend on.
        code: digest of the sources of `features`.
        libraries: version of each library that computes or writes.
        moments: the as-of moments, oldest first.
        columns: the features, in order.
        files: SHA-256 of each snapshot file, by name.
    """

    tables: dict[str, str]
    configuration: str
    code: str
    libraries: dict[str, str]
    moments: tuple[str, ...]
    columns: tuple[str, ...]
    files: dict[str, str]

    @property
    def dataset_hash(self) -> str:
        """SHA-256 over everything else."""
        return _digest(asdict(self))

    def to_json(self) -> str:
        """Return the manifest with its hash as readable JSON."""
        content = {"dataset_hash": self.dataset_hash, **asdict(self)}
        return json.dumps(content, indent=2, sort_keys=True) + "\n"


def make_manifest(
    connection: Any,
    tables: Mapping[str, ir.Table],
    settings: Settings,
    columns: Sequence[str],
    files: Mapping[str, Path],
) -> DatasetManifest:
    """Return the manifest of snapshots.

    Args:
        connection: Ibis connection to the DuckDB database that holds the tables.
        tables: the canonical tables that the features were computed from.
        settings: the project's settings.
        columns: the features, in order.
        files: the snapshots by moment, as text.
    """
    return DatasetManifest(
        tables={name: table_digest(connection, tables[name]) for name in sorted(tables)},
        configuration=configuration_digest(settings),
        code=code_digest(["features"]),
        libraries={name: version(name) for name in LIBRARIES},
        moments=tuple(sorted(files)),
        columns=tuple(columns),
        files={path.name: _file_digest(path) for path in files.values()},
    )


def read_dataset_hash(folder: Path) -> str:
    """Return the hash of the data set of the snapshots in a folder.

    Raises:
        FeatureStoreError: if it has no manifest, or one that does not match its own hash.
    """
    path = folder / MANIFEST
    rebuild = "run `bellwether features build`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.pop("dataset_hash")
    except FileNotFoundError as error:
        raise FeatureStoreError(f"the snapshots have no {MANIFEST}: {rebuild}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FeatureStoreError(f"{path.name} cannot be read ({error}): {rebuild}") from error
    if found != _digest(content):
        raise FeatureStoreError(f"{path.name} was changed after the build: {rebuild}")
    return str(found)


def table_digest(connection: Any, table: ir.Table) -> str:
    """Return a digest of the rows of a table, whatever their order."""
    columns = table.columns
    values = ", ".join(f'coalesce("{name}"::VARCHAR, {NOTHING})' for name in columns)
    source = connection.compile(table)
    # Sums of the halves of each row's digest do not depend on the order of rows.
    sql = (
        "SELECT count(*), sum(md5_number_upper(line)::HUGEINT), "  # noqa: S608 - names of ours
        "sum(md5_number_lower(line)::HUGEINT) "
        f"FROM (SELECT concat_ws({BETWEEN}, {values}) AS line FROM ({source}))"
    )
    sums = [str(value) for value in connection.con.sql(sql).fetchall()[0]]
    return _digest({"columns": {n: str(t) for n, t in table.schema().items()}, "rows": sums})


def configuration_digest(settings: Settings) -> str:
    """Return a digest of the settings that features depend on."""
    content = settings.model_dump(mode="json", include={"data", "features", "timezone"})
    return _digest(content)


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
