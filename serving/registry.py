"""The serving door of MLflow: from an alias to a model that is ready to score.

An alias is resolved to a version once; the version's files are copied into a local cache, verified
and kept, so that a restart needs the registry for one small question only. When the registry does
not answer, the champion that was served last is served again, and the log says so.

Nothing here uses MLflow's model flavours: a version is a folder of our own files, and loading it
runs no code. MLflow is imported when its door is opened, because that takes seconds.
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from features.contracts.errors import ConfigurationError, ModelUnavailableError, RegistryDownError
from features.contracts.goals import GoalName
from serving.model_cache import ModelCache
from serving.scorer import LoadedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

# An outage must not hang a start-up: MLflow's own values are 120 seconds, seven retries and, for
# databases, ten attempts that take a hundred seconds.
REQUEST_TIMEOUT_SECONDS = 3
REQUEST_RETRIES = 1
DATABASE_ATTEMPTS = 2

LOUD_LOGGERS = ("alembic", "mlflow", "sqlalchemy.engine", "urllib3.connectionpool")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RegisteredVersion:
    """One registered version of a goal's model, its aliases, its training run and its tags."""

    goal: GoalName
    version: str
    aliases: tuple[str, ...]
    run_id: str
    tags: dict[str, str]


class ModelRegistry:
    """Loads registered models.

    Args:
        tracking_uri: MLflow's tracking and registry URI.
        experiment: name of the experiment, and the prefix of the registered models.
        cache: folder for copies of the models' files.
    """

    def __init__(self, tracking_uri: str, experiment: str, cache: Path) -> None:
        self._uri = tracking_uri
        self._experiment = experiment
        self._cache = ModelCache(cache)

    def load(self, goal: GoalName, alias: str = CHAMPION) -> LoadedModel:
        """Return the model that `alias` names; the champion also when the registry is down.

        Raises:
            ModelUnavailableError: if nothing has the alias, or its files are gone.
            RegistryDownError: if the registry does not answer and no champion was served before.
            ModelContractError: if the model's files are damaged or hold another goal's model.
            ConfigurationError: if a package that the registry's URI needs is not installed.
        """
        try:
            version = self._find(goal, alias)
            model = self._load(goal, version)
        except RegistryDownError as error:
            return self._last_champion(goal, alias, error)
        if alias == CHAMPION:
            self._cache.remember_champion(goal, model.version, str(version.source))
        return model

    def load_version(self, goal: GoalName, version: str) -> LoadedModel:
        """Return the model of that version, whatever its aliases.

        Raises:
            ModelUnavailableError: if there is no such version, or its files are gone.
            RegistryDownError: if the registry does not answer.
            ModelContractError: if the model's files are damaged or hold another goal's model.
        """
        if is_missing_file(self._uri):
            raise ModelUnavailableError(f"model '{goal}' has no version; run: bellwether train")
        with registry_errors(self._uri):
            found = find_version(open_client(self._uri), self._experiment, goal, version)
        return self._load(goal, found)

    def load_champions(
        self,
        goals: Iterable[GoalName],
        *,
        report: Callable[[GoalName, str], None] | None = None,
    ) -> dict[GoalName, LoadedModel]:
        """Return the champions of `goals`; a goal without one is left out and reported.

        Args:
            goals: the goals.
            report: called with the goal and the reason; a warning in the log by default.

        Raises:
            ModelContractError: if a champion's files are damaged or hold another goal's model.
        """
        champions = {}
        for goal in goals:
            try:
                champions[goal] = self.load(goal)
            except ModelUnavailableError as error:
                (report or _warn)(goal, str(error))
        return champions

    def versions(self) -> list[RegisteredVersion]:
        """Return every registered version, by goal and newest first.

        Raises:
            RegistryDownError: if the registry does not answer.
        """
        if is_missing_file(self._uri):
            return []
        with registry_errors(self._uri):
            client = open_client(self._uri)
            return [row for goal in GoalName for row in self._goal_versions(client, goal)]

    def _goal_versions(self, client: "MlflowClient", goal: GoalName) -> list[RegisteredVersion]:
        aliases = aliases_of(client, model_name(self._experiment, goal))
        return [
            RegisteredVersion(
                goal=goal,
                version=str(version.version),
                aliases=tuple(sorted(a for a, v in aliases.items() if v == str(version.version))),
                run_id=version.run_id or "",
                tags=dict(version.tags),
            )
            for version in find_versions(client, self._experiment, goal)
        ]

    def _find(self, goal: GoalName, alias: str) -> "ModelVersion":
        name = model_name(self._experiment, goal)
        if not is_missing_file(self._uri):
            with registry_errors(self._uri):
                client = open_client(self._uri)
                number = aliases_of(client, name).get(alias)
                if number is not None:
                    return client.get_model_version(name, number)
        command = "train" if alias == CHALLENGER else f"promote {goal}"
        raise ModelUnavailableError(
            f"model '{goal}' has no alias '{alias}'; run: bellwether {command}"
        )

    def _load(self, goal: GoalName, version: "ModelVersion") -> LoadedModel:
        number, source = str(version.version), str(version.source)
        return self._cache.load(goal, number, source, lambda to: self._fetch(version, to))

    def _fetch(self, version: "ModelVersion", target: Path) -> None:
        with registry_errors(self._uri):
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            client = open_client(self._uri)
            source = client.get_model_version_download_uri(version.name, str(version.version))
            open_files: Any = get_artifact_repository  # not typed by MLflow
            files = open_files(source, tracking_uri=self._uri, registry_uri=self._uri)
            files.download_artifacts("", str(target))

    def _last_champion(self, goal: GoalName, alias: str, error: RegistryDownError) -> LoadedModel:
        model = self._cache.last_champion(goal) if alias == CHAMPION else None
        if model is None:
            raise error
        log.warning(
            "serving_last_champion", goal=goal.value, version=model.version, cause=str(error)
        )
        return model


