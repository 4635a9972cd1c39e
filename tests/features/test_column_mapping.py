"""From the names in the project file to the user's columns."""

import pytest

from features.column_mapping import attribute_column, resolve_attributes, resolve_columns
from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.settings import TableSettings

COLUMNS = ("Customer ID", "InvoiceDate", "Quantity", "UnitPrice", "A * B")


def orders(**columns: str) -> TableSettings:
    return TableSettings(path="orders.csv", columns=columns)


def test_column_is_found_exactly_or_but_for_its_case() -> None:
    settings = orders(customer_id="customer id", ordered_at="InvoiceDate")

    resolved = resolve_columns("orders", settings, COLUMNS, "orders.csv")

    assert resolved == {"customer_id": ("Customer ID",), "ordered_at": ("InvoiceDate",)}


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("Quantity * UnitPrice", ("Quantity", "UnitPrice")),
        ("`quantity`*`unitprice`", ("Quantity", "UnitPrice")),
        ("A * B", ("A * B",)),
    ],
)
def test_amount_may_be_a_product(written: str, names: tuple[str, ...]) -> None:
    resolved = resolve_columns("orders", orders(amount=written), COLUMNS, "orders.csv")

    assert resolved == {"amount": names}


def test_missing_column_is_told_with_close_matches_and_all_columns() -> None:
    with pytest.raises(SourceError) as raised:
        resolve_columns("orders", orders(customer_id="Custmer ID"), COLUMNS, "orders.csv")

    assert str(raised.value) == (
        "orders: there is no column `Custmer ID` in orders.csv; did you mean `Customer ID`? its "
        "columns are `Customer ID`, `InvoiceDate`, `Quantity`, `UnitPrice`, `A * B`"
    )


@pytest.mark.parametrize("written", ["Quantity * Prize", "Quantity * UnitPrice * 2", "*"])
def test_product_of_anything_but_two_columns_is_refused(written: str) -> None:
    with pytest.raises(SourceError, match="there is no column"):
        resolve_columns("orders", orders(amount=written), COLUMNS, "orders.csv")


def test_customer_cannot_be_a_product() -> None:
    with pytest.raises(ConfigurationError, match=r"orders\.customer_id cannot be the product"):
        resolve_columns("orders", orders(customer_id="Quantity * UnitPrice"), COLUMNS, "x")


@pytest.mark.parametrize(
    ("written", "name"),
    [("Home Owner", "attribute_home_owner"), ("HomeOwner", "attribute_home_owner"),
     ("age-group (years)", "attribute_age_group_years")],
)  # fmt: skip
def test_attribute_has_a_name_in_snake_case(written: str, name: str) -> None:
    assert attribute_column(written) == name


def test_attributes_of_one_name_are_refused() -> None:
    settings = TableSettings(
        path="c.csv", columns={"customer_id": "id"}, attributes={"Age": ["1"], "age": ["1"]}
    )

    with pytest.raises(ConfigurationError, match="would both be called attribute_age"):
        resolve_attributes("customers", settings, ("id", "Age", "age"), "c.csv")


def test_only_customers_have_attributes() -> None:
    settings = TableSettings(path="o.csv", columns={}, attributes={"Age": ["1"]})

    with pytest.raises(ConfigurationError, match="only `customers` has"):
        resolve_attributes("orders", settings, ("Age",), "o.csv")


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("orders", {"customer_id": "id", "order_id": "id"}),
        ("orders", {"amount": "Quantity * UnitPrice", "margin": "quantity * unitprice"}),
        ("order_lines", {"order_id": "id", "product_id": "ID"}),
        ("customers", {"customer_id": "id", "email_consent": "id"}),
    ],
    ids=["ids", "products", "but for their case", "kinds"],
)
def test_one_column_for_two_is_refused(table: str, columns: dict[str, str]) -> None:
    settings = TableSettings(path="x.csv", columns=columns)

    with pytest.raises(ConfigurationError, match=rf"{table}\.\w+ and .* are both mapped to `"):
        resolve_columns(table, settings, ("id", "Quantity", "UnitPrice"), "x.csv")


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("orders", {"ordered_at": "at", "known_at": "at"}),
        ("customers", {"email_consent": "yes", "sms_consent": "yes", "push_consent": "yes"}),
        ("order_lines", {"amount": "n * price", "quantity": "n"}),
    ],
    ids=["times", "consents", "factor"],
)
def test_one_column_may_be_what_two_mean(table: str, columns: dict[str, str]) -> None:
    settings = TableSettings(path="x.csv", columns=columns)

    resolved = resolve_columns(table, settings, ("at", "yes", "n", "price"), "x.csv")

    assert list(resolved) == list(columns)
