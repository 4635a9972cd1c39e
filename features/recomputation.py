"""The features of a few customers as of now, by the expression of the snapshots.

The expression is turned into SQL once, when features are built; a push then runs it over the rows
of the touched customers alone. What is known of the whole base is carried from the build.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    plan, moment = RecomputationPlan.from_dict(facts.plan), pa.scalar(as_of.moment, TIMESTAMP)
    known = {"as_of": pa.repeat(moment, 1)}
    try:
        database.execute(f"SET VARIABLE {MOMENT} = TIMESTAMPTZ '{as_of}'")
        _keep(database, "moments", {**known, **_floats(calendar_values(as_of))})
        _keep(database, "base", {**known, **_floats(_base(facts, as_of))})
        _fill_shares(database, facts.shares)
        _keep(database, "own", _own(database, plan, moment))
        names = ", ".join(f'"{name}"' for name in facts.columns)
        customers, found = _answer(database, f"SELECT customer_id, {names} FROM ({plan.whole})")
    except duckdb.Error as error:
        raise FeatureStoreError(
            f"features cannot be computed as of {as_of}: {str(error).splitlines()[0]}; {BUILD}"
        ) from error
    values = [found[name].to_numpy(zero_copy_only=False) for name in facts.columns]
    return FreshFeatures(
        as_of, tuple(customers.to_pylist()), facts.columns, np.column_stack(values)
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


def _own(database: Any, plan: RecomputationPlan, moment: Any) -> dict[str, Any]:
    """Return what customers' own rows say, and null where they have no rows to ask.

    DuckDB joins so many narrow results of a few rows slower than it computes them.
    """
    customers, _ = _answer(
        database,
        "SELECT DISTINCT customer_id FROM orders JOIN moments"
        " ON ordered_at < as_of AND known_at <= as_of",
    )
    nothing = pa.nulls(len(customers), pa.float64())
    columns = {"customer_id": customers, "as_of": pa.repeat(moment, len(customers))}
    for part in (*plan.parts, *map(_look_up, plan.looked_up.items())):
        columns.update(dict.fromkeys(part.features, nothing))
        if _has_rows(database, part.table):
            floats = ", ".join(f'"{name}"::DOUBLE AS "{name}"' for name in part.features)
            own, found = _answer(database, f"SELECT customer_id, {floats} FROM ({part.query})")
            places = pc.index_in(customers, own)
            columns.update({name: values.take(places) for name, values in found.items()})
    return columns


def _answer(database: Any, query: str) -> tuple[Any, dict[str, Any]]:
    """Return the customers that a query finds, and its other columns, all numbers, by name.

    Not DuckDB's own way to Arrow, which plans a query twice.
    """
    found = {
        name: np.ma.asarray(column) for name, column in database.execute(query).fetchnumpy().items()
    }
    customers = pa.array(found.pop("customer_id").data, pa.string())
    return customers, {
        name: pa.array(np.ma.getdata(values), pa.float64(), mask=np.ma.getmaskarray(values))
        for name, values in found.items()
    }


def _look_up(feature: tuple[str, str]) -> Part:
    name, column = feature
    return Part(
        "customers",
        (name,),
        f'SELECT customer_id, max(share) AS "{name}" FROM customers JOIN shares'
        f" ON feature = '{name}' AND word = {column} GROUP BY customer_id",
    )


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
