"""Options that commands share, and how they are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.contracts.engines import EngineName
from features.contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from features.contracts.as_of import AsOf
    from pipelines.wiring import Project

ProjectOption = Annotated[
    Path, typer.Option("--project", help="Folder of bellwether.yaml, or the file itself.")
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Moment of knowledge, such as 2026-01-31.")
]
EngineOption = Annotated[
    EngineName | None, typer.Option("--engine", help="What computes; the project file's if none.")
]


def say(line: str) -> None:
    """Print a result."""
    typer.echo(line)


def open_at(where: Path) -> "Project":
    """Return the project at `where`, a folder or its project file.

    Raises:
        ConfigurationError: if there is no project file, or it is wrong.
    """
    from pipelines.wiring import open_project

    return open_project(where)


def moment_of(project: "Project", text: str | None) -> "AsOf | None":
    """Return the moment that --as-of names, None when it was not given.

    Raises:
        BadParameter: if it is not a moment.
    """
    return None if text is None else parse(project, text, "--as-of")


def parse(project: "Project", text: str, option: str) -> "AsOf":
    """Return the moment that `option` names; one without a zone is in the project's.

    Raises:
        BadParameter: if it is not a moment.
    """
    from features.contracts.as_of import AsOf

    try:
        return AsOf.parse(text, project.settings.timezone)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def range_of(project: "Project", text: str | None, option: str) -> "tuple[AsOf, AsOf] | None":
    """Return the range FROM..TO that `option` names, None when it was not given.

    Raises:
        BadParameter: if it is not a range of moments.
    """
    if text is None:
        return None
    start, dots, end = text.partition("..")
    if not dots:
        message = f"{text!r} is not a range; write it like 2026-01-01..2026-02-01"
        raise typer.BadParameter(message, param_hint=option)
    return parse(project, start, option), parse(project, end, option)
