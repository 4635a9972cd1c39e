"""Projects with made-up snapshots, and the slow, obvious twin of the feature store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.as_of import AsOf
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import Settings, validate_settings
from features.contracts.vectors import SNAPSHOT_EPOCH, FeatureVectors, FloatMatrix, Presence
from features.snapshots import snapshot_path

FIRST = AsOf.parse("2026-03-01")
MOMENTS = tuple(FIRST.plus_days(days) for days in (0, 2, 4, 20, 27))
NEWEST = MOMENTS[-1]
TTL_DAYS = 3.0
EVERYBODY = tuple(f"customer {number}" for number in range(60))
COLUMNS = ("orders_30d", "spend_90d", "days_since_last_order", "clicks_7d")
GOALS = {
    GoalName.CHURN: ("days_since_last_order", "orders_30d"),
    GoalName.CLV: ("spend_90d", "orders_30d", "clicks_7d"),
}
SERVICES = ("churn_v1", "clv_v1")
UNION = ("days_since_last_order", "orders_30d", "spend_90d", "clicks_7d")


def settings(ttl_days: float = TTL_DAYS) -> Settings:
    content = {
        "version": 1,
        "timezone": "UTC",
        "data": {
            "tables": {
                "orders": {"path": "o.csv", "columns": {"customer_id": "c", "ordered_at": "t"}}
            }
        },
        "goals": {"churn": {"horizon_days": 28}},
        "features": {"ttl_days": ttl_days},
    }
    return validate_settings(content, "test")


def random_features(rng: np.random.Generator, rows: int, columns: int) -> FloatMatrix:
    values = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-8, 12, (rows, columns))
    values[rng.random((rows, columns)) < 0.3] = np.nan
    return values


def write_snapshot(
    layout: Layout,
    as_of: AsOf,
    customers: Sequence[str],
    values: FloatMatrix,
    columns: Sequence[str] = COLUMNS,
    known_at: AsOf | None = None,
) -> None:
    layout.snapshots.mkdir(parents=True, exist_ok=True)
    n, time = len(customers), pa.timestamp("us", tz="UTC")
    table: dict[str, pa.Array[Any]] = {
        "customer_id": pa.array(customers, pa.string()),
        "as_of": pa.array([as_of.moment] * n, time),
        "known_at": pa.array([(known_at or as_of).moment] * n, time),
        SNAPSHOT_EPOCH: pa.array([as_of.moment.timestamp()] * n, pa.float64()),
        **{c: pa.array(values[:, i], from_pandas=True) for i, c in enumerate(columns)},
    }
    pq.write_table(pa.table(table), snapshot_path(layout.snapshots, as_of))


def values_of(vectors: FeatureVectors, column: str) -> list[float]:
    return [float(value) for value in vectors.select([column])[:, 0]]


def same_bits(one: FloatMatrix, other: FloatMatrix) -> bool:
    return one.shape == other.shape and np.array_equal(one.view(np.int64), other.view(np.int64))


def oracle(layout: Layout, customers: Sequence[str], as_of: AsOf) -> FeatureVectors:
    """Plain SQL: the newest snapshot row that had happened and was known by the moment."""
    with duckdb.connect() as database:
        database.execute("SET timezone = 'UTC'")
        asked = pa.table({"place": range(len(customers)), "customer_id": list(customers)})
        database.register("asked", asked)
        rows = database.execute(
            f"""
            SELECT s.{SNAPSHOT_EPOCH}, {", ".join(UNION)}
            FROM (SELECT *, ?::TIMESTAMPTZ AS moment FROM asked) AS a
            ASOF LEFT JOIN (
                SELECT * FROM read_parquet(?) WHERE known_at <= ?::TIMESTAMPTZ
            ) AS s ON a.customer_id = s.customer_id AND a.moment >= s.as_of
            ORDER BY place
            """,
            [str(as_of), [str(path) for path in layout.snapshots.glob("*")], str(as_of)],
        ).fetchall()
    answer = np.array([[np.nan if x is None else x for x in row] for row in rows])
    age_days = (as_of.moment.timestamp() - answer[:, 0]) / 86_400
    presence = np.where(age_days > TTL_DAYS, Presence.STALE, Presence.PRESENT)
    presence[np.isnan(answer[:, 0])] = Presence.UNKNOWN_CUSTOMER
    answer[presence != Presence.PRESENT, 1:] = np.nan
    moments = [
        np.datetime64("NaT", "us") if np.isnan(s) else np.datetime64(int(s), "s").astype("M8[us]")
        for s in answer[:, 0]
    ]
    return FeatureVectors(
        tuple(customers), UNION, answer[:, 1:].copy(), presence.astype(np.int8), np.array(moments)
    )


def assert_same(one: FeatureVectors, other: FeatureVectors) -> None:
    assert one.customer_ids == other.customer_ids
    assert one.columns == other.columns
    assert one.presence.tolist() == other.presence.tolist()
    assert np.array_equal(one.features_as_of, other.features_as_of, equal_nan=True)
    assert same_bits(one.values, other.values)


def small_project(root: Path) -> Layout:
    """Two snapshots of three customers: every feature is 1 at the first, 2 a day later."""
    layout = Layout(root)
    for days, value in ((0, 1.0), (1, 2.0)):
        values = np.full((3, len(COLUMNS)), value)
        write_snapshot(layout, FIRST.plus_days(days), EVERYBODY[:3], values)
    return layout
