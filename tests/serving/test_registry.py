import json
import shutil
import socket
from pathlib import Path

import pytest
import structlog.testing
from mlflow import MlflowClient

from features.contracts.errors import (
    ModelContractError,
    ModelUnavailableError,
    RegistryDownError,
)
from features.contracts.goals import GoalName
from serving import model_cache
from serving.artifact import save_artifact
from serving.registry import ModelRegistry, open_client
from tests.fakes import make_card, random_features, tracking_uri, trained_predictor

pytestmark = pytest.mark.integration

CHURN, CLV = GoalName.CHURN, GoalName.CLV


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return tracking_uri(tmp_path)


@pytest.fixture
def registry(tmp_path: Path, uri: str) -> ModelRegistry:
    return ModelRegistry(uri, "shop", tmp_path / "models")


def register(
    uri: str,
    files: Path,
    *,
    goal: GoalName = CHURN,
    holds: GoalName | None = None,
    alias: str | None = "champion",
    seed: int = 1,
) -> str:
    """Register a model as anybody could, without the training door."""
    save_artifact(files, make_card(holds or goal), trained_predictor(holds or goal, seed))
    client = open_client(uri)
    name = f"shop.{goal}"
    if name not in {model.name for model in client.search_registered_models()}:
        client.create_registered_model(name)
    version = client.create_model_version(name, files.as_uri(), tags={"data_hash": "ab"}).version
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return str(version)


def refused_uri() -> tuple[str, socket.socket]:
    """Return the URI of a port where connections are refused as long as the socket is kept."""
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{probe.getsockname()[1]}", probe


def test_champion_is_loaded_with_the_bits_it_was_saved_with(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "first", seed=2)
    version = register(uri, tmp_path / "second")

    model = registry.load(CHURN)

    features = random_features(50)
    expected = trained_predictor().predict(features).probability
    assert (model.version, model.card) == (version, make_card())
    assert model.predictor.predict(features).probability.tobytes() == expected.tobytes()


def test_other_alias_is_loaded_by_name(tmp_path: Path, uri: str, registry: ModelRegistry) -> None:
    register(uri, tmp_path / "first")
    register(uri, tmp_path / "second", alias="challenger")

    assert registry.load(CHURN, "challenger").version == "2"


