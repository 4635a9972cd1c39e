import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from features.contracts.eligibility import Condition
from features.contracts.goals import GoalName
from serving.model_card import ModelCard
from tests.fakes import make_card


def content(**changed: Any) -> dict[str, Any]:
    """Return a card as it is stored, with some keys changed."""
    stored: dict[str, Any] = json.loads(make_card().model_dump_json())
    return stored | changed


def test_card_comes_back_from_json_to_the_last_bit() -> None:
    scores = tuple(np.sort(np.random.default_rng(1).random(1001)).tolist())
    rule = [Condition(feature="orders_30d", minimum=0.1 + 0.2), Condition(feature="spend_90d")]
    card = make_card(GoalName.CLV, conditions=rule, warnings=["the level is moving"])
    card = card.model_copy(
        update={
            "percentile_scores": scores,
            "metrics": {"model": {"auc": 0.1 + 0.2, "customers": 7, "log_loss": None}},
        }
    )

    again = ModelCard.model_validate_json(card.model_dump_json())

    assert again == card
    assert type(again.metrics["model"]["customers"]) is int
    assert again.model_dump_json() == card.model_dump_json()


def test_card_holds_json_that_others_can_read() -> None:
    stored = content()

    assert stored["goal"] == "churn"
    assert stored["format"] == 1
    assert stored["training"]["trained_at"] == "2017-12-05T06:00:00Z"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"goal": "happiness"}, "goal"),
        ({"format": 2}, "format"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"code": "print(1)"}, "Extra inputs are not permitted"),
        ({"metrics": {"model": {"auc": "good"}}}, "metrics"),
        ({"columns": []}, "columns do not name one feature each"),
        ({"columns": ["a", "b", "a"]}, "columns do not name one feature each"),
        ({"percentile_scores": []}, "percentile_scores do not rise"),
        ({"percentile_scores": [0.5]}, "percentile_scores do not rise"),
        ({"percentile_scores": [0.5, 0.4]}, "percentile_scores do not rise"),
        ({"band_names": ["low", "high"]}, "one more than band_edges"),
        ({"band_edges": [90.0, 50.0]}, "band_edges do not rise"),
        ({"band_edges": [50.0, 100.0]}, "band_edges do not rise"),
        ({"band_edges": [0.0, 50.0]}, "band_edges do not rise"),
    ],
)
def test_card_that_promises_the_impossible_is_refused(
    changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ModelCard.model_validate_json(json.dumps(content(**changed)))


@pytest.mark.parametrize("key", ["columns", "eligibility", "training", "metrics"])
def test_card_without_a_part_is_refused(key: str) -> None:
    stored = content()
    del stored[key]

    with pytest.raises(ValidationError, match=key):
        ModelCard.model_validate_json(json.dumps(stored))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_json_has_no_word_for_are_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        ModelCard.model_validate({**content(), "metrics": {"model": {"auc": number}}})


def test_equal_scores_are_a_base_like_any_other() -> None:
    card = ModelCard.model_validate_json(json.dumps(content(percentile_scores=[0.0, 0.0])))

    assert card.percentile_scores == (0.0, 0.0)


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(make_card(), "horizon_days", 90)  # noqa: B010 # mypy sees the plain way


def test_a_card_of_before_there_were_manifests_can_be_read() -> None:
    stored = content()
    del stored["training"]["dataset_hash"]

    assert ModelCard.model_validate(stored).training.dataset_hash == ""
