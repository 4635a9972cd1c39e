"""Finding the user's files, and telling how they are written."""

import gzip
from pathlib import Path

import pytest

from features.contracts.errors import SourceError
from features.source_files import CsvDialect, csv_dialect, find_files, is_parquet


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (b"a,b c\n1,2\n", CsvDialect(",", "utf-8", ("a", "b c"))),
        (b"a;b\n1,5;2\n", CsvDialect(";", "utf-8", ("a", "b"))),
        (b"a\tb\r\n1\t2\r\n", CsvDialect("\t", "utf-8", ("a", "b"))),
        (b"a|b\n1|2\n", CsvDialect("|", "utf-8", ("a", "b"))),
        (b'"a,b,c";d\n1;2\n', CsvDialect(";", "utf-8", ("a,b,c", "d"))),
        ("\ufeffa,b\n".encode(), CsvDialect(",", "utf-8", ("a", "b"))),
        ("a,\u00e4\n".encode("utf-16"), CsvDialect(",", "utf-16", ("a", "\u00e4"))),
        (b"a,b\n1,\xd6\n", CsvDialect(",", "latin-1", ("a", "b"))),
        (b",p,P,p\n", CsvDialect(",", "utf-8", ("column0", "p", "P_1", "p_2"))),
        (b"only\n1\n", CsvDialect(",", "utf-8", ("only",))),
    ],
    ids=[
        "comma", "semicolon", "tab", "bar", "quoted", "mark", "utf-16", "latin-1", "names", "one",
    ],
)  # fmt: skip
def test_dialect_is_told_from_the_file(tmp_path: Path, content: bytes, dialect: CsvDialect) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(content)
    packed = tmp_path / "orders.csv.gz"
    packed.write_bytes(gzip.compress(content))

    assert csv_dialect(file, "orders") == dialect
    assert csv_dialect(packed, "orders") == dialect


def test_bad_bytes_late_in_a_large_file_are_found(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 600_000 + b"1,\xd6\n")

    assert csv_dialect(file, "orders").encoding == "latin-1"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("orders.csv", b"\n1,2\n", "first line"),
        ("orders.csv.gz", gzip.compress(b"a,b\n" * 1000)[:30], "damaged or half-written"),
        ("orders.csv.gz", b"a,b\n1,2\n", "cannot be read"),
    ],
    ids=["blank header", "cut gzip", "no gzip"],
)
def test_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(SourceError, match=said) as raised:
        csv_dialect(file, "orders")

    assert name in str(raised.value)


def test_glob_finds_files_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x\n")

    assert find_files("*.csv", tmp_path, "orders") == (tmp_path / "a.csv", tmp_path / "b.csv")
    assert find_files(str(tmp_path / "*.txt"), Path("/"), "orders") == (tmp_path / "c.txt",)


def test_name_that_looks_like_a_glob_is_found(tmp_path: Path) -> None:
    (tmp_path / "orders[1].csv").write_text("x\n")

    assert find_files("orders[1].csv", tmp_path, "orders") == (tmp_path / "orders[1].csv",)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing.csv", "there is no file missing.csv .relative paths start at "),
        ("none-*.csv", "no file matches none-"),
        ("folder", "is a folder; name its files"),
        ("empty.csv", "is empty"),
        ("book.xlsx", "Excel"),
    ],
)
def test_path_that_names_no_readable_file_is_refused(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "book.xlsx").write_text("PK")

    with pytest.raises(SourceError, match=f"orders: .*{said}"):
        find_files(path, tmp_path, "orders")


def test_parquet_is_known_by_its_suffix_or_its_first_bytes(tmp_path: Path) -> None:
    for name, content in (("a.PARQUET", b"x"), ("b.data", b"PAR1x"), ("c.csv", b"a,b")):
        (tmp_path / name).write_bytes(content)

    found = [is_parquet(tmp_path / name) for name in ("a.PARQUET", "b.data", "c.csv")]

    assert found == [True, True, False]
