"""The features of a few customers equal those that a snapshot of everyone gives them."""

from typing import Any

import numpy as np
import pytest

from features.catalogue import Stage, of_stage, subjects
from features.customer_history import CustomerHistory
from features.history_building import USUAL_LOOKBACK_DAYS, keep_history
from features.push_log import PushLog
from features.recomputation import RecomputationPlan, recompute
from features.recomputation_plan import recomputation_plan
from features.snapshots import snapshot_path, write_snapshots
from features.sources import open_connection
from tests.features.hand_made import (
    MAPPED,
    Row,
    T,
    ago,
    canonical,
    event,
    features_at,
    line,
    message,
    order,
    profile,
    subscription,
    ticket,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

CUSTOMERS = ("ann", "bob", "cyd")
LATER = T.plus_days(0.5)


def rows() -> list[Row]:
    found: list[Row] = []
    for place, customer in enumerate(CUSTOMERS):
        for days in (2 + place, 31, 90 + place):
            found.append(order(ago(days), "12.5", customer=customer, order_id=f"{customer}{days}"))
            found.append(line(ago(days), customer=customer, order_id=f"{customer}{days}"))
        found.append(profile(ago(500), customer=customer, country="GB" if place else "FR"))
        found.append(event(ago(1 + place), customer=customer))
    found.append(message(ago(4), opened_at=ago(3)))
    found.append(ticket(ago(6), customer="bob"))
    found.append(subscription(ago(60), customer="cyd"))
    return found


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("history")
    connection = open_connection()
    for name, content in canonical(rows()).items():
        connection.con.register("content", content)
        connection.raw_sql(f"CREATE TABLE {name} AS FROM content")
        connection.con.unregister("content")
    tables = {name: connection.table(name) for name in MAPPED}
    for _ in write_snapshots(connection, tables, MAPPED, [T], folder):
        pass
    assert snapshot_path(folder, T).exists()
    path = folder / "customers.duckdb"
    keep_history(connection.con, MAPPED, as_of=T, snapshots=folder, pushed_until=0, path=path)
    connection.disconnect()
    opened = CustomerHistory(path, PushLog(folder / "pushed.db"))
    yield opened
    opened.close()


def test_a_part_of_the_customers_gets_what_everybody_gets(history: CustomerHistory) -> None:
    whole = features_at(rows(), [T])

    fresh = recompute(history, ["cyd", "ann", "nobody"], T)

    assert fresh.as_of == T
    assert sorted(fresh.customer_ids) == ["ann", "cyd"]
    for customer, values in zip(fresh.customer_ids, fresh.values, strict=True):
        expected = [whole[customer, T][name] for name in fresh.columns]
        told = [None if np.isnan(value) else value for value in values]
        assert dict(zip(fresh.columns, told, strict=True)) == dict(
            zip(fresh.columns, expected, strict=True)
        )


def test_a_later_moment_moves_windows_and_days_since(history: CustomerHistory) -> None:
    whole = features_at(rows(), [LATER])
    base = {feature.name for feature in of_stage(subjects(MAPPED), Stage.BASE)}
    standing = {
        feature.name
        for feature in of_stage(subjects(MAPPED), Stage.STANDING)
        if base.intersection(feature.needs_features)
    }

    fresh = recompute(history, ["ann"], LATER)

    for name, value in zip(fresh.columns, fresh.values[0], strict=True):
        if name not in base | standing:
            told = None if np.isnan(value) else value
            assert told == whole["ann", LATER][name], name


def test_the_base_is_carried_and_what_moves_of_it_is_brought_forward(
    history: CustomerHistory,
) -> None:
    now, later = (recompute(history, ["ann"], moment) for moment in (T, LATER))
    columns = now.columns

    for name, moved in (("base_customers", 0.0), ("base_days_since_first_order", 0.5)):
        place = columns.index(name)
        assert later.values[0, place] - now.values[0, place] == moved


def test_nobody_is_asked_for(history: CustomerHistory) -> None:
    fresh = recompute(history, [], T)

    assert fresh.customer_ids == ()
    assert fresh.values.shape == (0, len(fresh.columns))


def test_facts_say_what_is_carried(history: CustomerHistory) -> None:
    facts = history.facts()

    assert facts.shares["country_share"] == {"FR": 1 / 3, "GB": 2 / 3}
    assert facts.base["base_customers"] == 3.0
    assert facts.lookback_days == USUAL_LOOKBACK_DAYS


def test_every_feature_that_counts_everybody_is_looked_up() -> None:
    carried = subjects(MAPPED)
    whole = {f.name for subject in carried if subject.is_whole for f in subject.features}

    plan = recomputation_plan(carried, MAPPED)

    assert set(plan.looked_up) == whole
    own = {name for part in plan.parts for name in part.features}
    assert own | whole == {feature.name for feature in of_stage(carried, Stage.ROWS)}


def test_a_plan_survives_as_plain_values() -> None:
    plan = recomputation_plan(subjects(MAPPED), MAPPED)

    assert RecomputationPlan.from_dict(plan.to_dict()) == plan
