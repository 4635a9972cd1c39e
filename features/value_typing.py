"""Which way of reading each canonical column is read in, from its type."""

from collections.abc import Mapping
from typing import Any

import ibis

from features.column_mapping import attribute_levels
from features.contracts.tables import MONEY, TABLES, TIME, YES_NO
from features.currencies import Currencies
from features.readings import Reading
from features.value_parsing import (
    decimal_mark_votes,
    parse_identifier,
    parse_moment,
    parse_money,
    parse_number,
    parse_product,
    parse_word,
)
from features.word_parsing import parse_kind, parse_yes_no

_NUMBERS = (MONEY, "float64")


def typed_values(connection: Any, reading: Reading, currencies: Currencies) -> dict[str, Any]:
    """Return the mapped canonical columns and attributes as expressions over the user's rows."""
    marks = _decimal_marks(connection, reading)
    parsed = {name: _parse(reading, name, marks) for name in reading.raw.columns}
    parsed = currencies.converted(reading, parsed)
    for name, levels in attribute_levels(reading.settings).items():
        parsed[name] = _level(reading.raw.table[reading.raw.attributes[name]], levels)
    return parsed


def moment_of(reading: Reading, value: Any, *, day_first: bool) -> Any:
    """Return a column of times as moments, with day or month first."""
    return parse_moment(value, timezone=reading.timezone, day_first=day_first)


def _parse(reading: Reading, name: str, marks: Mapping[str, str]) -> Any:
    kind = TABLES[reading.name].column(name).type
    values = reading.values(name)
    if kind in _NUMBERS:
        points = [marks[column] for column in reading.raw.columns[name]]
        return _number(name, kind, values, points)
    if kind == TIME:
        return moment_of(reading, values[0], day_first=reading.data.day_first)
    if kind == YES_NO:
        return parse_yes_no(values[0])
    if name == "type":
        return parse_kind(values[0], reading.settings.type_values)
    return parse_word(values[0]) if name == "status" else parse_identifier(values[0])


def _number(name: str, kind: str, values: tuple[Any, ...], points: list[str]) -> Any:
    if kind == MONEY:
        amount = parse_money if len(values) == 1 else parse_product
        parsed = amount(*values, *points)
        return parsed.abs().cast(MONEY) if name == "discount" else parsed
    if len(values) == 1:
        return parse_number(values[0], points[0])
    return parse_product(*values, *points).cast("float64")


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
