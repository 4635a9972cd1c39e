"""What a build keeps for pushes: the history of customers, and what is carried to the next one."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from features.catalogue import Stage, feature_columns, of_stage, subjects
from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from features.contracts.features import DAY_SECONDS
from features.contracts.tables import TABLES
from features.customer_history import HistoryFacts, write_history
from features.recomputation_plan import recomputation_plan
from features.request_time_plan import request_time_plan
from features.snapshots import snapshot_path

USUAL_LOOKBACK_DAYS = 3
"""How late rows are taken to be where nobody says when they were learnt."""

LONGEST_LOOKBACK_DAYS = 90


def keep_history(
    database: Any,
    mapped: Mapping[str, frozenset[str]],
    *,
    as_of: AsOf,
    snapshots: Path,
    pushed_until: int,
    path: Path,
) -> HistoryFacts:
    """Write the history of customers beside the newest snapshot, and return what is kept with it.

    Args:
        database: the DuckDB connection that holds the canonical tables.
        mapped: canonical columns that the project has, by table.
        as_of: the moment of the newest snapshot.
        snapshots: folder of the snapshots.
        pushed_until: the last row of the push log that is among the tables.
        path: the file of the history.

    Raises:
        FeatureStoreError: if it cannot be written.
    """
    carried = subjects(mapped)
    plan = recomputation_plan(carried, mapped)
    newest = snapshot_path(snapshots, as_of)
    try:
        facts = HistoryFacts(
            mapped=mapped,
            pushed_until=pushed_until,
            columns=feature_columns(mapped),
            plan=plan.to_dict(),
            base=_base(database, [f.name for f in of_stage(carried, Stage.BASE)], newest),
            shares=_shares(database, plan.looked_up, newest),
            base_as_of=str(as_of),
            request_time=request_time_plan(mapped).to_json(),
            read_as_of=str(as_of),
            lookback_days=_lookback_days(database, mapped),
        )
    except duckdb.Error as error:
        raise FeatureStoreError(f"the history of customers cannot be kept: {error}") from error
    write_history(database, facts, path)
    return facts


def _base(database: Any, names: list[str], snapshot: Path) -> dict[str, float | None]:
    """Return the features of the whole base; every row of a snapshot says the same of it."""
    if not names:
        return {}
    (row,) = database.execute(
        f"SELECT {', '.join(names)} FROM read_parquet(?) LIMIT 1", [str(snapshot)]
    ).fetchall()
    return dict(zip(names, row, strict=True))


def _shares(
    database: Any, looked_up: Mapping[str, str], snapshot: Path
) -> dict[str, dict[str, float]]:
    """Return how many of all customers share a word, by feature and word.

    Such a feature counts everybody, so a few customers cannot tell it.
    """
    shares = {}
    for feature, column in looked_up.items():
        found = database.execute(
            f"SELECT customers.{column}, max(features.{feature}) FROM read_parquet(?) features"
            f" JOIN customers USING (customer_id) WHERE customers.{column} IS NOT NULL"
            f" AND features.{feature} IS NOT NULL GROUP BY ALL",
            [str(snapshot)],
        ).fetchall()
        shares[feature] = dict(found)
    return shares


def _lookback_days(database: Any, mapped: Mapping[str, frozenset[str]]) -> int:
    """Return the days after which 999 of 1000 rows were learnt, by what the tables say of it."""
    measured = [USUAL_LOOKBACK_DAYS]
    for table, columns in mapped.items():
        if "known_at" in columns:
            happened = TABLES[table].event_time
            ((seconds,),) = database.execute(
                f"SELECT quantile_disc(epoch(known_at) - epoch({happened}), 0.999) FROM {table}"
            ).fetchall()
            measured.append(math.ceil((seconds or 0) / DAY_SECONDS))
    return min(max(measured), LONGEST_LOOKBACK_DAYS)
