"""Measures the building of order features and prints a table; ratios are of one run.

`python -m benchmarks.features --orders 1000000` does everything with as many orders; `--larger`
measures growth to so many as well.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.features.measure import Measurement
from benchmarks.features.shop import AS_OF, make_orders
from features.snapshots import snapshot_path

MEMORY = "4GB"
"""What DuckDB may take; the process takes more."""


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = {}
        for number in filter(None, (options.orders, options.larger)):
            orders = Path(folder) / f"{number}.parquet"
            make_orders(number, orders)
            found[number] = _measure_all(orders, Path(folder), options, number)
    print(_table(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--larger", type=int, help="measure the growth to so many orders, too")
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=1, help="the best of so many counts")
    parser.add_argument("--memory", default=MEMORY, help="what DuckDB may take")
    parser.add_argument("--folder", help="where to work; a temporary folder if none is named")
    return parser.parse_args()


def _measure_all(
    orders: Path, folder: Path, options: argparse.Namespace, number: int
) -> dict[str, Measurement]:
    out = folder / f"out-{number}"
    out.mkdir()
    ways = [("hand", 1), ("ours", 1)]
    if number == options.orders:
        ways += [("pandas", 1)]
    ways += [("ours", options.months)]
    found: dict[str, Measurement] = {}
    for _ in range(options.repeats):
        for way, moments in ways:
            name = f"{way} {moments}"
            taken = _measure(way, orders, out, options.memory, moments)
            found[name] = min(taken, found.get(name, taken), key=lambda m: m.seconds)
            print(f"{number:>12,} {name:10} {taken}", file=sys.stderr)
    _require_same(out)
    return found


def _measure(way: str, orders: Path, out: Path, memory: str, moments: int) -> Measurement:
    command = [sys.executable, "-m", "benchmarks.features.measure"]
    command += [way, str(orders), str(out), memory, str(moments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return Measurement(**json.loads(done.stdout))


def _require_same(out: Path) -> None:
    by_hand = pq.read_table(out / "by_hand.parquet")
    ours = pq.ParquetFile(snapshot_path(out, AS_OF))
    names = ours.schema_arrow.names
    if set(names[4:]) != set(by_hand.column_names[1:]):
        raise SystemExit(f"other columns: {set(names[4:]) ^ set(by_hand.column_names[1:])}")
    for name in ("customer_id", *names[4:]):
        found = ours.read([name]).column(0).to_pylist()
        expected = by_hand[name].to_pylist()
        if not all(map(_same, found, expected)) or len(found) != len(expected):
            raise SystemExit(f"{name} differs from what the query by hand says")


def _same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return found == expected


def _table(found: dict[int, dict[str, Measurement]]) -> str:
    lines = [f"{'orders':>12}  {'what':28} {'s':>8} {'CPU s':>8} {'MB':>8}  beside"]
    first = next(iter(found))
    for number, taken in found.items():
        one, hand = taken["ours 1"], taken["hand 1"]
        for name, m in taken.items():
            beside = []
            if name == "ours 1":
                beside.append(f"{_ratio(m, hand)} of by hand")
                if number != first:
                    growth = number / first
                    beside.append(f"{_ratio(m, found[first]['ours 1'], growth)} of linear growth")
            elif name.startswith("ours"):
                beside.append(f"{_ratio(m, one)} of one")
            elif name != "hand 1":
                beside.append(f"{_ratio(m, one)} of ours")
            line = f"{number:>12,}  {name:28} {m.seconds:8.2f} {m.processor_seconds:8.2f}"
            lines.append(f"{line} {m.memory_mb:8.0f}  {', '.join(beside)}")
    return "\n".join(lines)


def _ratio(one: Measurement, other: Measurement, times: float = 1.0) -> str:
    clock = one.seconds / other.seconds / times
    processor = one.processor_seconds / other.processor_seconds / times
    return f"{clock:.2f} (CPU {processor:.2f})"


if __name__ == "__main__":
    main()
