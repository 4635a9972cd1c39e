"""The project file `bellwether.yaml` and the BELLWETHER_* variables that override it.

`BELLWETHER_TRACKING__URI=...` overrides `tracking: {uri: ...}`: two underscores enter a section.
Read once per process, by the two wiring points; everybody else receives a section. Nothing here
touches a file but the project file, so a project can be validated without running anything.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from features.contracts.as_of import AsOf, find_zone
from features.contracts.data_settings import DataSettings as DataSettings
from features.contracts.data_settings import Section as Section
from features.contracts.data_settings import TableSettings as TableSettings
from features.contracts.engines import EngineName
from features.contracts.errors import ConfigurationError
from features.contracts.goals import GoalName
from features.contracts.online_settings import OnlineStoreSettings as OnlineStoreSettings
from features.contracts.project_yaml import read_yaml
from features.contracts.spark_settings import SparkSettings as SparkSettings

PROJECT_FILE = "bellwether.yaml"


class GoalSettings(Section):
    """One goal: what is asked, and about whom."""

    horizon_days: Annotated[int, Field(ge=1, le=1095)]
    """How far ahead the score looks, in days."""
    active_within_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Only customers with an order in this many days are eligible; if null, all who ordered."""


class FeatureSettings(Section):
    """How features are computed and kept."""

    engine: EngineName = EngineName.DUCKDB
    """What computes features: DuckDB in this process, or Spark for more than one machine holds."""
    spark: SparkSettings = SparkSettings()
    """Where and how Spark runs, for `features.engine: spark`."""

    ttl_days: Annotated[float, Field(gt=0, le=365)] = 3.0
    """Features older than this are stale: the customer is refused with a reason, never guessed."""
    lookback_days: Annotated[int, Field(ge=0, le=365)] | None = None
    """How late rows may be that a refresh still finds; if null, as measured, 3 days at least."""


class TrackingSettings(Section):
    """Where training runs and models are recorded."""

    uri: str | None = None
    """MLflow tracking and registry URI; an SQLite file in the project by default."""
    experiment: str = "bellwether"
    """Name of the MLflow experiment, and the prefix of the registered models."""


class TrainingSettings(Section):
    """How models are made."""

    moments: Annotated[int, Field(ge=2, le=120)] = 12
    """At most so many as-of moments are used for training."""
    step_days: Annotated[int, Field(ge=1, le=366)] = 14
    """Days between training moments."""
    min_history_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """No training moment lies closer than this to the first order."""


class ServingSettings(Section):
    """The scoring service."""

    host: str = "127.0.0.1"
    """Address to listen at."""
    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    """Port to listen at."""
    clock: str | None = None
    """A fixed moment to serve as of, for data of the past such as the demo's; now if null."""
    max_customers: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Most customer ids in one request."""
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 0.0
    """How long a service told to stop says that it is not ready, but still answers."""

    @field_validator("clock", mode="before")
    @classmethod
    def _clock_is_a_moment(cls, clock: object) -> object:
        written = clock.isoformat() if isinstance(clock, date) else clock  # YAML reads dates itself
        if isinstance(written, str):
            try:
                AsOf.parse(written)
            except ConfigurationError as error:
                raise ValueError(str(error)) from error
        return written


class Settings(BaseSettings):
    """The whole project file, with BELLWETHER_* variables laid over it."""

    model_config = SettingsConfigDict(
        env_prefix="BELLWETHER_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        nested_model_default_partial_update=True,
    )

    version: Literal[1]
    """Version of the project file's format."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)] = "bellwether"
    """Name of the project: lower-case letters, digits and underscores."""
    timezone: str
    """Time zone of times without one and of dates on the command line, such as Europe/London."""
    seed: int = 7
    """Seed of everything that draws random numbers."""
    data: DataSettings
    """The user's data."""
    goals: Annotated[dict[GoalName, GoalSettings], Field(min_length=1)]
    """The goals to train and score."""
    features: FeatureSettings = FeatureSettings()
    """How features are computed and kept."""
    online_store: OnlineStoreSettings = OnlineStoreSettings()
    """Where features are read from when a score is asked for."""
    tracking: TrackingSettings = TrackingSettings()
    """Where training runs and models are recorded."""
    training: TrainingSettings = TrainingSettings()
    """How models are made."""
    serving: ServingSettings = ServingSettings()
    """The scoring service."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        try:
            find_zone(timezone)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return timezone

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let variables win over the project file, and read nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(project_file: Path) -> Settings:
    """Return the validated project file with BELLWETHER_* variables laid over it.

    Raises:
        ConfigurationError: if the file is missing, not YAML, or says something impossible; the
            message names each wrong key.
    """
    try:
        content = read_yaml(project_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no project file {project_file}; make one with `bellwether init`"
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, or no such date
        what = " ".join(str(error).split())
        raise ConfigurationError(f"{project_file} cannot be read as YAML: {what}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{project_file} is empty or not a mapping of keys to values")
    return validate_settings(content, str(project_file))


def validate_settings(content: dict[str, Any], origin: str) -> Settings:
    """Return `content` as settings; `origin` names it in errors.

    Raises:
        ConfigurationError: if it says something impossible.
    """
    try:
        return Settings(**{str(key): value for key, value in content.items()})
    except ValidationError as error:
        problems = "; ".join(_in_words(problem, content) for problem in error.errors())
        raise ConfigurationError(f"{origin}: {problems}") from error
    except SettingsError as error:
        raise ConfigurationError(
            f"a BELLWETHER_* variable is not JSON: {error}; set one variable for each key, like "
            "BELLWETHER_TRACKING__URI"
        ) from error


_PROBLEMS = {
    "missing": "this key is required",
    "extra_forbidden": "there is no such key",
    "model_type": "this section needs keys of its own; without any, leave it out",
    "dict_type": "this section needs keys of its own",
}


def _in_words(problem: ErrorDetails, content: Mapping[str, Any]) -> str:
    """Return the wrong key, or the variable that was laid over it, and what is wrong with it."""
    keys = [str(key) for key in problem["loc"] if key != "[key]"]
    name = ".".join(keys)
    if problem["type"] != "missing" and _is_laid_over(problem, keys, content):
        name = f"BELLWETHER_{'__'.join(keys).upper()}"
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name}: {_PROBLEMS.get(problem['type'], said)}"


def _is_laid_over(problem: ErrorDetails, keys: list[str], content: Mapping[str, Any]) -> bool:
    """Return whether the file does not say what is wrong: then a variable does."""
    found: Any = content
    for key in keys:
        if not isinstance(found, Mapping):
            return False
        by_name = {str(name): value for name, value in found.items()}
        if key not in by_name:
            return True
        found = by_name[key]
    is_value = problem["loc"][-1:] != ("[key]",)
    return is_value and isinstance(problem["input"], str) and problem["input"] != found
