"""An order or a visit moves the features of its customer, whatever happens on the way."""

import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from features.contracts.errors import DataContractError, FeatureStoreError
from features.contracts.goals import GoalName
from features.contracts.settings import ServingSettings
from features.contracts.vectors import Presence
from features.push_log import PushLog
from features.recomputation import FreshFeatures
from pipelines.push_features import FeaturePusher, next_second
from pipelines.wiring import Project, open_project
from serving.api import ServingContext, build_app
from serving.score_log import ScoreLog
from serving.scorer import Scorer
from tests.fakes import make_card, make_model
from tests.pipelines.pushed_shop import (
    NOW,
    PUSHED_AS_OF,
    SERVICE,
    T,
    built_shop,
    of_the_base,
    online,
    order,
    pusher_of,
    rebuilt,
    visit,
)
from tests.repository import run_python

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return built_shop(tmp_path_factory.mktemp("built") / "shop")


@pytest.fixture
def shop(built: Project, tmp_path: Path) -> Project:
    shutil.copytree(built.layout.root, tmp_path / "shop")
    return open_project(tmp_path / "shop")


class BrokenSink:
    """An online store that is down."""

    def push(self, fresh: FreshFeatures) -> None:
        raise FeatureStoreError("the store is down")


def test_an_order_moves_counts_and_days_since(shop: Project) -> None:
    before = online(shop, "ann")

    pushed = pusher_of(shop).push("orders", [order()])

    after = online(shop, "ann")
    assert (pushed.rows, pushed.repeated, pushed.served.customers) == (1, 0, 1)
    assert pushed.served.as_of == PUSHED_AS_OF
    assert after["orders_total"] == before["orders_total"] + 1
    assert after["spend_30d"] == before["spend_30d"] + 20
    # The order is of 5:00:00.4 less a minute: whole seconds count.
    assert after["days_since_last_order"] == 61 / 86_400


def test_a_visit_moves_the_features_of_its_customer_alone(shop: Project) -> None:
    others = online(shop, "bob")

    pusher_of(shop).push("events", [visit()])

    assert online(shop, "ann")["days_since_last_visit"] == 61 / 86_400
    assert online(shop, "bob") == others


def test_a_later_process_goes_on_where_the_first_ended(shop: Project) -> None:
    first = pusher_of(shop)
    first.push("orders", [order("one")])
    first.close()

    pusher_of(shop).push("orders", [order("two")])

    assert online(shop, "ann")["orders_total"] == 3


def test_the_same_rows_again_change_nothing(shop: Project) -> None:
    pusher = pusher_of(shop)
    rows = [order(), order(order_id=None), visit(event_id=None)]
    pusher.push("orders", rows[:2])
    pusher.push("events", rows[2:])
    once = online(shop, "ann")

    again = pusher.push("orders", rows[:2])
    pusher.push("events", rows[2:])

    assert (again.rows, again.repeated) == (0, 2)
    assert online(shop, "ann") == once


def test_a_row_that_the_sources_have_is_not_counted_twice(shop: Project) -> None:
    before = online(shop, "ann")["orders_total"]

    pusher_of(shop).push("orders", [order("ann-0")])

    assert online(shop, "ann")["orders_total"] == before


def test_rows_may_come_in_any_order(shop: Project, tmp_path: Path) -> None:
    other = open_project(Path(shutil.copytree(shop.layout.root, tmp_path / "other")))
    long_ago = (T.moment - timedelta(days=40)).isoformat()
    rows = [order("late", ordered_at=long_ago), order("new"), order("newer", amount="7")]

    for project, sequence in ((shop, rows), (other, rows[::-1])):
        pusher = pusher_of(project)
        for row in sequence:
            pusher.push("orders", [row])

    assert online(shop, "ann") == online(other, "ann")
    assert online(shop, "ann")["orders_total"] == 4


