"""The demo: the whole chain on real data, from raw tables to scores and a drift report."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError
from features.contracts.settings import PROJECT_FILE
from pipelines.batch_score import BatchResult, batch_score
from pipelines.build_features import build_features
from pipelines.demo_data import HORIZON_DAYS, write_demo_project
from pipelines.presentation import batch_lines, trained_tables
from pipelines.promote import promote
from pipelines.train import train
from pipelines.wiring import Announce, Project, open_project

if TYPE_CHECKING:
    from rich.console import RenderableType

Show = Callable[["RenderableType"], None]

CALL_SECONDS = 30.0
UNKNOWN_CUSTOMER = "nobody"


def run_demo(folder: Path, *, show: Show, announce: Announce) -> None:
    """Run the whole chain in `folder`, which keeps everything; a changed demo project is reused.

    Raises:
        ConfigurationError: if `folder` holds something else.
    """
    project = _open(folder, announce)
    show(f"[bold]1. Data[/bold]  {project.layout.project_file}")
    _check(project, show, announce)
    show("\n[bold]2. Features[/bold]")
    as_of = _build(project, show, announce)
    show("\n[bold]3. Models[/bold], judged on a later month that they had not seen")
    _train(project, show, announce)
    show("\n[bold]4. Scores[/bold] in batch")
    result = _score(project, as_of, show, announce)
    show("\n[bold]5. Scores[/bold] over HTTP")
    _call(project, result, show, announce)
    show("\n[bold]6. Drift[/bold] between the last two moments")
    _watch(project, show, announce)
    show(_next_steps(folder))


def _open(folder: Path, announce: Announce) -> Project:
    if not (folder / PROJECT_FILE).exists():
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty and holds no demo; name another folder with --dir"
            )
        announce("writing the data of the Complete Journey")
        write_demo_project(folder)
    return open_project(folder)


def _check(project: Project, show: Show, announce: Announce) -> None:
    from pipelines.check import check_project

    announce("checking the data")
    for line in check_project(project.settings, project.layout).lines:
        show(f"   {line}")


def _build(project: Project, show: Show, announce: Announce) -> AsOf:
    built = build_features(project, announce=announce)
    show(
        f"   {len(built.columns)} features of {built.customers:,} customers at "
        f"{len(built.moments)} moments, online as of {built.as_of}"
    )
    return built.as_of


def _train(project: Project, show: Show, announce: Announce) -> None:
    trained = train(project, announce=announce)
    for table in trained_tables(trained):
        show(table)
    for each in trained:
        promotion = promote(project, each.card.goal)
        show(
            f"   {promotion.goal.value} version {promotion.version} is champion: {promotion.reason}"
        )


def _score(project: Project, as_of: AsOf, show: Show, announce: Announce) -> BatchResult:
    # An earlier moment first, so that drift has something to compare the newest with.
    earlier = as_of.plus_days(-HORIZON_DAYS)
    for moment in (earlier, as_of):
        out = project.layout.root / "scores" / f"{moment.moment:%Y-%m-%d}.parquet"
        result = batch_score(project, out=out, as_of=moment, announce=announce)
        for line in batch_lines(result):
            show(f"   {line}")
    return result


def _call(project: Project, result: BatchResult, show: Show, announce: Announce) -> None:
    from rich.syntax import Syntax

    from pipelines.serve import running_service

    announce("starting the scoring service")
    body = json.dumps({"customer_ids": [_first_customer(result), UNKNOWN_CUSTOMER]})
    with running_service(project.layout.root, project.settings, project.layout) as address:
        announce("asking it")
        url = f"{address}/v1/score"
        answer = json.loads(_post(url, body))
    show(f"   curl -X POST {url} -H 'Content-Type: application/json' -d '{body}'")
    show(Syntax(json.dumps(answer, indent=2), "json", background_color="default"))


def _first_customer(result: BatchResult) -> str:
    import pyarrow.parquet as pq

    return str(pq.read_table(result.out, columns=["customer_id"])["customer_id"][0].as_py())


def _post(url: str, body: str) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - the address is our own, on loopback
        url, data=body.encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=CALL_SECONDS) as response:  # noqa: S310
        return bytes(response.read())


def _watch(project: Project, show: Show, announce: Announce) -> None:
    from pipelines.monitor import monitor_drift

    announce("comparing the score log's windows")
    for outcome in monitor_drift(project.settings, project.layout):
        for line in outcome.lines:
            show(f"   {line}")
        show(f"   {outcome.page}")


def _next_steps(folder: Path) -> str:
    return (
        "\n[bold]What next[/bold], after `. .venv/bin/activate`\n"
        f"   bellwether serve --project {folder}        the scoring service, until Ctrl-C\n"
        f"   bellwether backtest --as-of 2017-10-09 --out {folder}/backtest --config {folder}\n"
        "   bellwether init DIR --orders FILE       your own orders, CSV or Parquet"
    )
