"""Project files are YAML that people can read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.project_file import render_project, write_atomically


def test_content_is_written_with_comments() -> None:
    content = {"version": 1, "data": {"columns": {"amount": "A * B"}, "values": [True, "x"]}}

    text = render_project(content, {("version",): "of the format", ("data", "columns"): "yours"})

    assert text.splitlines()[1:] == [
        "version: 1  # of the format",
        "data:",
        "  columns:  # yours",
        "    amount: A * B",
        "  values: [true, x]",
    ]


@pytest.mark.parametrize(
    "value",
    ["a: b", "#1", "it's", "yes", "1", "", " x ", "[a]", "\u00fc", "*a", "a" * 300, True, 1, None],
    ids=repr,
)
def test_values_are_read_back_as_they_were(value: Any) -> None:
    content = {"k": value, "a: b": {"list": [value, value]}}

    assert yaml.safe_load(render_project(content, {})) == content


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "bellwether.yaml"
    write_atomically(target, "first")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "\ud800")

    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]
