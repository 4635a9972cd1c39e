from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from features.contracts.errors import ConfigurationError, DataContractError, FeatureStoreError
from features.contracts.goals import GoalName
from serving.scorer import SCORE_SCHEMA, Scorer
from serving.sinks import write_scores
from tests.fakes import AS_OF, make_model, make_vectors


def scored(*chances: float) -> pa.Table:
    values = np.array([[chance, 0.0, 0.0] for chance in chances])
    scorer = Scorer({GoalName.CHURN: make_model()})
    return scorer.score(make_vectors(values), as_of=AS_OF).to_arrow()


def test_parquet_holds_every_table_in_the_score_schema(tmp_path: Path) -> None:
    path = tmp_path / "out" / "scores.parquet"

    rows = write_scores(path, iter([scored(0.1, 0.2), scored(0.3)]))

    table = pq.read_table(path)
    assert rows == 3
    assert table.schema == SCORE_SCHEMA
    assert table["probability"].to_pylist() == [0.1, 0.2, 0.3]


def test_csv_gives_back_the_same_numbers(tmp_path: Path) -> None:
    path = tmp_path / "scores.CSV"
    awkward = [0.1 + 0.2, 1 / 3, 5e-324]

    rows = write_scores(path, [scored(*awkward)])

    table = pa_csv.read_csv(path)
    assert rows == 3
    assert table.column_names == SCORE_SCHEMA.names
    assert table["probability"].to_pylist() == awkward


def test_no_tables_make_an_empty_file_with_columns(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"

    assert write_scores(path, []) == 0
    assert pq.read_table(path).schema == SCORE_SCHEMA


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores{suffix}"
    path.write_text("the scores of yesterday")

    def failing() -> Iterator[pa.Table]:
        yield scored(0.1)
        raise FeatureStoreError("the store went away")

    with pytest.raises(FeatureStoreError):
        write_scores(path, failing())

    assert path.read_text() == "the scores of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_suffix_is_refused_before_anything_is_scored(tmp_path: Path) -> None:
    def never() -> Iterator[pa.Table]:
        raise AssertionError
        yield

    with pytest.raises(ConfigurationError, match=r"scores\.xlsx.*\.parquet or \.csv"):
        write_scores(tmp_path / "scores.xlsx", never())


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataContractError, match="need the columns customer_id"):
        write_scores(tmp_path / "scores.parquet", [pa.table({"customer_id": ["a"]})])
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "scores.parquet"

    with pytest.raises(ConfigurationError, match="choose another place"):
        write_scores(path, [scored(0.1)])
