"""A project file is guessed from the user's orders, and the guess is told with its reason."""

import gzip
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.goals import GoalName
from features.contracts.settings import Settings, load_settings
from pipelines.init import InitResult, init_project

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.parquet"


def days(n: int, step: int = 1, style: str = "%Y-%m-%d") -> list[str]:
    return [(date(2025, 1, 1) + timedelta(days=step * k)).strftime(style) for k in range(n)]


def write_csv(file: Path, columns: Mapping[str, Sequence[Any]], sep: str = ",") -> Path:
    pd.DataFrame(columns).to_csv(file, sep=sep, index=False)
    return file


def shop(n: int = 40) -> dict[str, Sequence[Any]]:
    """Ten customers who come back every 100 days or so."""
    return {
        "CustomerID": [k % 10 for k in range(n)],
        "OrderID": list(range(n)),
        "OrderDate": days(n, step=10),
        "Total": [10.5 + k for k in range(n)],
    }


def init(tmp_path: Path, orders: Path, **options: Any) -> tuple[InitResult, Settings]:
    result = init_project(tmp_path / "project", orders=orders, **({"timezone": None} | options))
    return result, load_settings(result.project_file)


def test_project_is_written_with_reasons(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "orders.csv", shop())

    result, settings = init(tmp_path, orders)

    assert result.project_file == tmp_path / "project" / "bellwether.yaml"
    table = settings.data.tables["orders"]
    assert table.path == str(orders)
    assert table.grain == "order"
    assert table.columns == {
        "customer_id": "CustomerID",
        "order_id": "OrderID",
        "ordered_at": "OrderDate",
        "amount": "Total",
    }
    assert settings.goals.keys() == {"churn", "purchase_propensity", "clv"}
    assert settings.goals[GoalName.CHURN].horizon_days == 90
    assert settings.goals[GoalName.CHURN].active_within_days == 180
    assert settings.timezone == "UTC"
    assert result.guesses[:2] == ["customer_id <- CustomerID (name)", "order_id <- OrderID (name)"]
    assert "horizon_days: 90 (repeat orders are 100 days apart)" in result.guesses
    assert any(
        guess.startswith("timezone: UTC (the times of OrderDate carry none")
        for guess in result.guesses
    )
    assert "# ours: yours" in result.project_file.read_text()


def test_orders_within_the_project_are_named_from_it(tmp_path: Path) -> None:
    (tmp_path / "project" / "data").mkdir(parents=True)
    orders = write_csv(tmp_path / "project" / "data" / "orders.csv", shop())

    _, settings = init(tmp_path, orders)

    assert settings.data.tables["orders"].path == "data/orders.csv"


def test_orders_are_found_from_the_current_folder(tmp_path: Path) -> None:
    write_csv(tmp_path / "orders.csv", shop())  # tests run in tmp_path

    _, settings = init(tmp_path, Path("orders.csv"))

    assert settings.data.tables["orders"].path == str(tmp_path / "orders.csv")


@pytest.mark.parametrize("kind", ["tab", "semicolon", "latin-1", "gzip", "parquet"])
def test_files_of_any_kind_are_read(tmp_path: Path, kind: str) -> None:
    columns = shop() | {"Filiale": ["Köln", "Bonn"] * 20}
    orders = tmp_path / "orders.csv"
    if kind == "parquet":
        orders = tmp_path / "orders.parquet"
        pd.DataFrame(columns).to_parquet(orders)
    else:
        write_csv(orders, columns, sep={"tab": "\t", "semicolon": ";"}.get(kind, ","))
    if kind == "latin-1":
        orders.write_bytes(orders.read_text(encoding="utf-8").encode("latin-1"))
    if kind == "gzip":
        packed = tmp_path / "orders.csv.gz"
        packed.write_bytes(gzip.compress(orders.read_bytes()))
        orders = packed

    _, settings = init(tmp_path, orders)

    assert settings.data.tables["orders"].columns["channel"] == "Filiale"


