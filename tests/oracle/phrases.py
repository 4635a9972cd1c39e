"""Turns of SQL that many twins share."""


def if_any(rows: str, query: str) -> str:
    """Return the query's number where there is any of these rows, else null."""
    return f"SELECT CASE WHEN EXISTS (SELECT 1 FROM {rows}) THEN ({query}) END"


def days(number: int) -> str:
    """Return so many days in seconds."""
    return f"{number} * 86400"


def seconds_since(time: str) -> str:
    """Return the whole seconds from a time of the row to the moment; started ones count whole."""
    return f"date_diff('second', {time}, as_of)"
