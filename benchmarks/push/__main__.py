"""Print how long pushes take: `python -m benchmarks.push --customers 100000`."""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.push.shop import Shop, make_shop, now
from pipelines.push_features import FeaturePusher, next_second

PUSHES = 100


def main() -> None:
    """Measure pushes of single rows, and of one row of many customers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--pushes", type=int, default=PUSHES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        shop = make_shop(Path(folder), asked.customers)
        made = time.perf_counter() - started
        print(
            f"{asked.customers:,} customers, {len(shop.columns)} features, history of "
            f"{shop.layout.history.stat().st_size / 1e6:,.0f} MB, made in {made:.0f} s"
        )
        pusher = FeaturePusher(shop.layout, shop.online, timezone="UTC", now=now)
        print(f"{'pushed':34}{'first, ms':>10}{'p50, ms':>10}{'p99, ms':>10}{'CPU, ms':>10}")
        print(_line("one order of a customer", shop, asked.pushes, _one_order(pusher, shop)))
        print(_line("one visit of a customer", shop, asked.pushes, _one_visit(pusher, shop)))
        print(_line("an order of 1,000 customers", shop, 5, _many_orders(pusher, shop, 1_000)))
        pusher.close()


def _line(what: str, shop: Shop, times: int, push: Callable[[int], str]) -> str:
    taken, worked = [], time.process_time()
    for number in range(times):
        started = time.perf_counter()
        customer = push(number)
        stored, _ = shop.online.read((customer,), ("orders_total",))
        taken.append((time.perf_counter() - started) * 1e3)
        moment = float(stored.epoch_seconds[0])
        if moment != next_second(now()).moment.timestamp():
            raise RuntimeError(f"the row of {customer} cannot be read yet")
    cpu = (time.process_time() - worked) / times * 1e3
    p50, p99 = np.quantile(taken[1:], (0.5, 0.99))
    return f"{what:34}{taken[0]:10.1f}{p50:10.1f}{p99:10.1f}{cpu:10.1f}"


def _one_order(pusher: FeaturePusher, shop: Shop) -> Callable[[int], str]:
    def push(number: int) -> str:
        customer = shop.customers[number * 7919 % len(shop.customers)]
        pusher.push("orders", [_order(f"new-{number}", customer)])
        return customer

    return push


def _one_visit(pusher: FeaturePusher, shop: Shop) -> Callable[[int], str]:
    def push(number: int) -> str:
        customer = shop.customers[number * 104_729 % len(shop.customers)]
        seen = now() - timedelta(seconds=3)
        row = {"event_id": f"new-{number}", "customer_id": customer, "type": "visit"}
        pusher.push("events", [{**row, "occurred_at": seen}])
        return customer

    return push


def _many_orders(pusher: FeaturePusher, shop: Shop, many: int) -> Callable[[int], str]:
    def push(number: int) -> str:
        own = shop.customers[number * many : (number + 1) * many]
        pusher.push("orders", [_order(f"many-{number}-{name}", name) for name in own])
        return own[0]

    return push


def _order(order_id: str, customer: str) -> dict[str, Any]:
    placed = now() - timedelta(seconds=3)
    return {"order_id": order_id, "customer_id": customer, "ordered_at": placed, "amount": "20"}


if __name__ == "__main__":
    main()
