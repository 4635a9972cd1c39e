"""Notices files that change while they are read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from features.contracts.errors import SourceError

_Identity = tuple[int, int, int] | None


@contextmanager
def unchanged(files: Sequence[Path], table: str) -> Iterator[None]:
    """Refuse what was read of `files` within, if one was written to or replaced meanwhile.

    A change also explains an error that reading ran into, so it is told instead of that.

    Raises:
        SourceError: if a file changed.
    """
    before = [_identity(file) for file in files]
    try:
        yield
    except Exception as error:
        _refuse_changed(files, before, table, error)
        raise
    _refuse_changed(files, before, table, None)


def _refuse_changed(
    files: Sequence[Path], before: Sequence[_Identity], table: str, error: Exception | None
) -> None:
    for file, then in zip(files, before, strict=True):
        if _identity(file) != then:
            raise SourceError(
                f"{table}: {file} changed while it was read, load it again; "
                "whoever writes it should write another file and then rename it"
            ) from error


def _identity(file: Path) -> _Identity:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
