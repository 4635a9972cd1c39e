"""Gives the user's rows their canonical types, and puts aside those that cannot be used.

A row is refused for what makes it useless: no customer, no time, no amount where amounts are
mapped. Anything else that cannot be read becomes null and is noted, and the row stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import ibis

from features.column_mapping import ATTRIBUTE_PREFIX, attribute_levels
from features.contracts.errors import SourceError
from features.contracts.settings import TableSettings
from features.contracts.tables import MONEY, TABLES, TIME, Column
from features.source_reading import RawTable
from features.value_parsing import (
    NUMERIC_DATE,
    as_text,
    clamp_moment,
    decimal_mark_votes,
    parse_identifier,
    parse_moment,
    parse_money,
    parse_number,
    parse_product,
    parse_word,
)

FIRST_DAY = "1990-01-01 00:00:00"
SAMPLES = 3
WRONG_ORDER_SHARE = 1 / 3
"""With day and month swapped 6 in 10 dates are impossible; so many are no slip of the pen."""


@dataclass(frozen=True)
class Reading:
    """How the rows of one canonical table are read: `now` tells which dates lie in the future."""

    name: str
    raw: RawTable
    settings: TableSettings
    timezone: str
    day_first: bool
    now: datetime

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The mapped columns without which a row is useless, in the order they are checked."""
        contract = TABLES[self.name]
        return tuple(
            column
            for column in contract.columns
            if column.name in self.raw.columns and (column.required or column.name == "amount")
        )

    def values(self, canonical: str) -> tuple[Any, ...]:
        """The user's column or columns behind a canonical one."""
        return tuple(self.raw.table[name] for name in self.raw.columns[canonical])

    def given(self, name: str) -> Any:
        """What the user wrote as a canonical column or an attribute, as text; null when blank."""
        parts = [as_text(value) for value in self._behind(name)]
        return parts[0] if len(parts) == 1 else parts[0] + " * " + parts[1]

    def blank(self, name: str) -> Any:
        """Whether the user wrote nothing as a canonical column, or only one factor of two."""
        first, *rest = (value.isnull() for value in self._behind(name))
        return first | rest[0] if rest else first

    def _behind(self, name: str) -> tuple[Any, ...]:
        if name in self.raw.attributes:
            return (self.raw.table[self.raw.attributes[name]],)
        return self.values(name)


@dataclass(frozen=True)
class TypedRows:
    """Every row of the source in canonical types.

    Attributes:
        table: the mapped canonical columns, and beside them `row` (the place in the source),
            `reason` (why the row is refused, else null), `blank_<column>` for key columns (whether
            nothing was given) and `lost_<column>` for others (whether it could not be read).
        rows: how many there are.
        refused: how many of them have a reason.
    """

    table: Any
    rows: int
    refused: int

    @property
    def usable(self) -> Any:
        """The rows that are not refused."""
        return self.table.filter(self.table.reason.isnull())


