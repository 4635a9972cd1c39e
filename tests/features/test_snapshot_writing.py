from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.vectors import SNAPSHOT_EPOCH
from features.snapshot_writing import SnapshotWriter, snapshot_schema
from tests.features.hand_made import T

COLUMNS = ("orders_7d", "gap_days_mean")


def part(*customers: str) -> pa.Table:
    numbers = [float(len(customer)) for customer in customers]
    content: dict[str, Any] = {
        "customer_id": list(customers),
        "gap_days_mean": numbers,
        "orders_7d": numbers,
    }
    return pa.table(content)


def write(path: Path, *parts: pa.Table, finish: bool = True) -> int:
    with (
        ThreadPoolExecutor(1) as thread,
        SnapshotWriter(T, path, COLUMNS, thread) as writer,
    ):
        for some in parts:
            writer.write(some)
        if finish:
            writer.finish()
    return writer.rows


def test_parts_follow_each_other_with_the_times_of_the_moment(tmp_path: Path) -> None:
    rows = write(tmp_path / "s.parquet", part("a", "bb"), part("ccc"))

    found = pq.read_table(tmp_path / "s.parquet")
    assert rows == 3
    assert found.schema == snapshot_schema(COLUMNS)
    assert found["customer_id"].to_pylist() == ["a", "bb", "ccc"]
    assert found["orders_7d"].to_pylist() == [1.0, 2.0, 3.0]
    assert set(found["as_of"].to_pylist()) == set(found["known_at"].to_pylist()) == {T.moment}
    assert set(found[SNAPSHOT_EPOCH].to_pylist()) == {T.moment.timestamp()}


def test_a_snapshot_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", part("a"), finish=False)

    assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="gap_days_mean"):
        write(tmp_path / "s.parquet", part("a").drop_columns(["gap_days_mean"]))

    assert list(tmp_path.iterdir()) == []
