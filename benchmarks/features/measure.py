"""One measurement in a process of its own: prints what it took as JSON."""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.features import by_hand, by_pandas
from benchmarks.features.shop import AS_OF, MAPPED, months, open_shop
from features.catalogue import subjects
from features.snapshots import write_features


@dataclass(frozen=True)
class Measurement:
    """What a measurement took: seconds of the clock and of the processor, and memory."""

    seconds: float
    processor_seconds: float
    memory_mb: float


def ours(orders: Path, out: Path, memory: str, moments: int) -> Callable[[], None]:
    """Return what builds the snapshots of so many months."""
    connection = open_shop(orders, memory)
    names = by_hand.names()
    carried = [s for s in subjects(MAPPED) if names.issuperset(f.name for f in s.features)]
    tables = {"orders": connection.table("orders")}

    def run() -> None:
        list(write_features(connection, tables, carried, months(moments), out))

    return run


def hand(orders: Path, out: Path, memory: str, _: int) -> Callable[[], None]:
    """Return what runs the query by hand."""
    connection = open_shop(orders, memory)
    copy = f"COPY ({by_hand.query(AS_OF)}) TO '{out / 'by_hand.parquet'}' (FORMAT parquet)"

    def run() -> None:
        connection.raw_sql(copy)

    return run


def pandas(orders: Path, out: Path, _: str, __: int) -> Callable[[], None]:
    """Return what computes a part of the features with pandas."""

    def run() -> None:
        by_pandas.snapshot(orders, AS_OF).to_parquet(out / "by_pandas.parquet")

    return run


WAYS = {"ours": ours, "hand": hand, "pandas": pandas}


def main() -> None:
    """Measure what the command line names: way, orders, folder for the result, memory, moments."""
    way, orders, out, memory, moments = sys.argv[1:]
    run = WAYS[way](Path(orders), Path(out), memory, int(moments))
    clock, processor = time.perf_counter(), time.process_time()
    run()
    taken = Measurement(
        time.perf_counter() - clock,
        time.process_time() - processor,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(json.dumps(asdict(taken)))


if __name__ == "__main__":
    main()
