"""The user's rows become canonical tables, and no row gets lost on the way."""

import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.settings import DataSettings
from features.contracts.tables import TABLES
from features.sources import CanonicalTables, load_tables

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.parquet"
COLUMNS = {"customer_id": "who", "order_id": "order", "ordered_at": "when", "amount": "paid"}
NOW = datetime(2026, 6, 1, tzinfo=UTC)

Load = Callable[..., CanonicalTables]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write `text` to a file and load it as orders; settings of the table follow."""
    loaded = []

    def load_text(text: str, *, file: str = "orders.csv", **settings: Any) -> CanonicalTables:
        (tmp_path / file).write_text(text, encoding="utf-8")
        return load_orders({"path": file, "columns": COLUMNS} | settings)

    def load_orders(orders: dict[str, Any], **data: Any) -> CanonicalTables:
        timezone = data.pop("timezone", "UTC")
        tables = {"orders": orders} | data.pop("tables", {})
        canonical = load_tables(
            DataSettings(tables=tables, **data), timezone=timezone, root=tmp_path, now=NOW
        )
        loaded.append(canonical)
        return canonical

    def load_either(source: Any, **settings: Any) -> CanonicalTables:
        if isinstance(source, str):
            data = {k: settings.pop(k) for k in ("timezone", "day_first") if k in settings}
            file = settings.pop("file", "orders.csv")
            (tmp_path / file).write_text(source, encoding="utf-8")
            return load_orders({"path": file, "columns": COLUMNS} | settings, **data)
        return load_orders(source, **settings)

    yield load_either
    for canonical in loaded:
        canonical.close()


def rows_of(canonical: CanonicalTables, table: str = "orders") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = canonical.tables[table].to_pyarrow().to_pylist()
    return rows


def column(canonical: CanonicalTables, name: str, table: str = "orders") -> list[Any]:
    return [row[name] for row in rows_of(canonical, table)]


def fates(canonical: CanonicalTables, table: str = "orders") -> dict[str, int]:
    return {part.reason: part.rows for part in canonical.report.table(table).quarantined}


def test_row_becomes_an_order_in_canonical_types(load: Load) -> None:
    tables = load("who,order,when,paid\n17850.0,A1,2026-01-02 10:00,12.50\n", timezone="Asia/Tokyo")

    orders = tables.tables["orders"]
    assert {name: str(kind) for name, kind in orders.schema().items()} == {
        column.name: column.type for column in TABLES["orders"].columns
    }
    ordered_at = datetime(2026, 1, 2, 1, tzinfo=UTC)
    assert rows_of(tables) == [
        {
            "order_id": "A1",
            "customer_id": "17850",
            "ordered_at": ordered_at,
            "amount": Decimal("12.5000"),
            "discount": None,
            "margin": None,
            "currency": None,
            "channel": None,
            "device": None,
            "status": "completed",
            "returns_order_id": None,
            "known_at": ordered_at,
        }
    ]
    assert tables.first_event == tables.last_event == AsOf(ordered_at)
    assert tables.mapped == {"orders": frozenset(COLUMNS)}


def test_refused_rows_are_counted_and_kept(load: Load) -> None:
    text = (
        "who,order,when,paid\n"
        "1,a,2026-01-01,5\n"
        ",b,2026-01-01,5\nnan,c,2026-01-01,5\n"
        "2,d,,5\n2,e,soon,5\n2,f,1970-01-01,5\n2,g,2026-06-03,5\n"
        "3,h,2026-01-01,\n3,i,2026-01-01,lots\n"
        "4,j\n5,k,2026-01-01,5,6\n"
    )

    tables = load(text)

    assert fates(tables) == {
        "guest": 2,
        "missing_time": 1,
        "unreadable_time": 1,
        "ancient_date": 1,
        "future_date": 1,
        "missing_amount": 1,
        "unreadable_amount": 1,
        "unreadable_line": 2,
    }
    quality = tables.report.table("orders")
    assert (quality.rows_read, quality.rows_kept) == (11, 1)
    assert quality.guest_share == pytest.approx(2 / 11)
    samples = {part.reason: part.samples for part in quality.quarantined}
    assert samples["unreadable_time"] == ("soon",)
    assert samples["unreadable_amount"] == ("lots",)
    assert samples["unreadable_line"] == ("4,j", "5,k,2026-01-01,5,6")
    kept = tables.connection.table("quarantine").to_pyarrow().to_pylist()
    (late,) = [row for row in kept if row["reason"] == "unreadable_amount"]
    assert late["row"] == 9
    assert json.loads(late["content"]) == {
        "who": "3", "order": "i", "when": "2026-01-01", "paid": "lots"
    }  # fmt: skip


def test_an_order_of_tomorrow_in_another_time_zone_is_kept(load: Load) -> None:
    tables = load("who,order,when,paid\n1,a,2026-06-01 23:59:59,5\n")

    assert tables.report.table("orders").rows_kept == 1


def test_lines_are_added_up_into_orders(load: Load) -> None:
    text = (
        "who,order,when,paid,off,shop\n"
        "1,a,2026-01-01 10:05,5.10,-1,web\n"
        "1,a,2026-01-01 10:00,0.20,-0.5,app\n"
        "1,a,2026-01-01 10:00,0.20,-0.5,app\n"
        "2,a,2026-01-02,7,,web\n"
    )

    tables = load(text, grain="line", columns=COLUMNS | {"discount": "off", "channel": "shop"})

    first, second = rows_of(tables)
    assert first["amount"] == Decimal("5.50")
    assert first["discount"] == Decimal(2)
    assert first["channel"] == "app"
    assert first["ordered_at"] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert first["known_at"] == datetime(2026, 1, 1, 10, 5, tzinfo=UTC)
    assert (second["customer_id"], second["order_id"]) == ("2", "a")
    quality = tables.report.table("orders")
    assert (quality.rows_read, quality.rows_kept, quality.merged) == (4, 2, 2)


def test_status_is_decided_by_amount_first(load: Load) -> None:
    text = (
        "who,order,when,paid,state\n"
        "1,a,2026-01-01,5,shipped\n"
        "1,b,2026-01-02,-3,shipped\n"
        "1,c,2026-01-03,-3,void\n"
        "1,d,2026-01-04,4,VOID\n"
        "1,e,2026-01-05,4,back\n"
        "1,f,2026-01-06,0,\n"
    )

    tables = load(
        text,
        columns=COLUMNS | {"status": "state"},
        status_values={"cancelled": ["Void"], "returned": ["back"]},
    )

    assert column(tables, "status") == [
        "completed", "returned", "returned", "cancelled", "cancelled", "completed"
    ]  # fmt: skip
    spend = [row["amount"] for row in rows_of(tables) if row["status"] != "cancelled"]
    assert sum(spend) == -1


@pytest.mark.parametrize("named", [True, "True", 1], ids=repr)
def test_true_is_true_however_it_is_written(load: Load, named: Any) -> None:
    written = ["True", "true", "1", "1.0", "yes", "", "False"]
    rows = [f"1,{n},2026-01-01,5,{text}" for n, text in enumerate(written)]

    tables = load(
        "\n".join(["who,order,when,paid,void", *rows]),
        columns=COLUMNS | {"status": "void"},
        status_values={"cancelled": [named]},
    )

    assert column(tables, "status") == ["cancelled"] * 4 + ["completed"] * 3


def test_cancelled_lines_do_not_count_unless_the_order_is_cancelled(load: Load) -> None:
    text = (
        "who,order,when,paid,void\n"
        "1,a,2026-01-01,5,0\n1,a,2026-01-01,3,1\n"
        "1,b,2026-01-02,5,1\n1,b,2026-01-02,3,1\n"
        "1,c,2026-01-03,5,0\n1,c,2026-01-03,-8,1\n"
    )

    tables = load(
        text,
        grain="line",
        columns=COLUMNS | {"status": "void"},
        status_values={"cancelled": [True]},
    )

    assert column(tables, "amount") == [Decimal(5), Decimal(8), Decimal(-3)]
    assert column(tables, "status") == ["completed", "cancelled", "returned"]


def test_status_values_without_a_meaning_are_reported(load: Load) -> None:
    tables = load(
        "who,order,when,paid,state\n1,a,2026-01-01,5,done\n1,b,2026-01-02,5,parked\n",
        columns=COLUMNS | {"status": "state"},
        status_values={"completed": ["done"]},
    )

    notes = tables.report.table("orders").notes
    assert any("not in status_values" in note and "'parked' (1)" in note for note in notes)
    assert not any("'done'" in note for note in notes)


def test_exact_repetitions_of_an_order_are_put_aside(load: Load) -> None:
    tables = load("who,order,when,paid\n" + "1,a,2026-01-01,5\n" * 3 + "1,b,2026-01-01,5\n")

    quality = tables.report.table("orders")
    assert (quality.rows_kept, quality.duplicates) == (2, 2)


def test_order_with_rows_that_differ_asks_for_lines(load: Load) -> None:
    with pytest.raises(SourceError, match=r"order 'a' of customer '1' has 2 rows.*grain: line"):
        load("who,order,when,paid\n1,a,2026-01-01,5\n1,a,2026-01-01,6\n")


def test_without_order_ids_each_row_is_an_order_with_a_lasting_id(load: Load) -> None:
    columns = {name: name_ for name, name_ in COLUMNS.items() if name != "order_id"}
    rows = ["1,x,2026-01-01,5", "1,x,2026-01-01,5", "2,x,2026-01-02,5"]

    before = load("\n".join(["who,order,when,paid", *rows]), columns=columns)
    after = load("\n".join(["who,order,when,paid", "3,x,2025-12-01,5", *rows]), columns=columns)

    ids = column(before, "order_id")
    assert len(set(ids)) == 3
    assert set(ids) < set(column(after, "order_id"))


def test_without_order_ids_lines_of_one_moment_are_an_order(load: Load) -> None:
    columns = {name: name_ for name, name_ in COLUMNS.items() if name != "order_id"}
    text = "who,order,when,paid\n1,,2026-01-01,5\n1,,2026-01-01,6\n2,,2026-01-01,7\n"

    tables = load(text, columns=columns, grain="line")

    assert sorted(column(tables, "amount")) == [7, 11]


def test_rows_whose_order_id_is_blank_are_orders_of_their_own(load: Load) -> None:
    tables = load("who,order,when,paid\n1,,2026-01-01,5\n1,,2026-01-01,5\n1,a,2026-01-01,5\n")

    assert len(set(column(tables, "order_id"))) == 3
    assert any("2 rows have no order id" in note for note in tables.report.table("orders").notes)


def test_optional_value_that_cannot_be_read_is_null_and_noted(load: Load) -> None:
    tables = load(
        "who,order,when,paid,off\n1,a,2026-01-01,5,some\n1,b,2026-01-02,5,\n",
        columns=COLUMNS | {"discount": "off"},
    )

    assert column(tables, "discount") == [None, None]
    (note,) = [note for note in tables.report.table("orders").notes if "discount" in note]
    assert note == "1 values of discount cannot be read and are null, such as 'some' (row 1)"


def test_amounts_that_dwarf_all_others_are_kept_and_reported(load: Load) -> None:
    rows = [f"{n},{n},2026-01-01,10" for n in range(40)] + ["99,99,2026-01-01,2000000"]

    tables = load("\n".join(["who,order,when,paid", *rows]))

    quality = tables.report.table("orders")
    assert quality.rows_kept == 41
    assert any("2,000,000" in note for note in quality.notes)


def test_known_at_is_the_users_or_the_event_time(load: Load) -> None:
    tables = load(
        "who,order,when,paid,seen\n1,a,2026-01-01,5,2026-01-09\n1,b,2026-01-02,5,\n",
        columns=COLUMNS | {"known_at": "seen"},
    )

    assert column(tables, "known_at") == [
        datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    ]  # fmt: skip


def test_two_loads_are_identical(load: Load, tmp_path: Path) -> None:
    lines = {
        "path": "orders.csv",
        "columns": {n: c for n, c in COLUMNS.items() if n != "amount"} | {"product_id": "paid"},
    }
    (tmp_path / "orders.csv").write_text(
        "who,order,when,paid\n"
        + "".join(f"{n % 7},{n % 50},2026-01-{n % 28 + 1:02d},{n % 11}.25\n" for n in range(3000))
    )
    settings = {"path": "orders.csv", "grain": "line", "columns": COLUMNS}

    first, second = (load(settings, tables={"order_lines": lines}) for _ in range(2))

    for name in ("orders", "order_lines"):
        assert first.tables[name].to_pyarrow().equals(second.tables[name].to_pyarrow())
    assert first.report == second.report


def test_load_is_not_torn_by_later_changes_of_the_file(load: Load, tmp_path: Path) -> None:
    tables = load("who,order,when,paid\n1,a,2026-01-01,5\n")

    (tmp_path / "orders.csv").unlink()

    assert len(rows_of(tables)) == 1


@pytest.mark.parametrize("file", ["orders.csv", "orders[1].csv"])
def test_files_of_a_glob_are_matched_by_column_name(load: Load, tmp_path: Path, file: str) -> None:
    (tmp_path / "orders2.csv").write_text("paid;when;order;who\n7,50;2026-01-02;b;2\n")

    tables = load("who,order,when,paid\n1,a,2026-01-01,5\n", file=file, path="orders*.csv")

    assert column(tables, "customer_id") == ["1", "2"]


def test_file_of_a_glob_without_a_column_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / "orders2.csv").write_text("who,order,when\n")

    with pytest.raises(SourceError, match=r"orders2\.csv has no column `paid`"):
        load("who,order,when,paid\n1,a,2026-01-01,5\n", path="orders*.csv")


def test_parquet_files_of_a_glob_are_matched_by_column_name(load: Load, tmp_path: Path) -> None:
    frame = pd.DataFrame({"who": [1.0, math.nan], "order": [7, 8], "when": [20260101, 20260102]})
    frame.assign(paid=[5, 6]).to_parquet(tmp_path / "a.parquet")
    frame.assign(paid=[5.5, 6.5]).iloc[:, ::-1].to_parquet(tmp_path / "b.parquet")

    columns = {name: mine for name, mine in COLUMNS.items() if name != "order_id"}
    tables = load({"path": "*.parquet", "columns": columns})

    assert fates(tables) == {"guest": 2}
    assert column(tables, "amount") == [Decimal(5), Decimal("5.5")]


def test_latin_text_is_read_and_noted(load: Load, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(
        "who;when;paid;shop\n1;1.2.2026;3,5;Köln\n".encode("latin-1")
    )
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "paid", "channel": "shop"}

    tables = load({"path": "orders.csv", "columns": columns})

    (order,) = rows_of(tables)
    assert (order["channel"], order["amount"]) == ("Köln", Decimal("3.5"))
    assert order["ordered_at"] == datetime(2026, 2, 1, tzinfo=UTC)
    assert any("Latin-1" in note for note in tables.report.table("orders").notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who,order,when,paid\n1,a,31/12/2025,5\n", "'31/12/2025'.*data.day_first.*timezone"),
        ("who,order,when,paid\n1,a,,5\n", "orders.ordered_at: column `when` .*blank"),
        ("who,order,when,paid\n,a,2026-01-01,5\n", "orders.customer_id: column `who` .*blank"),
        ("who,order,when,paid\n1,a,2026-01-01,lots\n", "orders.amount: .*'lots'"),
        ("who,order,when,paid\n1,a,1066-01-01,5\n", "no order can be used"),
        ("who,order,when,paid\n", "has no rows"),
        ("who,order,when,paid\n1,a,2026-01-01,5,6\n", "fit its header; the first line is '1,a"),
        ("who,order,when\n1,a,2026-01-01\n", "there is no column `paid` in orders.csv"),
    ],
    ids=["times", "no times", "guests", "amounts", "dates", "rows", "lines", "column"],
)
def test_data_that_cannot_be_used_are_refused_in_one_line(load: Load, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        load(text)

    assert "\n" not in str(raised.value)


def test_swapped_day_and_month_are_noticed(load: Load) -> None:
    dates = [f"{day}/01/2026" for day in range(1, 29)]
    text = "\n".join(["who,order,when,paid", *(f"1,{d},{d},5" for d in dates)])

    with pytest.raises(SourceError, match=r"16 dates of `when`.*day_first false.*none with true"):
        load(text)

    assert len(rows_of(load(text, day_first=True))) == 28


def test_a_few_impossible_dates_are_quarantined(load: Load) -> None:
    rows = [f"1,{day},1/{day}/2026,5" for day in range(1, 29)] + ["1,x,28/1/2026,5"]

    tables = load("\n".join(["who,order,when,paid", *rows]))

    assert fates(tables) == {"unreadable_time": 1}


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + b"x" * 500], ids=["empty", "start", "no footer"]
)
def test_half_written_parquet_is_refused(load: Load, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "orders.parquet").write_bytes(content)

    with pytest.raises(SourceError, match=r"orders: .*orders\.parquet"):
        load({"path": "orders.parquet", "columns": COLUMNS})


def test_files_of_two_kinds_are_refused(load: Load, tmp_path: Path) -> None:
    pq.write_table(pa.table({"who": [1]}), tmp_path / "orders.pq")

    with pytest.raises(SourceError, match="partly CSV and partly Parquet"):
        load("who,order,when,paid\n1,a,2026-01-01,5\n", path="orders.*")


def test_unknown_time_zone_is_refused(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="unknown time zone 'Mars/Olympus'"):
        load("who,order,when,paid\n1,a,2026-01-01,5\n", timezone="Mars/Olympus")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            """CREATE TABLE sales AS SELECT
            1 AS who, 'a' AS "order", DATE '2026-01-01' AS "when", 5.5::DECIMAL(9, 2) AS paid"""
        )
        connection.execute("CREATE SCHEMA mart")
        connection.execute("CREATE VIEW mart.sales_view AS FROM sales")
    return tmp_path / "shop.duckdb"


@pytest.mark.parametrize("table", ["sales", "mart.sales_view"])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_table_of_a_duckdb_file_is_read(load: Load, shop: Path, table: str, absolute: bool) -> None:
    url = f"duckdb://{shop}" if absolute else "duckdb:///shop.duckdb"

    tables = load({"table": table, "columns": COLUMNS}, url=url)

    assert column(tables, "amount") == [Decimal("5.5")]


@pytest.mark.parametrize(
    ("url", "table", "said"),
    [
        ("duckdb:///shop.duckdb", "sale", "no table sale; did you mean `sales`?"),
        ("duckdb:///other.duckdb", "sales", "there is no DuckDB file"),
        ("duckdb:///broken.duckdb", "sales", "broken.duckdb cannot be read"),
        ("sqlite://{root}/shop.sqlite", "sale", "did you mean `sales`?"),
        ("postgres://me:secret@127.0.0.1:1/shop", "sales", "postgres://127.0.0.1/shop"),
        ("nosuch://127.0.0.1/shop", "sales", "nosuch://127.0.0.1/shop cannot be read"),
    ],
    ids=["table", "file", "broken", "sqlite", "postgres", "scheme"],
)
def test_database_that_does_not_answer_is_named(
    load: Load, shop: Path, url: str, table: str, said: str
) -> None:
    (shop.parent / "broken.duckdb").write_bytes(b"x" * 5000)
    with sqlite3.connect(shop.parent / "shop.sqlite") as database:
        database.execute("CREATE TABLE sales (who INTEGER)")
    database.close()

    with pytest.raises(SourceError) as raised:
        load({"table": table, "columns": COLUMNS}, url=url.format(root=shop.parent))

    assert said in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_table_at_an_ibis_url_is_copied(load: Load, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute("CREATE TABLE sales (who INTEGER, 'order' TEXT, 'when' TEXT, paid REAL)")
        database.executemany(
            "INSERT INTO sales VALUES (?, ?, '2026-01-01', ?)",
            [(n, f"o{n}", n / 4) for n in range(9)],
        )
    database.close()

    tables = load({"table": "sales", "columns": COLUMNS}, url=f"sqlite://{tmp_path}/shop.sqlite")

    assert column(tables, "amount") == [Decimal(n) / 4 for n in range(9)]


def test_customers_have_attributes_as_places_of_levels(load: Load, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(
        "id,Age Group,since\n1,young,2025-01-01\n2,old,\n"
        "3,ancient,2025-01-01\n3,young,2025-02-01\n,old,\n"
    )
    customers = {
        "path": "people.csv",
        "columns": {"customer_id": "id", "created_at": "since"},
        "attributes": {"Age Group": ["young", "old"]},
    }
    orders = "who,order,when,paid\n1,a,2026-01-01,5\n2,b,2026-01-01,5\n3,c,2026-01-01,5\n"
    (tmp_path / "orders.csv").write_text(orders)

    tables = load({"path": "orders.csv", "columns": COLUMNS}, tables={"customers": customers})

    found = {row["customer_id"]: row for row in rows_of(tables, "customers")}
    assert {who: row["attribute_age_group"] for who, row in found.items()} == {
        "1": 1.0, "2": 2.0, "3": 1.0
    }  # fmt: skip
    assert found["1"]["known_at"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert found["2"]["known_at"] == datetime(1970, 1, 1, tzinfo=UTC)
    assert fates(tables, "customers") == {"guest": 1, "repeated_customer": 1}
    assert "attribute_age_group" in tables.mapped["customers"]


def test_lines_and_messages_keep_what_is_theirs(load: Load, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "who,order,when,paid,sku,n\n1,a,2026-01-01,5,x,2\n1,a,2026-01-01,5,x,2\n1,a,2026-01-01,6,,1\n"
    )
    (tmp_path / "mail.csv").write_text(
        "id,to,sent,used\nm,1,2026-01-02,never\nm,1,2026-01-02,never\n"
    )
    lines = {"path": "orders.csv", "columns": COLUMNS | {"product_id": "sku", "quantity": "n"}}
    messages = {
        "path": "mail.csv",
        "columns": {
            "message_id": "id", "customer_id": "to", "sent_at": "sent", "redeemed_at": "used"
        },
    }  # fmt: skip

    tables = load(
        {"path": "orders.csv", "grain": "line", "columns": COLUMNS},
        tables={"order_lines": lines, "messages": messages},
    )

    assert column(tables, "amount") == [16]
    assert column(tables, "quantity", "order_lines") == [2.0, 2.0]
    assert fates(tables, "order_lines") == {"missing_product_id": 1}
    assert column(tables, "redeemed_at", "messages") == [None]
    assert tables.report.table("messages").duplicates == 1


def test_customer_ids_of_another_kind_are_noticed(load: Load, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("who,order,when,paid\n1,a,2026-01-01,5\n")
    (tmp_path / "people.csv").write_text("id\nC-1\nC-2\n")

    tables = load(
        {"path": "orders.csv", "columns": COLUMNS},
        tables={"customers": {"path": "people.csv", "columns": {"customer_id": "id"}}},
    )

    notes = tables.report.table("customers").notes
    assert any("only 0 of 2 customers have an order" in note for note in notes)


def test_cdnow_is_read_whole() -> None:
    columns = {"customer_id": "customer_id", "ordered_at": "timestamp", "amount": "amount"}
    settings = DataSettings(tables={"orders": {"path": str(CDNOW), "columns": columns}})

    tables = load_tables(settings, timezone="UTC", root=CDNOW.parent)

    quality = tables.report.table("orders")
    assert (quality.rows_kept, quality.customers) == (6919, 2357)
    assert str(tables.first_event) == "1997-01-01T00:00:00Z"
    tables.close()


@pytest.mark.skipif(
    not (SHARED_DATA / "online_retail.parquet").exists(),
    reason="needs online_retail.parquet in ../shared/data",
)
def test_online_retail_agrees_with_plain_sql() -> None:
    file = SHARED_DATA / "online_retail.parquet"
    columns = {
        "customer_id": "customer_id", "order_id": "order_id", "ordered_at": "timestamp",
        "amount": "quantity * unit_price", "status": "is_cancellation",
    }  # fmt: skip
    orders = {
        "path": str(file), "grain": "line", "columns": columns,
        "status_values": {"returned": [True]},
    }  # fmt: skip

    tables = load_tables(
        DataSettings(tables={"orders": orders}), timezone="Europe/London", root=file.parent
    )

    twin = duckdb.execute(
        "SELECT count(DISTINCT (order_id, customer_id)), count(DISTINCT customer_id), "
        "sum(quantity * unit_price::DECIMAL(18, 6))::DECIMAL(18, 4), count(*) "
        f"FROM '{file}' WHERE customer_id IS NOT NULL"
    ).fetchall()[0]
    found = tables.tables["orders"]
    quality = tables.report.table("orders")
    assert (quality.rows_kept, quality.customers) == twin[:2]
    assert found.amount.sum().to_pyarrow().as_py() == twin[2]
    assert fates(tables) == {"guest": 541_909 - twin[3]}
    july = found.filter(found.order_id == "558638").ordered_at.to_pyarrow().to_pylist()
    assert july == [datetime(2011, 7, 1, 7, 16, tzinfo=UTC)]  # 08:16 in London
    tables.close()


def test_spilled_data_go_away_with_the_connection(load: Load) -> None:
    tables = load("who,order,when,paid\n1,a,2026-01-01,5\n")

    assert isinstance(tables.connection, ibis.backends.duckdb.Backend)
    spill = tables.connection.con.execute("SELECT current_setting('temp_directory')").fetchall()[0][
        0
    ]
    assert not Path(spill).exists()
    tables.close()
    assert not Path(spill).exists()