def test_lines_are_told_from_orders(tmp_path: Path) -> None:
    lines: dict[str, Sequence[Any]] = {
        "Invoice": [k // 2 for k in range(40)],
        "StockCode": [f"P{k}" for k in range(40)],
        "Quantity": [1 + k % 3 for k in range(40)],
        "InvoiceDate": [day for day in days(20, step=20, style="%d.%m.%Y 8:26") for _ in (0, 1)],
        "Price": [k / 4 for k in range(40)],
        "Customer ID": [float(k // 2 % 10) for k in range(40)],
    }

    result, settings = init(tmp_path, write_csv(tmp_path / "lines.csv", lines))

    assert settings.data.tables["orders"].grain == "line"
    assert settings.data.tables["orders"].columns["amount"] == "Quantity * Price"
    assert settings.data.tables["order_lines"].columns == {
        "order_id": "Invoice",
        "customer_id": "Customer ID",
        "ordered_at": "InvoiceDate",
        "product_id": "StockCode",
        "quantity": "Quantity",
        "amount": "Quantity * Price",
    }
    assert "grain: line (40 rows name 20 orders; amounts are added up)" in result.guesses
    assert "order_lines: product_id <- StockCode (name)" in result.guesses


def test_rows_that_repeat_exactly_are_still_orders(tmp_path: Path) -> None:
    columns = {name: [*values, values[-1]] for name, values in shop().items()}

    _, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert settings.data.tables["orders"].grain == "order"


def test_lines_without_order_ids_are_added_up(tmp_path: Path) -> None:
    columns = shop() | {"sku": [f"P{k}" for k in range(40)]}
    del columns["OrderID"]

    _, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert settings.data.tables["orders"].grain == "line"
    assert settings.data.tables.keys() == {"orders"}


@pytest.mark.parametrize(
    ("style", "day_first", "reason"),
    [
        ("%d/%m/%Y", True, "month first"),
        ("%m/%d/%y 8:26", False, "day first"),
    ],
)
def test_order_of_day_and_month_is_told_from_all_dates(
    tmp_path: Path, style: str, day_first: bool, reason: str
) -> None:
    columns = shop() | {"OrderDate": days(40, step=10, style=style)}

    result, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert settings.data.day_first is day_first
    (guess,) = [guess for guess in result.guesses if guess.startswith("day_first")]
    assert "of 40 dates of OrderDate are impossible" in guess
    assert reason in guess


def test_dates_that_can_be_read_both_ways_are_pointed_out(tmp_path: Path) -> None:
    columns = shop() | {"OrderDate": [f"{k % 12 + 1}/{k % 5 + 1}/2025" for k in range(40)]}

    result, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert settings.data.day_first is False
    assert any("can be read both ways" in guess for guess in result.guesses)


def test_time_zone_is_taken_from_the_option_or_the_times(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "orders.csv", shop())
    zoned = shop() | {"OrderDate": [f"{day}T10:00:00+02:00" for day in days(40, step=10)]}

    given, settings = init(tmp_path, orders, timezone="Europe/Berlin")
    carried, _ = init(tmp_path, write_csv(tmp_path / "zoned.csv", zoned), overwrite=True)

    assert settings.timezone == "Europe/Berlin"
    assert "timezone: Europe/Berlin (as you said)" in given.guesses
    assert "timezone: UTC (the times of OrderDate carry their own)" in carried.guesses


def test_cancellations_are_recognised(tmp_path: Path) -> None:
    columns = shop() | {"is_cancelled": [k == 3 for k in range(40)]}

    result, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    table = settings.data.tables["orders"]
    assert table.columns["status"] == "is_cancelled"
    assert table.status_values == {"cancelled": [True]}
    assert "status <- is_cancelled (name; true means cancelled)" in result.guesses


def test_without_amounts_there_is_no_value_goal(tmp_path: Path) -> None:
    columns = shop()
    del columns["Total"]

    result, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert GoalName.CLV not in settings.goals
    assert any(guess.startswith("clv: left out") for guess in result.guesses)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"when": days(4), "colour": list("abcd")}, "looks like a customer id.*`when`, `colour`"),
        ({"customer": list("abab"), "colour": list("abcd")}, "looks like an order's time"),
    ],
    ids=["customer", "time"],
)
def test_file_without_customers_or_times_is_refused(
    tmp_path: Path, columns: dict[str, Sequence[Any]], said: str
) -> None:
    orders = write_csv(tmp_path / "things.csv", columns)

    with pytest.raises(ConfigurationError, match=f"no column of .*things.csv {said}"):
        init(tmp_path, orders)

    assert not (tmp_path / "project").exists()


