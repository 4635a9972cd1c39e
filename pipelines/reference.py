"""The reference pages of the documentation, written from the code so that they cannot lie.

`python -m pipelines.reference docs/reference` writes them; a test compares.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from features.catalogue import Stage, subjects
from features.contracts.features import Feature
from features.contracts.settings import Settings
from features.contracts.tables import TABLES
from features.data_gates import EVERY_TABLE, GATES, Action, Gate
from pipelines.cli import app

HEADINGS = {
    Stage.CALENDAR: "From the calendar",
    Stage.BASE: "From the whole base",
    Stage.STANDING: "From the customer's standing",
}


def pages() -> dict[str, str]:
    """Return the text of each page by file name."""
    return {
        "project-file.md": _project_file(),
        "tables.md": _tables(),
        "data-gates.md": _data_gates(),
        "features.md": _features(),
        "command-line.md": _command_line(),
    }


def _project_file() -> str:
    lines = [
        "# The project file",
        "",
        "`bellwether.yaml`, in the order in which it is read. A variable such as "
        "`BELLWETHER_TRACKING__URI` overrides `tracking.uri`.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        *_setting_rows(Settings, ""),
    ]
    return "\n".join(lines) + "\n"


def _setting_rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        section, repeated = _section(field.annotation)
        if section is None:
            yield f"| `{key}` | {_default(field)} | {field.description} |"
        else:
            yield f"| `{key}` |  | {field.description} |"
            yield from _setting_rows(section, f"{key}.<name>." if repeated else f"{key}.")


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            return argument, True
    return None, False


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{field.default}`"


def _tables() -> str:
    lines = ["# Canonical tables", "", "Only `orders` is required."]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", "| column | type | meaning |", "|---|---|---|"]
        for column in table.columns:
            need = " (required)" if column.required else ""
            lines.append(f"| `{column.name}`{need} | {column.type} | {column.meaning} |")
    return "\n".join(lines) + "\n"


def _data_gates() -> str:
    lines = [
        "# Data gates",
        "",
        "What may be wrong with your rows, and what is done about it. No row is dropped in "
        "silence: what is put aside lies in the table `quarantine` with its reason, its place in "
        "the source and its content, and `bellwether check` counts it. Nothing is looked for where "
        "its column is not mapped.",
    ]
    for action in Action:
        lines += ["", f"## {_HEADINGS[action]}", "", "| fault | where | policy |", "|---|---|---|"]
        lines += [
            f"| {gate.words} (`{gate.name}`) | {_tables_of(gate)} | {gate.policy} |"
            for gate in GATES
            if gate.action is action
        ]
    return "\n".join(lines) + "\n"


_HEADINGS = {
    Action.QUARANTINED: "Put aside",
    Action.CORRECTED: "Corrected and counted",
    Action.NOTED: "Kept and counted",
    Action.STOPPED: "Loading stops",
}


def _tables_of(gate: Gate) -> str:
    return "every table" if gate.tables == EVERY_TABLE else ", ".join(gate.tables)


def _features() -> str:
    everything = {
        name: frozenset(column.name for column in table.columns) for name, table in TABLES.items()
    }
    carried = subjects(everything)
    count = sum(len(subject.features) for subject in carried)
    lines = [
        "# Features",
        "",
        f"{count} features, and one for each attribute that `customers` declares. A feature is "
        "there when its table and the columns that it needs are mapped. All are as of a moment.",
    ]
    by_heading: dict[str, list[Feature]] = {}
    for subject in carried:
        heading = HEADINGS.get(subject.stage, f"From {subject.table}")
        by_heading.setdefault(heading, []).extend(subject.features)
    for heading, features in by_heading.items():
        lines += ["", f"## {heading}", "", *_feature_rows(features)]
    return "\n".join(lines) + "\n"


def _feature_rows(features: Sequence[Feature]) -> list[str]:
    rows = [
        f"| `{f.name}` | {f.unit} | {f.meaning} | {f.when_null} | {', '.join(_needs(f))} |"
        for f in features
    ]
    return ["| feature | unit | meaning | null means | needs |", "|---|---|---|---|---|", *rows]


def _needs(feature: Feature) -> tuple[str, ...]:
    return tuple(f"{feature.table}.{column}" for column in feature.needs) or (feature.table,)


def _command_line() -> str:
    root = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        "Exit codes: 0 ok, 1 an error in one line, 2 bad usage, 3 a gate said no, 130 interrupted.",
        "",
        "Before the command:",
        "",
        *(_parameter(parameter) for parameter in root.params),
    ]
    for path, command in _commands(root, ()):
        lines += ["", f"## bellwether {' '.join(path)}", "", str(command.help or ""), ""]
        lines += [_parameter(parameter) for parameter in command.params]
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    nested = getattr(command, "commands", None)
    if nested is None:
        yield path, command
        return
    for name, inner in nested.items():
        yield from _commands(inner, (*path, name))


def _parameter(parameter: Any) -> str:
    names = ", ".join(parameter.opts) if parameter.param_type_name == "option" else parameter.name
    need = " (required)" if parameter.required else ""
    return f"- `{names}`{need}: {getattr(parameter, 'help', '') or ''}"


def main() -> None:
    """Write the pages into the folder that is named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
