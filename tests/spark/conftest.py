"""One Spark session for all of these tests: it takes seconds to start."""

from collections.abc import Iterator
from typing import Any

import pytest

from features.spark_session import open_spark
from tests.spark.sessions import SMALL


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """An Ibis connection to Spark. Without Java, tests fail and say so."""
    with open_spark(SMALL) as connection:
        yield connection