def test_the_newest_version_of_a_row_counts(shop: Project) -> None:
    pusher = pusher_of(shop)
    opened = {"ticket_id": "t2", "customer_id": "ann", "opened_at": NOW - timedelta(days=2)}
    closed = {**opened, "closed_at": NOW - timedelta(days=1), "known_at": NOW - timedelta(hours=1)}

    pusher.push("tickets", [closed])
    pusher.push("tickets", [{**opened, "known_at": NOW - timedelta(days=2)}])

    assert online(shop, "ann")["days_since_last_ticket_closed"] == pytest.approx(1, abs=1e-4)


def test_a_new_customer_is_online_with_the_first_order(shop: Project) -> None:
    pusher = pusher_of(shop)

    assert pusher.push("events", [visit(customer="zoe")]).served.without_order == 1
    pusher.push("orders", [order(customer="zoe")])

    zoe = online(shop, "zoe")
    assert (zoe["orders_total"], zoe["days_since_last_visit"]) == (1, 61 / 86_400)


def test_what_others_share_is_looked_up_for_new_customers(shop: Project) -> None:
    pusher = pusher_of(shop)
    pusher.push("customers", [{"customer_id": "zoe", "country": "GB"}])
    pusher.push("orders", [order(customer="zoe")])

    assert online(shop, "zoe")["country_share"] == online(shop, "ann")["country_share"]


def test_pushed_rows_equal_a_whole_rebuild(shop: Project) -> None:
    pusher = pusher_of(shop)
    pusher.push("orders", [order(), order("returned", amount="-3"), order("zoe-1", "zoe")])
    pusher.push("events", [visit(), visit("cart", type="add_to_cart", product_id="p1")])
    pusher.push("tickets", [{"customer_id": "ann", "opened_at": NOW - timedelta(days=1)}])
    pusher.push(
        "messages", [{"customer_id": "ann", "sent_at": NOW - timedelta(days=1), "channel": "sms"}]
    )
    lines = {"order_id": "new", "customer_id": "ann", "ordered_at": NOW - timedelta(minutes=1)}
    pusher.push("order_lines", [{**lines, "product_id": "p1", "amount": 4}] * 2)

    found = {customer: online(shop, customer) for customer in ("ann", "zoe")}

    base = of_the_base(shop)
    for customer, values in found.items():
        whole = rebuilt(shop, customer)
        differ = {
            name: (value, whole[name])
            for name, value in values.items()
            if name not in base and value != whole[name]
        }
        assert differ == {}


@pytest.mark.parametrize(
    ("table", "row", "said"),
    [
        ("clicks", order(), "there is no table `clicks`"),
        ("orders", order(colour="red"), "row 2: there is no column `colour`"),
        ("orders", order(amount="much"), "row 2: `amount` cannot be 'much'"),
        ("orders", order(customer=None), "row 2: `customer_id` is missing"),
    ],
    ids=["table", "column", "value", "missing"],
)
def test_a_wrong_row_refuses_the_whole_push(
    shop: Project, table: str, row: dict[str, Any], said: str
) -> None:
    before = online(shop, "ann")

    with pytest.raises(DataContractError, match=said):
        pusher_of(shop).push(table, [order(), row])

    assert PushLog(shop.layout.pushed).last() == 0
    assert online(shop, "ann") == before


def test_a_push_that_was_cut_short_is_finished_by_a_replay(shop: Project) -> None:
    with pytest.raises(FeatureStoreError, match="down"):
        pusher_of(shop, sink=BrokenSink()).push("orders", [order()])
    assert online(shop, "ann")["orders_total"] == 1

    assert pusher_of(shop).replay().customers == 1

    assert online(shop, "ann")["orders_total"] == 2
    assert pusher_of(shop).replay().as_of is None


def test_a_push_that_was_cut_short_is_finished_by_the_next(shop: Project) -> None:
    with pytest.raises(FeatureStoreError, match="down"):
        pusher_of(shop, sink=BrokenSink()).push("orders", [order()])

    pusher_of(shop).push("orders", [order(customer="bob")])

    assert online(shop, "ann")["orders_total"] == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from features.contracts.as_of import AsOf
from features.contracts.layout import Layout
from pipelines.push_features import FeaturePusher

