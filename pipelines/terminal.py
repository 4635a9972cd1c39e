"""What surrounds every command: progress on the terminal, and every ending as a line and a code."""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from features.contracts.errors import BellwetherError, GateError

if TYPE_CHECKING:
    from pipelines.wiring import Announce

EXIT_ERROR, EXIT_GATE, EXIT_INTERRUPTED = 1, 3, 130


@dataclass
class Options:
    """What is said before the command: whether an error shows where it comes from."""

    traceback: bool = False


@contextmanager
def border(options: Options) -> Iterator[None]:
    """Turn whatever ends a command into an exit code, and an error into one line for people.

    Raises:
        SystemExit: with the right code, when the command fails or is interrupted.
    """
    try:
        yield
    except GateError as error:
        _end(str(error), EXIT_GATE, options)
    except BellwetherError as error:
        _end(str(error), EXIT_ERROR, options)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        what = f"unexpected error: {type(error).__name__}: {error}"
        _end(f"{what}; run again as `bellwether --traceback ...`", EXIT_ERROR, options)


@contextmanager
def progress(first_step: str) -> "Iterator[Announce]":
    """Show the step that is under way, with a spinner, where the error stream is a terminal."""
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots", text=Text(first_step))
    # Results that go to a file must not be drawn into the spinner's stream.
    live = Live(
        spinner,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with live:
        yield lambda step: spinner.update(text=Text(step))


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Show what our own log warns of, one line each, and not what libraries tell their developers.

    PYTHONWARNINGS (or `python -W`) brings the warnings of libraries back.
    """
    import logging
    import warnings

    import structlog

    # With a handler there, Python does not print what libraries log.
    logging.basicConfig(handlers=[logging.NullHandler()])
    before = structlog.get_config()
    structlog.configure(
        processors=[_as_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        structlog.configure(**before)


def _end(message: str, code: int, options: Options) -> NoReturn:
    if options.traceback:
        import traceback

        traceback.print_exc()
    line = " ".join(message.split())
    sys.stderr.write(f"bellwether: {line}\n")
    sys.exit(code)


def _as_line(_: Any, __: str, entry: MutableMapping[str, Any]) -> str:
    what = str(entry.pop("event")).replace("_", " ")
    facts = "; ".join(f"{name}: {value}" for name, value in entry.items())
    return " ".join(f"bellwether: note: {what} ({facts})".split())
