"""Who takes part, and how each is measured: alone in a process, in a store of its own."""

import gc
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import pyarrow as pa

from benchmarks.online_store.customers import batches, customer_id
from tests.servers_redis import running_redis

READ_SIZES = (1, 10, 100, 1_000)
READ_SECONDS = 2.0


class Contestant(Protocol):
    """One way to write features and to read them back. Made, used and thrown away in a process."""

    name: str

    def prepare(self, batch: pa.RecordBatch) -> object:
        """Return a batch in the form that `write` takes; this is not measured."""

    def write(self, prepared: object) -> None:
        """Write a batch."""

    def finish(self) -> None:
        """Make what was written visible; measured with the writing."""

    def read(self, customer_ids: Sequence[str]) -> object:
        """Return the features of customers as a matrix, or whatever comes nearest to one."""


@dataclass(frozen=True)
class Place:
    """Where a contestant may keep its features.

    Attributes:
        folder: an empty folder.
        redis_url: an empty Redis, for those that use one.
    """

    folder: Path
    redis_url: str


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes:
        name: of the contestant.
        rows_per_second: written, with `finish`.
        read_ms: median milliseconds per read, by number of customers.
        redis_bytes: memory of Redis per customer, 0 without one.
        peak_mib: peak memory of the process.
    """

    name: str
    rows_per_second: float
    read_ms: dict[int, float]
    redis_bytes: float
    peak_mib: float


def measure(make: Callable[[Place], Contestant], customers: int) -> Outcome:
    """Measure a contestant in a new process, with a new folder and a new Redis."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure_here, make, customers).result()


def _measure_here(make: Callable[[Place], Contestant], customers: int) -> Outcome:
    with TemporaryDirectory() as folder, running_redis(Path(folder)) as server:
        client = server.client()
        before = client.info("memory")["used_memory"]
        contestant = make(Place(Path(folder), server.url))
        seconds = _seconds_to_write(contestant, batches(customers))
        used = client.info("memory")["used_memory"] - before
        keys = client.dbsize()
        return Outcome(
            name=contestant.name,
            rows_per_second=customers / seconds,
            read_ms={size: _median_ms(contestant, customers, size) for size in READ_SIZES},
            redis_bytes=used / customers if keys else 0.0,
            peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )


def _seconds_to_write(contestant: Contestant, rows: Iterable[pa.RecordBatch]) -> float:
    seconds = 0.0
    for batch in rows:
        prepared = contestant.prepare(batch)
        started = time.perf_counter()
        contestant.write(prepared)
        seconds += time.perf_counter() - started
    started = time.perf_counter()
    contestant.finish()
    return seconds + time.perf_counter() - started


def _median_ms(contestant: Contestant, customers: int, size: int) -> float:
    random = np.random.default_rng(size)
    contestant.read([customer_id(0)])
    taken: list[float] = []
    with _no_collections():
        give_up = time.perf_counter() + READ_SECONDS
        while len(taken) < 5 or (time.perf_counter() < give_up and len(taken) < 2_000):
            ids = [customer_id(number) for number in random.integers(0, customers, size)]
            started = time.perf_counter()
            contestant.read(ids)
            taken.append(time.perf_counter() - started)
    return float(np.median(taken)) * 1_000


@contextmanager
def _no_collections() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
