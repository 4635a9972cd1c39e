"""How the rows of one canonical table are read: what belongs together while a table is loaded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.contracts.settings import DataSettings, TableSettings
from features.contracts.tables import TABLES, Column
from features.raw_tables import RawTable
from features.value_parsing import as_text


@dataclass(frozen=True)
class Reading:
    """How the rows of one canonical table are read: `now` tells which dates lie in the future."""

    name: str
    raw: RawTable
    data: DataSettings
    timezone: str
    now: datetime

    @property
    def settings(self) -> TableSettings:
        """What the project file says about the table."""
        return self.data.tables[self.name]

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The mapped columns without which a row is useless, in the order they are checked."""
        contract = TABLES[self.name]
        return tuple(
            column
            for column in contract.columns
            if column.name in self.raw.columns and (column.required or column.name == "amount")
        )

    def numbered(self, **columns: Any) -> Any:
        """Return the user's rows with `key`, their place in the source from 1, and `columns`."""
        return self.raw.table.select(key=self.raw.table.rowid() + 1, **columns)

    def values(self, canonical: str) -> tuple[Any, ...]:
        """The user's column or columns behind a canonical one."""
        return tuple(self.raw.table[name] for name in self.raw.columns[canonical])

    def given(self, name: str) -> Any:
        """What the user wrote as a canonical column or an attribute, as text; null when blank."""
        parts = [as_text(value) for value in self._behind(name)]
        return parts[0] if len(parts) == 1 else parts[0] + " * " + parts[1]

    def blank(self, name: str) -> Any:
        """Whether the user wrote nothing as a canonical column, or only one factor of two."""
        first, *rest = (value.isnull() for value in self._behind(name))
        return first | rest[0] if rest else first

    def _behind(self, name: str) -> tuple[Any, ...]:
        if name in self.raw.attributes:
            return (self.raw.table[self.raw.attributes[name]],)
        return self.values(name)
