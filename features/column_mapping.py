"""Which of the user's columns hold what: the `columns` of a table in the project file."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from features.contracts.errors import ConfigurationError, SourceError
from features.contracts.settings import TableSettings
from features.contracts.tables import MONEY, TABLES

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
        ConfigurationError: if a product is mapped to a column that is not a number.
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
    return resolved


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


def suggestion(name: str, available: Iterable[str]) -> str:
    """Return `did you mean ...? ` with the names close to `name`, or nothing when none is."""
    by_lower = {column.lower(): column for column in available}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {quoted(by_lower[match] for match in close)}? " if close else ""


def quoted(names: Iterable[str]) -> str:
    """Return the names in backquotes, parted by commas."""
    return ", ".join(f"`{name}`" for name in names)


def _factors(written: str, available: Sequence[str]) -> UserColumns:
    if written in available or "*" not in written:
        return (written,)
    factors = tuple(part.strip().strip("`\"'") for part in written.split("*"))
    return factors if len(factors) == 2 and all(factors) else (written,)
