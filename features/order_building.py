"""Makes orders of the user's rows, which are orders already or lines of them."""

from typing import Any

import ibis

from features.contracts.settings import TableSettings
from features.contracts.tables import CANCELLED, COMPLETED, MONEY, ORDERS, RETURNED
from features.order_status import is_marked, status_notes
from features.return_matching import Returns, match_returns
from features.table_building import learnt_at
from features.value_parsing import digest

_KEY = ("customer_id", "order_id")
_ORDER = ("ordered_at", *_KEY)


def build_orders(
    connection: Any, usable: Any, settings: TableSettings
) -> tuple[Returns, tuple[str, ...]]:
    """Make the table `orders` of the `usable` typed rows; return its returns, and what is odd.

    An order is `returned` if its amount is negative (it takes value back from earlier orders), else
    `cancelled` if the user marks it cancelled or returned, else `completed`. So net spend is the
    sum of amounts over completed and returned orders.
    """
    mapped = "order_id" in usable.columns
    nameless = _count(usable.filter(usable.order_id.isnull()) if mapped else usable)
    rows = _complete(usable, settings, nameless=nameless)
    orders = _with_status(_add_up_lines(rows) if settings.grain == "line" else rows)
    stored = connection.create_table("orders", orders.order_by(*_ORDER))
    linked, returns = match_returns(connection, stored)
    if linked is not stored:
        connection.create_table("linked_orders", linked.order_by(*_ORDER))
        connection.raw_sql("DROP TABLE orders")
        connection.raw_sql("ALTER TABLE linked_orders RENAME TO orders")
        connection.raw_sql("DROP TABLE matched_returns")
    return returns, (*status_notes(usable, settings), *_identity_notes(settings, nameless))


def _count(rows: Any) -> int:
    return int(rows.count().to_pyarrow().as_py())


def _complete(usable: Any, settings: TableSettings, *, nameless: int) -> Any:
    """Return the rows with every canonical column, an order id each, and whether it is `marked`."""
    present = {c.name: usable[c.name] for c in ORDERS.columns if c.name in usable.columns}
    absent = {c.name: ibis.null(c.type) for c in ORDERS.columns if c.name not in usable.columns}
    rows = usable.select(**(present | absent), row=usable.row)
    if nameless:  # it takes longer than everything else together
        rows = rows.mutate(order_id=rows.order_id.fill_null(_made_up_id(rows, settings)))
    return rows.mutate(
        known_at=learnt_at(rows.known_at, rows.ordered_at), marked=is_marked(rows, settings)
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
        margin=lines.margin.sum(where=~void),
        currency=lines.currency.min(),
        channel=lines.channel.min(),
        device=lines.device.min(),
        returns_order_id=lines.returns_order_id.min(),
        known_at=lines.known_at.max(),
        marked=void.all(),
    )
    amount = orders.marked.ifelse(orders.total, orders.counted).cast(MONEY)
    money = {name: orders[name].cast(MONEY) for name in ("discount", "margin")}
    return orders.mutate(amount=amount, **money)


def _with_status(rows: Any) -> Any:
    status = ibis.cases((rows.amount < 0, RETURNED), (rows.marked, CANCELLED), else_=COMPLETED)
    return rows.mutate(status=status).select(*(column.name for column in ORDERS.columns))


def _identity_notes(settings: TableSettings, nameless: int) -> list[str]:
    if "order_id" in settings.columns:
        own = "have no order id: each is an order of its own"
        return [f"{nameless:,} rows {own}"] if nameless else []
    lines = settings.grain == "line"
    what = "the lines of a customer at one moment are" if lines else "each row is"
    return [f"order_id is not mapped: {what} one order"]
