"""Project files are YAML that people can read."""

from typing import Any

import pytest
import yaml

from pipelines.project_file import render_project


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
