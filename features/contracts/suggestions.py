"""Names in messages: quoted, and close ones offered where one is wrong."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, available: Iterable[str]) -> str:
    """Return `did you mean ...? ` with the names close to `name`, or nothing when none is."""
    by_lower = {column.lower(): column for column in available}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {quoted(by_lower[match] for match in close)}? " if close else ""


def quoted(names: Iterable[str]) -> str:
    """Return the names in backquotes, parted by commas."""
    return ", ".join(f"`{name}`" for name in names)
