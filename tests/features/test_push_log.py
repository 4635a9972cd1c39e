import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.push_log import Appended, PushedRow, PushLog, time_text

T = AsOf.parse("2026-03-01")


def row(
    row_id: str = "1",
    customer: str = "ann",
    *,
    table: str = "orders",
    said: str = "10",
    known: AsOf = T,
) -> PushedRow:
    content = {"customer_id": customer, "order_id": row_id, "amount": said}
    return PushedRow(table, customer, row_id, f"{content}{known}", time_text(known.moment), content)


@pytest.fixture
def log(tmp_path: Path) -> PushLog:
    return PushLog(tmp_path / "state" / "pushed.db")


def amounts(log: PushLog, table: str = "orders") -> list[str]:
    return [content["amount"] for content in log.rows().get(table, [])]


def test_a_log_without_rows_is_no_file(log: PushLog, tmp_path: Path) -> None:
    assert (log.last(), log.rows(), log.waiting()) == (0, {}, {})
    assert log.wait_again(0, T) == 0
    assert not (tmp_path / "state").exists()


def test_rows_are_there_once(log: PushLog) -> None:
    assert log.append([row(), row(), row("2")]) == Appended(2, 1)
    assert log.append([row()]) == Appended(0, 1)
    assert len(log.rows()["orders"]) == 2


def test_rows_tell_when_they_were_learnt(log: PushLog) -> None:
    log.append([row()])

    (content,) = log.rows()["orders"]

    assert content["known_at"] == "2026-03-01T00:00:00.000000+00:00"


def test_ids_are_told_apart_by_customer(log: PushLog) -> None:
    log.append([row(), row(customer="bob")])

    assert len(log.rows()["orders"]) == 2


@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "out of order"])
def test_the_version_that_was_learnt_last_counts(log: PushLog, turn: int) -> None:
    versions = [row(said="old", known=T), row(said="new", known=T.plus_days(1))]
    for version in versions[::turn]:
        log.append([version])

    assert amounts(log) == ["new"]


def test_of_versions_learnt_together_the_last_one_pushed_counts(log: PushLog) -> None:
    log.append([row(said="one"), row(said="two")])

    assert amounts(log) == ["two"]


def test_of_an_event_what_was_told_first_counts(log: PushLog) -> None:
    log.append([row(table="events", said="first"), row(table="events", said="second")])

    assert amounts(log, "events") == ["first"]


def test_rows_are_found_by_customer_and_number(log: PushLog) -> None:
    log.append([row("1"), row("2", "bob"), row("3")])

    assert [r["order_id"] for r in log.rows(["ann"])["orders"]] == ["1", "3"]
    assert [r["order_id"] for r in log.rows(after=1)["orders"]] == ["2", "3"]
    assert [r["order_id"] for r in log.rows(until=2)["orders"]] == ["1", "2"]
    assert log.rows([]) == {}
    assert log.last() == 3


def test_customers_wait_until_they_are_served(log: PushLog) -> None:
    log.append([row(), row("2", "bob")])
    tickets = log.waiting()
    assert set(tickets) == {"ann", "bob"}

    log.served({"ann": tickets["ann"]})

    assert set(log.waiting()) == {"bob"}
    assert log.waiting(["ann"]) == {}
    assert log.waiting(["ann", "bob"]) == {"bob": tickets["bob"]}


def test_rows_that_came_meanwhile_let_their_customer_wait_on(log: PushLog) -> None:
    log.append([row()])
    tickets = log.waiting()
    log.append([row("2")])

    log.served(tickets)

    assert set(log.waiting()) == {"ann"}


def test_those_who_have_waited_longest_come_first(log: PushLog) -> None:
    for number, customer in enumerate(("cyd", "ann", "bob")):
        log.append([row(str(number), customer)])

    assert list(log.waiting(limit=2)) == ["cyd", "ann"]


def test_customers_can_be_told_to_wait(log: PushLog) -> None:
    log.let_wait(["ann"])
    assert set(log.waiting()) == {"ann"}

    log.served(log.waiting())

    assert log.waiting() == {}


def test_a_build_leaves_waiting_whom_it_has_not_seen(log: PushLog) -> None:
    log.append([row(), row("2", "bob", known=T.plus_days(1)), row("3", "cyd")])
    log.served(log.waiting())

    assert log.wait_again(2, T) == 2

    assert set(log.waiting()) == {"bob", "cyd"}


def test_rows_are_kept_all_or_none(log: PushLog, tmp_path: Path) -> None:
    log.append([row()])
    with closing(sqlite3.connect(tmp_path / "state" / "pushed.db")) as database, database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON pushed_rows WHEN new.row_id = 'bad'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )

    with pytest.raises(FeatureStoreError, match="refused"):
        log.append([row("2"), row("bad")])

    assert log.last() == 1
    assert set(log.waiting()) == {"ann"}


def test_a_log_that_cannot_be_read_is_named(log: PushLog, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "pushed.db").write_bytes(b"not a database" * 100)

    with pytest.raises(FeatureStoreError, match=r"pushed\.db cannot be used"):
        log.last()
