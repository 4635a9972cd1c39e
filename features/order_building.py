"""Makes orders of the user's rows, which are orders already or lines of them."""

from typing import Any

import ibis

from features.contracts.errors import SourceError
from features.contracts.settings import TableSettings
from features.contracts.tables import CANCELLED, COMPLETED, MONEY, ORDERS, RETURNED
from features.value_parsing import digest, spell_word

_KEY = ("customer_id", "order_id")


def build_orders(connection: Any, usable: Any, settings: TableSettings) -> tuple[str, ...]:
    """Make the table `orders` of the `usable` typed rows; return what is odd about them.

    An order is `returned` if its amount is negative (it takes value back from earlier orders), else
    `cancelled` if the user marks it cancelled or returned, else `completed`. So net spend is the
    sum of amounts over completed and returned orders.

    Raises:
        SourceError: if rows are orders, and an order is described by rows that differ.
    """
    mapped = "order_id" in usable.columns
    nameless = _count(usable.filter(usable.order_id.isnull()) if mapped else usable)
    rows = _complete(usable, settings, nameless=nameless)
    orders = _with_status(_add_up_lines(rows) if settings.grain == "line" else rows)
    stored = _store(connection, orders)
    if settings.grain == "order" and _has_repetitions(stored):
        _check_repetitions(stored, settings)
        connection.raw_sql("DROP TABLE orders")
        _store(connection, orders.distinct())
    return (*_status_notes(usable, settings), *_identity_notes(settings, nameless))


def _has_repetitions(orders: Any) -> bool:
    keys = orders.aggregate(
        n=orders.count(), keys=(orders.customer_id + "|" + orders.order_id).nunique()
    )
    (found,) = keys.to_pyarrow().to_pylist()
    return bool(found["keys"] < found["n"])


def _count(rows: Any) -> int:
    return int(rows.count().to_pyarrow().as_py())


def _store(connection: Any, orders: Any) -> Any:
    ordered = orders.order_by("ordered_at", "customer_id", "order_id")
    return connection.create_table("orders", ordered)


def _complete(usable: Any, settings: TableSettings, *, nameless: int) -> Any:
    """Return the rows with every canonical column, an order id each, and whether it is `marked`."""
    present = {c.name: usable[c.name] for c in ORDERS.columns if c.name in usable.columns}
    absent = {c.name: ibis.null(c.type) for c in ORDERS.columns if c.name not in usable.columns}
    rows = usable.select(**(present | absent), row=usable.row)
    if nameless:  # it takes longer than everything else together
        rows = rows.mutate(order_id=rows.order_id.fill_null(_made_up_id(rows, settings)))
    marks = _marked_words(settings)
    return rows.mutate(
        known_at=rows.known_at.fill_null(rows.ordered_at),
        marked=rows.status.isin(marks).fill_null(False) if marks else ibis.literal(False),
    )


def _made_up_id(rows: Any, settings: TableSettings) -> Any:
    """Return an order id from what a row says, so that the same row gets it in every load.

    Where lines have no order ids at all, those of one customer at one moment are one order.
    """
    prefix = ibis.literal("row-")
    if settings.grain == "line" and "order_id" not in settings.columns:
        moment = rows.customer_id + "|" + rows.ordered_at.cast("string")
        return prefix + digest(moment).substr(0, 20)
    mapped = [column.name for column in ORDERS.columns if column.name in settings.columns]
    said = [rows[name].cast("string").fill_null("") for name in mapped]
    content = digest(ibis.literal("|").join(said))
    repetition = ibis.row_number().over(group_by=content, order_by=rows.row)
    return prefix + content.substr(0, 20) + "-" + repetition.cast("string")


def _add_up_lines(lines: Any) -> Any:
    """Return one row per order: amounts and discounts added up, the earliest time, the last news.

    Lines that the user marks as cancelled do not count, unless the whole order is cancelled. An
    order is known when its last line is, because its amount is not known before.
    """
    void = lines.marked & (lines.amount.fill_null(0) >= 0)
    orders = lines.group_by(list(_KEY)).agg(
        ordered_at=lines.ordered_at.min(),
        counted=lines.amount.sum(where=~void),
        total=lines.amount.sum(),
        discount=lines.discount.sum(),
        channel=lines.channel.min(),
        known_at=lines.known_at.max(),
        marked=void.all(),
    )
    amount = orders.marked.ifelse(orders.total, orders.counted).cast(MONEY)
    return orders.mutate(amount=amount, discount=orders.discount.cast(MONEY))


def _check_repetitions(orders: Any, settings: TableSettings) -> None:
    """Refuse orders that are described by rows that differ; rows that are equal are no harm."""
    distinct = orders.distinct()
    repeated = distinct.group_by(list(_KEY)).agg(n=distinct.count())
    clashes = repeated.filter(repeated.n > 1).order_by(*_KEY).limit(1).to_pyarrow().to_pylist()
    if clashes:
        clash = clashes[0]
        raise SourceError(
            f"orders: order {clash['order_id']!r} of customer {clash['customer_id']!r} has "
            f"{clash['n']} rows that differ; if a row is a line of an order, set `grain: line` "
            f"under data.tables.orders, else give each order an id of its own in "
            f"`{settings.columns.get('order_id')}`"
        )


def _with_status(rows: Any) -> Any:
    status = ibis.cases((rows.amount < 0, RETURNED), (rows.marked, CANCELLED), else_=COMPLETED)
    return rows.mutate(status=status).select(*(column.name for column in ORDERS.columns))


def _marked_words(settings: TableSettings) -> list[str]:
    values = [
        *settings.status_values.get(CANCELLED, ()),  # type: ignore[call-overload]
        *settings.status_values.get(RETURNED, ()),  # type: ignore[call-overload]
    ]
    return [spell_word(value) for value in values]


def _status_notes(usable: Any, settings: TableSettings) -> list[str]:
    """Say which values of the status column the project file does not name."""
    if "status" not in settings.columns:
        return []
    named = {spell_word(value) for values in settings.status_values.values() for value in values}
    counts = usable.group_by("status").agg(n=usable.count()).order_by(ibis.desc("n"), "status")
    unnamed = [
        row
        for row in counts.limit(100).to_pyarrow().to_pylist()
        if row["status"] is not None and row["status"] not in named
    ]
    if not unnamed or (COMPLETED not in settings.status_values and len(unnamed) == 1):
        return []
    listed = ", ".join(f"{row['status']!r} ({row['n']:,})" for row in unnamed[:5])
    return [f"status values that are not in status_values count as completed: {listed}"]


def _identity_notes(settings: TableSettings, nameless: int) -> list[str]:
    if "order_id" in settings.columns:
        own = "have no order id: each is an order of its own"
        return [f"{nameless:,} rows {own}"] if nameless else []
    lines = settings.grain == "line"
    what = "the lines of a customer at one moment are" if lines else "each row is"
    return [f"order_id is not mapped: {what} one order"]
