"""Ibis expressions that read the user's values: who, how much, when.

Every function takes a column of whatever type the user has, and gives null for a value that it
cannot read, never a guess. Columns of text are read as people write them; columns that are typed
already are only converted. Sources are read in DuckDB, so its own functions may be used here.
"""

from typing import Any

import ibis
import ibis.expr.datatypes as dt

from features.contracts.tables import MONEY, TIME

NULL_WORDS = ("", "nan", "null", "none", "n/a", "na", "<na>", "nat", r"\n")
"""Lower-case texts that mean "nothing"; pandas, R and MySQL write them into CSV files."""

_CLOCK = r"([ ,]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?)?$"
NUMERIC_DATE = r"^\d{1,2}[/-]\d{1,2}[/-](\d{4}|\d{2})" + _CLOCK
"""Dates whose first part may be the day or the month."""

_FACTOR = "decimal(18, 6)"  # finer than money, so that only the product is rounded
_WIDE = "decimal(38, 6)"  # the same, wide enough that the product of two cannot overflow
_EARLIEST, _LATEST = "1700-01-01 00:00:00", "2300-01-01 00:00:00"

_SPACE = r"[\s\x{00a0}\x{202f}]*"
_DASH = r"[-\x{2212}]"
_CURRENCY = r"(?:\p{L}{0,3}[\p{Sc}\x{0080}]|\p{L}{1,3}\.?)?"  # 0x80 is the euro sign of Windows
_GROUP = {".": r"[,'\x{2019}\s\x{00a0}\x{202f}]", ",": r"[.'\x{2019}\s\x{00a0}\x{202f}]"}

_ISO = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?$"
_OFFSET = r"\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
_ISO_ZONED = r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?" + _OFFSET
_DOTTED_DATE = r"^\d{1,2}\.\d{1,2}\.(\d{4}|\d{2})" + _CLOCK
_NAMED_MONTH = r"^([A-Za-z]{3,9}\.?[ -]+\d|\d{1,2}[ -][A-Za-z]{3})"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_NAMED_DATES = ("%d %b ", "%d %B ", "%b %d ", "%B %d ")

on_wall_clock: Any = ibis.udf.scalar.builtin(
    lambda zone, moment: moment,
    name="timezone",
    signature=((dt.string, dt.Timestamp(scale=6)), dt.Timestamp("UTC", 6)),
)
"""The moment at which the clock on the wall of a zone shows a time."""

_try_strptime: Any = ibis.udf.scalar.builtin(
    lambda text, formats: text,
    name="try_strptime",
    signature=((dt.string, dt.Array(dt.string)), dt.Timestamp(scale=6)),
)
_make_timestamp: Any = ibis.udf.scalar.builtin(
    lambda micros: micros, name="make_timestamp", signature=((dt.int64,), dt.Timestamp(scale=6))
)

digest: Any = ibis.udf.scalar.builtin(
    lambda text: text, name="md5", signature=((dt.string,), dt.string)
)
"""MD5 of a text in hexadecimal: a stable name for a row, not a secret."""


def clean(value: Any) -> Any:
    """Return a column without what means nothing: text trimmed, words for nothing and NaN null.

    The other functions here expect columns that went through this.
    """
    kind = value.type()
    if kind.is_floating():
        return value.isnan().ifelse(ibis.null(kind), value)
    if not kind.is_string():
        return value
    text = value.strip()
    return text.lower().isin(NULL_WORDS).ifelse(ibis.null("string"), text)


def as_text(value: Any) -> Any:
    """Return a column as text, whatever its type."""
    return value if value.type().is_string() else value.cast("string")


def parse_identifier(value: Any) -> Any:
    """Return an identifier as text: the numbers 17850 and 17850.0 are both '17850'.

    Leading zeros of a text are kept, because they are part of the identifier.
    """
    kind = value.type()
    text = as_text(value)
    if kind.is_floating():  # written without an exponent as far as a float counts exactly
        whole = (value == value.floor()) & (value.abs() < 2**53)
        return whole.ifelse(value.try_cast("int64").cast("string"), text)
    if not (kind.is_string() or kind.is_decimal()):
        return text
    return text.re_search(r"^[+-]?\d+\.0+$").ifelse(text.re_replace(r"\.0+$", ""), text)


