from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast.infra.offline_stores.offline_store import RetrievalJob

from features.contracts.errors import FeatureStoreError
from features.store import open_reader
from tests.features.snapshot_project import EVERYBODY, FIRST, GOALS, settings, small_project

pytestmark = pytest.mark.integration


def test_dropped_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = open_reader(settings(), small_project(tmp_path))
    reader.apply(GOALS)
    to_arrow = RetrievalJob.to_arrow

    def some(job: RetrievalJob, *arguments: Any) -> pa.Table:
        return to_arrow(job, *arguments).slice(1)

    # Feast's own file store drops whoever has no features in time.
    monkeypatch.setattr(RetrievalJob, "to_arrow", some)

    with pytest.raises(FeatureStoreError, match="2 rows for 3 customers"):
        reader.historical(EVERYBODY[:3], as_of=FIRST, services=["churn_v1"])
