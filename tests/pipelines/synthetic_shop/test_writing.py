import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import ConfigurationError
from features.contracts.settings import load_settings
from features.contracts.tables import TABLES
from features.sources import load_tables
from pipelines.synthetic_shop.blocks import Block
from pipelines.synthetic_shop.season import Clock
from pipelines.synthetic_shop.writing import WrittenShop, block_tables, write_shop
from tests.pipelines.projects import checksums
from tests.pipelines.synthetic_shop.shops import END, SMALL, rows


def test_same_plan_gives_the_same_bytes_however_many_write(shop: Path, tmp_path: Path) -> None:
    write_shop(tmp_path / "again", SMALL, workers=2)

    assert checksums(tmp_path / "again") == checksums(shop)


def test_another_seed_gives_another_shop(shop: Path, tmp_path: Path) -> None:
    write_shop(tmp_path / "other", replace(SMALL, seed=6))

    assert checksums(tmp_path / "other").keys() == checksums(shop).keys()
    assert not set(checksums(tmp_path / "other").values()) & set(checksums(shop).values())


def test_block_is_the_same_whatever_was_drawn_before_it(shop: Path) -> None:
    alone = block_tables(Block(Clock(SMALL), 3))

    for name in TABLES:
        file = pq.ParquetFile(shop / "data" / name / "part-00001.parquet")
        assert plain(alone[name]).equals(file.read_row_group(1))


def plain(table: pa.Table) -> pa.Table:
    """Return the table without dictionaries, as it is read from Parquet."""
    kinds = {f.name: f.type for f in table.schema if pa.types.is_dictionary(f.type)}
    for name, kind in kinds.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].cast(kind.value_type))
    return table.combine_chunks()


def test_every_customer_is_there_once(shop: Path) -> None:
    ((n, customers, first, last),) = rows(
        "select count(*), count(distinct customer_id), min(customer_id), max(customer_id)"
        " from customers",
        shop,
    )

    assert n == customers == SMALL.customers
    assert (first, last) == ("c00000000", "c00000899")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("orders", "order_id"),
        ("events", "event_id"),
        ("messages", "message_id"),
        ("tickets", "ticket_id"),
        ("subscriptions", "subscription_id"),
    ],
)
def test_ids_are_unique_in_the_whole_shop(table: str, key: str, shop: Path) -> None:
    ((n, distinct),) = rows(f"select count(*), count(distinct {key}) from {table}", shop)

    assert n == distinct > 0


@pytest.mark.parametrize("table", TABLES)
def test_rows_belong_to_customers_who_had_joined_and_were_learnt_by_the_end(
    table: str, shop: Path
) -> None:
    moment = TABLES[table].event_time
    strays = rows(
        f"select * from {table} t left join customers c using (customer_id)"
        f" where c.created_at is null or t.{moment} < c.created_at - interval 1 hour"
        f" or t.known_at < t.{moment} or t.known_at >= '{END}'::timestamptz"
        f" or t.{moment} is null",
        shop,
    )

    assert strays == []


@pytest.mark.parametrize("table", ["orders", "order_lines", "events"])
def test_a_few_rows_are_learnt_late(table: str, shop: Path) -> None:
    moment = TABLES[table].event_time
    ((share,),) = rows(f"select avg((known_at > {moment})::int) from {table}", shop)

    assert 0.002 < share < 0.06


def test_what_was_counted_is_what_was_written(written: WrittenShop) -> None:
    for name, n in written.rows.items():
        assert rows(f"select count(*) from {name}", written.folder) == [(n,)]
    assert set(written.rows) == set(TABLES)
    assert written.size_bytes > 100_000


def test_every_column_of_every_table_is_there_and_mapped(shop: Path) -> None:
    data = load_settings(shop / "bellwether.yaml").data

    for name, contract in TABLES.items():
        columns = {column.name for column in contract.columns}
        written = {name for name, *_ in rows(f"describe {name}", shop)}
        assert set(data.tables[name].columns) == columns == written - {"age"}


@pytest.mark.filterwarnings("ignore:fetch_arrow_table")  # Ibis still calls it by its old name
def test_all_rows_load_and_none_is_quarantined(written: WrittenShop) -> None:
    settings = load_settings(written.folder / "bellwether.yaml")

    tables = load_tables(
        settings.data,
        timezone="UTC",
        root=written.folder,
        now=datetime(2026, 1, 2, tzinfo=UTC),
    )

    try:
        kept = {name: tables.report.table(name).rows_kept for name in TABLES}
        assert tables.connection.table("quarantine").count().to_pyarrow().as_py() == 0
        assert kept == written.rows
    finally:
        tables.close()


def test_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")

    with pytest.raises(ConfigurationError, match="is not empty; name another folder"):
        write_shop(tmp_path, SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_interrupted_shop_leaves_a_folder_that_the_next_one_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shop(tmp_path / "shop", SMALL, announce=interrupt)
    assert not (tmp_path / "shop").exists()

    write_shop(tmp_path / "shop", SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_memory_does_not_grow_with_the_shop(tmp_path: Path) -> None:
    peaks = []
    for customers in (2_000, 8_000):
        plan = replace(SMALL, customers=customers, block_customers=500, file_blocks=8)
        tracemalloc.start()
        write_shop(tmp_path / f"{customers}", plan)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert pa.total_allocated_bytes() < 100_000_000

    assert peaks[1] < 1.3 * peaks[0]
