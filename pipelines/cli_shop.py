"""The command `bellwether shop`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import say
from pipelines.terminal import progress


def shop(
    directory: Annotated[Path, typer.Argument(help="New folder for the shop.")],
    customers: Annotated[int, typer.Option(help="Customers at the end.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.", min=0)] = 7,
    days: Annotated[int, typer.Option(help="Days that the data tell of.")] = 730,
    end: Annotated[str, typer.Option(help="Moment the data were taken, in UTC.")] = "2026-01-01",
    workers: Annotated[int, typer.Option(help="Processes that write files.", min=1)] = 1,
) -> None:
    """Write a made-up shop whose true chances are known, as a project with all tables."""
    import time

    from features.contracts.as_of import AsOf
    from features.contracts.errors import ConfigurationError
    from pipelines.synthetic_shop.plan import ShopPlan
    from pipelines.synthetic_shop.writing import write_shop

    try:
        plan = ShopPlan(customers, seed, days, AsOf.parse(end))
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error
    started = time.perf_counter()
    with progress("drawing customers") as announce:
        written = write_shop(directory, plan, workers=workers, announce=announce)
    seconds = time.perf_counter() - started
    for name, rows in written.rows.items():
        say(f"{name}: {rows:,} rows")
    say(
        f"{customers:,} customers in {seconds:.1f} s ({customers / seconds:,.0f} a second), "
        f"{written.size_bytes / 1e6:,.0f} MB -> {directory}; the truth is in truth.parquet"
    )
    say(f"next: bellwether check --project {directory}")
