"""The features of a few customers as of now, by the expression of the snapshots.

The expression is turned into SQL once, when features are built; a push then runs it over the rows
of the touched customers alone. What is known of the whole base is carried from the build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.vectors import FloatMatrix
from features.customer_history import BUILD, CustomerHistory, HistoryFacts
from features.request_time import RequestTime, RequestTimePlan
from features.transforms.calendar import calendar_values

MOMENT = "as_of_now"
"""The variable of DuckDB that holds the moment."""

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Part:
    """The features of one subject.

    Attributes:
        table: the canonical table of whose rows there must be some.
        features: names of the features.
        query: SQL over canonical tables and the variable `MOMENT` that gives `customer_id`,
            `as_of` and them.
    """

    table: str
    features: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class RecomputationPlan:
    """How features are computed again.

    Attributes:
        parts: the subjects, which together make the table `own`: one row per customer.
        looked_up: features that count everybody, and the column of customers that holds the word
            by which such a feature is looked up among the `shares` that a build kept.
        whole: SQL over `own`, `moments` and `base` that gives `customer_id`, `as_of` and all
            features.
    """

    parts: tuple[Part, ...]
    looked_up: Mapping[str, str]
    whole: str

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RecomputationPlan":
        """Return the plan that `to_dict` gave."""
        parts = tuple(
            Part(part["table"], tuple(part["features"]), part["query"]) for part in content["parts"]
        )
        return cls(parts, content["looked_up"], content["whole"])


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
    plan = RecomputationPlan.from_dict(facts.plan)
    try:
        database.execute(f"SET VARIABLE {MOMENT} = TIMESTAMPTZ '{as_of}'")
        _keep(database, "moments", {**moment, **_floats(calendar_values(as_of))})
        _keep(database, "base", {**moment, **_floats(_base(facts, as_of))})
        _fill_shares(database, facts.shares)
        database.execute(f"CREATE OR REPLACE TABLE own AS {_own(database, plan)}")
        found: Any = database.sql(plan.whole).to_arrow_table()
    except duckdb.Error as error:
        raise FeatureStoreError(
            f"features cannot be computed as of {as_of}: {str(error).splitlines()[0]}; {BUILD}"
        ) from error
    values = [
        found[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in facts.columns
    ]
    return FreshFeatures(
        as_of=as_of,
        customer_ids=tuple(found["customer_id"].to_pylist()),
        columns=facts.columns,
        values=np.column_stack(values),
    )


def _base(facts: HistoryFacts, as_of: AsOf) -> dict[str, float | None]:
    """Return what is known of the whole base, with what moves with the clock brought forward."""
    columns = tuple(facts.base)
    values = np.array([[np.nan if value is None else value for value in facts.base.values()]])
    seconds = np.array([AsOf.parse(facts.base_as_of).moment.timestamp()])
    request_time = RequestTime(RequestTimePlan.from_json(facts.request_time), calendar_values)
    (now,) = request_time.forward(columns, values, seconds, as_of)
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(columns, now, strict=True)
    }


def _own(database: Any, plan: RecomputationPlan) -> str:
    """Return SQL for what customers' own rows say, and null where they have no rows to ask."""
    columns, joins = ["known.customer_id", "known.as_of"], []
    for place, part in enumerate(plan.parts):
        if _has_rows(database, part.table):
            joins.append(f"LEFT JOIN ({part.query}) p{place} USING (customer_id, as_of)")
            columns += [f'p{place}."{name}"::DOUBLE AS "{name}"' for name in part.features]
        else:
            columns += [f'NULL::DOUBLE AS "{name}"' for name in part.features]
    for name, column in plan.looked_up.items():
        columns.append(
            "(SELECT max(share) FROM shares JOIN customers ON"
            f" shares.word = customers.{column} WHERE shares.feature = '{name}' AND"
            f' customers.customer_id = known.customer_id) AS "{name}"'
        )
    known = (
        "(SELECT DISTINCT customer_id, as_of FROM orders JOIN moments"
        " ON ordered_at < as_of AND known_at <= as_of) known"
    )
    return f"SELECT {', '.join(columns)} FROM {known} {' '.join(joins)}"


def _has_rows(database: Any, table: str) -> bool:
    return bool(database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall())


def _fill_shares(database: Any, shares: Mapping[str, Mapping[str, float]]) -> None:
    rows = [(feature, *pair) for feature, words in shares.items() for pair in words.items()]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = {"feature": pa.string(), "word": pa.string(), "share": pa.float64()}
    _keep(
        database,
        "shares",
        {
            name: pa.array(values, kind)
            for (name, kind), values in zip(types.items(), columns, strict=True)
        },
    )


def _floats(values: Mapping[str, float | None]) -> dict[str, Any]:
    return {name: pa.array([value], pa.float64()) for name, value in values.items()}


def _keep(database: Any, name: str, columns: Mapping[str, Any]) -> None:
    database.register("kept_rows", pa.table(dict(columns)))
    database.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM kept_rows")
    database.unregister("kept_rows")