def parse_word(value: Any) -> Any:
    """Return a value of a status column in one spelling: lower case, true and 1 alike."""
    if value.type().is_boolean():
        return value.ifelse("1", "0")
    text = parse_identifier(value).lower()
    return ibis.cases((text == "true", "1"), (text == "false", "0"), else_=text)


def spell_word(value: str | int | bool) -> str:
    """Return a status value of the project file in the spelling of `parse_word`."""
    text = str(value).strip().lower()
    return {"true": "1", "false": "0"}.get(text, text)


def parse_money(value: Any, decimal_mark: str = ".") -> Any:
    """Return an amount as an exact decimal, rounded half away from zero to four places."""
    return _number_source(value, decimal_mark).try_cast(MONEY)


def parse_product(left: Any, right: Any, left_mark: str = ".", right_mark: str = ".") -> Any:
    """Return the exact product of two columns as money; factors count to six decimal places."""
    factors = (
        _number_source(value, mark).try_cast(_FACTOR).cast(_WIDE)
        for value, mark in ((left, left_mark), (right, right_mark))
    )
    product = next(factors) * next(factors)
    return product.cast("decimal(38, 12)").try_cast(MONEY)


def parse_number(value: Any, decimal_mark: str = ".") -> Any:
    """Return a number as float64; null where it is not finite."""
    number = _number_source(value, decimal_mark).try_cast("float64")
    return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)


def decimal_mark_votes(value: Any) -> Any:
    """Return how many texts of a column want a decimal comma, less those that want a point.

    Texts that can be read both ways, such as 1,234, have no vote.
    """
    comma = value.re_search(r",(\d{1,2}|\d{4,})\D*$") | value.re_search(r"\.\d{3},")
    point = value.re_search(r"\.(\d{1,2}|\d{4,})\D*$") | value.re_search(r",\d{3}\.")
    return comma.cast("int64").sum() - point.cast("int64").sum()


def parse_moment(value: Any, *, timezone: str, day_first: bool) -> Any:
    """Return a moment in UTC; what carries no zone is read on the wall clock of `timezone`.

    A bare date is its midnight there. Where the clock is put back, the later of the two moments is
    taken; a time that was skipped when the clock was put forward counts on after the jump.
    """
    kind = value.type()
    if kind.is_timestamp() and kind.timezone is not None:
        return value.cast(TIME)
    if kind.is_timestamp() or kind.is_date():
        return on_wall_clock(timezone, value.cast("timestamp(6)"))
    if kind.is_string() or kind.is_numeric():  # 19970101.0 is a date that was kept as a float
        return _parse_moment_text(parse_identifier(value), timezone, day_first)
    return ibis.null(TIME)


def clamp_moment(moment: Any) -> Any:
    """Return a moment, but none before 1700 or after 2300, which not every calendar can hold."""
    earliest, latest = (ibis.timestamp(text, timezone="UTC") for text in (_EARLIEST, _LATEST))
    clamped = ibis.greatest(ibis.least(moment, latest), earliest)
    return moment.isnull().ifelse(ibis.null(TIME), clamped)


def _number_source(value: Any, decimal_mark: str) -> Any:
    """Return what can be cast to a number: typed numbers as they are, texts in plain digits."""
    kind = value.type()
    if kind.is_string():
        return _plain_digits(value, decimal_mark)
    if kind.is_numeric() and not kind.is_boolean():
        return value
    return ibis.null("string")


def _plain_digits(text: Any, decimal_mark: str) -> Any:
    """Return an amount as people write it (`-£1,234.50`, `(12,50 €)`) as digits with a point."""
    plain = text.re_search(rf"^-?\d+(\{decimal_mark}\d*)?$")  # most are, and this is quick
    styled = text.re_search(_amount_pattern(decimal_mark))
    digits = text.re_replace(r"\p{L}+\.?", "").re_replace(f"[^0-9{decimal_mark}]", "")
    negative = text.re_search(rf"{_DASH}|\(")
    signed = negative.ifelse(ibis.literal("-") + digits, digits).replace(",", ".")
    exponent = text.re_search(r"^[+-]?\d*\.?\d+[eE][+-]?\d+$") & ibis.literal(decimal_mark == ".")
    return ibis.cases(
        (plain, text.replace(",", ".")),
        (exponent, text),
        (styled, signed),
        else_=ibis.null("string"),
    )


