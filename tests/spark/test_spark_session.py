from pathlib import Path
from typing import Any

import pytest

from features.contracts.errors import ConfigurationError
from features.contracts.settings import SparkSettings
from features.spark_session import EXACT, open_spark
from tests.repository import run_python

pytestmark = pytest.mark.integration


def value(spark: Any, expression: str) -> Any:
    return spark.raw_sql(f"SELECT {expression} AS x").collect()[0].x


def test_session_that_runs_is_used_and_left_running(spark: Any) -> None:
    with open_spark(SparkSettings(master="spark://nowhere:1")) as other:
        assert value(other, "1 + 1") == 2

    assert value(spark, "1 + 1") == 2


def test_what_values_depend_on_is_set_and_then_set_back(spark: Any) -> None:
    session = spark._session
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        with open_spark(SparkSettings()):
            assert {name: session.conf.get(name) for name in EXACT} == EXACT
        assert session.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    finally:
        session.conf.set("spark.sql.session.timeZone", "UTC")


def test_views_of_others_stay_and_ours_go(spark: Any) -> None:
    spark.raw_sql("CREATE OR REPLACE TEMPORARY VIEW theirs AS SELECT 1 AS x")
    with open_spark(SparkSettings()) as other:
        other.raw_sql("CREATE OR REPLACE TEMPORARY VIEW ours AS SELECT 2 AS x")
    found = spark.list_tables()
    spark.raw_sql("DROP VIEW theirs")

    assert "theirs" in found
    assert "ours" not in found


@pytest.mark.parametrize("name", EXACT)
def test_settings_cannot_change_what_features_are(name: str) -> None:
    settings = SparkSettings(conf={name: "anything"})

    with (
        pytest.raises(ConfigurationError, match=f"features.spark.conf cannot set {name}"),
        open_spark(settings),
    ):
        pytest.fail("a session was opened")


def test_number_that_does_not_fit_is_an_error_not_a_null(spark: Any) -> None:
    with pytest.raises(Exception, match=r"CAST_OVERFLOW|overflow"):
        value(spark, "CAST(99999999999 AS INT)")


OPEN = """
import sys
from pathlib import Path
from features.contracts.errors import ConfigurationError
from features.contracts.settings import SparkSettings
from features.spark_session import open_spark
try:
    with open_spark(SparkSettings()):
        print("opened")
except ConfigurationError as error:
    print(error)
"""


def test_missing_java_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))

    result = run_python(OPEN, cwd=tmp_path)

    assert "Spark does not start at local[2]" in result.stdout
    assert "it needs Java 17 or later" in result.stdout
    assert list(tmp_path.iterdir()) == []
