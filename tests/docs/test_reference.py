"""The reference pages are those of the code: no setting and no command is left untold."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from features.contracts.settings import Settings
from pipelines.cli import app
from pipelines.reference import pages
from tests.repository import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES = pages()


def settings_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys that lead to each setting; `*` stands for a name that users choose."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield path
        for section, repeated in sections_in(field.annotation):
            yield from settings_of(section, (*path, "*") if repeated else path)


def sections_in(annotation: Any) -> list[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, False)]
    inner = getattr(annotation, "__args__", ())
    return [(section, True) for each in inner for section, _ in sections_in(each)]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    nested = getattr(command, "commands", None)
    if nested is None:
        yield path, command
    for name, inner in (nested or {}).items():
        yield from commands(inner, (*path, name))


SETTINGS = [".".join(path).replace("*", "<name>") for path in settings_of(Settings)]
COMMANDS = {" ".join(path): command for path, command in commands(typer.main.get_command(app))}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8") if (REFERENCE / name).exists() else ""

    assert written == PAGES[name], f"docs/reference/{name} is out of date; run: make docs"


def test_no_page_is_left_over() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES), "run: make docs"


@pytest.mark.parametrize("setting", SETTINGS)
def test_setting_is_documented(setting: str) -> None:
    page = (REFERENCE / "project-file.md").read_text(encoding="utf-8")

    assert f"\n| `{setting}` |" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_documented_with_every_option(command: str) -> None:
    page = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    section = page.split(f"\n## bellwether {command}\n")[1].split("\n## ")[0]

    for parameter in COMMANDS[command].params:
        shown = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name
        (line,) = [line for line in section.splitlines() if line.startswith(f"- `{shown}`")]
        assert len(line.split(": ", 1)[1]) > len("a few words")


def test_settings_and_commands_are_found_at_all() -> None:
    assert {"goals.<name>.horizon_days", "serving.clock", "timezone"} <= set(SETTINGS)
    assert {"init", "check", "demo", "features build", "monitor drift"} <= set(COMMANDS)
