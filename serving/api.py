"""The scoring API: one ASGI application, thin over the reader and the scorer.

It runs under any ASGI server; `serving.service` mounts it in BentoML. Every answer is JSON and
carries `X-Request-ID`; failures are told as `serving.http_errors` says. Numbers are written so that
reading them gives the same float64 as a batch run: equal to the last bit.
"""

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import anyio.to_thread
import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from features.contracts.as_of import AsOf
from features.contracts.errors import ModelUnavailableError
from features.contracts.goals import GoalName, ScoreStatus
from features.contracts.settings import ServingSettings
from features.contracts.vectors import FeatureVectors
from serving.http_errors import ERROR_HANDLERS, Border, error_response, json_response
from serving.score_log import ScoreLog
from serving.scorer import GoalScores, LoadedModel, Scorer, Scores

Endpoint = Callable[[Request], Awaitable[Response]]

MAX_BODY_BYTES = 1_000_000
NUMBERS = ("probability", "expected_value", "lower", "upper", "percentile")


class OnlineFeatures(Protocol):
    """What the API asks of the feature store."""

    def online(
        self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
    ) -> FeatureVectors:
        """Return the newest features of the customers, in the order asked for."""
        ...


class Readiness:
    """Whether requests are welcome; the reason why not, else None. Shared by all requests."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason


@dataclass(frozen=True)
class ServingContext:
    """What the application serves with.

    Attributes:
        scorer: the models and the one way to score.
        reader: online features.
        clock: the moment to score as of, asked for each request.
        score_log: where every score goes.
        settings: limits of a request.
        goals: goals that are answered when a request names none.
        readiness: what `/health/ready` says.
    """

    scorer: Scorer
    reader: OnlineFeatures
    clock: Callable[[], AsOf]
    score_log: ScoreLog
    settings: ServingSettings
    goals: tuple[GoalName, ...]
    readiness: Readiness = field(default_factory=Readiness)


class ScoreRequest(BaseModel):
    """Body of `POST /v1/score`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    customer_ids: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=256)]], Field(min_length=1)
    ]
    goals: Annotated[list[str], Field(min_length=1, max_length=100)] | None = None


def build_app(context: ServingContext) -> Starlette:
    """Return the application that serves `context`."""
    app = Starlette(
        routes=[
            Route("/v1/score", _Score(context), methods=["POST"]),
            Route("/v1/models", _models(context), methods=["GET"]),
            Route("/health/live", _live, methods=["GET"]),
            Route("/health/ready", _ready(context), methods=["GET"]),
        ],
        middleware=[Middleware(Border)],
        exception_handlers=ERROR_HANDLERS,
    )
    app.router.redirect_slashes = False
    return app


class _Score:
    """The endpoint `POST /v1/score`."""

    def __init__(self, context: ServingContext) -> None:
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = _parse(await _read_body(request))
        _check_limits(asked, self._context)
        # Reading features blocks, and LightGBM computes without the interpreter's lock.
        body = await anyio.to_thread.run_sync(self._answer, asked, request.state.request_id)
        await Response(body, media_type="application/json")(scope, receive, send)

    def _answer(self, asked: ScoreRequest, request_id: str) -> bytes:
        context, as_of = self._context, self._context.clock()
        goals = tuple(dict.fromkeys(GoalName(goal) for goal in asked.goals or context.goals))
        models = {goal: m for goal, m in context.scorer.models.items() if goal in goals}
        if not models:
            missing = ", ".join(goals)
            reason = context.readiness.reason or "run: bellwether promote"
            raise ModelUnavailableError(f"there is no model for {missing}; {reason}")
        unique = tuple(dict.fromkeys(asked.customer_ids))
        services = tuple(dict.fromkeys(model.card.feature_service for model in models.values()))
        vectors = context.reader.online(unique, as_of=as_of, services=services)
        scores = context.scorer.score(vectors, as_of=as_of, goals=goals)
        now = datetime.now(UTC)
        context.score_log.append(
            scores, vectors, request_id=request_id, channel="api", scored_at=now
        )
        results = _results(scores, models)
        return orjson.dumps(
            {
                "request_id": request_id,
                "as_of": str(as_of),
                "results": [results[customer_id] for customer_id in asked.customer_ids],
            }
        )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


def _parse(body: bytes) -> ScoreRequest:
    try:
        asked = ScoreRequest.model_validate(orjson.loads(body))  # refuses NaN, 1e999 and bad UTF-8
        json.loads(body, object_pairs_hook=_refuse_repeated_keys)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "body"
        raise HTTPException(400, f"{place}: {problem['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not valid JSON: {error}") from error
    return asked


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key is given twice")


def _check_limits(asked: ScoreRequest, context: ServingContext) -> None:
    most, count = context.settings.max_customers, len(asked.customer_ids)
    if count > most:
        raise HTTPException(400, f"customer_ids: {count} customers, at most {most} in one request")
    known = dict.fromkeys([*context.goals, *context.scorer.models])
    unknown = [goal for goal in asked.goals or () if goal not in known]
    if unknown:
        raise HTTPException(
            400, f"goals: {unknown[0][:64]!r} is not served; known are {', '.join(known)}"
        )


def _results(
    scores: Scores, models: Mapping[GoalName, LoadedModel]
) -> dict[str, dict[str, object]]:
    """Return the answer about each customer, by customer id."""
    moments = np.datetime_as_string(scores.features_as_of, unit="s").tolist()
    by_goal = {
        goal.value: _goal_results(goal_scores, models.get(goal))
        for goal, goal_scores in scores.goals.items()
    }
    return {
        customer_id: {
            "customer_id": customer_id,
            "features_as_of": None if moments[row] == "NaT" else f"{moments[row]}Z",
            "scores": {goal: answers[row] for goal, answers in by_goal.items()},
        }
        for row, customer_id in enumerate(scores.customer_ids)
    }


def _goal_results(scores: GoalScores, model: LoadedModel | None) -> list[dict[str, object]]:
    origin = {} if model is None else _origin(model)
    columns = [(name, getattr(scores, name).tolist()) for name in NUMBERS]
    answers: list[dict[str, object]] = []
    for row, status in enumerate(scores.status):
        if status is ScoreStatus.SCORED:
            numbers = {name: column[row] for name, column in columns if math.isfinite(column[row])}
            told = {**numbers, "band": scores.band[row]}
        else:
            told = {"detail": scores.details[row]}
        answers.append({"status": status.value, **told, **origin})
    return answers


def _origin(model: LoadedModel) -> dict[str, object]:
    return {"horizon_days": model.card.horizon_days, "model_version": model.version}


def _models(context: ServingContext) -> Endpoint:
    rows = [
        {
            "goal": goal.value,
            "version": model.version,
            "alias": "champion",
            "horizon_days": model.card.horizon_days,
            "trained_at": model.card.training.trained_at,
            "label_end": model.card.training.label_end,
            "data_hash": model.card.training.data_hash,
            "feature_service": model.card.feature_service,
            "metrics": model.card.metrics,
            "warnings": model.card.warnings,
        }
        for goal, model in context.scorer.models.items()
    ]
    content = {"models": rows}

    async def models(_: Request) -> Response:
        return json_response(content)

    return models


async def _live(_: Request) -> Response:
    return json_response({"status": "alive"})


def _ready(context: ServingContext) -> Endpoint:
    async def ready(_: Request) -> Response:
        if context.readiness.reason is None:
            return json_response({"status": "ready"})
        return error_response(503, "not_ready", context.readiness.reason)

    return ready
