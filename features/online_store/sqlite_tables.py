"""The tables of a view in a SQLite online store, and the statements on them."""

from dataclasses import dataclass

CATALOGUE = (
    "CREATE TABLE IF NOT EXISTS row_schemas"
    " (view TEXT, fingerprint INTEGER, fields TEXT NOT NULL, PRIMARY KEY (view, fingerprint))",
    "CREATE TABLE IF NOT EXISTS row_views"
    " (view TEXT PRIMARY KEY, live TEXT, refresh TEXT, progress INTEGER NOT NULL DEFAULT 0)",
)

NEWEST_WINS = (
    "ON CONFLICT (key) DO UPDATE SET row = excluded.row"
    " WHERE (substr(excluded.row, 7, 16) < substr(row, 7, 16)) IS NOT TRUE"
)
"""Event and created time, as they stand in a row, compare as bytes; an empty row has none."""


@dataclass(frozen=True)
class RowTable:
    """The statements on a table of rows.

    Attributes:
        name: its name, in quotes where it stands in a statement.
    """

    name: str

    def __str__(self) -> str:
        return '"' + self.name.replace('"', '""') + '"'

    @property
    def create(self) -> str:
        """Make the table if it is not there."""
        return (
            f"CREATE TABLE IF NOT EXISTS {self} (key BLOB NOT NULL PRIMARY KEY, row BLOB NOT NULL)"
        )

    @property
    def drop(self) -> str:
        """Remove the table if it is there."""
        return f"DROP TABLE IF EXISTS {self}"

    @property
    def write(self) -> str:
        """Write a row, given key and row, unless there is a newer one."""
        return f"INSERT INTO {self} VALUES (?, ?) {NEWEST_WINS}"

    @property
    def delete(self) -> str:
        """Delete the row of a key."""
        return f"DELETE FROM {self} WHERE key = ?"

    @property
    def count(self) -> str:
        """Count the rows."""
        return f"SELECT count(*) FROM {self}"

    @property
    def summary(self) -> str:
        """Return count, oldest and newest event time by fingerprint; short rows have no time."""
        event = "CASE WHEN length(row) >= 26 THEN substr(row, 7, 8) END"
        return (
            f"SELECT substr(row, 3, 4), count(*), min({event}), max({event}) FROM {self} GROUP BY 1"
        )

    def find(self, keys: int) -> str:
        """Return the rows of so many keys."""
        return f"SELECT key, row FROM {self} WHERE key IN ({', '.join('?' * keys)})"

    def take_over(self, other: "RowTable") -> str:
        """Copy rows of another table with a later event time than the one given, newest wins."""
        return (
            f"INSERT INTO {self} SELECT key, row FROM {other} WHERE substr(row, 7, 8) > ?"
            f" {NEWEST_WINS}"
        )

    def rename(self, other: "RowTable") -> str:
        """Give the table the name of another one."""
        return f"ALTER TABLE {self} RENAME TO {other}"


@dataclass(frozen=True)
class ViewTables:
    """The tables of one view: of the rows that are live, and of a refresh under way.

    Attributes:
        view: name of the view, with its project.
    """

    view: str

    @property
    def live(self) -> RowTable:
        """The rows that are read."""
        return RowTable(f"rows of {self.view}")

    @property
    def beside(self) -> RowTable:
        """The rows of a refresh under way."""
        return RowTable(f"refreshed rows of {self.view}")
