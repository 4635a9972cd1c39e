"""Puts aside rows that say again what another row of the same id says, or an older version of it.

Ids are told apart by customer: two customers may share the id of a campaign mail. Rows without an
id are never repetitions: somebody may do the same thing twice.
"""

from typing import Any

import ibis

from features.contracts.errors import SourceError
from features.contracts.tables import TABLES
from features.data_gates import IDS
from features.order_status import is_marked
from features.readings import Reading

CLASH_SHARE = 0.01
"""Where so many orders are described by rows that differ, the rows are lines, not orders."""


def refuse_repetitions(connection: Any, reading: Reading, typed: Any) -> tuple[Any, int]:
    """Return the typed rows with a reason for each repetition, and how many there are.

    Raises:
        SourceError: if many orders are described by rows that differ.
    """
    identifier = IDS.get(reading.name)
    if identifier not in reading.settings.columns or reading.settings.grain == "line":
        return typed, 0
    usable = typed.filter(typed.reason.isnull() & typed[identifier].notnull())
    if not _repeats(usable, identifier):
        return typed, 0
    placed = _places(reading, usable, identifier)
    repeated = placed.filter(placed.again | placed.older)
    verdicts = connection.create_table(
        f"repeated_{reading.name}",
        repeated.select(
            key_row=repeated.row,
            verdict=repeated.again.ifelse("repeated_row", "repeated_id"),
        ),
    )
    if reading.name == "orders":
        _check_clashes(reading, usable, verdicts)
    joined = typed.left_join(verdicts, typed.row == verdicts.key_row)
    judged = joined.mutate(reason=joined.reason.coalesce(joined.verdict))
    count = verdicts.count().to_pyarrow().as_py()
    return judged.select(*typed.columns), count


def _repeats(usable: Any, identifier: str) -> bool:
    keys = (usable.customer_id + "|" + usable[identifier]).nunique()
    (found,) = usable.aggregate(n=usable.count(), keys=keys).to_pyarrow().to_pylist()
    return bool(found["keys"] < found["n"])


def _places(reading: Reading, usable: Any, identifier: str) -> Any:
    """Return the rows, each with whether it is said `again` or is `older` than another version.

    What was said before is said again, however often it is learnt: daily exports of everything
    must not make old orders new.
    """
    if "status" in usable.columns:  # of two words for a completed order neither is news
        usable = usable.mutate(status=is_marked(usable, reading.settings).cast("string"))
    happened = usable[TABLES[reading.name].event_time]
    learnt = usable.known_at.coalesce(happened) if "known_at" in usable.columns else happened
    said = [name for name in reading.raw.columns if name != "known_at"]
    again = ibis.row_number().over(group_by=said, order_by=["learnt", "row"])
    rows = usable.mutate(learnt=learnt).mutate(again=again > 0)
    # An event is what was told of it first; of all else what was told last.
    last_first = (
        [ibis.desc("row")]
        if "known_at" not in usable.columns
        else [ibis.desc("learnt"), ibis.desc("row")]
    )
    order = ["learnt", "row"] if reading.name == "events" else last_first
    version = ibis.row_number().over(group_by=["customer_id", identifier, "again"], order_by=order)
    return rows.mutate(older=~rows.again & (version > 0))


def _check_clashes(reading: Reading, usable: Any, verdicts: Any) -> None:
    """Refuse to go on where it is usual that rows of one order differ: they are lines of it."""
    clashes = verdicts.filter(verdicts.verdict == "repeated_id")
    n = clashes.count().to_pyarrow().as_py()
    total = usable.select("customer_id", "order_id").distinct().count().to_pyarrow().as_py()
    if n <= CLASH_SHARE * total:
        return
    (first,) = (
        usable.semi_join(clashes, usable.row == clashes.key_row)
        .order_by("customer_id", "order_id").limit(1).to_pyarrow().to_pylist()
    )  # fmt: skip
    same = (usable.customer_id == first["customer_id"]) & (usable.order_id == first["order_id"])
    rows = usable.filter(same).count().to_pyarrow().as_py()
    raise SourceError(
        f"orders: order {first['order_id']!r} of customer {first['customer_id']!r} has "
        f"{rows} rows that differ; if a row is a line of an order, set `grain: line` "
        f"under data.tables.orders, else give each order an id of its own in "
        f"`{reading.settings.columns['order_id']}`"
    )
