import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from features.contracts.settings import Settings
from features.contracts.tables import TABLES
from pipelines import reference
from pipelines.reference import pages
from tests.features.hand_made import CATALOGUE


class Inner(BaseModel):
    deep: int = 3


class Outer(BaseModel):
    must: str
    may: str | None = None
    one: Inner = Inner()
    many: dict[str, Inner] = {}


def test_settings_are_told_with_their_place_and_default() -> None:
    rows = [row.split("|")[1:3] for row in reference._setting_rows(Outer, "")]

    assert [(key.strip(), default.strip()) for key, default in rows] == [
        ("`must`", "required"),
        ("`may`", "none"),
        ("`one`", ""),
        ("`one.deep`", "`3`"),
        ("`many`", ""),
        ("`many.<name>.deep`", "`3`"),
    ]


def test_every_setting_has_a_meaning() -> None:
    for row in reference._setting_rows(Settings, ""):
        key, _, meaning = (cell.strip() for cell in row.strip("| ").split(" | "))
        assert meaning not in ("", "None"), key


def test_no_cell_breaks_its_table() -> None:
    for name, page in pages().items():
        tables = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
        for table in tables:
            widths = {line.count("|") for line in table.splitlines()}
            assert len(widths) == 1, (name, table)


def test_every_table_and_column_is_told() -> None:
    page = pages()["tables.md"]

    for table in TABLES.values():
        section = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            assert f"| `{column.name}`" in section


def test_every_feature_is_told_once() -> None:
    page = pages()["features.md"]
    everything = set(CATALOGUE) - {"attribute_age"}

    assert f"\n{len(everything)} features, and one" in page
    for name in everything:
        assert page.count(f"| `{name}` |") == 1, name


def test_features_stand_together_by_the_table_they_come_from() -> None:
    headings = re.findall(r"^## (.*)$", pages()["features.md"], flags=re.MULTILINE)

    assert len(headings) == len(set(headings))
    assert {f"From {name}" for name in TABLES} < set(headings)


def test_pages_are_written_where_they_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["reference", str(tmp_path / "docs" / "reference")])

    reference.main()

    written = {path.name: path.read_text() for path in (tmp_path / "docs" / "reference").iterdir()}
    assert written == pages()
