"""What the truth says against what happened: seeded, so that it fails for a reason or never."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts.as_of import AsOf
from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.rates import order_chance_given_orders
from pipelines.synthetic_shop.season import Clock
from pipelines.synthetic_shop.truth import (
    HORIZONS_DAYS,
    business_days_ahead,
    plan_of,
    truth_at,
)
from pipelines.synthetic_shop.writing import write_shop
from tests.pipelines.synthetic_shop.shops import END, SMALL, rows

PLAN = ShopPlan(customers=20_000, seed=17, days=730, end=END)
MOMENTS = ("2025-03-01", "2025-09-20")
SIGMAS = 4.0
BINS = 8
Values = np.ndarray[tuple[int], np.dtype[np.float64]]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shops") / "large", PLAN).folder


def happened(shop: Path, as_of: str, days: int) -> dict[str, Values]:
    """Return orders and spend in the horizon and, before it, repeat orders and the newest one."""
    answer = rows(
        f"""
        with moments as (select '{as_of}'::timestamptz as t)
        select customer_id, joined_at::timestamptz,
               count(*) filter (ordered_at >= t and ordered_at < t + interval {days} day),
               coalesce(sum(amount)
                        filter (ordered_at >= t and ordered_at < t + interval {days} day), 0),
               count(*) filter (ordered_at < t and ordered_at > joined_at),
               coalesce(epoch(max(ordered_at) filter (ordered_at < t)), epoch(joined_at)),
               epoch(joined_at)
        from truth join moments on joined_at < t
             left join (select * from orders where status = 'completed') using (customer_id)
        group by customer_id, joined_at, t order by customer_id
        """,
        shop,
    )
    columns = list(zip(*answer, strict=True))
    names = ("orders", "spend", "repeats", "last", "joined")
    return {n: np.array(c, dtype=float) for n, c in zip(names, columns[2:], strict=True)}


def check_agreement(said: Values, seen: Values) -> None:
    """Check that the mean of what was said is that of what was seen, among alike customers."""
    for place in np.array_split(np.argsort(said), BINS):
        noise = np.std(seen[place] - said[place]) / np.sqrt(len(place))
        assert abs(np.mean(seen[place]) - np.mean(said[place])) <= SIGMAS * noise + 1e-9


@pytest.mark.parametrize("days", HORIZONS_DAYS)
@pytest.mark.parametrize("as_of", MOMENTS)
def test_true_chances_are_the_frequencies(large: Path, as_of: str, days: int) -> None:
    truth = truth_at(large, AsOf.parse(as_of))
    seen = happened(large, as_of, days)

    check_agreement(truth[f"order_chance_{days}d"].to_numpy(), (seen["orders"] > 0).astype(float))
    check_agreement(truth[f"orders_expected_{days}d"].to_numpy(), seen["orders"])
    check_agreement(truth[f"spend_expected_{days}d"].to_numpy(), seen["spend"])


@pytest.mark.parametrize("as_of", MOMENTS)
def test_chances_given_orders_are_the_frequencies(large: Path, as_of: str) -> None:
    seen, clock, moment = happened(large, as_of, 90), Clock(PLAN), AsOf.parse(as_of)
    start = PLAN.start.moment.timestamp()
    joined, last = (clock.business_days(seen[name] - start) for name in ("joined", "last"))

    said = order_chance_given_orders(
        seen["repeats"],
        last - joined,
        clock.at(moment) - joined,
        business_days_ahead(clock, moment, 90),
    )

    check_agreement(said, (seen["orders"] > 0).astype(float))
    assert np.std(said) > 0.1


def test_a_wrong_chance_is_noticed(large: Path) -> None:
    truth, seen = truth_at(large, AsOf.parse(MOMENTS[0])), happened(large, MOMENTS[0], 28)
    said = 1.15 * truth["order_chance_28d"].to_numpy()

    with pytest.raises(AssertionError):
        check_agreement(said, (seen["orders"] > 0).astype(float))


def test_truth_as_of_the_end_is_the_file(shop: Path) -> None:
    file = pq.read_table(shop / "truth.parquet")
    at_end = truth_at(shop, END)

    assert file.num_rows == at_end.num_rows == SMALL.customers
    for name in at_end.column_names:
        _close(file[name], at_end[name])


def _close(one: Any, other: Any) -> None:
    if pa.types.is_floating(one.type):
        np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-12)
    else:
        assert one.to_pylist() == other.to_pylist()


def test_truth_knows_nobody_who_has_yet_to_join(shop: Path) -> None:
    moment = AsOf.parse("2025-01-01")
    ((joined,),) = rows(
        "select count(*) from customers where created_at < '2025-01-01'::timestamptz", shop
    )

    assert truth_at(shop, moment).num_rows == joined > 0


def test_who_has_stopped_orders_no_more(shop: Path) -> None:
    assert rows("select count(*) from truth where not is_active", shop)[0][0] > 50
    later = rows(
        "select * from truth join orders using (customer_id)"
        " where status <> 'returned' and ordered_at > stopped_at",
        shop,
    )

    assert later == []
    assert rows("select * from truth where is_active <> (stopped_at is null)", shop) == []


def test_truth_remembers_its_plan(shop: Path) -> None:
    plan = plan_of(pq.read_metadata(shop / "truth.parquet").metadata or {})

    assert (plan.customers, plan.seed, plan.days, plan.end) == (900, 5, 500, END)
