"""Writes a project file that people can read and change."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Comments = Mapping[tuple[str, ...], str]
"""A comment by the keys that lead to its line."""

HEADER = "# Written by `bellwether init`, which guessed it from the data: look it through."


def render_project(content: Mapping[str, Any], comments: Comments) -> str:
    """Return `content` as YAML with a comment behind the lines that have one."""
    return "\n".join([HEADER, *_lines(content, comments, ())]) + "\n"


def _lines(content: Mapping[str, Any], comments: Comments, above: tuple[str, ...]) -> list[str]:
    lines = []
    for key, value in content.items():
        path = (*above, key)
        comment = f"  # {comments[path]}" if path in comments else ""
        start = "  " * len(above) + f"{_scalar(key)}:"
        if isinstance(value, Mapping):
            lines += [start + comment, *_lines(value, comments, path)]
        else:
            lines.append(f"{start} {_value(value)}{comment}")
    return lines


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Return one value as YAML on one line, quoted only where it must be."""
    written = yaml.safe_dump(
        [value], default_flow_style=True, allow_unicode=True, width=float("inf")
    )
    return written.strip()[1:-1]
