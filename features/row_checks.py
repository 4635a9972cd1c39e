"""Gives the user's rows their canonical types, and puts aside those that cannot be used.

A row is refused for what makes it useless: no customer, no time, no amount where amounts are
mapped, and what else `data_gates` says. Anything else that cannot be read becomes null and is
noted, and the row stays.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ibis

from features.column_mapping import ATTRIBUTE_PREFIX
from features.contracts.errors import SourceError
from features.contracts.tables import TABLES, TIME, Column
from features.currencies import Currencies, find_currencies
from features.data_gates import ENDS, FIRST_YEAR, SAMPLES
from features.readings import Reading
from features.repetitions import refuse_repetitions
from features.value_parsing import NUMERIC_DATE, as_text, clamp_moment
from features.value_typing import moment_of, typed_values
from features.word_parsing import matches_any

FIRST_DAY = f"{FIRST_YEAR}-01-01 00:00:00"
WRONG_ORDER_SHARE = 1 / 3
"""With day and month swapped 6 in 10 dates are impossible; so many are no slip of the pen."""


@dataclass(frozen=True)
class TypedRows:
    """Every row of the source in canonical types.

    Attributes:
        table: the mapped canonical columns, and beside them `row` (the place in the source, from
            1), `reason` (why the row is refused, else null), `blank_<column>` for key columns
            (whether nothing was given) and `lost_<column>` for others (whether it could not be
            read).
        rows: how many there are.
        refused: how many of them have a reason.
        currencies: in which currencies they are.
    """

    table: Any
    rows: int
    refused: int
    currencies: Currencies

    @property
    def usable(self) -> Any:
        """The rows that are not refused."""
        return self.table.filter(self.table.reason.isnull())


def type_rows(connection: Any, reading: Reading) -> TypedRows:
    """Return every row of the source in canonical types, kept as the table `typed_<name>`.

    Raises:
        SourceError: if no row has a readable value in a key column, day and month are swapped,
            several currencies are mixed, or many orders are described by rows that differ.
    """
    currencies = find_currencies(connection, reading)
    parsed = typed_values(connection, reading, currencies)
    keys = [column.name for column in reading.key_columns]
    typed = reading.raw.table.select(
        row=reading.raw.table.rowid() + 1,
        **parsed,
        **{f"blank_{name}": reading.blank(name) for name in keys},
        **{
            f"lost_{name}": value.isnull() & ~reading.blank(name)
            for name, value in parsed.items()
            if name not in keys and not value.type().is_string()  # any text can be read
        },
    )
    # Kept, so that each value is parsed once, however often it is looked at.
    table = connection.create_table(f"typed_{reading.name}", typed)
    times = [column.name for column in TABLES[reading.name].columns if column.type == TIME]
    table = table.mutate(**{name: clamp_moment(table[name]) for name in times if name in parsed})
    table = table.mutate(reason=_reason(reading, table, currencies))
    if reading.name == "customers":
        table = _refuse_older_versions(table)
    return _checked(connection, reading, table, currencies)


def _refuse_older_versions(typed: Any) -> Any:
    """Keep of each customer the version that was learnt last."""
    versions = ["known_at", "created_at"]
    newest = [ibis.desc(name, nulls_first=False) for name in versions if name in typed.columns]
    rest = [name for name in typed.columns if name.startswith(ATTRIBUTE_PREFIX)]
    place = ibis.row_number().over(group_by="customer_id", order_by=[*newest, *rest, "row"])
    older = typed.reason.isnull() & (place > 0)
    return typed.mutate(reason=older.ifelse("repeated_customer", typed.reason))


def _reason(reading: Reading, typed: Any, currencies: Currencies) -> Any:
    cases: list[tuple[Any, str]] = []
    for column in sorted(reading.key_columns, key=lambda c: c.name != "customer_id"):
        cases += _key_cases(reading, typed, column)
    return ibis.cases(*cases, *_odd_cases(reading, typed, currencies), else_=ibis.null("string"))


def _key_cases(reading: Reading, typed: Any, column: Column) -> list[tuple[Any, str]]:
    value, blank = typed[column.name], typed[f"blank_{column.name}"]
    if column.name == "customer_id":
        cases = [(value.isnull(), "guest")]
        if patterns := reading.data.test_customers:
            cases.append((matches_any(value, patterns), "test_customer"))
        return cases
    if column.type == TIME:
        latest = (reading.now + timedelta(days=1)).isoformat(sep=" ")
        return [
            (blank, "missing_time"),
            (value.isnull(), "unreadable_time"),
            (value < ibis.timestamp(FIRST_DAY, timezone="UTC"), "ancient_date"),
            (value > ibis.timestamp(latest, timezone="UTC"), "future_date"),
        ]
    if column.name == "amount":
        return [(blank, "missing_amount"), (value.isnull(), "unreadable_amount")]
    return [(value.isnull(), f"missing_{column.name}")]


def _odd_cases(reading: Reading, typed: Any, currencies: Currencies) -> list[tuple[Any, str]]:
    cases = []
    if currencies.foreign:
        cases.append((typed.currency.isin(currencies.foreign), "foreign_currency"))
    if "amount" in typed.columns and reading.data.max_amount is not None:
        cases.append((typed.amount.abs() > reading.data.max_amount, "absurd_amount"))
    if "price" in typed.columns:
        cases.append((typed.price < 0, "negative_price"))
    end = ENDS.get(reading.name)
    if end in typed.columns:
        start = typed[TABLES[reading.name].event_time]
        cases.append((typed[end] < start, "ends_before_start"))
    return cases


def _checked(connection: Any, reading: Reading, typed: Any, currencies: Currencies) -> TypedRows:
    readable = {column.name: typed[column.name].count() for column in reading.key_columns}
    facts = typed.aggregate(
        n=typed.count(),
        refused=typed.reason.count(),
        bad_times=(typed.reason == "unreadable_time").sum().fill_null(0),
        **readable,
    )
    (found,) = facts.to_pyarrow().to_pylist()
    for column in reading.key_columns:
        if found["n"] and not found[column.name]:
            raise SourceError(_nothing_readable(connection, reading, column))
    if found["bad_times"] > WRONG_ORDER_SHARE * found["n"]:
        _check_day_order(connection, reading)
    typed, repeated = refuse_repetitions(connection, reading, typed)
    return TypedRows(typed, found["n"], found["refused"] + repeated, currencies)


def _nothing_readable(connection: Any, reading: Reading, column: Column) -> str:
    given = reading.numbered(text=reading.given(column.name))
    few = given.filter(given.text.notnull()).order_by("key").limit(SAMPLES)
    samples = connection.to_pyarrow(few).to_pylist()
    written = " * ".join(reading.raw.columns[column.name])
    where = f"{reading.name}.{column.name}: column `{written}` of {reading.raw.origin}"
    if not samples:
        return f"{where} is blank in every row; map another column"
    values = ", ".join(f"{sample['text']!r} (row {sample['key']})" for sample in samples)
    if column.type == TIME:
        return (
            f"{where} holds no readable time, its first values are {values}; check the mapping, "
            f"data.day_first (now {str(reading.data.day_first).lower()}) and timezone"
        )
    return f"{where} holds no readable value, its first values are {values}; check the mapping"


def _check_day_order(connection: Any, reading: Reading) -> None:
    """Refuse to go on where day and month are swapped: many dates fail, and none the other way."""
    table, day_first = reading.raw.table, reading.data.day_first
    for column in reading.key_columns:
        if column.type != TIME:
            continue
        (value,) = reading.values(column.name)
        numeric = as_text(value).re_search(NUMERIC_DATE)
        failing = {
            name: (numeric & moment_of(reading, value, day_first=order).isnull()).sum().fill_null(0)
            for name, order in (("so", day_first), ("swapped", not day_first))
        }
        (found,) = connection.to_pyarrow(table.aggregate(n=table.count(), **failing)).to_pylist()
        if found["so"] > WRONG_ORDER_SHARE * found["n"] and not found["swapped"]:
            raise SourceError(
                f"{reading.name}.{column.name}: {found['so']:,} dates of `{value.get_name()}` are "
                f"impossible with data.day_first {str(day_first).lower()}, "
                f"and none with {str(not day_first).lower()}; change data.day_first"
            )
