"""How complete sources are, told from their rows."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.completeness import Completeness, Month, measure_completeness
from features.contracts.as_of import AsOf
from tests.features.loading import load_texts

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # a load takes too long to shrink

NOW = AsOf.parse("2026-06-01")
HEAD = "customer_id,order_id,ordered_at,amount"


def measure(tmp_path: Path, **given: Any) -> Completeness:
    tables = load_texts(tmp_path, **given)
    try:
        zone = given.get("timezone", "UTC")
        return measure_completeness(tables.tables, tables.report, tables.mapped, NOW, zone)
    finally:
        tables.close()


def orders_of(*moments: str) -> str:
    rows = [f"{n % 3},{n},{moment},5" for n, moment in enumerate(moments)]
    return "\n".join([HEAD, *rows]) + "\n"


def test_months_are_counted_and_gaps_named(tmp_path: Path) -> None:
    moments = ("2025-11-30 23:59:59", "2025-12-01", "2025-12-31", "2026-02-01", "2026-04-30")

    (orders,) = measure(tmp_path, orders=orders_of(*moments)).sources

    assert orders.months == (
        Month("2025-11", 1, 1), Month("2025-12", 2, 2), Month("2026-01", 0, 0),
        Month("2026-02", 1, 1), Month("2026-03", 0, 0), Month("2026-04", 1, 1),
    )  # fmt: skip
    assert orders.gaps == ("2026-01", "2026-03")
    assert orders.coverage == "2025-11 to 2026-04, none in 2026-01, 2026-03"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"])
def test_months_are_those_of_the_projects_calendar(tmp_path: Path, zone: str) -> None:
    moments = ("2025-10-01", "2025-10-31 23:59:59", "2025-11-01", "2026-03-31 23:59:59")

    found = measure(tmp_path, orders=orders_of(*moments), timezone=zone)

    counts = {month.month: month.rows for month in found.sources[0].months}
    assert counts == {
        "2025-10": 2, "2025-11": 1, "2025-12": 0, "2026-01": 0, "2026-02": 0, "2026-03": 1
    }  # fmt: skip
    assert found.timezone == zone


def test_freshness_is_told_from_now_and_from_the_newest_of_all(tmp_path: Path) -> None:
    tickets = "customer_id,opened_at\n1,2026-05-01\n"

    found = measure(tmp_path, orders=orders_of("2026-05-31"), tickets=tickets)

    orders, ticket = found.sources
    assert found.newest == AsOf.parse("2026-05-31")
    assert (orders.age_days, orders.behind_days) == (1, 0)
    assert (ticket.age_days, ticket.behind_days) == (31, 30)


def daily(last: str, days: int, per_day: dict[int, int]) -> str:
    """Orders of so many days up to the last one; `per_day` by days before it, one else."""
    end = date.fromisoformat(last)
    moments = [
        str(end - timedelta(days=age)) for age in range(days) for _ in range(per_day.get(age, 1))
    ]
    return orders_of(*moments)


def test_source_that_ebbs_away_is_told_by_its_volume(tmp_path: Path) -> None:
    halved = {age: 1 if age < 28 else 2 for age in range(200)}

    (orders,) = measure(tmp_path, orders=daily("2026-05-31", 200, halved)).sources

    assert (orders.recent_rows, orders.usual_rows, orders.decay) == (28, 56, 0.5)
    assert "28 rows in the last 28 days, 50% fewer than usual" in str(orders.volume)


def test_source_that_stopped_has_no_recent_rows(tmp_path: Path) -> None:
    tickets = "customer_id,opened_at\n" + "".join(
        f"1,{date(2026, 1, 1) + timedelta(days=n)}\n" for n in range(100)
    )

    found = measure(tmp_path, orders=daily("2026-05-31", 200, {}), tickets=tickets)

    assert found.sources[0].decay == 1
    assert "as many as usual" in str(found.sources[0].volume)
    assert found.sources[1].recent_rows == 0
    assert found.sources[1].decay == 0


def test_decay_is_unknown_where_history_is_short(tmp_path: Path) -> None:
    (orders,) = measure(tmp_path, orders=daily("2026-05-31", 111, {})).sources

    assert orders.decay is None
    assert orders.volume is None


def test_customers_touched_are_a_share_of_all_that_any_source_knows(tmp_path: Path) -> None:
    customers = "customer_id\n0\n1\n2\n3\n"
    tickets = "customer_id,opened_at\n9,2026-05-01\n0,2026-05-01\n"

    found = measure(
        tmp_path, orders=orders_of("2026-05-31", "2026-05-31"), tickets=tickets, customers=customers
    )

    shares = {source.table: source.touched_share for source in found.sources}
    assert shares == {"customers": 0.8, "orders": 0.4, "tickets": 0.4}


def test_columns_are_told_by_how_often_they_say_something(tmp_path: Path) -> None:
    customers = "customer_id,country\n1,DE\n2,\n3,FR\n4,\n"

    found = measure(tmp_path, customers=customers)

    assert found.sources[0].filled == {"country": 0.5, "customer_id": 1}
    assert "  filled: country 50%" in found.lines()


def test_source_without_times_or_rows_is_measured_all_the_same(tmp_path: Path) -> None:
    tickets = {
        "text": "customer_id,opened_at,closed_at\n1,2026-01-02,2026-01-01\n",
    }

    found = measure(tmp_path, customers="customer_id\n1\n", tickets=tickets)

    customers, _, empty = found.sources
    assert (empty.rows, empty.months, empty.age_days, empty.recent_rows) == (0, (), None, 0)
    assert empty.lines() == ["tickets: 0% of all customers have a row"]
    assert (customers.age_days, customers.months, customers.usual_rows) == (None, (), None)


def test_facts_survive_json(tmp_path: Path) -> None:
    found = measure(tmp_path, orders=daily("2026-05-31", 200, {}))

    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))

    assert stored["now"] == "2026-06-01T00:00:00Z"
    assert stored["sources"][0]["decay"] == 1
    assert stored["sources"][0]["months"][0] == {"month": "2025-11", "rows": 18, "customers": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loaded")


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=UNSHRUNK,
)
@given(
    moments=st.lists(
        st.tuples(
            st.datetimes(datetime(1990, 1, 2), datetime(2026, 5, 31)),  # noqa: DTZ001 - UTC
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_months_agree_with_plain_counting(
    folder: Path, moments: list[tuple[datetime, int]]
) -> None:
    rows = [f"{who},{n},{moment:%Y-%m-%d %H:%M:%S},5" for n, (moment, who) in enumerate(moments)]

    (orders,) = measure(folder, orders="\n".join([HEAD, *rows]) + "\n").sources

    twin: dict[str, list[int]] = {}
    for moment, who in moments:
        twin.setdefault(f"{moment.replace(tzinfo=UTC):%Y-%m}", []).append(who)
    assert {m.month: (m.rows, m.customers) for m in orders.months if m.rows} == {
        month: (len(whos), len(set(whos))) for month, whos in twin.items()
    }
    assert [m.month for m in orders.months] == sorted(m.month for m in orders.months)
