"""Feast at work: its libraries' warnings kept from the user, its errors told in our words.

Light to import; Feast itself is imported when the work begins.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from features.contracts.errors import FeatureStoreError

BUILD = "run `bellwether features build`"

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def feast_at_work(doing: str) -> Iterator[None]:
    """Let Feast do something, quietly.

    One thread at a time, for warning filters and Feast's DuckDB connection belong to the process.

    Raises:
        FeatureStoreError: if it fails; `doing` says what.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # While it is imported, Feast puts warning filters of its own before everybody else's.
        import feast  # noqa: F401, PLC0415 - takes seconds
    with _ONE_AT_A_TIME, warnings.catch_warnings(), _translated(doing):
        # Ibis calls DuckDB by an old name.
        warnings.filterwarnings(
            "ignore", r"fetch_arrow_table\(\) is deprecated", DeprecationWarning
        )
        yield


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except _foreign_errors() as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FeatureStoreError(f"{doing} failed: {reason}; {BUILD}") from error


def _foreign_errors() -> tuple[type[Exception], ...]:
    # Whatever raised one of these has imported its package long before.
    import duckdb  # noqa: PLC0415
    from feast.errors import FeastError  # noqa: PLC0415
    from ibis.common.exceptions import IbisError  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    # Arrow's errors and Feast's own checks are ValueErrors.
    return duckdb.Error, FeastError, IbisError, OSError, SQLAlchemyError, ValueError
