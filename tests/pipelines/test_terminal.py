import logging
import os
import pty
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest
import structlog

from features.contracts.errors import BellwetherError, GateError, SourceError
from pipelines.terminal import Options, border, progress, quiet_libraries


def end_with(error: BaseException, options: Options | None = None) -> int:
    """Raise an error within the border and return the code of the exit that becomes of it."""
    with pytest.raises(SystemExit) as end, border(options or Options()):
        raise error
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (GateError("not today"), 3, "bellwether: not today\n"),
        (SourceError("no file a.csv;\n  export it"), 1, "bellwether: no file a.csv; export it\n"),
        (BellwetherError("x"), 1, "bellwether: x\n"),
        (
            ValueError("three\nlines\nof it"),
            1,
            "bellwether: unexpected error: ValueError: three lines of it; "
            "run again as `bellwether --traceback ...`\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_ending_is_a_code_and_at_most_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(error) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(("error", "code"), [(GateError("no"), 3), (KeyError("k"), 1)])
def test_traceback_is_shown_when_asked_for(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(error, Options(traceback=True)) == code
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last)")
    assert "raise error" in shown
    assert shown.splitlines()[-1].startswith("bellwether: ")


def test_what_ends_well_passes(capsys: pytest.CaptureFixture[str]) -> None:
    with border(Options()):
        pass

    assert capsys.readouterr() == ("", "")


def test_our_own_warnings_are_one_line_on_the_error_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = structlog.get_logger("bellwether")

    with quiet_libraries():
        log.info("ready", goal="churn")
        log.warning("no_champion", goal="clv", reason="nobody\npromoted one")

    assert capsys.readouterr() == (
        "",
        "bellwether: note: no champion (goal: clv; reason: nobody promoted one)\n",
    )


def test_the_log_is_afterwards_what_it_was_before() -> None:
    before = structlog.get_config()

    with quiet_libraries():
        assert structlog.get_config() != before

    assert structlog.get_config() == before


@pytest.fixture
def bare_root_logger() -> Iterator[None]:
    """Take away the handlers of the test run, as there are none in the command line."""
    root = logging.getLogger()
    kept, root.handlers[:] = list(root.handlers), []
    yield
    root.handlers[:] = kept


@pytest.mark.usefixtures("bare_root_logger")
def test_libraries_are_not_heard(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])

    with quiet_libraries():
        logging.getLogger("some.library").error("something for its developers")
        warnings.warn("this will go away", DeprecationWarning, stacklevel=1)
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)

    assert capfd.readouterr() == ("", "")


def test_warnings_of_libraries_come_back_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["default"])

    with quiet_libraries(), pytest.warns(RuntimeWarning, match="overflow"):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def test_steps_are_shown_where_people_look_and_results_go_where_they_should(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    here, there = pty.openpty()
    with os.fdopen(there, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress("the first step") as announce:
            print("a result")  # noqa: T201 - what a command prints while steps are shown
            announce("step [2] of 3")
    shown = read_all(here)

    assert "the first step" in shown
    assert "step [2] of 3" in shown
    assert "a result" not in shown
    assert capsys.readouterr().out == "a result\n"


def read_all(terminal: int) -> str:
    """Read what a terminal was sent, until the other end closed."""
    shown = b""
    with suppress(OSError):
        while part := os.read(terminal, 10_000):
            shown += part
    os.close(terminal)
    return shown.decode()


def test_steps_are_not_shown_in_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("the first step") as announce:
        announce("the second step")

    assert capsys.readouterr() == ("", "")
