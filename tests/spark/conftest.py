"""One Spark session for all of these tests: it takes seconds to start."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.spark_session import open_spark
from tests.spark.sessions import SMALL

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """An Ibis connection to Spark. Without Java, tests fail and say so."""
    with open_spark(SMALL) as connection:
        yield connection


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore in the tests of this folder that PySpark forgets sockets to its own Java process."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True, scope="module")
def forgotten_sockets_are_collected_here() -> Iterator[None]:
    """Collect what was forgotten before the tests of others run, which make an alarm of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
