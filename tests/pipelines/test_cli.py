import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import pipelines.wiring
from pipelines.cli import app
from tests.architecture.test_no_work_at_import import HEAVY
from tests.pipelines.command_line import run
from tests.pipelines.projects import TrainedProject, cdnow_orders, write_project, write_project_file
from tests.repository import ROOT, run_python

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

COMMANDS = (
    "init",
    "check",
    "demo",
    "shop",
    "features build",
    "features push",
    "features refresh",
    "features status",
    "train",
    "promote",
    "score",
    "serve",
    "monitor drift",
    "backtest",
)
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pipelines.cli import main; main()"
HELP = """
import json, sys
from pipelines.cli import main
sys.argv = ["bellwether", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(json.dumps({"code": end.code, "loaded": sorted(sys.modules)}))
"""


def bellwether(*arguments: object) -> list[str]:
    """Return the command that starts the command line in an interpreter of its own."""
    return [sys.executable, "-c", START, str(ROOT), *(str(argument) for argument in arguments)]


def test_every_command_is_known() -> None:
    root: Any = typer.main.get_command(app)
    found = []
    for name, command in root.commands.items():
        nested = getattr(command, "commands", None)
        found += [name] if nested is None else [f"{name} {inner}" for inner in nested]

    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("command", ["", "features", "monitor", *COMMANDS])
