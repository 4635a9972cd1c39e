"""The command line. Every command calls one flow and prints where its result lies.

Exit codes: 0 ok, 1 an error in one line, 2 bad usage, 3 a gate said no, 130 interrupted.
"""

from pathlib import Path
from typing import Annotated

import typer

from features.contracts.errors import ConfigurationError, GateError
from features.contracts.goals import GoalName
from pipelines.cli_options import (
    AsOfOption,
    EngineOption,
    ProjectOption,
    moment_of,
    open_at,
    parse,
    range_of,
    say,
)
from pipelines.cli_push import features_push, features_refresh
from pipelines.cli_shop import shop
from pipelines.terminal import Options, border, progress, quiet_libraries

app = typer.Typer(
    name="bellwether",
    help="Churn, purchase propensity and customer lifetime value, honest in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
features_app = typer.Typer(help="Build and inspect features.", no_args_is_help=True)
monitor_app = typer.Typer(help="Watch scores and features.", no_args_is_help=True)
app.add_typer(features_app, name="features")
app.add_typer(monitor_app, name="monitor")
app.command()(shop)


@app.callback()
def before(
    context: typer.Context,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error comes from.")
    ] = False,
) -> None:
    """Set up what all commands share."""
    if isinstance(context.obj, Options):
        context.obj.traceback = traceback
    context.with_resource(quiet_libraries())


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Folder for the new project.")],
    orders: Annotated[Path, typer.Option(help="File of orders or order lines, CSV or Parquet.")],
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of times that carry none; UTC when not given.")
    ] = None,
) -> None:
    """Write a project file for your own orders, with guessed columns, and say what was guessed."""
    from pipelines.init import init_project

    with progress("looking at the orders"):
        result = init_project(directory, orders=orders, timezone=timezone)
    for guess in result.guesses:
        say(guess)
    say(
        f"wrote {result.project_file}; look it through, then run: bellwether check "
        f"--project {directory}"
    )


@app.command()
def check(
    project: ProjectOption = Path(),
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with pictures, JSON and refused rows.")
    ] = None,
) -> None:
    """Validate project file and data: what is missing, what is odd, which goals can be carried."""
    from pipelines.check import REFUSED, check_project, write_report

    opened = open_at(project)
    with progress("reading the data"):
        result = check_project(opened.settings, opened.layout, report=report)
    for line in result.lines:
        say(line)
    if report is not None:
        for file in (*write_report(result, report, project=opened.settings.name), report / REFUSED):
            say(str(file))
    if not result.ok:
        raise GateError("the data cannot carry every goal; see above")


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Folder for the demo project.")] = Path(
        "bellwether-demo"
    ),
) -> None:
    """Run the whole chain on real data: features, models, scores in batch and over HTTP, drift."""
    from rich.console import Console

    from pipelines.demo import run_demo

    console = Console(soft_wrap=True)
    with progress("starting") as announce:
        run_demo(directory, show=console.print, announce=announce)


@features_app.command("build")
def features_build(
    project: ProjectOption = Path(), as_of: AsOfOption = None, engine: EngineOption = None
) -> None:
    """Build the snapshots that training and scoring need, and publish the newest online."""
    from pipelines.build_features import build_features

    opened = open_at(project).on(engine)
    with progress("building features") as announce:
        built = build_features(opened, as_of=moment_of(opened, as_of), announce=announce)
    say(
        f"{len(built.columns)} features of {built.customers:,} customers at {len(built.moments)} "
        f"moments, online as of {built.as_of} -> {opened.layout.snapshots}"
    )


@features_app.command("status")
def features_status(project: ProjectOption = Path()) -> None:
    """Show what the feature store holds, and by online view its customers, versions and ages."""
    from pipelines.presentation import store_lines

    opened = open_at(project)
    with progress("opening the feature store"):
        status = opened.reader().status()
    for line in store_lines(status):
        say(line)


features_app.command("push")(features_push)
features_app.command("refresh")(features_refresh)


@app.command()
def train(
    goal: Annotated[GoalName | None, typer.Argument(help="Goal; all goals when left out.")] = None,
    project: ProjectOption = Path(),
    as_of: AsOfOption = None,
) -> None:
    """Fit, judge out of time with the baselines beside, and record as challenger."""
    from rich.console import Console

    from pipelines.presentation import trained_tables
    from pipelines.train import train as train_goals

    opened = open_at(project)
    goals = [goal] if goal else None
    with progress("training") as announce:
        trained = train_goals(opened, goals, as_of=moment_of(opened, as_of), announce=announce)
    for table in trained_tables(trained):
        Console().print(table)
    for each in trained:
        for warning in each.card.warnings:
            say(f"{each.card.goal.value}: note: {warning}")
        say(
            f"{each.card.goal.value} version {each.version} is challenger; next: "
            f"bellwether promote {each.card.goal.value}"
        )


