"""Where batch scores go: one Parquet or CSV file, whole or not at all."""

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.contracts.errors import ConfigurationError, DataContractError
from serving.scorer import SCORE_SCHEMA

Writer = pq.ParquetWriter | pa_csv.CSVWriter

WRITERS: dict[str, Callable[[Path], Writer]] = {
    ".parquet": lambda path: pq.ParquetWriter(path, SCORE_SCHEMA),
    ".csv": lambda path: pa_csv.CSVWriter(path, SCORE_SCHEMA),
}


def write_scores(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write `tables` (columns of `SCORE_SCHEMA`) to one file at `path` and return its row count.

    The file appears when it is complete and replaces an older one; a failure leaves what was there
    before. Tables are taken one by one, so that memory holds one of them.

    Raises:
        ConfigurationError: if the suffix is neither .parquet nor .csv, or the place not writable.
        DataContractError: if a table has other columns than `SCORE_SCHEMA`.
    """
    open_writer = WRITERS.get(path.suffix.lower())
    if open_writer is None:
        raise ConfigurationError(
            f"scores cannot be written to {path}: use a name that ends in {' or '.join(WRITERS)}"
        )
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_writer(unfinished) as writer:
            rows = sum(_write(writer, table) for table in tables)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"scores cannot be written to {path}: {error}; choose another place"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return rows


def _write(writer: Writer, table: pa.Table) -> int:
    if table.schema != SCORE_SCHEMA:
        raise DataContractError(
            f"scores need the columns {', '.join(SCORE_SCHEMA.names)} with their types, "
            f"but got {', '.join(table.schema.names)}"
        )
    writer.write_table(table)
    return table.num_rows