def model_name(experiment: str, goal: GoalName) -> str:
    """Return the name under which the models of `goal` are registered."""
    return f"{experiment}.{goal.value}"


def is_missing_file(tracking_uri: str) -> bool:
    """Return whether the URI names an SQLite file that is not there; opening it would make one."""
    path = tracking_uri.removeprefix("sqlite:///")
    return path != tracking_uri and not Path(path).exists()


def open_client(tracking_uri: str) -> "MlflowClient":
    """Return a quiet MLflow client of the URI that gives up within seconds.

    Variables of the environment that set MLflow's time limits win over ours.
    """
    from mlflow import MlflowClient, telemetry
    from mlflow import environment_variables as variables

    wanted: tuple[tuple[Any, object], ...] = (
        (variables.MLFLOW_HTTP_REQUEST_TIMEOUT, REQUEST_TIMEOUT_SECONDS),
        (variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES, REQUEST_RETRIES),
        (variables.MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR, 0),
        (variables.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT, True),
        (variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, False),
        (variables.MLFLOW_DISABLE_TELEMETRY, True),
    )
    for variable, value in wanted:
        if not variable.is_set():
            variable.set(value)
    read_again: Any = telemetry.set_telemetry_client
    read_again()
    for name in LOUD_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # its errors reach us as exceptions
    if urlsplit(tracking_uri).scheme not in ("http", "https"):
        _prepare_database_store()
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _prepare_database_store() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow calls SQLAlchemy by old names
        import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401
        from mlflow.store.db import utils
    utils.MAX_RETRY_COUNT = DATABASE_ATTEMPTS


def aliases_of(client: "MlflowClient", name: str) -> dict[str, str]:
    """Return alias -> version of a registered model; nothing when there is no such model."""
    from mlflow.exceptions import MlflowException

    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: str(version) for alias, version in aliases.items()}


def find_versions(
    client: "MlflowClient", experiment: str, goal: GoalName
) -> "Sequence[ModelVersion]":
    """Return all registered versions of a goal's model, newest first."""
    found = client.search_model_versions(f"name='{model_name(experiment, goal)}'")
    return sorted(found, key=lambda version: -int(version.version))


def find_version(
    client: "MlflowClient", experiment: str, goal: GoalName, version: str
) -> "ModelVersion":
    """Return the registered version of that number.

    Raises:
        ModelUnavailableError: if there is none; the message names those that there are.
    """
    known = {str(found.version): found for found in find_versions(client, experiment, goal)}
    if version in known:
        return known[version]
    raise ModelUnavailableError(
        f"model '{goal}' has no version {version}; choose one of: {', '.join(known) or 'none'}"
    )


@contextmanager
def registry_errors(
    tracking_uri: str, next_step: str = "start it, or mend tracking.uri in bellwether.yaml"
) -> Iterator[None]:
    """Translate what MLflow and its stores raise. No credentials of the URI are shown.

    Raises:
        RegistryDownError: if the registry or its file store does not answer or refuses.
        ConfigurationError: if a package that the URI needs is not installed.
    """
    credentials = "".join(urlsplit(tracking_uri).netloc.rpartition("@")[:2])
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        yield
    except ImportError as error:
        shown = tracking_uri.replace(credentials, "")
        raise ConfigurationError(
            f"the model registry {shown} needs the package {error.name}; install it"
        ) from error
    except (MlflowException, SQLAlchemyError, OSError) as error:
        shown = tracking_uri.replace(credentials, "")
        cause = str(error).strip().replace(credentials, "").partition("\n")[0][:300]
        raise RegistryDownError(
            f"the model registry {shown} does not answer ({cause}); {next_step}"
        ) from error


def _warn(goal: GoalName, reason: str) -> None:
    log.warning("no_champion", goal=goal.value, reason=reason)