@app.command()
def promote(
    goal: Annotated[GoalName, typer.Argument(help="Goal whose challenger is promoted.")],
    project: ProjectOption = Path(),
    version: Annotated[
        str | None, typer.Option(help="A registered version instead of the challenger.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Promote although the gate says no.")] = False,
) -> None:
    """Make the challenger the champion, if it beats every baseline out of time."""
    from pipelines.promote import promote as promote_goal

    opened = open_at(project)
    with progress("asking the model registry"):
        promotion = promote_goal(opened, goal, version=version, force=force)
    say(f"{goal.value} version {promotion.version} is champion: {promotion.reason}")


@app.command()
def score(
    out: Annotated[Path, typer.Option(help="File to write, .parquet or .csv.")],
    project: ProjectOption = Path(),
    as_of: AsOfOption = None,
) -> None:
    """Score everyone known at a moment into one file."""
    from pipelines.batch_score import batch_score
    from pipelines.presentation import batch_lines

    opened = open_at(project)
    with progress("scoring") as announce:
        result = batch_score(opened, out=out, as_of=moment_of(opened, as_of), announce=announce)
    for line in batch_lines(result):
        say(line)


@app.command()
def serve(
    project: ProjectOption = Path(),
    port: Annotated[
        int | None,
        typer.Option(help="Port; the project file's when left out.", min=1, max=65535),
    ] = None,
) -> None:
    """Serve scores over HTTP until told to stop."""
    from features.contracts.settings import PROJECT_FILE
    from pipelines.serve import check_before_start
    from pipelines.serve import serve as serve_project

    opened = open_at(project)
    if project.is_file() and project.name != PROJECT_FILE:
        raise ConfigurationError(
            f"the service reads {PROJECT_FILE} of a folder, not {project}; rename the file"
        )
    chosen = port or opened.settings.serving.port
    with progress("loading the champions"):
        check_before_start(opened.settings, opened.layout, chosen)
    say(f"http://{opened.settings.serving.host}:{chosen}/v1/score, stop with Ctrl-C")
    serve_project(opened.layout.root, opened.settings, opened.layout, port=chosen)


@monitor_app.command("drift")
def monitor_drift(
    project: ProjectOption = Path(),
    goal: Annotated[GoalName | None, typer.Option(help="Goal; all goals when left out.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="As-of moments FROM..TO; the earliest moment by default.")
    ] = None,
    current: Annotated[
        str | None, typer.Option(help="As-of moments FROM..TO; the latest moment by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the reports.")] = None,
) -> None:
    """Compare two windows of the score log, as HTML and JSON."""
    from pipelines.monitor import monitor_drift as compare_windows

    opened = open_at(project)
    with progress("comparing windows"):
        outcomes = compare_windows(
            opened.settings,
            opened.layout,
            goal=goal,
            reference=range_of(opened, reference, "--reference"),
            current=range_of(opened, current, "--current"),
            out=out,
        )
    for outcome in outcomes:
        for line in (*outcome.lines, str(outcome.page), str(outcome.record)):
            say(line)


@app.command()
def backtest(
    as_of: Annotated[str, typer.Option("--as-of", help="Moment of the past, such as 2026-01-31.")],
    out: Annotated[Path, typer.Option(help="Folder for scores.parquet and metrics.json.")],
    config: Annotated[Path, typer.Option("--config", help="Project file, or its folder.")] = Path(),
) -> None:
    """Train with what was known at a moment, score everyone, compare with what happened."""
    from rich.console import Console

    from pipelines.backtest import METRICS, SCORES
    from pipelines.backtest import backtest as replay
    from pipelines.presentation import backtest_tables

    opened = open_at(config)
    moment = parse(opened, as_of, "--as-of")
    with progress("replaying the past") as announce:
        result = replay(opened, as_of=moment, out=out, announce=announce)
    for table in backtest_tables(result):
        Console().print(table)
    for found in result.goals:
        for line in (*found.warnings, *([found.problem] if found.problem else [])):
            say(f"{found.goal.value}: note: {line}")
    say(f"{out / SCORES}\n{out / METRICS}")


def main() -> None:
    """Run the command line and exit with its code."""
    options = Options()
    with border(options):
        app(obj=options)


if __name__ == "__main__":
    main()
