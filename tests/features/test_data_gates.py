"""Each fault of the user's rows meets its policy: one test a gate, named after it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features.contracts.errors import SourceError
from features.contracts.tables import TABLES
from features.data_gates import GATES, REASONS, Action, offending_column
from features.sources import CanonicalTables
from features.stable_files import unchanged
from tests.features.loading import LoadTexts, column, fates, load_texts, notes, rows_of

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

HEAD = "customer_id,order_id,ordered_at,amount"


@pytest.fixture
def load(tmp_path: Path) -> Iterator[LoadTexts]:
    loaded: list[CanonicalTables] = []

    def load(*lines: str, **given: Any) -> CanonicalTables:
        if lines:
            head, *rest = (HEAD, *lines) if not lines[0].startswith("customer_id") else lines
            given["orders"] = {"text": "\n".join([head, *rest]) + "\n"} | given.pop("settings", {})
        loaded.append(load_texts(tmp_path, **given))
        return loaded[-1]

    yield load
    for tables in loaded:
        tables.close()


def test_every_gate_has_a_test_of_its_name() -> None:
    tested = {
        name.removeprefix("test_gate_") for name in globals() if name.startswith("test_gate_")
    }

    assert tested == {gate.name for gate in GATES}


def test_gates_are_of_tables_that_there_are() -> None:
    assert {table for gate in GATES for table in gate.tables} == set(TABLES)
    assert len({gate.name for gate in GATES}) == len(GATES)


def test_offending_column_of_a_reason_is_one_of_the_table() -> None:
    for gate in GATES:
        for table in gate.tables:
            name = offending_column(table, gate.name)
            assert name is None or name in {c.name for c in TABLES[table].columns}


def test_quarantined_rows_name_the_row_and_the_value(load: LoadTexts) -> None:
    tables = load("1,a,2026-01-01,5", "2,b,2026-01-01,lots", "3,c,2026-01-01,more")

    (part,) = tables.report.table("orders").quarantined
    assert (part.samples, part.places) == (("lots", "more"), (2, 3))


def test_gate_guest(load: LoadTexts) -> None:
    events = "customer_id,occurred_at,type\n1,2026-01-01,view\n,2026-01-01,view\n"

    tables = load("1,a,2026-01-01,5", ",b,2026-01-01,5", events=events)

    assert fates(tables) == {"guest": 1}
    assert fates(tables, "events") == {"guest": 1}


REAL = ["Testa", "testerman@web.de", "contest", "12test", "anna@example.co", "latest_1"]
UNREAL = ["test", "TEST", "test_1", "Test-9", "test42", "a@example.com", "b@x.test", "c@x.invalid"]


def test_gate_test_customer(load: LoadTexts) -> None:
    tables = load(*(f"{who},{n},2026-01-01,5" for n, who in enumerate(REAL + UNREAL)))

    assert fates(tables) == {"test_customer": len(UNREAL)}
    assert sorted(column(tables, "customer_id")) == sorted(REAL)


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [([], {"qa-7", "1", "test"}), (["qa-?", "[0-9]"], {"test"}), (["*"], set())],
    ids=["none", "own", "all"],
)
def test_patterns_of_test_customers_are_the_users(
    load: LoadTexts, patterns: list[str], kept: set[str]
) -> None:
    lines = [f"{who},{who},2026-01-01,5" for who in ("qa-7", "1", "test")]

    if not kept:
        with pytest.raises(SourceError, match="3 with the id of a test customer"):
            load(*lines, test_customers=patterns)
        return
    assert set(column(load(*lines, test_customers=patterns), "customer_id")) == kept


def test_gate_missing_time(load: LoadTexts) -> None:
    assert fates(load("1,a,2026-01-01,5", "1,b,,5")) == {"missing_time": 1}


def test_gate_unreadable_time(load: LoadTexts) -> None:
    tickets = "customer_id,opened_at\n1,2026-01-01\n1,yesterday\n1,2026-02-30\n"

    tables = load(tickets=tickets)

    assert fates(tables, "tickets") == {"unreadable_time": 2}


@pytest.mark.parametrize("date", ["1970-01-01", "1900-01-01", "0001-01-01", "1989-12-31"])
def test_gate_ancient_date(load: LoadTexts, date: str) -> None:
    assert fates(load("1,a,2026-01-01,5", f"1,b,{date},5")) == {"ancient_date": 1}


def test_gate_future_date(load: LoadTexts) -> None:
    lines = ["1,a,2026-06-01 23:59,5", "1,b,2026-06-02 00:01,5", "1,c,9999-12-31,5"]

    assert fates(load(*lines)) == {"future_date": 2}


def test_gate_missing_amount(load: LoadTexts) -> None:
    assert fates(load("1,a,2026-01-01,5", "1,b,2026-01-01,")) == {"missing_amount": 1}


def test_values_that_can_never_be_read_are_told_with_their_rows(load: LoadTexts) -> None:
    said = r"orders\.amount: .* 'ten' \(row 2\), 'few' \(row 3\), 'lots' \(row 4\); check the map"

    with pytest.raises(SourceError, match=said):
        load(
            *(f"1,{n},2026-01-01,{word}" for n, word in enumerate(["", "ten", "few", "lots", "x"]))
        )


def test_gate_unreadable_amount(load: LoadTexts) -> None:
    lines = ["1,a,2026-01-01,5", "1,b,2026-01-01,ten", "1,c,2026-01-01,inf"]

    assert fates(load(*lines)) == {"unreadable_amount": 2}


def test_gate_absurd_amount(load: LoadTexts) -> None:
    lines = ["1,a,2026-01-01,100", "1,b,2026-01-01,100.01", "1,c,2026-01-01,-5000"]

    assert fates(load(*lines, max_amount=100)) == {"absurd_amount": 2}
    assert fates(load(*lines)) == {}


MONEY = [
    "1,a,2026-01-01,10,GBP",
    "2,b,2026-01-02,10,eur",
    "3,c,2026-01-03,10,USD",
    "4,d,2026-01-04,10,",
]


def test_gate_foreign_currency(load: LoadTexts) -> None:
    tables = load(f"{HEAD},currency", *MONEY, currency="GBP")

    assert fates(tables) == {"foreign_currency": 2}
    assert column(tables, "customer_id") == ["1", "4"]
    assert column(tables, "currency") == ["GBP", "GBP"]


def test_gate_mixed_currencies(load: LoadTexts) -> None:
    said = r"GBP \(2 rows\), EUR \(1 rows\), USD \(1 rows\).*data\.currency: GBP"

    with pytest.raises(SourceError, match=said):
        load(f"{HEAD},currency", *MONEY, "5,e,2026-01-05,1,gbp")


def test_one_currency_needs_no_setting(load: LoadTexts) -> None:
    assert column(load(f"{HEAD},currency", MONEY[0], MONEY[3]), "currency") == ["GBP", "GBP"]


def test_gate_converted_amount(load: LoadTexts) -> None:
    lines = [f"{HEAD},currency,discount", *(f"{line},1" for line in MONEY)]

    tables = load(*lines, currency="gbp", exchange_rates={"EUR": 0.8567, "usd": "0.75"})

    assert fates(tables) == {}
    assert column(tables, "amount") == [10, Decimal("8.567"), Decimal("7.5"), 10]
    assert column(tables, "discount") == [1, Decimal("0.8567"), Decimal("0.75"), 1]
    assert column(tables, "currency") == ["GBP"] * 4
    assert "1 rows in EUR are converted to GBP at 0.8567" in notes(tables)


def test_gate_negative_price(load: LoadTexts) -> None:
    tables = load(subscriptions="customer_id,started_at,price\n1,2026-01-01,9\n1,2026-01-01,-9\n")

    assert fates(tables, "subscriptions") == {"negative_price": 1}


@pytest.mark.parametrize(
    ("table", "start", "end"),
    [("tickets", "opened_at", "closed_at"), ("subscriptions", "started_at", "ended_at")],
)
def test_gate_ends_before_start(load: LoadTexts, table: str, start: str, end: str) -> None:
    text = (
        f"customer_id,{start},{end}\n1,2026-01-02,2026-01-01\n1,2026-01-02,2026-01-02\n"
        "1,2026-01-02,\n1,2026-01-02,2027-01-01\n"
    )

    tables = load(**{table: text})

    assert fates(tables, table) == {"ends_before_start": 1}
    assert len(rows_of(tables, table)) == 3


def test_gate_missing_order_id(load: LoadTexts) -> None:
    lines = "order_id,customer_id,ordered_at,product_id\na,1,2026-01-01,x\n,1,2026-01-01,x\n"

    assert fates(load(order_lines=lines), "order_lines") == {"missing_order_id": 1}


def test_gate_missing_product_id(load: LoadTexts) -> None:
    lines = "order_id,customer_id,ordered_at,product_id\na,1,2026-01-01,x\na,1,2026-01-01,\n"

    assert fates(load(order_lines=lines), "order_lines") == {"missing_product_id": 1}


def test_gate_missing_type(load: LoadTexts) -> None:
    events = "customer_id,occurred_at,type\n1,2026-01-01,view\n1,2026-01-01,\n"

    assert fates(load(events=events), "events") == {"missing_type": 1}


REPEATABLE = {
    "orders": ("order_id", "ordered_at,amount", "2026-01-01,5", "2026-01-02,5"),
    "events": ("event_id", "occurred_at,type", "2026-01-01,view", "2026-01-02,view"),
    "messages": ("message_id", "sent_at,channel", "2026-01-01,sms", "2026-01-02,sms"),
    "tickets": ("ticket_id", "opened_at,topic", "2026-01-01,x", "2026-01-02,x"),
    "subscriptions": ("subscription_id", "started_at,plan", "2026-01-01,x", "2026-01-02,x"),
}


def repeatable(table: str, *rows: str) -> dict[str, str]:
    """Rows of a table between so many others that a few that differ are no rule."""
    identifier, columns, first, _ = REPEATABLE[table]
    others = [f"9,other{n},{first}" for n in range(300)]
    head = f"customer_id,{identifier},{columns}"
    return {table: "\n".join([head, *others, *rows]) + "\n"}


@pytest.mark.parametrize("table", REPEATABLE)
def test_gate_repeated_row(load: LoadTexts, table: str) -> None:
    said = REPEATABLE[table][2]
    rows = [f"1,x,{said}", f"1,x,{said}", f"1,x,{said}", f"2,x,{said}"]

    tables = load(**repeatable(table, *rows))

    assert fates(tables, table) == {"repeated_row": 2}
    assert tables.report.table(table).duplicates == 2
    assert len(rows_of(tables, table)) == 302


@pytest.mark.parametrize("table", REPEATABLE)
def test_gate_repeated_id(load: LoadTexts, table: str) -> None:
    _, _, early, late = REPEATABLE[table]

    tables = load(**repeatable(table, f"1,x,{late}", f"1,x,{early}", f"1,x,{late}"))

    assert fates(tables, table) == {"repeated_row": 1, "repeated_id": 1}
    (kept,) = [row for row in rows_of(tables, table) if row["customer_id"] == "1"]
    day = kept[TABLES[table].event_time].day
    assert day == 1  # the last row of a thing that changes, the first time of an event


def test_version_that_was_learnt_last_is_kept(load: LoadTexts) -> None:
    tickets = (
        "ticket_id,customer_id,opened_at,closed_at,known_at\n"
        "t,1,2026-01-01,2026-01-05,2026-01-05\nt,1,2026-01-01,,2026-01-01\n"
    )

    (ticket,) = rows_of(load(tickets=tickets), "tickets")

    assert ticket["closed_at"] == datetime(2026, 1, 5, tzinfo=UTC)
    assert ticket["known_at"] == datetime(2026, 1, 5, tzinfo=UTC)


def test_rows_without_an_id_all_count(load: LoadTexts) -> None:
    events = "customer_id,occurred_at,type\n" + "1,2026-01-01,view\n" * 3

    assert len(rows_of(load(events=events), "events")) == 3


def test_repetitions_are_in_the_quarantine(load: LoadTexts) -> None:
    tables = load("1,a,2026-01-01,5", "1,a,2026-01-01,5")

    (row,) = tables.connection.table("quarantine").to_pyarrow().to_pylist()
    assert (row["reason"], row["row"], row["value"]) == ("repeated_row", 2, "a")


def test_gate_repeated_customer(load: LoadTexts) -> None:
    customers = "customer_id,country,known_at\n1,DE,2026-01-01\n1,FR,2026-02-01\n"

    tables = load(customers=customers)

    assert fates(tables, "customers") == {"repeated_customer": 1}
    assert column(tables, "country", "customers") == ["FR"]


def test_gate_unreadable_line(load: LoadTexts) -> None:
    assert fates(load("1,a,2026-01-01,5", "1,b,2026-01-01")) == {"unreadable_line": 1}


def test_gate_naive_time(load: LoadTexts) -> None:
    lines = ["1,a,2026-01-01 10:00,5", "1,b,2026-01-01T10:00Z,5", "1,c,2026-01-01T10:00+01:00,5"]

    tables = load(*lines, timezone="America/New_York")

    assert [moment.hour for moment in sorted(column(tables, "ordered_at"))] == [9, 10, 15]
    assert "1 values of ordered_at carry no time zone and are read as America/New" in notes(tables)


def test_gate_mixed_formats(load: LoadTexts) -> None:
    lines = ["1,a,2026-01-01,5", "1,b,02/01/2026,5", "1,c,3.1.2026,5", "1,d,4 Jan 2026,5"]

    tables = load(*lines, "1,e,20260105,5", day_first=True)

    assert [moment.day for moment in column(tables, "ordered_at")] == [1, 2, 3, 4, 5]
    assert "ordered_at is written in 5 ways" in notes(tables)
    assert "ways" not in notes(load("1,a,2026-01-01,5", "1,b,2026-01-02 10:00,5"))


def test_gate_swapped_dates(load: LoadTexts) -> None:
    with pytest.raises(SourceError, match=r"change data\.day_first"):
        load(*(f"1,{day},{day}/01/2026,5" for day in range(1, 29)))


RETURNS = [
    "1,a,2026-01-01,30",
    "1,b,2026-01-02,10",
    "1,c,2026-01-03,-20",
    "1,d,2026-01-04,-5",
    "2,e,2026-01-05,-5",
    "1,f,2025-12-01,-5",
]


def test_gate_negative_amount(load: LoadTexts) -> None:
    tables = load(*RETURNS)

    assert "4 returned orders among them" in notes(tables)
    assert sum(column(tables, "amount")) == 5


def test_gate_matched_return(load: LoadTexts) -> None:
    tables = load(*RETURNS)

    links = {row["order_id"]: row["returns_order_id"] for row in rows_of(tables)}
    assert {name: of for name, of in links.items() if of} == {"c": "a", "d": "b"}
    assert "of 4 returns 2 are matched to the newest earlier order" in notes(tables)


def test_gate_unmatched_return(load: LoadTexts) -> None:
    tables = load(*RETURNS)

    returns = tables.report.table("orders").returns
    assert returns is not None
    assert (returns.named, returns.matched, returns.unmatched) == (0, 2, 2)
    assert {"e", "f"} <= set(column(tables, "order_id"))


def test_return_that_names_its_order_is_taken_at_its_word(load: LoadTexts) -> None:
    tables = load(
        f"{HEAD},returns_order_id",
        "1,a,2026-01-01,30,", "1,b,2026-01-02,30,", "2,x,2026-01-02,30,",
        "1,c,2026-01-03,-20,a", "1,d,2026-01-04,-5,gone", "1,e,2026-01-04,-5,x",
        "1,f,2026-01-05,-5,",
    )  # fmt: skip

    links = {row["order_id"]: row["returns_order_id"] for row in rows_of(tables)}
    assert [links[name] for name in "cdef"] == ["a", "gone", "x", "b"]
    returns = tables.report.table("orders").returns
    assert returns is not None
    assert (returns.named, returns.matched, returns.unmatched) == (1, 1, 2)


def test_return_is_not_matched_to_an_order_that_was_not_known_by_then(load: LoadTexts) -> None:
    tables = load(
        f"{HEAD},known_at",
        "1,a,2026-01-01,30,2026-01-01", "1,b,2026-01-02,30,2026-02-01",
        "1,c,2026-01-03,-20,2026-01-03",
    )  # fmt: skip

    assert column(tables, "returns_order_id") == [None, None, "a"]


def test_of_orders_of_one_moment_a_return_is_of_the_last_that_fits(load: LoadTexts) -> None:
    tables = load("1,z,2026-01-01,3", "1,a,2026-01-01,30", "1,b,2026-01-01,30", "1,r,2026-01-02,-9")

    assert column(tables, "returns_order_id")[-1] == "b"


def test_gate_odd_amount(load: LoadTexts) -> None:
    tables = load(*(f"{n},{n},2026-01-01,10" for n in range(40)), "99,99,2026-01-01,2000000")

    assert "1 amounts are over 1000 times the usual, such as 2,000,000" in notes(tables)
    assert len(rows_of(tables)) == 41


def test_odd_amounts_stand_out_though_they_are_many(load: LoadTexts) -> None:
    amounts = [99_999_999] * 8 + [10 + n % 7 for n in range(300)]

    tables = load(*(f"{n},{n},2026-01-01,{amount}" for n, amount in enumerate(amounts)))

    assert "8 amounts are over 1000 times the usual" in notes(tables)


def test_gate_negative_discount(load: LoadTexts) -> None:
    tables = load(f"{HEAD},discount", "1,a,2026-01-01,5,-2", "1,b,2026-01-02,5,2")

    assert column(tables, "discount") == [2, 2]
    assert "1 of 2 discounts are below zero" in notes(tables)


LATE = [f"1,{n},2026-01-01,5,2026-01-01" for n in range(97)] + [
    "1,x,2026-01-01,5,2026-01-03", "1,y,2026-01-01,5,2026-01-11 12:00", "1,z,2026-01-01,5,"
]  # fmt: skip


def test_gate_late_row(load: LoadTexts) -> None:
    tables = load(f"{HEAD},known_at", *LATE)

    lateness = tables.report.table("orders").lateness
    assert lateness is not None
    assert (lateness.late_share, lateness.days_p50, lateness.days_max) == (0.02, 0, 10.5)
    assert 2 <= lateness.days_p99 <= lateness.days_p999 <= 10.5
    assert tables.report.lateness_days_p999 == lateness.days_p999
    assert "2.0% of the rows were learnt later" in "\n".join(tables.report.lines())


def test_lateness_is_unknown_where_nothing_says_when_rows_were_learnt(load: LoadTexts) -> None:
    tables = load()

    assert tables.report.table("orders").lateness is None
    assert tables.report.lateness_days_p999 is None
    assert "known_at is not mapped" in notes(tables)
    assert "always known" in notes(load(customers="customer_id\n1\n"), "customers")


def test_gate_known_before(load: LoadTexts) -> None:
    tables = load(f"{HEAD},known_at", "1,a,2026-01-05,5,2026-01-01", "1,b,2026-01-05,5,2026-01-05")

    assert column(tables, "known_at") == column(tables, "ordered_at")
    assert "1 rows claim to be known before they happened" in notes(tables)


def test_gate_early_response(load: LoadTexts) -> None:
    messages = (
        "customer_id,sent_at,opened_at,clicked_at\n1,2026-01-02,2026-01-01,2026-01-03\n"
        "1,2026-01-02,,2026-01-01\n1,2026-01-02,2026-01-02,\n"
    )

    tables = load(messages=messages)

    sent = datetime(2026, 1, 2, tzinfo=UTC)
    found = [(row["opened_at"], row["clicked_at"]) for row in rows_of(tables, "messages")]
    later = datetime(2026, 1, 3, tzinfo=UTC)
    assert sorted(found, key=str) == sorted([(sent, later), (None, sent), (sent, None)], key=str)
    assert "2 messages were answered before they were sent" in notes(tables, "messages")


def test_gate_line_currency(load: LoadTexts) -> None:
    lines = "order_id,customer_id,ordered_at,product_id,amount\na,1,2026-01-01,x,5\n"

    tables = load(f"{HEAD},currency", *MONEY, currency="GBP", order_lines=lines)

    assert "their amounts are taken as GBP" in notes(tables, "order_lines")


def test_gate_unreadable_value(load: LoadTexts) -> None:
    customers = "customer_id,email_consent,sms_consent\n1,yes,maybe\n2,,0\n"

    tables = load(customers=customers)

    assert column(tables, "email_consent", "customers") == [True, None]
    assert column(tables, "sms_consent", "customers") == [None, False]
    said = "1 values of sms_consent cannot be read and are null, such as 'maybe' (row 1)"
    assert said in notes(tables, "customers")


@pytest.mark.parametrize(("rows", "stops"), [(19, False), (20, True)])
def test_optional_column_of_which_nothing_can_be_read_is_the_wrong_one(
    load: LoadTexts, rows: int, stops: bool
) -> None:
    customers = "customer_id,sms_consent\n" + "".join(f"{n},maybe{n}\n" for n in range(rows))

    if not stops:
        assert set(column(load(customers=customers), "sms_consent", "customers")) == {None}
        return
    said = r"customers\.sms_consent: column `sms_consent` .* 'maybe0' \(row 1\).*or none"
    with pytest.raises(SourceError, match=said):
        load(customers=customers)


def test_gate_unknown_type(load: LoadTexts) -> None:
    events = {
        "text": "customer_id,occurred_at,type\n1,2026-01-01,PDP\n1,2026-01-02,Add to Cart\n"
        "1,2026-01-03,Wink\n1,2026-01-04,7\n",
        "type_values": {"view": ["pdp"], "search": [7]},
    }

    tables = load(events=events)

    assert column(tables, "type", "events") == ["view", "add_to_cart", "Wink", "search"]
    assert "types that no feature knows are kept: 'Wink' (1)" in notes(tables, "events")


def test_gate_stranger(load: LoadTexts) -> None:
    tables = load(tickets="customer_id,opened_at\nC1,2026-01-01\nC2,2026-01-01\n")

    assert "only 0 of 2 customers have an order" in notes(tables, "tickets")


def test_gate_changed_source(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("a")

    said = r"orders\.csv changed while it was read, load it again"
    with pytest.raises(SourceError, match=said), unchanged([file], "orders"):
        file.write_text("ab")


def test_loading_stops_gates_are_not_reasons() -> None:
    assert not {gate.name for gate in GATES if gate.action is Action.STOPPED} & set(REASONS)
