"""Which of the user's columns hold what: the `columns` of a table in the project file."""

import re
from collections.abc import Mapping, Sequence

from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.settings import TableSettings
from features.contracts.suggestions import quoted, suggestion
from features.contracts.tables import MONEY, TABLES, TIME, YES_NO

UserColumns = tuple[str, ...]
"""One column of the user's, or the two whose product is meant."""

ATTRIBUTE_PREFIX = "attribute_"


def resolve_columns(
    table: str, settings: TableSettings, available: Sequence[str], origin: str
) -> dict[str, UserColumns]:
    """Return the user's column or columns for each mapped canonical column of `table`.

    `origin` names the file or database table in errors. Names are matched exactly, else without
    regard to case.

    Raises:
        SourceError: if a column is not among the `available`; the message offers close matches.
        ConfigurationError: if a product is mapped to a column that is not a number, or one column
            to two that cannot be the same.
    """
    resolved = {}
    for canonical, written in settings.columns.items():
        names = _factors(written, available)
        if len(names) > 1 and TABLES[table].column(canonical).type not in (MONEY, "float64"):
            raise ConfigurationError(
                f"{table}.{canonical} cannot be the product `{written}`: only amounts and "
                "quantities can; map one column"
            )
        resolved[canonical] = tuple(
            find_column(name, available, table=table, origin=origin) for name in names
        )
    _refuse_shared_columns(table, resolved)
    return resolved


_SHAREABLE = (TIME, YES_NO)
"""One time may say two things (a row was learnt when it happened), one consent be for channels."""


def _refuse_shared_columns(table: str, resolved: Mapping[str, UserColumns]) -> None:
    """Refuse two canonical columns that are one column of the user's, unless that can be meant.

    A factor of a product is not the product, so it may stand for itself as well.
    """
    taken: dict[UserColumns, str] = {}
    for canonical, names in resolved.items():
        kind = TABLES[table].column(canonical).type
        other = taken.setdefault(names, canonical)
        if other == canonical:
            continue
        if kind in _SHAREABLE and TABLES[table].column(other).type == kind:
            continue
        raise ConfigurationError(
            f"{table}.{other} and {table}.{canonical} are both mapped to `{' * '.join(names)}`: "
            "one column can only stand for two if both are times or both say yes or no; "
            "map another column, or leave one out"
        )


def resolve_attributes(
    table: str, settings: TableSettings, available: Sequence[str], origin: str
) -> dict[str, str]:
    """Return the user's column for each attribute, by the name of its canonical column.

    Raises:
        SourceError: if a column is not among the `available`.
        ConfigurationError: if two attributes would get the same name, or the table has none.
    """
    if settings.attributes and table != "customers":
        raise ConfigurationError(f"table `{table}` has no attributes; only `customers` has")
    resolved: dict[str, str] = {}
    for written in settings.attributes:
        name = attribute_column(written)
        if name in resolved:
            raise ConfigurationError(
                f"the attributes `{resolved[name]}` and `{written}` would both be called {name}; "
                "rename one of the columns"
            )
        resolved[name] = find_column(written, available, table=table, origin=origin)
    return resolved


def attribute_column(user_column: str) -> str:
    """Return the canonical name of a customer attribute: `Home Owner` is `attribute_home_owner`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", user_column)
    return ATTRIBUTE_PREFIX + re.sub(r"\W+", "_", words.lower()).strip("_")


def attribute_levels(settings: TableSettings) -> dict[str, list[str]]:
    """Return the levels of each attribute, lowest first, by the name of its canonical column."""
    return {attribute_column(name): levels for name, levels in settings.attributes.items()}


def needed_columns(*resolved: Mapping[str, UserColumns | str]) -> tuple[str, ...]:
    """Return the user's columns that are needed, each once, in the order of the project file."""
    names: dict[str, None] = {}
    for mapping in resolved:
        for value in mapping.values():
            names.update(dict.fromkeys((value,) if isinstance(value, str) else value))
    return tuple(names)


def find_column(name: str, available: Sequence[str], *, table: str, origin: str) -> str:
    """Return the column of that name, exactly or else but for its case.

    Raises:
        SourceError: if there is none, or more than one but for the case.
    """
    if name in available:
        return name
    alike = [column for column in available if column.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    raise SourceError(
        f"{table}: there is no column `{name}` in {origin}; "
        f"{suggestion(name, available)}its columns are {quoted(available)}"
    )


def _factors(written: str, available: Sequence[str]) -> UserColumns:
    if written in available or "*" not in written:
        return (written,)
    factors = tuple(part.strip().strip("`\"'") for part in written.split("*"))
    return factors if len(factors) == 2 and all(factors) else (written,)
