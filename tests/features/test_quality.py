"""The report on the user's rows."""

import json
from typing import Any

import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import DataContractError
from features.quality import QualityReport, Quarantined, TableQuality

FIRST = AsOf.parse("2025-01-01")


def quality(**changed: Any) -> TableQuality:
    facts: dict[str, Any] = {
        "table": "orders",
        "origin": "orders.csv",
        "rows_read": 1000,
        "rows_kept": 700,
        "quarantined": (
            Quarantined("guest", 90),
            Quarantined("repeated_row", 50),
            Quarantined("unreadable_amount", 10, ("lots", "n.a."), (7, 1200)),
        ),
        "merged": 150,
        "notes": ("3 returned orders among them",),
        "first_event": FIRST,
        "last_event": FIRST.plus_days(210),
        "customers": 100,
    }
    return TableQuality(**(facts | changed))


def test_report_reads_as_lines() -> None:
    assert QualityReport((quality(),)).lines() == [
        "orders (orders.csv): 1,000 rows read: 700 kept, 150 merged into orders, 150 quarantined",
        "  100 customers from 2025-01-01T00:00:00Z to 2025-07-30T00:00:00Z",
        "  quarantined: 90 with no customer id",
        "  quarantined: 50 with another row that is equal in all mapped columns",
        "  quarantined: 10 with an amount that cannot be read, such as 'lots' (row 7), "
        "'n.a.' (row 1,200)",
        "  note: 3 returned orders among them",
    ]


def test_report_survives_json() -> None:
    report = QualityReport((quality(),))

    stored = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    assert stored == report.to_dict()
    assert stored["tables"][0]["guest_share"] == 0.09
    assert stored["tables"][0]["last_event"] == "2025-07-30T00:00:00Z"


def test_empty_table_has_neither_events_nor_guests() -> None:
    empty = quality(
        rows_read=0, rows_kept=0, quarantined=(), merged=0, notes=(),
        first_event=None, last_event=None, customers=0,
    )  # fmt: skip

    assert empty.guest_share == 0
    assert empty.to_dict()["first_event"] is None
    assert empty.lines() == ["orders (orders.csv): 0 rows read: 0 kept"]


@pytest.mark.parametrize("field", ["rows_read", "rows_kept", "merged"])
def test_row_that_is_unaccounted_for_is_an_error(field: str) -> None:
    with pytest.raises(DataContractError, match="are accounted for"):
        quality(**{field: getattr(quality(), field) + 1})


def test_table_is_found_by_name() -> None:
    orders, customers = quality(), quality(table="customers")

    assert QualityReport((customers, orders)).table("orders") is orders
