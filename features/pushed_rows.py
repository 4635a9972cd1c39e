"""Rows as they are pushed: one mapping of canonical columns to plain values each, checked strictly.

Unlike a file of the user's, a push has an author who can be told what is wrong. So nothing is
guessed and nothing is put aside: the first fault refuses the whole push, before anything is kept.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from features.contracts.errors import DataContractError
from features.contracts.tables import (
    CANCELLED,
    COMPLETED,
    MONEY,
    RETURNED,
    TABLES,
    TIME,
    YES_NO,
    TableContract,
)
from features.push_log import PushedRow, time_text

ROW_IDS = {
    "customers": "customer_id",
    "orders": "order_id",
    "events": "event_id",
    "messages": "message_id",
    "tickets": "ticket_id",
    "subscriptions": "subscription_id",
}
"""The column that tells rows of a customer apart. Lines of orders have none."""

FUTURE_DAYS = 1
"""A row may be dated so far ahead of the clock: a day is left for other time zones."""

ATTRIBUTE_PREFIX = "attribute_"
STATUSES = (COMPLETED, CANCELLED, RETURNED)


def check_rows(
    table: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    mapped: Mapping[str, frozenset[str]],
    timezone: str,
    now: datetime,
) -> list[PushedRow]:
    """Return the rows in canonical form.

    A row without `known_at` is learnt `now`. Rows without an id are told apart by what they say,
    equal ones of one push by their number, so that the same push again changes nothing.

    Args:
        table: the canonical table.
        rows: canonical column -> value. Times are ISO 8601 text or datetimes, money is text or a
            number, attributes are the places of their levels.
        mapped: columns that the project has, by table.
        timezone: of times that carry none.
        now: the present; rows may be dated a day later at most.

    Raises:
        DataContractError: if the table, a column or a value is not what it should be; the message
            names the row.
    """
    if table not in TABLES:
        raise DataContractError(f"there is no table `{table}`; known are {', '.join(TABLES)}")
    if table not in mapped:
        raise DataContractError(
            f"the project has no table `{table}`, so no feature reads it; map it under "
            "data.tables and run `bellwether features build`"
        )
    attributes = {name for name in mapped[table] if name.startswith(ATTRIBUTE_PREFIX)}
    reading = _Reading(TABLES[table], attributes, ZoneInfo(timezone), now)
    seen: Counter[str] = Counter()
    return [reading.row(number, row, seen) for number, row in enumerate(rows, 1)]


class _Reading:
    def __init__(
        self, contract: TableContract, attributes: set[str], zone: ZoneInfo, now: datetime
    ) -> None:
        self._contract = contract
        self._types = {column.name: column.type for column in contract.columns}
        self._types.update(dict.fromkeys(attributes, "float64"))
        self._zone = zone
        self._now = now
        self._latest = time_text(now + timedelta(days=FUTURE_DAYS))

    def row(self, number: int, row: Mapping[str, Any], seen: Counter[str]) -> PushedRow:
        table = self._contract.name
        if not isinstance(row, Mapping):
            raise DataContractError(f"{table}, row {number}: not a mapping of columns to values")
        content = {name: self._value(number, name, value) for name, value in row.items()}
        self._require(number, content)
        if table == "orders":
            content["status"] = self._status(number, content)
        digest = _digest(content)
        row_id = content.get(ROW_IDS.get(table, ""))
        if row_id is None:
            seen[digest] += 1
            row_id = f"row-{digest[:20]}-{seen[digest]}"
            if table in ROW_IDS:
                content[ROW_IDS[table]] = row_id
        return PushedRow(
            table=table,
            customer_id=content["customer_id"],
            row_id=row_id,
            digest=digest,
            known_at=self._known_at(content),
            content=content,
        )

    def _value(self, number: int, name: str, value: Any) -> Any:
        if name not in self._types:
            raise DataContractError(
                f"{self._contract.name}, row {number}: there is no column `{name}`; "
                f"it has {', '.join(self._types)}"
            )
        if value is None or value == "":
            return None
        try:
            return self._read(self._types[name], value)
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            raise DataContractError(
                f"{self._contract.name}, row {number}: `{name}` cannot be {value!r}; "
                f"{_WANTED[self._types[name]]}"
            ) from error

    def _read(self, kind: str, value: Any) -> Any:
        if kind == TIME:
            return time_text(_moment(value, self._zone))
        return _READERS[kind](value)

    def _require(self, number: int, content: Mapping[str, Any]) -> None:
        table = self._contract.name
        for column in self._contract.columns:
            if column.required and content.get(column.name) is None:
                raise DataContractError(f"{table}, row {number}: `{column.name}` is missing")
        event_time = content.get(self._contract.event_time)
        if event_time is not None and event_time > self._latest:
            raise DataContractError(
                f"{table}, row {number}: {event_time} lies more than a day in the future of "
                f"{time_text(self._now)}"
            )

    def _status(self, number: int, content: Mapping[str, Any]) -> str:
        """Return the status as sources have it: an amount below zero takes value back."""
        said = content.get("status") or COMPLETED
        if said not in STATUSES:
            raise DataContractError(
                f"orders, row {number}: `status` cannot be {said!r}; "
                f"it is one of {', '.join(STATUSES)}"
            )
        if content.get("amount") is not None and Decimal(content["amount"]) < 0:
            return RETURNED
        return COMPLETED if said == COMPLETED else CANCELLED

    def _known_at(self, content: Mapping[str, Any]) -> str:
        """Return when the row was learnt: never before it happened."""
        said = content.get("known_at") or time_text(self._now)
        happened = content.get(self._contract.event_time)
        # What happens a moment from now (clocks differ) is known when it happens.
        return max(said, happened) if happened else said


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value).strip() or _refuse()


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    return number if abs(number) < float("inf") else _refuse()


def _money(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise TypeError
    amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    rounded = amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return str(rounded) if abs(rounded) < 10**14 else _refuse()


def _yes_no(value: Any) -> bool:
    spelt = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
    return spelt if isinstance(spelt, bool) else _refuse()


def _refuse() -> Any:
    raise ValueError


_READERS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "float64": _number,
    MONEY: _money,
    YES_NO: _yes_no,
}

_WANTED = {
    "string": "it is text",
    "float64": "it is a number",
    MONEY: "it is an amount such as 12.50",
    YES_NO: "it is true or false",
    TIME: "it is a time such as 2026-01-31T12:00:00+00:00",
}


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _digest(content: Mapping[str, Any]) -> str:
    said = {name: value for name, value in content.items() if value is not None}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def customers_of(rows: Sequence[PushedRow]) -> tuple[str, ...]:
    """Return the customers of rows, each once, in order of appearance."""
    return tuple(dict.fromkeys(row.customer_id for row in rows))
