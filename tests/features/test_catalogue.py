import re
from itertools import combinations

import ibis
import pytest

from features.catalogue import ARRANGED, Stage, feature_columns, subjects
from features.contracts.features import Feature
from features.contracts.tables import TABLES
from features.snapshot_expression import snapshot_expression
from features.transforms.known import moments_table
from tests.features.hand_made import (
    CATALOGUE,
    COLUMNS,
    MAPPED,
    T,
    ago,
    features_of,
    order,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

EVERY_FEATURE = pytest.mark.parametrize("feature", CATALOGUE.values(), ids=lambda f: f.name)

NAME = re.compile(r"[a-z]+(_[a-z]+)*(_per_\d+d|_(?P<days>\d+)d(_last_year)?)?")
UNITS = {
    *("campaigns", "categories", "channels", "clicks", "customers", "day", "days", "devices"),
    *("events", "gaps", "level", "month", "quintile"),
    *("lines", "messages", "money", "opens", "orders", "pieces", "plans", "points", "products"),
    *("ratio", "redemptions", "returns", "subscriptions", "tickets", "topics", "unsubscribes"),
    *("weeks", "yes or no"),
}
MONEY_NAMES = (
    *("spend_", "order_value_", "discount_", "margin_", "returned_"),
    *("unit_price_", "subscription_price"),
)
ONLY_REQUIRED = {
    name: frozenset(column.name for column in table.columns if column.required)
    for name, table in TABLES.items()
}


@EVERY_FEATURE
def test_every_feature_has_unit_meaning_and_when_null(feature: Feature) -> None:
    assert feature.unit in UNITS
    assert re.fullmatch(r"[A-Z].*\.", feature.meaning)
    assert re.fullmatch(r"[a-z].*[a-z)]", feature.when_null)


@EVERY_FEATURE
def test_names_are_what_and_window_and_the_meaning_says_the_window_too(feature: Feature) -> None:
    match = NAME.fullmatch(feature.name)

    assert match is not None
    if match["days"]:
        assert f"{match['days']} days" in feature.meaning


@EVERY_FEATURE
def test_units_fit_the_names(feature: Feature) -> None:
    own_name = feature.name.removeprefix("base_")
    is_ratio = re.search(r"_(share|rate)(_\d+d)?$", own_name)
    is_time = own_name.startswith(("days_", "gap_days_"))
    is_money = own_name.startswith(MONEY_NAMES) and not is_ratio

    assert not is_time or feature.unit == "days"
    assert is_money == (feature.unit == "money")


@EVERY_FEATURE
def test_recency_means_two_things_and_is_no_name_but_in_btyd(feature: Feature) -> None:
    words = f"{feature.name} {feature.meaning} {feature.when_null}".lower()

    assert "recency" not in words.replace("btyd_recency", "")


@EVERY_FEATURE
def test_a_feature_is_either_aggregated_or_derived(feature: Feature) -> None:
    assert (feature.aggregate is None) != (feature.derive is None)


@EVERY_FEATURE
def test_a_feature_needs_columns_that_its_table_has(feature: Feature) -> None:
    assert set(feature.needs) <= set(COLUMNS[feature.table])


def test_names_are_unique() -> None:
    columns = feature_columns(MAPPED)

    assert len(set(columns)) == len(columns) == len(CATALOGUE)


def test_the_order_of_features_does_not_depend_on_the_order_of_tables() -> None:
    backwards = {name: MAPPED[name] for name in reversed(MAPPED)}

    assert feature_columns(backwards) == feature_columns(MAPPED)


def test_orders_alone_carry_the_features_of_orders() -> None:
    columns = feature_columns({"orders": ONLY_REQUIRED["orders"]})

    assert {"orders_30d", "days_since_last_order", "gap_days_mean"} <= set(columns)
    assert all(CATALOGUE[name].table == "orders" for name in columns)
    assert not any(CATALOGUE[name].needs for name in columns)


@pytest.mark.parametrize(
    ("table", "column", "gained"),
    [
        ("orders", "amount", "spend_90d"),
        ("orders", "discount", "discounted_share"),
        ("orders", "status", "cancellations_total"),
        ("orders", "channel", "channels_total"),
        ("order_lines", "category", "category_top_share"),
        ("messages", "campaign_id", "campaigns_total"),
        ("messages", "redeemed_at", "redemption_rate"),
        ("order_lines", "quantity", "quantity_total"),
        ("order_lines", "amount", "lines_returned_share"),
        ("events", "product_id", "products_viewed_30d"),
        ("events", "channel", "event_channel_top_share"),
        ("events", "device", "event_devices_total"),
        ("messages", "opened_at", "open_rate"),
        ("messages", "clicked_at", "clicks_30d"),
        ("messages", "unsubscribed_at", "days_since_last_unsubscribe"),
        ("messages", "is_held_out", "messages_held_out_total"),
        ("messages", "channel", "messages_email_30d"),
        ("tickets", "closed_at", "tickets_open"),
        ("tickets", "topic", "ticket_topics_total"),
        ("subscriptions", "ended_at", "subscriptions_ended_total"),
        ("subscriptions", "price", "subscription_price"),
        ("subscriptions", "plan", "plans_total"),
        ("customers", "created_at", "days_since_created"),
        ("customers", "country", "country_share"),
        ("customers", "acquisition_channel", "acquisition_share"),
        ("customers", "sms_consent", "sms_consent"),
        ("customers", "attribute_age", "attribute_age"),
    ],
)
def test_a_column_that_is_mapped_adds_the_features_that_need_it(
    table: str, column: str, gained: str
) -> None:
    more = {**ONLY_REQUIRED, table: ONLY_REQUIRED[table] | {column}}

    assert gained not in feature_columns(ONLY_REQUIRED)
    assert gained in feature_columns(more)


OPTIONAL = ("amount", "discount", "status", "channel")


@pytest.mark.parametrize(
    "optional",
    [chosen for n in range(len(OPTIONAL) + 1) for chosen in combinations(OPTIONAL, n)],
    ids=lambda chosen: "+".join(chosen) or "none",
)
def test_whatever_of_orders_is_mapped_the_features_can_be_put_together(
    optional: tuple[str, ...],
) -> None:
    mapped = {"orders": ONLY_REQUIRED["orders"] | set(optional)}
    orders = ibis.table(COLUMNS["orders"], name="orders")

    expression = snapshot_expression({"orders": orders}, subjects(mapped), moments_table([T]))

    assert expression.columns == ("customer_id", "as_of", *feature_columns(mapped))
    assert set(expression.schema().types[2:]) == {ibis.dtype("float64")}


def test_null_features_of_a_customer_with_one_cancelled_order_are_those_that_say_so() -> None:
    found = features_of(order(ago(days=3), status="cancelled"))

    nulls = {name for name, value in found.items() if value is None}
    may_be = {name for name, f in CATALOGUE.items() if f.when_null != "never null"}
    assert nulls <= may_be
    assert {name for name in may_be if CATALOGUE[name].table != "orders"} <= nulls


def test_a_feature_reads_only_what_was_computed_before_it() -> None:
    known: set[str] = set()
    for subject in subjects(MAPPED):
        for feature in subject.features:
            assert known.issuperset(feature.needs_features), feature.name
            known.add(feature.name)


def test_stages_come_in_their_order_and_only_rows_are_prepared() -> None:
    stages = [subject.stage for subject in subjects(MAPPED)]

    assert stages == sorted(stages, key=list(Stage).index)
    assert set(stages) == set(Stage)
    for subject in subjects(MAPPED):
        assert (subject.prepare is not None) == (subject.stage is Stage.ROWS)


def test_a_feature_is_not_carried_without_those_it_reads() -> None:
    without_amounts = {"orders": ONLY_REQUIRED["orders"]}

    columns = feature_columns(without_amounts)

    assert "rfm_spend_quintile" not in columns
    assert "rfm_spend_quintile" in feature_columns({"orders": MAPPED["orders"]})
    assert "rfm_last_order_quintile" in columns


def test_a_table_that_is_arranged_keeps_its_columns() -> None:
    for name, arrange in ARRANGED.items():
        table = ibis.table(COLUMNS[name], name=name)
        arranged = arrange(table, ["customer_id"])
        assert arranged[list(table.columns)].schema() == table.schema()