def test_help_of_every_command_ends_well(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert "Show this message and exit." in result.output


@pytest.mark.parametrize("command", ["", "features", "monitor"])
def test_no_command_shows_the_help(command: str) -> None:
    ended = run(*command.split())

    assert ended.code in (0, 2)
    assert any("Usage:" in line for line in [*ended.out, *ended.errors])


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    result = run_python(HELP, *arguments, cwd=ROOT)

    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["code"] == 0
    assert not {*HEAVY, "numpy", "pyarrow", "duckdb"} & set(answer["loaded"])


def test_help_takes_less_than_half_a_second_of_computing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bytecode as it is on a user's machine after the first start.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(bellwether("--help"), stdout=subprocess.PIPE, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(taken) < 0.5


@pytest.mark.parametrize("command", ["build", "train", "promote churn", "promote clv"])
def test_command_ends_well_and_nothing_leaks_into_its_errors(
    command: str, cdnow: TrainedProject
) -> None:
    ended = cdnow.ended[command]

    assert (ended.code, ended.errors) == (0, [])


def test_build_and_promote_say_what_they_did(cdnow: TrainedProject) -> None:
    (built,) = cdnow.ended["build"].out
    (promoted,) = cdnow.ended["promote churn"].out

    assert re.fullmatch(
        r"\d+ features of 2,357 customers at 7 moments, online as of 1998-04-01T00:00:00Z -> "
        + re.escape(str(cdnow.project.layout.snapshots)),
        built,
    )
    assert re.match(r"churn version 1 is champion: ", promoted)


def test_train_shows_each_model_beside_its_baselines_and_the_next_step(
    cdnow: TrainedProject,
) -> None:
    out = [line.strip() for line in cdnow.ended["train"].out if line.strip(" ─")]

    for goal in ("churn", "purchase_propensity", "clv"):
        (title,) = [line for line in out if line.startswith(f"{goal}, 60 days: ")]
        assert " customers, " in title
        assert f"{goal} version 1 is challenger; next: bellwether promote {goal}" in out
    assert sum(line.startswith("model ") for line in out) == 3
    assert sum(line.startswith("RFM rule ") for line in out) == 3
    numbers = r"-?\d+\.\d{3}"
    for line in out:
        known = re.match(r"([\w/ .:-]+,|.* version 1 is|.*: note:|AUC|norm)", line)
        assert known or re.search(rf"{numbers}$", line), line


def test_status_tells_what_the_store_holds(cdnow: TrainedProject) -> None:
    ended = run("features", "status", "--project", cdnow.root)

    assert (ended.code, ended.errors) == (0, [])
    assert ended.out[:2] == [
        "newest snapshot: 1998-04-01T00:00:00Z",
        "online as of: 1998-04-01T00:00:00Z (2,357 customers)",
    ]
    assert ended.out[2] == (
        "customer_features: 2,357 rows, features from 1998-04-01T00:00:00Z to 1998-04-01T00:00:00Z"
    )
    assert re.fullmatch(
        r"customer_features: 2,357 rows of schema version [0-9a-f]{8}", ended.out[3]
    )
    assert [line.split(":")[0] for line in ended.out[4:]] == [
        "churn_v1",
        "purchase_propensity_v1",
        "clv_v1",
    ]


def test_nothing_leaks_into_what_a_fresh_interpreter_prints(
    cdnow: TrainedProject, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"

    result = subprocess.run(
        bellwether("score", "--project", cdnow.root, "--out", out),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"2,357 customers as of 1998-04-01T00:00:00Z -> {out}"
    assert [line.split(":")[0] for line in lines[1:]] == ["churn", "purchase_propensity", "clv"]


def test_project_can_be_named_by_its_file(cdnow: TrainedProject) -> None:
    by_file = run("features", "status", "--project", cdnow.root / "bellwether.yaml")

    assert by_file == run("features", "status", "--project", cdnow.root)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("train loyalty", "'loyalty' is not one of 'churn'"),
        ("promote", "Missing argument"),
        ("promote loyalty", "'loyalty' is not one of 'churn'"),
        ("monitor drift --goal loyalty", "'loyalty' is not one of 'churn'"),
        ("score", "Missing option '--out'"),
        ("backtest --as-of 1998-02-01", "Missing option '--out'"),
        ("train --as-of yesterday", "'yesterday' is not a date; write it like 2026-01-31"),
        ("train --as-of 1998-02-30", "'1998-02-30' is not a date"),
        ("train --as-of=", "'' is not a date"),
        ("score --out s.csv --as-of 1/2/98", "'1/2/98' is not a date"),
        ("features build --as-of soon", "'soon' is not a date"),
        ("backtest --out here --as-of soon", "'soon' is not a date"),
        ("monitor drift --reference 1998-02-01", "'1998-02-01' is not a range"),
        ("monitor drift --current 1998-02-01..", "'' is not a date"),
        ("serve --port 99999", "65535"),
        ("serve --port 0", "1"),
        ("tarin", "No such command 'tarin'"),
        ("train --fast", "No such option"),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_is_wrong(
    arguments: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    write_project_file(tmp_path)

    ended = run(*(arguments.split(" ")))

    assert (ended.code, ended.out) == (2, [])
    assert any("Usage:" in line for line in ended.errors)
    assert complaint in " ".join(ended.errors)
    assert "Traceback" not in " ".join(ended.errors)
    assert [path.name for path in tmp_path.iterdir()] == ["bellwether.yaml"]


def test_error_of_ours_is_one_line_and_code_1(tmp_path: Path) -> None:
    ended = run("check", "--project", tmp_path / "nowhere")

    (line,) = ended.errors
    assert (ended.code, ended.out) == (1, [])
    assert line.startswith("bellwether: there is no project file ")
    assert "bellwether init" in line


def test_unexpected_error_is_one_line_that_names_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(where: Path) -> None:
        raise ZeroDivisionError(f"a bug\nbehind {where}")

    monkeypatch.setattr(pipelines.wiring, "open_project", broken)

    ended = run("check")
    again = run("--traceback", "check")

    assert ended.code == again.code == 1
    line = "bellwether: unexpected error: ZeroDivisionError: a bug behind .; run again as "
    assert ended.errors == [line + "`bellwether --traceback ...`"]
    assert again.errors[0] == "Traceback (most recent call last):"
    assert any("in broken" in shown for shown in again.errors)


def test_check_ends_with_3_when_the_data_do_not_carry_a_goal(tmp_path: Path) -> None:
    goals = {"clv": {"horizon_days": 30}, "churn": {"horizon_days": 1000}}
    write_project(tmp_path, cdnow_orders(20), goals=goals)

    ended = run("check", "--project", tmp_path)

    assert ended.code == 3
    assert any(line.startswith("clv: ready") for line in ended.out)
    assert any(line.startswith("churn: not yet") for line in ended.out)
    assert ended.errors == ["bellwether: the data cannot carry every goal; see above"]


def test_init_and_check_lead_on_to_each_other(tmp_path: Path) -> None:
    write_project(tmp_path / "data", cdnow_orders(20))
    orders = tmp_path / "data" / "orders.parquet"

    made = run("init", tmp_path / "shop", "--orders", orders)
    checked = run("check", "--project", tmp_path / "shop")

    assert (made.code, made.errors, checked.code, checked.errors) == (0, [], 0, [])
    assert made.out[-1].endswith(f"then run: bellwether check --project {tmp_path / 'shop'}")


def test_service_is_not_announced_before_it_can_start(tmp_path: Path) -> None:
    write_project_file(tmp_path)

    ended = run("serve", "--project", tmp_path)

    assert (ended.code, ended.out) == (1, [])
    assert "run `bellwether features build`" in ended.errors[0]


def test_service_reads_no_other_file_than_the_projects(tmp_path: Path) -> None:
    write_project_file(tmp_path)
    (tmp_path / "bellwether.yaml").rename(tmp_path / "tomorrow.yaml")

    ended = run("serve", "--project", tmp_path / "tomorrow.yaml")

    assert ended.code == 1
    assert "the service reads bellwether.yaml of a folder" in ended.errors[0]


def test_interruption_ends_with_130_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    write_project(tmp_path)
    here, there = pty.openpty()
    command = bellwether("features", "build", "--project", tmp_path)
    # A child of a shell's background job would inherit that interruptions are ignored.
    outer = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=there, stderr=there)
    finally:
        signal.signal(signal.SIGINT, outer)
    with process:
        os.close(there)
        shown = read_until(here, "building features")
        process.send_signal(signal.SIGINT)
        shown += read_until(here, None)
    os.close(here)

    assert process.returncode == 130
    assert "Traceback" not in shown
    assert "Error" not in shown


def read_until(terminal: int, wanted: str | None) -> str:
    """Read from a terminal until a text appears, or until the other end closes."""
    shown = ""
    while wanted is None or wanted not in shown:
        try:
            part = os.read(terminal, 10_000)
        except OSError:
            break
        if not part:
            break
        shown += part.decode(errors="replace")
    return shown
