"""NumPy arrays as the columns of the canonical tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.rates import BoolArray, FloatArray

TIMESTAMP = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 2)
CENTS = 100


def table_of(columns: Mapping[str, Any]) -> pa.Table:
    """Return columns of Arrow or NumPy as a table."""
    return pa.table(dict(columns))


def moments(block: Block, seconds: FloatArray) -> Any:
    """Return seconds since the opening as times, to the millisecond; NaN is null."""
    start = int(block.plan.start.moment.timestamp()) * 1_000_000
    missing = np.isnan(seconds)
    millis = np.rint(np.where(missing, 0.0, seconds) * 1000).astype(np.int64)
    return pa.array(start + millis * 1000, pa.int64(), mask=missing).cast(TIMESTAMP)


def money(cents: IntArray) -> Any:
    """Return whole cents as exact decimals."""
    halves = np.empty((len(cents), 2), np.int64)  # a decimal is a number of 128 bits
    halves[:, 0], halves[:, 1] = cents, cents >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(halves.tobytes())])


def named(codes: IntArray, names: Sequence[str], *, missing: BoolArray | None = None) -> Any:
    """Return the name at each place of `names`; null where it is `missing`."""
    places: Any = pa.array(codes.astype(np.int32), pa.int32(), mask=missing)
    return pa.DictionaryArray.from_arrays(places, pa.array(names, pa.string()))


def customers(block: Block, owners: IntArray) -> Any:
    """Return the names of customers by their place in the block."""
    places: Any = pa.array(owners.astype(np.int32), pa.int32())
    return pa.DictionaryArray.from_arrays(places, block.customer_ids)


def numbered(prefix: str, numbers: IntArray, *, missing: BoolArray | None = None) -> Any:
    """Return names that end in a number; null where it is `missing`."""
    texts = pc.cast(pa.array(numbers, pa.int64(), mask=missing), pa.string())
    return joined(prefix, texts)


def joined(*parts: Any) -> Any:
    """Return texts and columns of text put together, row by row."""
    join: Any = pc.binary_join_element_wise  # its stubs know fewer kinds of columns than it
    return join(*parts, "")


def drawn(rng: np.random.Generator, shares: Sequence[float], n: int) -> IntArray:
    """Return n places, drawn with these shares (their sum is what counts as all)."""
    edges = np.cumsum(shares)
    found: IntArray = np.searchsorted(edges, rng.random(n) * edges[-1], side="right")
    return np.minimum(found, len(edges) - 1)


def learnt(rng: np.random.Generator, seconds: FloatArray, late_share: float) -> FloatArray:
    """Return when rows that happened at `seconds` were learnt: a few come days late."""
    late = rng.random(len(seconds)) < late_share
    return seconds + np.where(late, rng.exponential(2 * 86_400.0, len(seconds)), 0.0)


def spread(rng: np.random.Generator, counts: IntArray) -> tuple[IntArray, FloatArray]:
    """Return owners and uniform numbers: `counts` of them for each owner, in rising order."""
    owners = np.repeat(np.arange(len(counts)), counts)
    keys = np.sort(owners + rng.random(len(owners)))  # one sort orders all owners at once
    places = np.minimum(keys - owners, np.nextafter(1.0, 0.0))
    return owners, np.maximum(places, 0.0)


def ranks(counts: IntArray) -> IntArray:
    """Return 0, 1, 2... for the rows of each owner."""
    starts = np.cumsum(counts) - counts
    ranked: IntArray = np.arange(int(counts.sum())) - np.repeat(starts, counts)
    return ranked