def type_rows(connection: Any, reading: Reading) -> TypedRows:
    """Return every row of the source in canonical types, kept as the table `typed_<name>`.

    Raises:
        SourceError: if no row has a readable value in a key column, or day and month are swapped.
    """
    marks = _decimal_marks(connection, reading)
    parsed = {name: _parse(reading, name, marks) for name in reading.raw.columns}
    for name, levels in attribute_levels(reading.settings).items():
        parsed[name] = _level(reading.raw.table[reading.raw.attributes[name]], levels)
    keys = [column.name for column in reading.key_columns]
    typed = reading.raw.table.select(
        row=reading.raw.table.rowid(),
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
    table = table.mutate(reason=_reason(reading, table))
    if reading.name == "customers":
        table = _refuse_older_versions(table)
    return _checked(connection, reading, table)


def _refuse_older_versions(typed: Any) -> Any:
    """Keep of each customer the version that was learnt last."""
    versions = ["known_at", "created_at"]
    newest = [ibis.desc(name, nulls_first=False) for name in versions if name in typed.columns]
    rest = [name for name in typed.columns if name.startswith(ATTRIBUTE_PREFIX)]
    place = ibis.row_number().over(group_by="customer_id", order_by=[*newest, *rest, "row"])
    older = typed.reason.isnull() & (place > 0)
    return typed.mutate(reason=older.ifelse("repeated_customer", typed.reason))


def _parse(reading: Reading, name: str, marks: Mapping[str, str]) -> Any:
    kind = TABLES[reading.name].column(name).type
    values = reading.values(name)
    points = [marks[column] for column in reading.raw.columns[name]] if kind in _NUMBERS else []
    if kind == MONEY:
        amount = parse_money if len(values) == 1 else parse_product
        parsed = amount(*values, *points)
        return parsed.abs().cast(MONEY) if name == "discount" else parsed
    if kind == "float64":
        if len(values) == 1:
            return parse_number(values[0], points[0])
        return parse_product(*values, *points).cast("float64")
    if kind == TIME:
        return _moment(reading, values[0], day_first=reading.day_first)
    return parse_word(values[0]) if name == "status" else parse_identifier(values[0])


_NUMBERS = (MONEY, "float64")


def _decimal_marks(connection: Any, reading: Reading) -> dict[str, str]:
    """Return for each of the user's number columns whether a comma or a point marks decimals."""
    contract, raw = TABLES[reading.name], reading.raw
    numbers = {
        column
        for name, columns in raw.columns.items()
        if contract.column(name).type in _NUMBERS
        for column in columns
    }
    texts = sorted(column for column in numbers if raw.table[column].type().is_string())
    marks = dict.fromkeys(numbers, ".")
    if texts:
        votes = {str(i): decimal_mark_votes(raw.table[name]) for i, name in enumerate(texts)}
        (counted,) = connection.to_pyarrow(raw.table.aggregate(**votes)).to_pylist()
        marks |= {name: "," for i, name in enumerate(texts) if (counted[str(i)] or 0) > 0}
    return marks


def _level(value: Any, levels: list[str]) -> Any:
    """Return the place of an attribute's level, from 1; null where it is none of the levels."""
    text = parse_identifier(value)
    places = [(text == level.strip(), float(place)) for place, level in enumerate(levels, 1)]
    return ibis.cases(*places, else_=ibis.null("float64")) if places else ibis.null("float64")


def _reason(reading: Reading, typed: Any) -> Any:
    cases = []
    latest = (reading.now + timedelta(days=1)).isoformat(sep=" ")
    earliest, latest = (ibis.timestamp(text, timezone="UTC") for text in (FIRST_DAY, latest))
    for column in sorted(reading.key_columns, key=lambda c: c.name != "customer_id"):
        value, blank = typed[column.name], typed[f"blank_{column.name}"]
        if column.name == "customer_id":
            cases.append((value.isnull(), "guest"))
        elif column.type == TIME:
            cases.append((blank, "missing_time"))
            cases.append((value.isnull(), "unreadable_time"))
            cases.append(((value < earliest) | (value > latest), "impossible_date"))
        elif column.name == "amount":
            cases.append((blank, "missing_amount"))
            cases.append((value.isnull(), "unreadable_amount"))
        else:
            cases.append((value.isnull(), f"missing_{column.name}"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _checked(connection: Any, reading: Reading, typed: Any) -> TypedRows:
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
    return TypedRows(typed, found["n"], found["refused"])


def _nothing_readable(connection: Any, reading: Reading, column: Column) -> str:
    text = reading.given(column.name)
    given = reading.raw.table.select(text=text).filter(text.notnull()).limit(SAMPLES)
    samples = [row["text"] for row in connection.to_pyarrow(given).to_pylist()]
    written = " * ".join(reading.raw.columns[column.name])
    where = f"{reading.name}.{column.name}: column `{written}` of {reading.raw.origin}"
    if not samples:
        return f"{where} is blank in every row; map another column"
    values = ", ".join(repr(sample) for sample in samples)
    if column.type == TIME:
        return (
            f"{where} holds no readable time, its first values are {values}; check the mapping, "
            f"data.day_first (now {str(reading.day_first).lower()}) and timezone"
        )
    return f"{where} holds no readable value, its first values are {values}; check the mapping"


def _check_day_order(connection: Any, reading: Reading) -> None:
    """Refuse to go on where day and month are swapped: many dates fail, and none the other way."""
    table, now = reading.raw.table, str(reading.day_first).lower()
    for column in reading.key_columns:
        if column.type != TIME:
            continue
        (value,) = reading.values(column.name)
        numeric = as_text(value).re_search(NUMERIC_DATE)
        failing = {
            name: (numeric & _moment(reading, value, day_first=order).isnull()).sum().fill_null(0)
            for name, order in (("so", reading.day_first), ("swapped", not reading.day_first))
        }
        (found,) = connection.to_pyarrow(table.aggregate(n=table.count(), **failing)).to_pylist()
        if found["so"] > WRONG_ORDER_SHARE * found["n"] and not found["swapped"]:
            raise SourceError(
                f"{reading.name}.{column.name}: {found['so']:,} dates of `{value.get_name()}` are "
                f"impossible with data.day_first {now}, "
                f"and none with {str(not reading.day_first).lower()}; change data.day_first"
            )


def _moment(reading: Reading, value: Any, *, day_first: bool) -> Any:
    return parse_moment(value, timezone=reading.timezone, day_first=day_first)
