"""Runs the command line as a user would see it, in this process: what it prints and how it ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO
from unittest.mock import patch

from pipelines.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and the lines of its two streams."""

    code: int
    out: list[str]
    errors: list[str]


def run(*arguments: object) -> Ended:
    """Run `bellwether` with these arguments, through its real entry point."""
    words = ["bellwether", *(str(argument) for argument in arguments)]
    with patch.object(sys, "argv", words), _captured("stdout") as out, _captured("stderr") as err:
        code = _exit_code()
    return Ended(code, _lines(out), _lines(err))


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


@contextmanager
def _captured(name: str) -> Iterator[IO[bytes]]:
    """Take what goes to a stream, from Python and from libraries written in other languages."""
    number = {"stdout": 1, "stderr": 2}[name]
    file = TemporaryFile()  # noqa: SIM115 - read after the streams are back, and closed by then
    stream = os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8")
    kept = os.dup(number)
    os.dup2(file.fileno(), number)
    try:
        with patch.object(sys, name, stream):
            yield file
    finally:
        stream.close()
        os.dup2(kept, number)
        os.close(kept)


def _lines(file: IO[bytes]) -> list[str]:
    with file:
        file.seek(0)
        return file.read().decode().splitlines()
