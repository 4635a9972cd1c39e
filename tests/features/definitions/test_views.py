import warnings
from pathlib import Path

import pandas as pd
from feast import FeatureStore

from features.contracts.vectors import SNAPSHOT_EPOCH
from features.definitions import PUSHED_FEATURES
from features.definitions.repository import repository_config
from features.online_store.opening import feast_section
from features.store import open_reader
from tests.features.snapshot_project import (
    COLUMNS,
    EVERYBODY,
    FIRST,
    GOALS,
    settings,
    small_project,
    values_of,
)


def test_feasts_own_push_writes_rows_of_features(tmp_path: Path) -> None:
    layout, later = small_project(tmp_path), FIRST.plus_days(2)
    reader = open_reader(settings(), layout)
    reader.apply(GOALS)
    reader.publish(FIRST.plus_days(1))
    moment = pd.to_datetime([later.moment])
    row = {**dict.fromkeys(COLUMNS, 5.0), SNAPSHOT_EPOCH: later.moment.timestamp()}
    keys = {"customer_id": EVERYBODY[0], "as_of": moment, "known_at": moment}
    config = repository_config(
        settings().name,
        registry=layout.feature_registry,
        online_store=feast_section(settings(), layout),
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FeatureStore(config=config).push(PUSHED_FEATURES, pd.DataFrame({**keys, **row}))

    found = reader.online(EVERYBODY[:2], as_of=later, services=["clv_v1"])
    assert values_of(found, "orders_30d") == [5.0, 2.0]
