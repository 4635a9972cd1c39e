"""Folders that are there whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which becomes `folder` (new or empty) once it is whole.

    What was interrupted lies beside it under a hidden name, and is removed the next time.
    """
    partial = folder.absolute().parent / f".{folder.absolute().name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.replace(folder)
