"""One currency for all amounts: others are converted at a given rate, or put aside.

A sum of pounds and euros is no amount of anything. So where orders name several currencies, the
project has to say which one it counts in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ibis

from features.contracts.errors import SourceError
from features.contracts.tables import MONEY, TABLES
from features.readings import Reading
from features.value_parsing import parse_identifier

_RATE = "decimal(18, 8)"


@dataclass(frozen=True)
class Currencies:
    """The currencies of a table's rows.

    Attributes:
        own: the one that amounts are counted in; None where the rows name none.
        rates: what one unit of another currency is worth in it, for those that occur.
        foreign: rows of currencies that have no rate.
        counts: how many rows name each currency.
    """

    own: str | None
    rates: Mapping[str, Decimal]
    foreign: tuple[str, ...]
    counts: Mapping[str, int]

    def converted(self, reading: Reading, parsed: dict[str, Any]) -> dict[str, Any]:
        """Return the columns with money in our own currency; amounts without one are in it."""
        if "currency" not in parsed or self.own is None:
            return parsed
        code = _code(reading).fill_null(self.own)
        known = code.isin(list(self.rates))
        named = parsed | {"currency": known.ifelse(self.own, code)}
        if not self.rates:
            return named
        factors = [
            (code == name, ibis.literal(rate, _RATE)) for name, rate in sorted(self.rates.items())
        ]
        factor = ibis.cases(*factors, else_=ibis.literal(Decimal(1), _RATE))
        money = {
            name: (value * factor).try_cast(MONEY)
            for name, value in parsed.items()
            if name in _money_columns(reading.name)
        }
        return named | money

    def notes(self) -> list[str]:
        """Say what was converted."""
        return [
            f"{self.counts[name]:,} rows in {name} are converted to {self.own} at {rate}"
            for name, rate in sorted(self.rates.items())
        ]


def find_currencies(connection: Any, reading: Reading) -> Currencies:
    """Return the currencies that the rows name.

    Raises:
        SourceError: if there are several, and the project does not say which one counts.
    """
    if "currency" not in reading.raw.columns:
        return Currencies(reading.data.currency, {}, (), {})
    codes = reading.raw.table.select(code=_code(reading))
    named = codes.filter(codes.code.notnull())
    counted = named.group_by("code").agg(n=named.count()).order_by(ibis.desc("n"), "code")
    counts = {row["code"]: row["n"] for row in connection.to_pyarrow(counted).to_pylist()}
    own = (reading.data.currency or "").upper() or None
    if own is None:
        if len(counts) > 1:
            raise SourceError(_choose(reading, counts))
        own = next(iter(counts), None)
    rates = {name.upper(): rate for name, rate in reading.data.exchange_rates.items()}
    used = {name: rates[name] for name in counts if name in rates and name != own}
    foreign = tuple(name for name in counts if name != own and name not in used)
    return Currencies(own, used, foreign, counts)


def _code(reading: Reading) -> Any:
    (value,) = reading.values("currency")
    return parse_identifier(value).upper()


def _money_columns(table: str) -> set[str]:
    return {column.name for column in TABLES[table].columns if column.type == MONEY}


def _choose(reading: Reading, counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{name} ({n:,} rows)" for name, n in list(counts.items())[:5])
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    first, second = list(counts)[:2]
    return (
        f"{reading.name}: `{' '.join(reading.raw.columns['currency'])}` of {reading.raw.origin} "
        f"names several currencies: {listed}{more}; say which one counts with "
        f"data.currency: {first}. Rows of the others are then quarantined, unless "
        f"data.exchange_rates converts them, such as {second}: 1.1"
    )
