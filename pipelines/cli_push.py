"""The commands that keep features fresh between builds."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.contracts.errors import BellwetherError, ConfigurationError, DataContractError
from pipelines.cli_options import ProjectOption, open_at, say
from pipelines.terminal import progress

if TYPE_CHECKING:
    from pipelines.push_features import Pushed

STDIN = "-"

Line = tuple[int, str]
Row = Mapping[str, Any]


def features_push(
    source: Annotated[
        str | None,
        typer.Argument(help="File of rows (JSON lines, CSV, Parquet), or - for standard input."),
    ] = None,
    table: Annotated[str | None, typer.Option(help="The table, such as orders or events.")] = None,
    project: ProjectOption = Path(),
    follow: Annotated[
        bool, typer.Option("--follow", help="Push each line of standard input as it comes.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Only finish pushes that were cut short.")
    ] = False,
) -> None:
    """Push new rows: the features of their customers move at once."""
    if replay == (source is not None) or (source is not None and table is None):
        raise ConfigurationError("give --table and a file (or -), or --replay alone")
    if follow and source != STDIN:
        raise ConfigurationError("--follow reads standard input: give - as the file")
    from pipelines.push_features import push_rows
    from pipelines.push_files import json_rows, read_rows

    opened = open_at(project)
    pusher = opened.pusher()

    def push(rows: Sequence[Row]) -> str:
        return _in_words(push_rows(opened, pusher, str(table), rows))

    try:
        if table is None or source is None:
            served = pusher.replay()
            as_of = served.as_of
            say(
                f"{served.customers:,} customers served, as of {as_of}"
                if as_of
                else "nobody waited"
            )
        elif follow:
            _follow(push)
        else:
            with progress("pushing"):
                said = push(json_rows(sys.stdin) if source == STDIN else read_rows(Path(source)))
            say(said)
    finally:
        pusher.close()


def features_refresh(
    project: ProjectOption = Path(),
    lookback_days: Annotated[
        int | None,
        typer.Option(help="Days to look back for late rows; the project's when left out.", min=0),
    ] = None,
) -> None:
    """Read the data again, and renew the online features of customers with new or late rows."""
    from pipelines.refresh_features import refresh_features

    opened = open_at(project)
    with progress("refreshing features") as announce:
        refreshed = refresh_features(opened, lookback_days=lookback_days, announce=announce)
    say(
        f"{refreshed.served.customers:,} customers with rows since {refreshed.since} are online as "
        f"of {refreshed.served.as_of or 'before'}"
    )


def _follow(push: Callable[[Sequence[Row]], str]) -> None:
    from pipelines.push_files import arriving, json_row

    def push_lines(lines: Sequence[Line]) -> None:
        say(push([json_row(*line) for line in lines]))

    refused = sum(_one_by_one_if_refused(push_lines, lines) for lines in arriving(sys.stdin))
    if refused:
        raise DataContractError(f"{refused:,} lines were refused; see above")


def _one_by_one_if_refused(push: Callable[[Sequence[Line]], None], lines: Sequence[Line]) -> int:
    """Push lines together; if that is refused, each for itself. Return how many were refused."""
    try:
        push(lines)
    except DataContractError as error:
        if len(lines) > 1:
            return sum(_one_by_one_if_refused(push, [line]) for line in lines)
        say(f"line {lines[0][0]}: {error}")
        return 1
    except BellwetherError as error:  # the rows are kept, and their customers wait
        say(f"line {lines[0][0]}: {error}")
    return 0


def _in_words(pushed: "Pushed") -> str:
    served = pushed.served
    words = f"{pushed.rows:,} rows kept, {served.customers:,} customers online"
    words += f" as of {served.as_of}" if served.as_of else ""
    words += f", {pushed.repeated:,} rows were known" if pushed.repeated else ""
    if served.without_order:
        words += f", {served.without_order:,} customers wait for their first order"
    return words
