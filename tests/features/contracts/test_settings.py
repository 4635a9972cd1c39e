import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName
from features.contracts.settings import (
    PROJECT_FILE,
    Section,
    Settings,
    load_settings,
    validate_settings,
)
from features.contracts.tables import TABLES

SMALLEST: dict[str, Any] = {
    "version": 1,
    "timezone": "Europe/London",
    "data": {
        "tables": {
            "orders": {
                "path": "orders.csv",
                "columns": {"customer_id": "customer", "ordered_at": "date"},
            }
        }
    },
    "goals": {"churn": {"horizon_days": 28}},
}
ORDERS = "data.tables.orders"


def project(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the smallest project file with the values at dotted keys changed; None removes."""
    content = copy.deepcopy(SMALLEST)
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        section = content
        for name in path:
            section = section.setdefault(name, {})
        section[last] = value
        if value is None:
            del section[last]
    return content


def validated(changes: dict[str, Any] | None = None) -> Settings:
    return validate_settings(project(changes), PROJECT_FILE)


def complaint(changes: dict[str, Any]) -> str:
    """Return what is said of the wrong key, which is one line."""
    with pytest.raises(ConfigurationError) as caught:
        validated(changes)
    message = str(caught.value)
    assert message.startswith(f"{PROJECT_FILE}: ")
    assert "\n" not in message
    return message.removeprefix(f"{PROJECT_FILE}: ")


def test_the_smallest_project_says_its_orders_a_goal_and_a_time_zone() -> None:
    settings = validated()

    assert settings.goals[GoalName.CHURN].horizon_days == 28
    assert settings.serving.clock is None


@pytest.mark.parametrize("key", ["version", "timezone", "data", "goals"])
def test_a_required_key_is_named_when_it_is_missing(key: str) -> None:
    assert complaint({key: None}) == f"{key}: this key is required"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("version", 2, "should be 1"),
        ("name", "My Shop", "pattern"),
        ("timezone", "Mars/Base", "unknown time zone 'Mars/Base'; write it like Europe/London"),
        ("timezone", "Europe", "unknown time zone"),
        ("timezone", 1, "string"),
        ("seed", "lucky", "integer"),
        ("goals", {}, "at least 1"),
        ("goals.chrn", {"horizon_days": 28}, "'churn', 'purchase_propensity' or 'clv'"),
        ("goals.churn", {}, "this key is required"),
        ("goals.churn.horizon_days", 0, "greater than or equal to 1"),
        ("goals.churn.horizon_days", 28.5, "integer"),
        ("goals.churn.horizon", 28, "there is no such key"),
        ("goals.churn.active_within_days", 0, "greater than or equal to 1"),
        ("features.ttl_days", 0, "greater than 0"),
        ("features.ttl_days", float("nan"), "less than or equal to 365"),
        ("online_store.type", "redis", "should be 'sqlite'"),
        ("training.moments", 1, "greater than or equal to 2"),
        ("serving", [], "needs keys of its own"),
        ("serving.port", 70_000, "less than or equal to 65535"),
        ("serving.clock", "yesterday", "'yesterday' is not a date; write it like 2026-01-31"),
        ("serving.clock", 5, "string"),
        ("serving.prot", 3000, "there is no such key"),
        ("tabels", {}, "there is no such key"),
        (ORDERS + ".grain", "row", "should be 'order' or 'line'"),
        (ORDERS + ".status_values", {"canceled": ["x"]}, "'completed', 'cancelled' or 'returned'"),
        ("data.timeout_seconds", 0, "greater than 0"),
        ("data.max_amount", -1, "greater than 0"),
        ("data.currency", " ", "pattern"),
        ("data.exchange_rates", {"EUR": 0}, "greater than 0"),
        ("data.exchange_rates", {"EUR": "much"}, "decimal"),
        ("data.test_customers", "test*", "tuple"),
        (ORDERS + ".type_values", {"vist": ["home"]}, "'visit', 'view'"),
        (ORDERS + ".type_values", {"visit": ["home"], "view": ["Home"]}, "both visit and view"),
        (ORDERS + ".columns", ["customer_id"], "needs keys of its own"),
        (ORDERS + ".table", "orders", "exactly one of `path` and `table`"),
        (ORDERS + ".path", None, "exactly one of `path` and `table`"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_in_one_line(key: str, value: object, words: str) -> None:
    found = complaint({key: value})

    assert found.startswith(key.removesuffix(".path").removesuffix(".table"))
    assert words in found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"data.tables": {}}, "data.tables: the table `orders` is required", id="no orders"
        ),
        pytest.param(
            {"data.tables.visits": {"path": "visits.csv", "columns": {}}},
            "data.tables: unknown table `visits`; known are customers, orders, order_lines",
            id="unknown table",
        ),
        pytest.param(
            {ORDERS + ".columns.amout": "total"},
            "data.tables: table `orders` has no column `amout`; did you mean `amount`? it has",
            id="unknown column",
        ),
        pytest.param(
            {"data.exchange_rates": {"EUR": 1.1}},
            "data: `exchange_rates` need `data.currency`, which they lead to",
            id="rates into nothing",
        ),
        pytest.param(
            {ORDERS + ".columns.ordered_at": None},
            "data.tables: table `orders` needs the column `ordered_at`",
            id="required column",
        ),
        pytest.param(
            {ORDERS + ".path": None, ORDERS + ".table": "sales"},
            "data: table `orders` is in a database: set `data.url`",
            id="table without a database",
        ),
    ],
)
def test_tables_are_checked_against_what_is_known(changes: dict[str, Any], words: str) -> None:
    assert complaint(changes).startswith(words)


@pytest.mark.parametrize("name", list(TABLES))
def test_every_canonical_table_can_be_mapped_in_full(name: str) -> None:
    columns = {column.name: f"their_{column.name}" for column in TABLES[name].columns}

    settings = validated({f"data.tables.{name}": {"path": "x.csv", "columns": columns}})

    assert settings.data.tables[name].columns == columns


def test_every_wrong_key_is_named_at_once() -> None:
    found = complaint({"seed": "lucky", "serving.port": 0, "timezone": "Mars"})

    assert {problem.split(":")[0] for problem in found.split("; ")} >= {
        "seed",
        "serving.port",
        "timezone",
    }


@pytest.mark.parametrize(
    ("written", "clock"),
    [
        ("2017-12-04", "2017-12-04"),
        ("'2017-12-04'", "2017-12-04"),
        ("2017-12-04 06:00:00", "2017-12-04T06:00:00"),
        ("2017-12-04T06:00:00Z", "2017-12-04T06:00:00+00:00"),
        ("null", None),
    ],
)
def test_a_clock_may_be_written_as_yaml_writes_dates(
    written: str, clock: str | None, tmp_path: Path
) -> None:
    file = tmp_path / PROJECT_FILE
    file.write_text(yaml.safe_dump(SMALLEST) + f"serving:\n  clock: {written}\n", encoding="utf-8")

    assert load_settings(file).serving.clock == clock


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "empty or not a mapping", id="empty"),
        pytest.param(b"- version: 1", "empty or not a mapping", id="a list"),
        pytest.param(b"goals: [churn\nseed: x: y", "line 2", id="not YAML"),
        pytest.param(b"goals:\n\tchurn: 1", "line 2", id="tab"),
        pytest.param(b"name: \xff", "utf-8", id="not UTF-8"),
        pytest.param(b"clock: 2017-13-04", "month must be in 1..12", id="no such date"),
        pytest.param(b"!!python/object:os.system {}", "could not determine", id="code"),
        pytest.param(b"1: one", "1: there is no such key", id="a number for a key"),
    ],
)
def test_a_file_that_is_no_project_is_refused_in_one_line(
    content: bytes, words: str, tmp_path: Path
) -> None:
    file = tmp_path / PROJECT_FILE
    file.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)

    message = str(caught.value)
    assert message.startswith(str(file))
    assert words in message
    assert "\n" not in message


def test_a_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no project file .*`bellwether init`"):
        load_settings(tmp_path / PROJECT_FILE)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as YAML"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("BELLWETHER_SEED", "9", lambda s: s.seed == 9),
        ("bellwether_seed", "9", lambda s: s.seed == 9),
        ("BELLWETHER_TRACKING__URI", "http://m", lambda s: s.tracking.uri == "http://m"),
        (
            "BELLWETHER_GOALS__CHURN__HORIZON_DAYS",
            "14",
            lambda s: s.goals[GoalName.CHURN].horizon_days == 14,
        ),
        (
            "BELLWETHER_DATA__TABLES__ORDERS__PATH",
            "new.csv",
            lambda s: s.data.tables["orders"].path == "new.csv",
        ),
        ("BELLWETHER_SERVING", '{"port": 81}', lambda s: s.serving.port == 81),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_variable_is_laid_over_the_file(
    variable: str, value: str, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not read(validated())
    monkeypatch.setenv(variable, value)

    assert read(validated())


def test_a_variable_leaves_the_rest_of_its_section_as_the_file_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BELLWETHER_SERVING__PORT", "81")

    serving = validated({"serving.host": "0.0.0.0", "serving.port": 80}).serving  # noqa: S104 # only read

    assert (serving.host, serving.port) == ("0.0.0.0", 81)  # noqa: S104 # only read


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BELLWETHER_TRACKING__URL", "x", "there is no such key"),
        ("BELLWETHER_SERVING__PORT", "0", "should be greater than or equal to 1"),
        ("BELLWETHER_GOALS__CHURN__HORIZON_DAYS", "soon", "integer"),
        ("BELLWETHER_GOALS__CHRN__HORIZON_DAYS", "28", ""),
        ("BELLWETHER_TIMEZONE", "Mars/Base", "unknown time zone 'Mars/Base'"),
        ("BELLWETHER_SERVING__CLOCK", "yesterday", "'yesterday' is not a date"),
    ],
)
def test_a_wrong_variable_is_named_rather_than_the_file_it_covers(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    found = complaint({"serving.port": 80})

    assert found.startswith(variable.removesuffix("__HORIZON_DAYS"))
    assert words in found


def test_a_wrong_file_is_named_though_variables_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_SEED", "9")

    assert complaint({"serving.port": 0}).startswith("serving.port")


def test_a_section_in_a_variable_must_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_DATA", "orders.csv")

    with pytest.raises(ConfigurationError, match=r'BELLWETHER_\* variable is not JSON.*"data"'):
        validated()


def test_settings_cannot_be_changed_once_read() -> None:
    settings = validated()

    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 8  # type: ignore[misc] # what is refused
    with pytest.raises(ValidationError, match="frozen"):
        settings.serving.port = 8  # type: ignore[misc] # what is refused


@pytest.mark.parametrize("section", [Settings, *Section.__subclasses__()])
def test_every_setting_is_documented_where_it_is_defined(
    section: type[Settings] | type[Section],
) -> None:
    assert [name for name, field in section.model_fields.items() if not field.description] == []
