"""Packed rows in a SQLite file: the embedded default."""

from pathlib import Path


class SqliteRows:
    """A `RowStore` in one SQLite file.

    Args:
        path: the file; made, with its folder, by the first write.
        project: views of different projects may have one name.
        wait_seconds: how long to wait for another writer.
    """

    def __init__(self, path: Path, project: str, *, wait_seconds: float = 30.0) -> None:
        raise NotImplementedError
