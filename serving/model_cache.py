"""Local copies of registered models, verified before they are kept.

A copy is a folder `<goal>/<version>-<digest of its source>`: a registry that starts afresh counts
its versions from 1 again, and must not be answered with an old model. `<goal>/champion.json` names
the copy that was served last.
"""

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import structlog

from features.contracts.errors import ModelContractError, ModelUnavailableError
from features.contracts.goals import GoalName
from serving.artifact import load_artifact
from serving.scorer import LoadedModel

LAST_KNOWN_GOOD = "champion.json"

log = structlog.get_logger(__name__)


class ModelCache:
    """Copies of registered models under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(
        self, goal: GoalName, version: str, source: str, fetch: Callable[[Path], None]
    ) -> LoadedModel:
        """Return the model; `fetch` fills an empty folder with its files when there is no copy.

        A damaged copy is not the model: it is fetched again.

        Raises:
            ModelUnavailableError: if there is nothing at the source any more.
            ModelContractError: if the files are damaged or hold another goal's model.
        """
        copy = self._copy(goal, version, source)
        if copy.is_dir():
            try:
                return _load(goal, version, copy)
            except ModelContractError as error:
                log.warning("cached_model_damaged", goal=goal.value, cause=str(error))
                shutil.rmtree(copy)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".fetching-") as scratch:
            files = Path(scratch) / "model"
            files.mkdir()
            fetch(files)
            if not any(files.iterdir()):
                raise ModelUnavailableError(
                    f"the files of model '{goal}' version {version} are gone from {source}; "
                    "run: bellwether train"
                )
            model = _load(goal, version, files)
            _keep(files, copy)
        return model

    def remember_champion(self, goal: GoalName, version: str, source: str) -> None:
        """Note that this version was served last."""
        copy = self._copy(goal, version, source)
        pointer = copy.with_name(LAST_KNOWN_GOOD)
        unfinished = pointer.with_name(f".{pointer.name}.{uuid.uuid4().hex}.tmp")
        content = {"version": version, "folder": copy.name}
        unfinished.write_text(json.dumps(content), encoding="utf-8")
        unfinished.replace(pointer)

    def last_champion(self, goal: GoalName) -> LoadedModel | None:
        """Return the champion that was served last, or None when there is none.

        Raises:
            ModelContractError: if the copy is damaged.
        """
        pointer = self._directory / goal.value / LAST_KNOWN_GOOD
        if not pointer.is_file():
            return None
        known = json.loads(pointer.read_text(encoding="utf-8"))
        return _load(goal, known["version"], pointer.with_name(Path(known["folder"]).name))

    def _copy(self, goal: GoalName, version: str, source: str) -> Path:
        digest = hashlib.sha256(source.encode()).hexdigest()
        return self._directory / goal.value / f"{version}-{digest[:12]}"


def _load(goal: GoalName, version: str, directory: Path) -> LoadedModel:
    card, predictor = load_artifact(directory)
    if card.goal is not goal:
        raise ModelContractError(
            f"version {version} of model '{goal}' holds a model for '{card.goal}'; "
            "promote another version"
        )
    return LoadedModel(card, version, predictor)


def _keep(files: Path, copy: Path) -> None:
    try:
        files.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another process was faster with the same files
            raise
