"""Made-up customers with sixty features, the same ones in every run."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from features.online_store.schema import RowSchema, ValueType

VIEW = "customer_features"
FEATURES = tuple(f"feature_{place:02d}" for place in range(60))
SCHEMA = RowSchema.of(dict.fromkeys(FEATURES, ValueType.FLOAT64))
VALUE_BYTES = 8 * len(FEATURES)
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF_US = int(AS_OF.timestamp()) * 1_000_000
BATCH_CUSTOMERS = 20_000
NULL_SHARE = 0.05


def customer_id(number: int) -> str:
    """Return the identifier of a customer."""
    return f"C{number:09d}"


def batches(customers: int) -> Iterator[pa.RecordBatch]:
    """Yield customers with their features, a batch at a time."""
    for start in range(0, customers, BATCH_CUSTOMERS):
        numbers = range(start, min(start + BATCH_CUSTOMERS, customers))
        random = np.random.default_rng(start)
        columns = [
            pa.array(
                random.normal(size=len(numbers)), mask=random.random(len(numbers)) < NULL_SHARE
            )
            for _ in FEATURES
        ]
        ids = pa.array([customer_id(number) for number in numbers])
        yield pa.RecordBatch.from_arrays([ids, *columns], ["customer_id", *FEATURES])
