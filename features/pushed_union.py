"""Adds what was pushed to the user's tables, where these do not have it yet."""

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from features.contracts.errors import FeatureStoreError
from features.customer_history import insert_pushed
from features.push_log import PushLog

if TYPE_CHECKING:
    from features.sources import CanonicalTables


def add_pushed_rows(tables: "CanonicalTables", log: Path) -> int:
    """Insert the rows of a push log into canonical tables, and return how many.

    The user's tables have the last word: of an id that they have (or, where no ids are mapped, of a
    customer and a moment), nothing that was pushed is taken. Pushed rows do not move the end of the
    data: only some customers may have been pushed, and the others would seem to have gone quiet.

    Raises:
        FeatureStoreError: if the log cannot be read.
    """
    inserted = 0
    for table, rows in PushLog(log).rows().items():
        if table in tables.tables:
            try:
                inserted += insert_pushed(
                    tables.connection.con, table, rows, tables.mapped, newer=False
                )
            except duckdb.Error as error:
                raise FeatureStoreError(
                    f"the pushed rows of {table} cannot be added: {error}"
                ) from error
    return inserted
