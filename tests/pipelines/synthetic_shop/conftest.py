"""One small shop of several blocks and files, written once."""

from pathlib import Path

import pytest

from pipelines.synthetic_shop.writing import WrittenShop, write_shop
from tests.pipelines.synthetic_shop.shops import SMALL


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> WrittenShop:
    """A small shop, as `write_shop` told of it."""
    return write_shop(tmp_path_factory.mktemp("shops") / "a shop", SMALL)


@pytest.fixture(scope="session")
def shop(written: WrittenShop) -> Path:
    """The folder of the small shop."""
    return written.folder
