"""Print one table: `python -m benchmarks.online_store --customers 100000`."""

import argparse

from benchmarks.online_store.by_feast import (
    OursByFeastOnRedis,
    OursByFeastOnSqlite,
    StockFeastOnRedis,
    StockFeastOnSqlite,
)
from benchmarks.online_store.contest import READ_SIZES, Outcome, measure
from benchmarks.online_store.customers import FEATURES, VALUE_BYTES
from benchmarks.online_store.ours import OursOnRedis, OursOnSqlite
from benchmarks.online_store.packed_limit import RedisLimit, SqliteLimit

CONTESTANTS = (
    SqliteLimit,
    OursOnSqlite,
    OursByFeastOnSqlite,
    StockFeastOnSqlite,
    RedisLimit,
    OursOnRedis,
    OursByFeastOnRedis,
    StockFeastOnRedis,
)


def main() -> None:
    """Measure every contestant whose name contains what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--only", default="", help="part of the names of the contestants")
    asked = parser.parse_args()
    print(
        f"{asked.customers:,} customers, {len(FEATURES)} float64 features, {VALUE_BYTES} bytes each"
    )
    print(
        f"{'':24}{'written/s':>12}", *(f"{f'read {size}, ms':>15}" for size in READ_SIZES), end=""
    )
    print(f"{'Redis B/customer':>18}{'peak MiB':>10}")
    for make in CONTESTANTS:
        if asked.only.lower() in make.name.lower():
            most = getattr(make, "most_customers", None) or asked.customers
            print(_line(measure(make, min(asked.customers, most))), flush=True)


def _line(outcome: Outcome) -> str:
    reads = " ".join(f"{outcome.read_ms[size]:15.3f}" for size in READ_SIZES)
    redis = f"{outcome.redis_bytes:18.0f}" if outcome.redis_bytes else f"{'':18}"
    return (
        f"{outcome.name:24}{outcome.rows_per_second:12,.0f} {reads}{redis}{outcome.peak_mib:10.0f}"
    )


if __name__ == "__main__":
    main()
