"""Finds the user's files and says how they are written: Parquet, or which kind of CSV."""

import codecs
import csv
import gzip
import io
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import BinaryIO, Literal

from features.contracts.errors import SourceError
from features.contracts.settings import PROJECT_FILE

PARQUET_SUFFIXES = (".parquet", ".pq", ".parq")
PARQUET_MARK = b"PAR1"
DELIMITERS = ",;\t|"
HEADER_BYTES = 1 << 16
CHUNK_BYTES = 1 << 20

_FOREIGN_SUFFIXES = {
    ".xlsx": "an Excel workbook: save it as CSV",
    ".xls": "an Excel workbook: save it as CSV",
    ".json": "JSON: convert it to CSV or Parquet",
    ".zip": "a ZIP archive: unpack it, or pack the CSV file with gzip",
    ".bz2": "packed with bzip2: unpack it, or pack it with gzip",
    ".zst": "packed with zstd: unpack it, or pack it with gzip",
}

Encoding = Literal["utf-8", "utf-16", "latin-1"]


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written, and what its columns are called."""

    delimiter: str
    encoding: Encoding
    columns: tuple[str, ...]


def find_files(path: str, root: Path, table: str) -> tuple[Path, ...]:
    """Return the files that `path` (a file or glob, relative to `root`) names, in order of name.

    Raises:
        SourceError: if there is none, or one is empty or of a kind that cannot be read.
    """
    place = root / Path(path).expanduser()
    if place.is_dir():
        raise SourceError(
            f"{table}: {path} is a folder; name its files with a glob such as {path}/*.parquet"
        )
    if not place.exists() and has_magic(path):
        start = Path(place.absolute().anchor)
        pattern = str(place.absolute().relative_to(start))
        files = sorted(file for file in start.glob(pattern) if file.is_file())
        if not files:
            raise SourceError(f"{table}: no file matches {path} {_where(path, root)}")
    elif not place.exists():
        raise SourceError(f"{table}: there is no file {path} {_where(path, root)}")
    else:
        files = [place]
    for file in files:
        _check_file(file, table)
    return tuple(files)


def is_parquet(file: Path) -> bool:
    """Return whether a file is Parquet: by its suffix, or else by its first bytes."""
    if file.suffix.lower() in PARQUET_SUFFIXES:
        return True
    with file.open("rb") as stream:
        return stream.read(4) == PARQUET_MARK


def check_parquet(file: Path, table: str) -> None:
    """Refuse a Parquet file that is not whole: what says what it holds is written last.

    Raises:
        SourceError: if the file does not start and end as a Parquet file does.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        start = stream.read(4)
        stream.seek(max(0, size - 8))
        end = stream.read()
    footer = int.from_bytes(end[:4], "little")
    if start != PARQUET_MARK or end[4:] != PARQUET_MARK or footer + 12 > size:
        raise SourceError(
            f"{table}: {file} is half-written or no Parquet file; write it again, under another "
            "name first, and rename it when it is whole"
        )


def csv_dialect(file: Path, table: str) -> CsvDialect:
    """Return the delimiter, encoding and columns of a CSV file, plain or packed with gzip.

    The columns are those of its first line. Names that repeat are numbered (`Price`, `Price_1`),
    because a database cannot tell them apart.

    Raises:
        SourceError: if the file cannot be read, or its first line is blank.
    """
    try:
        encoding = _encoding(file)
        with _open(file) as stream:
            head = stream.read(HEADER_BYTES)
    except (OSError, EOFError) as error:
        raise SourceError(
            f"{table}: {file} cannot be read ({error}); it may be damaged or half-written"
        ) from error
    text = codecs.getincrementaldecoder(encoding)().decode(head).lstrip("\ufeff")
    first = text.splitlines()[0] if text.strip() else ""
    if not first.strip():
        raise SourceError(f"{table}: the first line of {file} must name the columns, but is blank")
    delimiter = max(DELIMITERS, key=_outside_quotes(first).count)
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return CsvDialect(delimiter, encoding, _distinct(names))


def _check_file(file: Path, table: str) -> None:
    if reason := _FOREIGN_SUFFIXES.get(file.suffix.lower()):
        raise SourceError(f"{table}: {file} is {reason}")
    if file.stat().st_size == 0:
        raise SourceError(f"{table}: {file} is empty; export it again")


def _where(path: str, root: Path) -> str:
    if Path(path).expanduser().is_absolute():
        return "on this machine"
    return f"(relative paths start at {root}, the folder of {PROJECT_FILE})"


def _open(file: Path) -> BinaryIO:
    if file.suffix.lower() == ".gz":
        return io.BufferedReader(gzip.open(file, "rb"))
    return file.open("rb")


def _encoding(file: Path) -> Encoding:
    """Return UTF-16 if the file says so, UTF-8 if all of it is valid, and else Latin-1."""
    with _open(file) as stream:
        chunk = stream.read(CHUNK_BYTES)
        if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = stream.read(CHUNK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _distinct(names: list[str]) -> tuple[str, ...]:
    taken: dict[str, str] = {}
    for place, written in enumerate(names):
        name = stem = written.strip() or f"column{place}"
        number = 0
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken[name.lower()] = name
    return tuple(taken.values())
