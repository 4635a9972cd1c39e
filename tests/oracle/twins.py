"""All twins there are, one module a subject."""

from tests.oracle import (
    base_sql,
    events_sql,
    lines_sql,
    messages_sql,
    orders_sql,
    rhythm_sql,
    service_sql,
)

_SUBJECTS = (orders_sql, rhythm_sql, lines_sql, events_sql, messages_sql, service_sql, base_sql)

TWINS: dict[str, str] = {
    name: query for subject in _SUBJECTS for name, query in subject.TWINS.items()
}
NEARLY: frozenset[str] = frozenset().union(*(subject.NEARLY for subject in _SUBJECTS))
"""Twins that agree to a part in a billion: they round on another way to the same number."""
