"""The completeness page, drawn in a real browser."""

import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from features.contracts.layout import Layout
from features.contracts.settings import validate_settings
from pipelines.check import CheckResult, check_project, write_report
from pipelines.completeness_page import completeness_page
from tests.browser import rendered, screenshot

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CheckResult:
    """A shop with a gap in May, a wicked customer, and tickets that stopped."""
    folder = tmp_path_factory.mktemp("shop")
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(300)]
    rows = [f"{n % 150},{day},{n % 9}" for n, day in enumerate(days) if day.month != 5]
    bad = [",2025-01-01,5", f"1,{EVIL},5", "2,2025-02-02,lots"]
    (folder / "orders.csv").write_text("\n".join(["who,when,paid", *rows, *bad]))
    (folder / "tickets.csv").write_text("id,who,opened\n1,1,2025-02-01\n2,9,2025-03-01\n")
    tables = {
        "orders": {
            "path": "orders.csv",
            "columns": {"customer_id": "who", "ordered_at": "when", "amount": "paid"},
        },
        "tickets": {
            "path": "tickets.csv",
            "columns": {"ticket_id": "id", "customer_id": "who", "opened_at": "opened"},
        },
    }
    content = {
        "version": 1, "timezone": "UTC", "data": {"tables": tables},
        "goals": {"churn": {"horizon_days": 28}, "clv": {"horizon_days": 365}},
        "serving": {"clock": "2025-11-01"},
    }  # fmt: skip
    return check_project(validate_settings(content, "test"), Layout(folder))


@pytest.fixture(scope="module")
def page(result: CheckResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(result, tmp_path_factory.mktemp("report"), project="corner_shop")[0]


@pytest.fixture(scope="module")
def document(page: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(page, profile=tmp_path_factory.mktemp("profile"))


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.split("<body>")[1]).split())


def test_browser_shows_what_was_found(document: str) -> None:
    shown = plain(document)

    assert "<title>Completeness of the data of corner_shop</title>" in document
    assert "churn ready 150 customers" in shown
    assert "clv not yet 760 days of orders are needed" in shown
    assert "no customer id 1 0.4%" in shown
    assert "lots (row 272)" in shown
    assert "none in 2025-05" in shown
    assert "From tickets.csv" in shown
    assert "days behind the other sources" in shown
    assert "tickets: the newest row is" in shown


def test_text_of_the_user_stays_text(document: str) -> None:
    assert "<script" not in document
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (row 271)" in document


def test_page_needs_nothing_else(page: Path) -> None:
    html = page.read_text(encoding="utf-8")

    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert {source.split(",")[0].split("#")[0] for source in sources} == {
        "", "data:image/svg+xml;base64"
    }  # fmt: skip
    assert not re.search(r"@import|url\(|<script|<link", html)


def test_page_can_be_read_aloud(document: str) -> None:
    pictures = re.findall(r"<img [^>]*>", document)
    alts = [found for picture in pictures for found in re.findall(r'alt="([^"]+)"', picture)]

    assert len(alts) == len(pictures) == 3
    assert "Rows and customers of orders by month, from 2025-01" in " ".join(alts)
    assert '<html lang="en">' in document
    assert document.count("<h1") == 1
    named = set(re.findall(r'aria-labelledby="([^"]+)"', document))
    assert named == {"goals", "sources", "orders", "tickets"}
    assert named <= set(re.findall(r'<h2 id="([^"]+)"', document))


def test_page_is_drawn_with_its_pictures(page: Path, tmp_path: Path) -> None:
    file = screenshot(page, tmp_path / "page.png", profile=tmp_path / "profile")

    pixels = np.asarray(imread(file))[:, :, :3]
    blue = (np.abs(pixels - np.array([0x1F, 0x5F, 0x99]) / 255) < 0.02).all(axis=2)
    assert pixels.shape[:2] == (2000, 1200)
    assert pixels.std() > 0.05
    assert blue.sum() > 10_000  # the bars of the months


def test_same_facts_give_the_same_page(result: CheckResult) -> None:
    assert completeness_page(result, project="a") == completeness_page(result, project="a")
