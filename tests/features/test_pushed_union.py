from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.contracts.errors import FeatureStoreError
from features.push_log import PushLog
from features.pushed_rows import check_rows
from features.pushed_union import add_pushed_rows
from pipelines.wiring import Project
from tests.pipelines.pushed_shop import NOW, order, visit, write_shop

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return write_shop(tmp_path / "shop")


def push(shop: Project, table: str, *rows: dict[str, Any]) -> None:
    mapped = {name: frozenset(own.columns) for name, own in shop.settings.data.tables.items()}
    checked = check_rows(table, rows, mapped=mapped, timezone="UTC", now=NOW)
    PushLog(shop.layout.pushed).append(checked)


def loaded(shop: Project, sql: str) -> Any:
    data = shop.load_data()
    try:
        return data.connection.con.execute(sql).fetchall()
    finally:
        data.close()


def test_pushed_rows_are_among_the_data(shop: Project) -> None:
    push(shop, "orders", order("new", amount="7"))
    push(shop, "events", visit("new", device="phone"))

    found = "SELECT amount::DOUBLE, status FROM orders WHERE order_id = 'new'"
    assert loaded(shop, found) == [(7.0, "completed")]
    assert loaded(shop, "SELECT device FROM events WHERE event_id = 'new'") == [("phone",)]


def test_the_users_tables_have_the_last_word(shop: Project) -> None:
    push(shop, "orders", order("ann-0", amount="7"))

    found = "SELECT amount::DOUBLE FROM orders WHERE order_id = 'ann-0'"
    assert loaded(shop, found) == [(10.5,)]


def test_pushed_rows_do_not_move_the_end_of_the_data(shop: Project) -> None:
    data = shop.load_data()
    before = data.last_event
    data.close()

    push(shop, "orders", order("new"))

    data = shop.load_data()
    assert data.last_event == before
    data.close()


def test_tables_that_the_project_has_no_longer_are_passed_over(shop: Project) -> None:
    push(shop, "events", visit())
    push(shop, "orders", order())
    data = shop.load_data()
    del data.tables["events"]

    added = add_pushed_rows(data, shop.layout.pushed)

    assert added == 0  # the order is there already
    data.close()


def test_a_log_that_does_not_fit_the_tables_is_told(shop: Project) -> None:
    push(shop, "orders", order("new", ordered_at=NOW - timedelta(days=1)))
    data = shop.load_data()
    data.connection.raw_sql("DROP TABLE orders")

    with pytest.raises(FeatureStoreError, match="pushed rows of orders cannot be added"):
        add_pushed_rows(data, shop.layout.pushed)
    data.close()
