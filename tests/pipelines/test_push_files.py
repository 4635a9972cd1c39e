import io
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import DataContractError, SourceError
from pipelines.push_files import LINES_AT_ONCE, arriving, json_row, json_rows, read_rows


def test_json_lines_keep_amounts_to_the_last_digit() -> None:
    rows = json_rows(['{"customer_id": "ann", "amount": 0.1}\n', "\n", '{"amount": "12.50"}'])

    assert rows == [{"customer_id": "ann", "amount": Decimal("0.1")}, {"amount": "12.50"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 7 is not JSON"),
        ("[1]", "line 7 is not a JSON object"),
        ('{"amount": NaN}', "line 7 is not JSON: NaN is not a value"),
    ],
    ids=["cut", "list", "not a number"],
)
def test_a_line_that_is_no_row_is_named(line: str, said: str) -> None:
    with pytest.raises(DataContractError, match=said):
        json_row(7, line)


def test_files_are_read_by_their_names(tmp_path: Path) -> None:
    row = {"order_id": "1", "customer_id": "ann"}
    (tmp_path / "rows.csv").write_text("\ufefforder_id,customer_id\n1,ann\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"order_id": "1", "customer_id": "ann"}\n')
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "rows.parquet")

    for name in ("rows.csv", "rows.jsonl", "rows.parquet"):
        assert read_rows(tmp_path / name) == [row]


def test_a_line_of_another_length_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("order_id,customer_id\n1,ann\n2\n")

    with pytest.raises(DataContractError, match="line 3 does not fit"):
        read_rows(tmp_path / "rows.csv")


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.jsonl"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=name):
        read_rows(tmp_path / name)


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"rows")

    with pytest.raises(SourceError, match=r"rows\.parquet cannot be read"):
        read_rows(tmp_path / "rows.parquet")


def test_a_stream_yields_every_line_with_its_number() -> None:
    text = "".join(f'{{"n": {number}}}\n\n' for number in range(2 * LINES_AT_ONCE))

    batches = list(arriving(io.StringIO(text)))

    lines = [line for batch in batches for line in batch]
    assert [number for number, _ in lines] == list(range(1, 4 * LINES_AT_ONCE, 2))
    assert max(len(batch) for batch in batches) <= LINES_AT_ONCE
    assert list(arriving(io.StringIO(""))) == []