class Killer:
    def push(self, fresh):
        os.kill(os.getpid(), signal.SIGKILL)

pusher = FeaturePusher(
    Layout(Path(sys.argv[1])), Killer(), timezone="UTC", clock=AsOf.parse("2026-03-01")
)
row = {"order_id": "new", "customer_id": "ann", "ordered_at": "2026-02-28", "amount": "1"}
pusher.push("orders", [row])
"""


def test_a_killed_push_loses_nothing(shop: Project, tmp_path: Path) -> None:
    ended = run_python(KILLED, str(shop.layout.root), cwd=tmp_path)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert online(shop, "ann", T)["orders_total"] == 1

    assert pusher_of(shop).replay().customers == 1

    assert online(shop, "ann")["orders_total"] == 2


def test_a_score_over_http_moves_with_a_push(shop: Project, tmp_path: Path) -> None:
    # The stand-in scores with its first feature.
    model = make_model(card=make_card(columns=["active_share", "orders_total"]))
    log = ScoreLog(tmp_path / "log")
    context = ServingContext(
        scorer=Scorer({GoalName.CHURN: model}),
        reader=shop.reader(),
        clock=lambda: PUSHED_AS_OF,
        score_log=log,
        settings=ServingSettings(),
        goals=(GoalName.CHURN,),
    )
    client = TestClient(build_app(context))

    def score() -> float:
        answer = client.post("/v1/score", json={"customer_ids": ["ann"]}).json()
        return float(answer["results"][0]["scores"]["churn"]["probability"])

    before = score()
    pusher_of(shop).push("orders", [order()])

    assert (before, round(score(), 3)) == (0.0, 1.0)
    log.close()


def test_an_older_push_never_overwrites_a_newer_one(shop: Project) -> None:
    pusher_of(shop).push("orders", [order()])
    newer = online(shop, "ann")

    pusher_of(shop, NOW - timedelta(hours=1)).push("events", [visit()])

    assert online(shop, "ann") == newer


def test_a_clock_that_stands_still_is_the_present(shop: Project) -> None:
    pusher = FeaturePusher(shop.layout, shop.reader(), timezone="UTC", clock=T)

    pushed = pusher.push("orders", [order(ordered_at=T.moment - timedelta(days=1))])

    assert pushed.served.as_of == T
    assert online(shop, "ann", T)["days_since_last_order"] == 1.0


def test_two_pushes_as_of_one_moment_leave_what_the_later_one_knows(shop: Project) -> None:
    pusher = FeaturePusher(shop.layout, shop.reader(), timezone="UTC", clock=T)
    for number in range(3):
        row = order(f"n{number}", ordered_at=T.moment - timedelta(days=1))
        pusher.push("orders", [row])

    assert online(shop, "ann", T)["orders_total"] == 4


def test_pushing_needs_a_build(tmp_path: Path, shop: Project) -> None:
    shop.layout.history.unlink()

    with pytest.raises(FeatureStoreError, match="bellwether features build"):
        pusher_of(shop).push("orders", [order()])


def test_a_build_keeps_what_was_pushed(shop: Project) -> None:
    pusher_of(shop).push("orders", [order(known_at=NOW - timedelta(minutes=1))])

    assert rebuilt(shop, "ann")["orders_total"] == 2
    pusher_of(shop, NOW + timedelta(minutes=1)).push("events", [visit()])
    later = PUSHED_AS_OF.plus_days(60 / 86_400)
    assert online(shop, "ann", later)["orders_total"] == 2


def test_unknown_customers_stay_unknown(shop: Project) -> None:
    pusher_of(shop).push("orders", [order()])

    vectors = shop.reader().online(["nobody"], as_of=PUSHED_AS_OF, services=[SERVICE])

    assert vectors.presence.tolist() == [Presence.UNKNOWN_CUSTOMER]


def test_the_next_second_is_after_now() -> None:
    assert next_second(NOW) == PUSHED_AS_OF
    assert next_second(T.moment).moment == T.moment + timedelta(seconds=1)
