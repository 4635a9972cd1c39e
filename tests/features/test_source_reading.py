"""The user's files come into DuckDB whole, or not at all."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import SourceError
from features.contracts.settings import TableSettings
from features.source_reading import read_raw
from features.sources import open_connection

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

COLUMNS = {"customer_id": "who", "ordered_at": "when"}
ROWS: dict[str, list[Any]] = {"who": [1, 2], "when": ["2026-01-01", "2026-01-02"]}


class BusyConnection:
    """A connection during whose copy somebody else appends to the file."""

    def __init__(self, file: Path) -> None:
        self._connection: Any = open_connection()
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def create_table(self, *given: Any, **named: Any) -> Any:
        with self._file.open("ab") as stream:
            stream.write(b"3,2026-01-03\n")
        return self._connection.create_table(*given, **named)


def read(path: str, folder: Path, connection: Any = None) -> Any:
    settings = TableSettings(path=path, columns=COLUMNS)
    return read_raw(connection or open_connection(), "orders", settings, database=None, root=folder)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_file_that_is_written_to_meanwhile_is_not_used(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"orders.{kind}"
    if kind == "csv":
        file.write_text("who,when\n1,2026-01-01\n")
    else:
        pq.write_table(pa.table(ROWS), file)

    with pytest.raises(SourceError, match=rf"orders\.{kind} changed while it was read"):
        read(file.name, tmp_path, BusyConnection(file))


def parts(folder: Path) -> list[Path]:
    files = [folder / f"part{n}.parquet" for n in range(3)]
    for file in files:
        pq.write_table(pa.table(ROWS), file)
    return files


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99], ids=str)
def test_half_written_parquet_of_a_glob_is_named(tmp_path: Path, share: float) -> None:
    cut = parts(tmp_path)[1]
    whole = cut.read_bytes()
    cut.write_bytes(whole[: max(1, int(share * len(whole)))])

    with pytest.raises(SourceError, match=r"part1\.parquet is half-written") as raised:
        read("*.parquet", tmp_path)

    assert "part0" not in str(raised.value)


def test_parquet_whose_middle_is_damaged_is_named(tmp_path: Path) -> None:
    damaged = parts(tmp_path)[2]
    content = bytearray(damaged.read_bytes())
    content[4:40] = b"\xff" * 36
    damaged.write_bytes(content)

    with pytest.raises(SourceError, match=r"part2\.parquet cannot be read") as raised:
        read("*.parquet", tmp_path)

    assert "\n" not in str(raised.value)


def test_parquet_of_a_glob_without_a_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"who": [1]}), parts(tmp_path)[1])

    with pytest.raises(SourceError, match=r"part1\.parquet has no column `when`"):
        read("*.parquet", tmp_path)


def test_parquet_files_whose_types_differ_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table(ROWS | {"who": ["x", "y"]}), parts(tmp_path)[1])

    raw = read("*.parquet", tmp_path)

    assert raw.table.count().to_pyarrow().as_py() == 6
    assert raw.table.who.type().is_string()
