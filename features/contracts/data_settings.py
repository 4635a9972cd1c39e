"""The section `data` of the project file: where the user's data are, and how they are read."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.contracts.suggestions import suggestion
from features.contracts.tables import TABLES, EventType

TEST_CUSTOMERS = (
    "test",
    "test_*",
    "test-*",
    "test[0-9]*",
    "*@example.com",
    "*@example.org",
    "*@example.net",
    "*@*.example",
    "*@*.test",
    "*@*.invalid",
)
"""Ids that no real customer has: the word `test` on its own, and addresses reserved for examples.

Not `test*`: there are people called Testa and Testerman.
"""

Currency = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=20)]
Rate = Annotated[Decimal, Field(gt=0, lt=1_000_000, decimal_places=8)]


class Section(BaseModel):
    """A part of the project file: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TableSettings(Section):
    """Where one canonical table is, and how the user's columns map to it."""

    path: str | None = None
    """File or glob (Parquet or CSV), relative to the project file. Give this or `table`."""
    table: str | None = None
    """Table of the database at `data.url`. Give this or `path`."""
    grain: Literal["order", "line"] = "order"
    """For `orders`: whether a row is an order, or a line of one (lines are then added up)."""
    columns: dict[str, str]
    """Canonical column -> the user's column, or a product of two: `quantity * unit_price`."""
    status_values: dict[Literal["completed", "cancelled", "returned"], list[str | int | bool]] = {}
    """For `orders`: values of the status column by meaning; any other value counts as completed."""
    type_values: dict[EventType, list[str | int]] = {}
    """For `events`: values of the type column by kind; any other value is kept as it is."""
    attributes: dict[str, list[str]] = {}
    """For `customers`: the user's column -> its levels, lowest first; the feature is the place."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.table is None):
            raise ValueError("give exactly one of `path` and `table`")
        return self

    @field_validator("type_values")
    @classmethod
    def _one_kind_each(
        cls, kinds: dict[EventType, list[str | int]]
    ) -> dict[EventType, list[str | int]]:
        meant: dict[str, EventType] = {}
        for kind, values in kinds.items():
            for value in values:
                word = str(value).strip().lower()
                if meant.setdefault(word, kind) is not kind:
                    raise ValueError(f"`{value}` cannot mean both {meant[word]} and {kind}")
        return kinds


class DataSettings(Section):
    """The user's data."""

    url: str | None = None
    """Ibis URL of a database: `duckdb:///shop.duckdb`, `postgresql://me@host/shop`, `pyspark://`."""
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How long to wait for PostgreSQL: to connect, and for each batch of rows."""
    day_first: bool = False
    """Whether dates with slashes start with the day (31/12/2026) or the month (12/31/2026)."""
    currency: Currency | None = None
    """Currency of all amounts, such as GBP. Needed when `currency` of orders names several."""
    exchange_rates: dict[Currency, Rate] = {}
    """Another currency -> what one unit of it is worth in `data.currency`; such rows are kept."""
    max_amount: Annotated[Decimal, Field(gt=0)] | None = None
    """Rows with a larger amount, paid or taken back, are quarantined; if null, they are noted."""
    test_customers: tuple[str, ...] = TEST_CUSTOMERS
    """Patterns (`*`, `?`, `[0-9]`) of customer ids that are not customers; case does not matter."""
    tables: dict[str, TableSettings]
    """The canonical tables there are; only `orders` is required."""

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, tables: dict[str, TableSettings]) -> dict[str, TableSettings]:
        if "orders" not in tables:
            raise ValueError("the table `orders` is required")
        for name, table in tables.items():
            if name not in TABLES:
                raise ValueError(f"unknown table `{name}`; known are {', '.join(TABLES)}")
            _check_columns(name, table)
        return tables

    @model_validator(mode="after")
    def _url_for_tables(self) -> Self:
        named = [name for name, table in self.tables.items() if table.table is not None]
        if named and self.url is None:
            raise ValueError(f"table `{named[0]}` is in a database: set `data.url`")
        return self

    @model_validator(mode="after")
    def _rates_into_one_currency(self) -> Self:
        if self.exchange_rates and self.currency is None:
            raise ValueError("`exchange_rates` need `data.currency`, which they lead to")
        return self


def _check_columns(name: str, table: TableSettings) -> None:
    known = sorted(column.name for column in TABLES[name].columns)
    unknown = sorted(set(table.columns) - set(known))
    if unknown:
        raise ValueError(
            f"table `{name}` has no column `{unknown[0]}`; "
            f"{suggestion(unknown[0], known)}it has {', '.join(known)}"
        )
    missing = [c.name for c in TABLES[name].columns if c.required and c.name not in table.columns]
    if missing:
        raise ValueError(f"table `{name}` needs the column `{missing[0]}`: map it under `columns`")
