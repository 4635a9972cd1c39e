"""The training door of MLflow: record a trained model, and decide which version is served.

A version is a folder of our own files (see `serving.artifact`): no MLflow flavour, nothing that
runs when it is loaded. Three aliases say what a version is: `challenger` was trained last,
`champion` is served, `previous` was served before it. A version gets its alias as the last step of
recording, so that a run that was killed half way leaves nothing that could be promoted by accident.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from features.contracts.errors import ModelUnavailableError, RegistryDownError
from features.contracts.goals import GoalName
from serving.registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    aliases_of,
    find_version,
    is_missing_file,
    model_name,
    open_client,
    registry_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

Item = TypeVar("Item")

ARTIFACT_FOLDER = "model"
BATCH_LIMIT = 100  # MLflow takes so many parameters or tags in one request, and more metrics
SERVER_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class TrackedVersion:
    """A registered version of a goal's model: its number, its run and where its files are."""

    goal: GoalName
    version: str
    run_id: str
    uri: str


class ModelTracker:
    """Records trained models and moves their aliases.

    Args:
        tracking_uri: MLflow's tracking and registry URI.
        experiment: name of the experiment, and the prefix of the registered models.
        artifact_root: folder for the models' files. An MLflow server has its own place for them,
            and then this one is not used.
    """

    def __init__(self, tracking_uri: str, experiment: str, artifact_root: Path) -> None:
        self._uri = tracking_uri
        self._experiment = experiment
        self._artifact_root = artifact_root

    def record(
        self,
        goal: GoalName,
        artifact_dir: Path,
        *,
        parameters: Mapping[str, object],
        metrics: Mapping[str, float | int | None],
        tags: Mapping[str, str],
    ) -> TrackedVersion:
        """Record a trained model as a new version of `goal`, and make it the challenger.

        Args:
            goal: what the model answers.
            artifact_dir: folder of the saved model; it is copied, and stays where it is.
            parameters: how it was trained.
            metrics: how good it is; what is None is left out.
            tags: `data_hash`, `code_version` and `trained_as_of`, kept on run and version.

        Raises:
            RegistryDownError: if the registry does not answer; the folder stays where it is.
        """
        next_step = f"the trained model stays in {artifact_dir}; start the registry, train again"
        with registry_errors(self._uri, next_step):
            client = open_client(self._uri)
            with self._run(client, goal, tags) as run_id:
                _log(client, run_id, parameters, metrics)
                client.log_artifacts(run_id, str(artifact_dir), ARTIFACT_FOLDER)
                uri = f"{client.get_run(run_id).info.artifact_uri}/{ARTIFACT_FOLDER}"
                version = self._register(client, goal, uri, run_id, tags)
            name = model_name(self._experiment, goal)
            client.set_registered_model_alias(name, CHALLENGER, version)
        return TrackedVersion(goal, version, run_id, uri)

    def promote(self, goal: GoalName, version: str | None = None) -> TrackedVersion:
        """Make the challenger, or `version`, the champion; the old champion becomes `previous`.

        Promoting the champion again changes nothing, so a promotion that was cut short can simply
        be repeated.

        Raises:
            ModelUnavailableError: if there is no challenger, or no such version.
            RegistryDownError: if the registry does not answer.
        """
        name = model_name(self._experiment, goal)
        aliases = self._aliases(name)
        chosen = version or aliases.get(CHALLENGER)
        if chosen is None:
            raise ModelUnavailableError(
                f"model '{goal}' has no alias '{CHALLENGER}'; run: bellwether train"
            )
        with registry_errors(self._uri):
            client = open_client(self._uri)
            found = find_version(client, self._experiment, goal, chosen)
            champion = aliases.get(CHAMPION)
            if champion not in (None, chosen):
                client.set_registered_model_alias(name, PREVIOUS, champion)
            client.set_registered_model_alias(name, CHAMPION, chosen)
            if aliases.get(CHALLENGER) == chosen:
                client.delete_registered_model_alias(name, CHALLENGER)
        return TrackedVersion(goal, chosen, found.run_id or "", str(found.source))

    def champion_version(self, goal: GoalName) -> str | None:
        """Return the version that is served, or None when there is none.

        Raises:
            RegistryDownError: if the registry does not answer.
        """
        return self._aliases(model_name(self._experiment, goal)).get(CHAMPION)

    def _aliases(self, name: str) -> dict[str, str]:
        if is_missing_file(self._uri):
            return {}
        with registry_errors(self._uri):
            return aliases_of(open_client(self._uri), name)

    @contextmanager
    def _run(
        self, client: "MlflowClient", goal: GoalName, tags: Mapping[str, str]
    ) -> Iterator[str]:
        """Open a run, and close it as finished, or as failed when what is done in it fails."""
        experiment_id = self._experiment_id(client)
        run = client.create_run(experiment_id, tags={**tags, "goal": goal.value}, run_name=goal)
        run_id: str = run.info.run_id
        finished = False
        try:
            yield run_id
            finished = True
        finally:
            if finished:
                client.set_terminated(run_id)
            else:
                with suppress(RegistryDownError), registry_errors(self._uri):
                    client.set_terminated(run_id, "FAILED")

    def _experiment_id(self, client: "MlflowClient") -> str:
        experiment = client.get_experiment_by_name(self._experiment)
        if experiment is not None:
            return str(experiment.experiment_id)
        if urlsplit(self._uri).scheme in SERVER_SCHEMES:
            return str(client.create_experiment(self._experiment))
        # Without a location of its own, MLflow would put files into ./mlruns of wherever we are.
        location = (self._artifact_root / self._experiment).resolve().as_uri()
        return str(client.create_experiment(self._experiment, artifact_location=location))

    def _register(
        self,
        client: "MlflowClient",
        goal: GoalName,
        uri: str,
        run_id: str,
        tags: Mapping[str, str],
    ) -> str:
        from mlflow.exceptions import MlflowException

        name = model_name(self._experiment, goal)
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = client.create_model_version(name, uri, run_id=run_id, tags=dict(tags))
        return str(created.version)


def _log(
    client: "MlflowClient",
    run_id: str,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float | int | None],
) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [Param(key, str(value)) for key, value in parameters.items()]
    numbers = [
        Metric(key, float(value), now, 0) for key, value in metrics.items() if value is not None
    ]
    for some in _in_parts(params):
        client.log_batch(run_id, params=some)
    for some_numbers in _in_parts(numbers):
        client.log_batch(run_id, metrics=some_numbers)


def _in_parts(items: list[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while part := list(islice(rest, BATCH_LIMIT)):
        yield part