@pytest.mark.parametrize(
    ("alias", "command"),
    [("champion", "promote churn"), ("previous", "promote churn"), ("challenger", "train")],
)
def test_missing_alias_says_what_to_run(
    alias: str, command: str, tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model", alias=None)

    with pytest.raises(ModelUnavailableError) as raised:
        registry.load(CHURN, alias)

    assert str(raised.value) == f"model 'churn' has no alias '{alias}'; run: bellwether {command}"
    assert not isinstance(raised.value, RegistryDownError)


def test_goal_that_was_never_trained_says_what_to_run(registry: ModelRegistry) -> None:
    with pytest.raises(ModelUnavailableError, match="bellwether promote clv"):
        registry.load(CLV)


def test_project_without_a_registry_is_not_given_an_empty_one(tmp_path: Path) -> None:
    registry = ModelRegistry(f"sqlite:///{tmp_path}/absent.db", "shop", tmp_path / "models")

    with pytest.raises(ModelUnavailableError, match="has no alias 'champion'"):
        registry.load(CHURN)

    assert registry.versions() == []
    assert list(tmp_path.iterdir()) == []


def test_goals_without_champion_are_left_out_and_reported(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    reported: dict[GoalName, str] = {}

    models = registry.load_champions([CHURN, CLV], report=reported.__setitem__)

    assert list(models) == [CHURN]
    assert "promote clv" in reported[CLV]
    with structlog.testing.capture_logs() as said:
        registry.load_champions([CLV])
    assert said[0]["event"] == "no_champion"


def test_version_is_loaded_by_number_whatever_its_aliases(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "first", alias=None)
    register(uri, tmp_path / "second")

    assert registry.load_version(CHURN, "1").version == "1"
    with pytest.raises(ModelUnavailableError, match="no version 3; choose one of: 2, 1"):
        registry.load_version(CHURN, "3")


@pytest.mark.parametrize("file", ["order.txt", "card.json", "predictor.json"])
def test_damaged_files_are_refused_and_not_kept(
    file: str, tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    content = (tmp_path / "model" / file).read_bytes()
    (tmp_path / "model" / file).write_bytes(content[:-100])

    with pytest.raises(ModelContractError):
        registry.load(CHURN)

    assert list((tmp_path / "models" / "churn").iterdir()) == []


def test_files_that_are_gone_are_told_apart_from_damage(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    shutil.rmtree(tmp_path / "model")

    with pytest.raises(ModelUnavailableError, match=r"are gone from .*; run: bellwether train"):
        registry.load(CHURN)


def test_model_of_another_goal_is_refused(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model", goal=CHURN, holds=CLV)

    with pytest.raises(ModelContractError, match=r"version 1 of model 'churn' holds .*'clv'"):
        registry.load(CHURN)


def test_second_load_needs_no_files_from_the_registry(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    registry.load(CHURN)
    shutil.rmtree(tmp_path / "model")

    assert registry.load(CHURN).card == make_card()


def test_damaged_copy_is_fetched_again(tmp_path: Path, uri: str, registry: ModelRegistry) -> None:
    register(uri, tmp_path / "model")
    registry.load(CHURN)
    (copied,) = (tmp_path / "models").glob("churn/*/order.txt")
    whole = copied.read_bytes()
    copied.write_bytes(whole[:100])

    with structlog.testing.capture_logs() as said:
        registry.load(CHURN)

    assert copied.read_bytes() == whole
    assert said[0]["event"] == "cached_model_damaged"


def test_registry_that_starts_afresh_is_not_answered_with_an_old_copy(tmp_path: Path) -> None:
    for seed, name in ((1, "old"), (2, "new")):
        (tmp_path / name).mkdir()
        uri = tracking_uri(tmp_path / name)
        assert register(uri, tmp_path / name / "model", seed=seed) == "1"
        model = ModelRegistry(uri, "shop", tmp_path / "models").load(CHURN)

    features = random_features(50)
    expected = trained_predictor(seed=2).predict(features).probability
    assert model.predictor.predict(features).probability.tobytes() == expected.tobytes()


def test_kill_during_the_download_leaves_no_copy(
    tmp_path: Path, uri: str, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(uri, tmp_path / "model")

    def killed(directory: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model_cache, "load_artifact", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.load(CHURN)

    assert list((tmp_path / "models" / "churn").iterdir()) == []
    assert registry.load(CHURN).version == "1"


def test_registry_that_is_down_leaves_the_last_champion_and_says_so(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "first")
    registry.load(CHURN)
    register(uri, tmp_path / "second")
    registry.load(CHURN)
    register(uri, tmp_path / "third", alias="challenger")
    registry.load(CHURN, "challenger")
    address, probe = refused_uri()
    down = ModelRegistry(address, "shop", tmp_path / "models")

    with probe, structlog.testing.capture_logs() as said:
        model = down.load(CHURN)
        with pytest.raises(RegistryDownError, match="does not answer"):
            down.load(CHURN, "challenger")
        with pytest.raises(RegistryDownError, match="does not answer"):
            down.load(CLV)

    assert model.version == "2"
    assert (said[0]["event"], said[0]["version"]) == ("serving_last_champion", "2")


def test_damaged_last_champion_is_refused(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    registry.load(CHURN)
    (copied,) = (tmp_path / "models").glob("churn/*/order.txt")
    copied.write_bytes(b"")
    address, probe = refused_uri()

    with probe, pytest.raises(ModelContractError):
        ModelRegistry(address, "shop", tmp_path / "models").load(CHURN)


def test_pointer_to_the_last_champion_is_small_json(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "model")
    registry.load(CHURN)

    pointer = json.loads((tmp_path / "models" / "churn" / "champion.json").read_bytes())

    assert pointer["version"] == "1"
    assert (tmp_path / "models" / "churn" / pointer["folder"] / "manifest.json").is_file()


def test_files_that_cannot_be_fetched_leave_the_last_champion(
    tmp_path: Path, uri: str, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(uri, tmp_path / "first")
    registry.load(CHURN)
    register(uri, tmp_path / "second")

    def fails(*arguments: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MlflowClient, "get_model_version_download_uri", fails)
    with structlog.testing.capture_logs() as said:
        assert registry.load(CHURN).version == "1"

    assert "No space left" in said[0]["cause"]


def test_versions_are_listed_newest_first_with_what_they_are(
    tmp_path: Path, uri: str, registry: ModelRegistry
) -> None:
    register(uri, tmp_path / "first", alias="previous")
    register(uri, tmp_path / "second")
    register(uri, tmp_path / "spend", goal=CLV, alias=None)

    rows = registry.versions()

    assert [(row.goal, row.version, row.aliases) for row in rows] == [
        (CHURN, "2", ("champion",)),
        (CHURN, "1", ("previous",)),
        (CLV, "1", ()),
    ]
    assert rows[0].tags == {"data_hash": "ab"}
