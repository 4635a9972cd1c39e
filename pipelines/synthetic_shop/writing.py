"""Writes a shop as Parquet files, block by block, so that memory holds one block at a time.

Each block is one row group, so many blocks are one file. Files are made apart from one another and
may be made side by side; how many at once changes no byte.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.errors import ConfigurationError
from features.contracts.settings import PROJECT_FILE
from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.events import events_table
from pipelines.synthetic_shop.lines import draw_lines, lines_table
from pipelines.synthetic_shop.messages import messages_table
from pipelines.synthetic_shop.order_rows import orders_table
from pipelines.synthetic_shop.orders import draw_orders
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.profiles import customers_table
from pipelines.synthetic_shop.project import project_text
from pipelines.synthetic_shop.season import Clock
from pipelines.synthetic_shop.subscriptions import subscriptions_table
from pipelines.synthetic_shop.tickets import tickets_table
from pipelines.synthetic_shop.truth import TRUTH_FILE, plan_metadata, truth_table
from pipelines.whole_folder import appearing_whole

TRUTH = "truth"

Announce = Callable[[str], None]


@dataclass(frozen=True)
class WrittenShop:
    """A shop that was written: its folder, the rows of each table, and the bytes of all files."""

    folder: Path
    rows: dict[str, int]
    size_bytes: int


def write_shop(
    folder: Path, plan: ShopPlan, *, workers: int = 1, announce: Announce = lambda _: None
) -> WrittenShop:
    """Write the tables, the truth and the project file of a shop into `folder`, new or empty.

    The folder appears when it is whole. Files are made by `workers` processes; by this one if 1.

    Raises:
        ConfigurationError: if `folder` holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is not empty; name another folder for the shop")
    rows: Counter[str] = Counter()
    done = 0
    with appearing_whole(folder) as growing:
        for written in _write_files(growing, plan, workers):
            rows.update(written)
            done += written[TRUTH]
            announce(f"{done:,} of {plan.customers:,} customers")
        _join_truth(growing, plan)
        (growing / PROJECT_FILE).write_text(project_text(plan), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return WrittenShop(folder, {name: n for name, n in rows.items() if name != TRUTH}, size)


def block_tables(block: Block) -> dict[str, pa.Table]:
    """Return the canonical tables of a block's customers by name, and the truth about them."""
    orders = draw_orders(block)
    lines = draw_lines(block, orders)
    return {
        "customers": customers_table(block),
        "orders": orders_table(block, orders, lines),
        "order_lines": lines_table(block, orders, lines),
        "events": events_table(block, orders),
        "messages": messages_table(block, orders),
        "tickets": tickets_table(block, orders),
        "subscriptions": subscriptions_table(block, orders),
        TRUTH: truth_table(block, orders),
    }


def _write_files(folder: Path, plan: ShopPlan, workers: int) -> Iterator[dict[str, int]]:
    write = partial(_write_file, folder, plan)
    if min(workers, plan.files) == 1:
        yield from map(write, range(plan.files))
        return
    # Forking a process that has threads, as ours may, can hang it.
    with ProcessPoolExecutor(min(workers, plan.files), get_context("spawn")) as executor:
        yield from _side_by_side(executor, write, plan.files)


def _side_by_side(
    executor: Executor, write: Callable[[int], dict[str, int]], files: int
) -> Iterator[dict[str, int]]:
    for future in as_completed([executor.submit(write, file) for file in range(files)]):
        yield future.result()


def _write_file(folder: Path, plan: ShopPlan, file: int) -> dict[str, int]:
    """Write one file of each table; return its rows by table."""
    clock = Clock(plan)
    rows: Counter[str] = Counter()
    writers: dict[str, pq.ParquetWriter] = {}
    with ExitStack() as stack:
        for index in plan.blocks_of(file):
            for name, table in block_tables(Block(clock, index)).items():
                if name not in writers:
                    path = _part(folder, name, file)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    writers[name] = stack.enter_context(_writer(path, table.schema))
                writers[name].write_table(table, row_group_size=max(table.num_rows, 1))
                rows[name] += table.num_rows
    return dict(rows)


def _part(folder: Path, name: str, file: int) -> Path:
    parent = folder / TRUTH if name == TRUTH else folder / "data" / name
    return parent / f"part-{file:05d}.parquet"


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    repeating: Any = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    # Without Arrow's own schema, readers see plain text where we save space with dictionaries.
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=repeating,
        store_schema=False,
    )


def _join_truth(folder: Path, plan: ShopPlan) -> None:
    """Make one file of the truth's parts, row group by row group."""
    parts = sorted((folder / TRUTH).iterdir())
    with _writer(folder / TRUTH_FILE, pq.read_schema(parts[0])) as writer:
        writer.add_key_value_metadata(plan_metadata(plan))
        for part in parts:
            file = pq.ParquetFile(part)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))
    shutil.rmtree(folder / TRUTH)
