"""The documents tell the truth: links lead somewhere, targets exist, decisions are in the index."""

import re
from pathlib import Path

import pytest

from tests.repository import ROOT, text_files

DOCUMENTS = [path for path, _ in text_files() if path.suffix == ".md"]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9][0-9][0-9][0-9]-*.md"))
FENCE = re.compile(r"^```.*?^```", flags=re.MULTILINE | re.DOTALL)
CODE = re.compile(FENCE.pattern + r"|`[^`\n]+`", flags=FENCE.flags)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(document: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    place = document.parent / name if name else document
    return not place.exists() or bool(anchor and anchor not in anchors(place))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_relative_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    local = [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]

    assert [target for target in local if leads_nowhere(document, target)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_named_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, flags=re.MULTILINE))
    code = "\n".join(CODE.findall(document.read_text(encoding="utf-8")))

    commands = re.findall(r"^[`$ ]*make ([a-z][\w-]*)", code, flags=re.MULTILINE)

    assert set(commands) <= targets


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_decision_is_in_the_index(record: Path) -> None:
    assert f"]({record.name})" in (DECISIONS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_decision_follows_the_template(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)

    assert text.startswith(f"# {record.name[:4]}: ")
    assert sections == ["Status", "Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
