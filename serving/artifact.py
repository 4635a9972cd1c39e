"""Saved models: a folder of text files that hold numbers and never code.

```
card.json        the model card
predictor.json   calibration, linear weights, interval tables
<name>.txt       boosters in LightGBM's text format
manifest.json    SHA-256 of each of the files above
```

Loading a folder can run no code, and one whose files are not what the manifest says is refused.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import lightgbm as lgb
from pydantic import Field, TypeAdapter, ValidationError

from features.contracts.errors import ModelContractError
from features.contracts.goals import GoalName
from serving.booster_text import load_booster
from serving.model_card import ModelCard
from serving.predictors import (
    ClassifierPredictor,
    ClassifierTables,
    HurdlePredictor,
    HurdleTables,
    StoredPredictor,
)

CARD, TABLES, MANIFEST = "card.json", "predictor.json", "manifest.json"
FILES = frozenset({CARD, TABLES, "order.txt", "spend.txt"})
"""What a manifest may name; anything else, such as a path out of the folder, is never opened."""

_manifest: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
_tables: TypeAdapter[ClassifierTables | HurdleTables] = TypeAdapter(
    Annotated[ClassifierTables | HurdleTables, Field(discriminator="kind")]
)


def save_artifact(directory: Path, card: ModelCard, predictor: StoredPredictor) -> None:
    """Write a model into `directory`, which is made; the manifest comes last and seals it."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        CARD: card.model_dump_json(indent=2),
        TABLES: predictor.tables.model_dump_json(indent=2),
        **{
            f"{name}.txt": booster.model_to_string() for name, booster in predictor.boosters.items()
        },
    }
    contents = {name: text.encode() for name, text in texts.items()}
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    manifest = {name: _sha256(content) for name, content in contents.items()}
    (directory / MANIFEST).write_bytes(json.dumps(manifest, indent=2).encode())


def load_artifact(directory: Path) -> tuple[ModelCard, StoredPredictor]:
    """Return the card and the predictor saved in `directory`.

    Raises:
        ModelContractError: if a file is missing, altered or unreadable, or the parts do not match.
    """
    contents = _verified_contents(directory)
    try:
        card = ModelCard.model_validate_json(contents[CARD])
        tables = _tables.validate_json(contents[TABLES])
        predictor = _assemble(tables, contents)
    except KeyError as error:
        raise _corrupt(directory, f"the file {error.args[0]} is missing") from error
    except ValueError as error:
        raise _corrupt(
            directory, f"a file does not hold what it should ({_line(error)})"
        ) from error
    _check_parts(directory, card, predictor)
    return card, predictor


def _assemble(
    tables: ClassifierTables | HurdleTables, contents: dict[str, bytes]
) -> StoredPredictor:
    order = _booster(contents, "order.txt")
    if isinstance(tables, ClassifierTables):
        return ClassifierPredictor(tables, order)
    return HurdlePredictor(tables, order, _booster(contents, "spend.txt"))


def _booster(contents: dict[str, bytes], name: str) -> lgb.Booster:
    content = contents[name]
    try:
        return load_booster(content)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def _verified_contents(directory: Path) -> dict[str, bytes]:
    try:
        manifest = _manifest.validate_json((directory / MANIFEST).read_bytes())
        contents = {name: (directory / name).read_bytes() for name in FILES & manifest.keys()}
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise _corrupt(directory, f"the file {name} is missing") from error
    except OSError as error:
        raise _corrupt(directory, f"a file cannot be read ({error})") from error
    except ValidationError as error:
        raise _corrupt(directory, f"{MANIFEST} is no list of files ({_line(error)})") from error
    if strange := sorted(manifest.keys() - FILES):
        raise _corrupt(directory, f"{MANIFEST} names {strange[0]!r}, which is no part of a model")
    for name, content in contents.items():
        if _sha256(content) != manifest[name]:
            raise _corrupt(directory, f"the file {name} was altered after it was saved")
    return contents


def _check_parts(directory: Path, card: ModelCard, predictor: StoredPredictor) -> None:
    tables = predictor.tables
    wanted = {f"{name}.txt": part.num_feature() for name, part in predictor.boosters.items()}
    wanted["order_linear"] = len(tables.order_linear.weights)
    if isinstance(tables, HurdleTables):
        wanted["spend_linear"] = len(tables.spend_linear.weights)
    for name, features in wanted.items():
        if features != len(card.columns):
            reason = f"{name} wants {features} features, the card names {len(card.columns)}"
            raise _corrupt(directory, reason)
    if isinstance(tables, HurdleTables) != (card.goal is GoalName.CLV):
        reason = f"a {tables.kind} does not answer the goal {card.goal.value} of the card"
        raise _corrupt(directory, reason)


def _line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return ": ".join(filter(None, [place, " ".join(first["msg"].split())]))
    return " ".join(str(error).split())


def _corrupt(directory: Path, reason: str) -> ModelContractError:
    return ModelContractError(
        f"the model in {directory} is corrupt: {reason}; train it again with `bellwether train` "
        "or go back with `bellwether promote --version`"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