def _amount_pattern(mark: str) -> str:
    group, point = _GROUP[mark], rf"\{mark}"
    number = rf"(?:\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}|\d+)(?:{point}\d*)?|{point}\d+"
    sign = rf"(?:{_DASH}|\+)?"
    before = rf"(?:{sign}{_SPACE}{_CURRENCY}|{_CURRENCY}{_SPACE}{sign}){_SPACE}"
    after = rf"{_SPACE}{_CURRENCY}{_SPACE}{_DASH}?"
    return rf"^(?:{before}(?:{number}){after}|\({_SPACE}{_CURRENCY}{_SPACE}(?:{number}){after}\))$"


def _parse_moment_text(text: Any, timezone: str, day_first: bool) -> Any:
    """Return moments of text by what they look like.

    The branches write `text` as seldom as they can: within a CASE, DuckDB works out a repeated part
    as often as it is written.
    """
    zoned_text = text.re_replace(_OFFSET, r"\1").re_replace(r"(UTC|GMT)$", "Z")
    # Offsets want seconds before them: 10:00+01:00 is not read, 10:00:00+01:00 is.
    zoned_text = zoned_text.re_replace(r"([T ]\d{1,2}:\d{2})(Z|[+-])", r"\1:00\2")
    epoch = text.re_search(r"^\d{9,10}$|^\d{13}$|^\d{16}$|^\d{19}$")
    turned, dotted = _turn(text, day_first=day_first), _turn(text, day_first=True)
    half_day = text.re_search(NUMERIC_DATE) & text.re_search(r"[AaPp][Mm]$")
    wall_clocks = (
        (text.re_search(_ISO), text.try_cast("timestamp(6)")),
        (half_day, _read(turned, tuple(f"%Y-%m-%d{clock}" for clock in _CLOCKS))),
        (text.re_search(NUMERIC_DATE), turned.try_cast("timestamp(6)")),
        (text.re_search(_DOTTED_DATE), dotted.try_cast("timestamp(6)")),
        (text.re_search(r"^\d{8}$"), _read(text, ("%Y%m%d",))),
        (text.re_search(r"^\d{14}$"), _read(text, ("%Y%m%d%H%M%S",))),
        (text.re_search(_NAMED_MONTH), _named_date(text)),
    )
    return ibis.cases(
        *((looks_so, on_wall_clock(timezone, moment)) for looks_so, moment in wall_clocks),
        (text.re_search(_ISO_ZONED), zoned_text.try_cast(TIME)),
        (epoch, on_wall_clock("UTC", _since_1970(text))),
        else_=ibis.null(TIME),
    )


def _turn(text: Any, *, day_first: bool) -> Any:
    """Return a date such as 31/12/26 turned around to 2026-12-31, to be cast, which is quick."""
    order = r"\3-\2-\1 " if day_first else r"\3-\1-\2 "
    for year, century in ((r"\d{4}", ""), (r"69|[7-9]\d", "19"), (r"\d{2}", "20")):
        date = rf"^(\d{{1,2}})[/.-](\d{{1,2}})[/.-]({year})(?:[ ,]+|$)"
        text = text.re_replace(date, century + order)
    return text.strip()


def _named_date(text: Any) -> Any:
    """Return a date such as 31 Dec 2026 or December 31, 2026 on a wall clock."""
    plain = text.re_replace(r"[,-]\s*", " ")
    four, two = (
        _read(plain, tuple(date + year + clock for clock in _CLOCKS for date in _NAMED_DATES))
        for year in ("%Y", "%y")
    )
    return plain.re_search(r"\d{4}").ifelse(four, two)


def _since_1970(text: Any) -> Any:
    """Return the moment that 9 to 19 digits count from 1970: seconds, milli-, micro- or nano-."""
    count, digits = text.try_cast("int64"), text.length()
    micros = ibis.cases(
        (digits <= 10, count * 1_000_000),
        (digits == 13, count * 1_000),
        (digits == 19, (count / 1_000).floor().cast("int64")),
        else_=count,
    )
    return _make_timestamp(micros)


def _read(text: Any, formats: tuple[str, ...]) -> Any:
    return _try_strptime(text, ibis.array(list(formats)))
