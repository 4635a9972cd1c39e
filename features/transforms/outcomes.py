"""What came of a row later: opened, closed, ended.

The row of a message, a ticket or a subscription is written when it starts and filled in as things
happen to it, so its `known_at` says nothing of when they were learnt. The time of an outcome is
therefore also when it was learnt: as of a moment before it, it has not happened. This holds even
for an outcome that was announced, such as the end of a contract with notice given: the table does
not say since when it was known, and to use it could be to peek.
"""

import ibis
import ibis.expr.types as ir

from features.transforms.known import epoch_seconds


def seconds_since(rows: ir.Table, time: str) -> ir.Value:
    """Return the whole seconds from a time of the known `rows` to the moment.

    Null where it is null, and where it has not come yet: an outcome at the moment itself is later.
    """
    elapsed = epoch_seconds(rows.as_of) - epoch_seconds(rows[time])
    return (rows[time] < rows.as_of).ifelse(elapsed, ibis.null("int64"))
