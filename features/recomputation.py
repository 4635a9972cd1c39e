"""The features of a few customers as of now, by the expression of the snapshots.

The expression is turned into SQL once, when features are built; a push then runs it over the rows
of the touched customers alone. What is known of the whole base is carried from the build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FloatMatrix
from features.customer_history import BUILD, CustomerHistory
from features.transforms.calendar import calendar_values

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class FreshFeatures:
    """Features of n customers as of a moment.

    Attributes:
        as_of: the moment.
        customer_ids: n customers with an order known at the moment.
        columns: names of the f features.
        values: n x f, NaN where a feature is null.
    """

    as_of: AsOf
    customer_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatMatrix


def recompute(history: CustomerHistory, customer_ids: Sequence[str], as_of: AsOf) -> FreshFeatures:
    """Return the features of customers as of a moment; those without an order known have none.

    Raises:
        FeatureStoreError: if there was no build, or its history cannot be read.
    """
    facts = history.facts()
    history.gather(customer_ids)
    database = history.database
    moment = {"as_of": pa.array([as_of.moment.astimezone(UTC)], TIMESTAMP)}
    try:
        _one_row(database, "moments", {**moment, **_floats(calendar_values(as_of))})
        _one_row(database, "base", {**moment, **_floats(facts.base)})
        found = database.execute(facts.query).to_arrow_table()
    except duckdb.Error as error:
        raise FeatureStoreError(
            f"features cannot be computed as of {as_of}: {str(error).splitlines()[0]}; {BUILD}"
        ) from error
    values = [
        found[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in facts.columns
    ]
    shape = (found.num_rows, len(facts.columns))
    return FreshFeatures(
        as_of=as_of,
        customer_ids=tuple(found["customer_id"].to_pylist()),
        columns=facts.columns,
        values=np.column_stack(values) if values else np.empty(shape),
    )


def _floats(values: Mapping[str, float | None]) -> dict[str, Any]:
    return {name: pa.array([value], pa.float64()) for name, value in values.items()}


def _one_row(database: Any, name: str, columns: Mapping[str, Any]) -> None:
    database.register("one_row", pa.table(dict(columns)))
    database.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM one_row")
    database.unregister("one_row")