def test_project_file_is_never_overwritten_unasked(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "orders.csv", shop())
    result, _ = init(tmp_path, orders)
    result.project_file.write_text("mine")

    with pytest.raises(ConfigurationError, match=r"project/bellwether\.yaml exists already"):
        init(tmp_path, orders)

    assert result.project_file.read_text() == "mine"
    assert [file.name for file in result.project_file.parent.iterdir()] == ["bellwether.yaml"]


def test_unknown_time_zone_and_missing_file_are_refused(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "orders.csv", shop())

    with pytest.raises(ConfigurationError, match="unknown time zone 'Mars'"):
        init(tmp_path, orders, timezone="Mars")
    with pytest.raises(SourceError, match=r"there is no file .*missing\.csv on this machine"):
        init(tmp_path, Path("missing.csv"))


def test_names_that_yaml_would_misread_survive(tmp_path: Path) -> None:
    columns = shop()
    columns["no: #1"] = columns.pop("Total")
    columns = {"Total": columns["no: #1"], **columns}
    orders = write_csv(tmp_path / "it's: #1 \u00fc.csv", columns)

    result, settings = init(tmp_path, orders)

    assert settings.data.tables["orders"].path == str(orders)
    assert yaml.safe_load(result.project_file.read_text(encoding="utf-8"))["version"] == 1


def test_cdnow_is_guessed(tmp_path: Path) -> None:
    _, settings = init(tmp_path, CDNOW)

    table = settings.data.tables["orders"]
    assert (table.grain, table.columns["ordered_at"]) == ("order", "timestamp")
    assert settings.goals[GoalName.CLV].horizon_days == 90


@pytest.mark.skipif(
    not (SHARED_DATA / "online_retail.parquet").exists(),
    reason="needs online_retail.parquet in ../shared/data",
)
def test_online_retail_is_guessed(tmp_path: Path) -> None:
    _, settings = init(tmp_path, SHARED_DATA / "online_retail.parquet")

    table = settings.data.tables["orders"]
    assert (table.grain, table.columns["amount"]) == ("line", "amount")
    assert table.status_values == {"cancelled": [True]}
    assert settings.data.tables["order_lines"].columns["quantity"] == "quantity"


def test_most_frequent_currency_is_counted_in(tmp_path: Path) -> None:
    columns = shop() | {"Currency": ["eur"] * 10 + ["gbp"] * 30, "Profit": [5.25] * 40}

    result, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    columns_found = settings.data.tables["orders"].columns
    assert (columns_found["currency"], columns_found["margin"]) == ("Currency", "Profit")
    assert settings.data.currency == "GBP"
    assert any(guess.startswith("data.currency: GBP (most rows") for guess in result.guesses)


def test_one_currency_is_no_news(tmp_path: Path) -> None:
    columns = shop() | {"Currency": ["EUR"] * 40, "Margin": [0.25, 0.5] * 20}

    _, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    assert {"currency", "margin"}.isdisjoint(settings.data.tables["orders"].columns)
    assert settings.data.currency is None


def test_device_and_link_of_returns_are_guessed(tmp_path: Path) -> None:
    columns = shop() | {
        "Platform": ["web", "app"] * 20,
        "Device Type": ["phone", "desktop"] * 20,
        "Original Order ID": [""] * 38 + ["6", "7"],
    }

    _, settings = init(tmp_path, write_csv(tmp_path / "orders.csv", columns))

    found = settings.data.tables["orders"].columns
    assert (found["channel"], found["device"]) == ("Platform", "Device Type")
    assert found["returns_order_id"] == "Original Order ID"
