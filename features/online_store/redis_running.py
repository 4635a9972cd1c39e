"""What is asked of Redis in one round trip: many runs of a script, many rows to set."""

from collections.abc import Sequence
from hashlib import sha1
from itertools import chain
from typing import Any, NamedTuple

import redis
from redis.exceptions import NoScriptError

from features.online_store.redis_names import ViewNames

ROWS_PER_STEP = 500
"""Rows written in one step: long enough to be fast, short enough for readers to wait."""


class ViewState(NamedTuple):
    """What Redis knows of a view.

    Attributes:
        live: name of the refresh that is live, None if there was none.
        refresh: name of the refresh under way, if any.
        stage: what its rows are called.
        is_registered: whether the view has a schema.
    """

    live: str | None
    refresh: str | None
    stage: str
    is_registered: bool


def run(
    client: redis.Redis, script: str, names: Sequence[str], calls: Sequence[Sequence[Any]]
) -> list[Any]:
    """Run a script once per call, with the arguments in it, and return the answers.

    A server that was restarted has forgotten the script, and is told again.

    Raises:
        RedisError: the first error of a call; the other calls were made nevertheless.
    """
    answers = _run(client, script, names, calls)
    if any(isinstance(answer, NoScriptError) for answer in answers):
        client.script_load(script)
        answers = _run(client, script, names, calls)
    return _without_errors(answers)


def state_of(client: redis.Redis, names: ViewNames) -> ViewState:
    """Return the state of a view.

    Raises:
        RedisError: if Redis does not answer, or says no.
    """
    pipeline = client.pipeline(transaction=False)
    _queue_state(pipeline, names)
    return _state(_without_errors(pipeline.execute(raise_on_error=False)))


def set_rows(
    client: redis.Redis,
    names: ViewNames,
    beside: str,
    keys: Sequence[bytes],
    rows: Sequence[bytes],
) -> ViewState:
    """Write rows, whatever there is, and return the state of the view afterwards.

    Raises:
        RedisError: the first error; the other rows were written nevertheless.
    """
    pipeline = client.pipeline(transaction=False)
    for start in range(0, len(keys), ROWS_PER_STEP):
        part = slice(start, start + ROWS_PER_STEP)
        pairs = chain.from_iterable(zip(keys[part], rows[part], strict=True))
        pipeline.hset(beside, items=list(pairs))
    _queue_state(pipeline, names)
    return _state(_without_errors(pipeline.execute(raise_on_error=False)))


def _queue_state(pipeline: Any, names: ViewNames) -> None:
    pipeline.hmget(names.state, "live", "refresh", "stage")
    pipeline.exists(names.schemas)


def _state(answers: Sequence[Any]) -> ViewState:
    live, refresh, stage = (None if name is None else name.decode() for name in answers[-2])
    return ViewState(live, refresh, stage or "", bool(answers[-1]))


def _without_errors(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _run(
    client: redis.Redis, script: str, names: Sequence[str], calls: Sequence[Sequence[Any]]
) -> list[Any]:
    sha = sha1(script.encode(), usedforsecurity=False).hexdigest()
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.evalsha(sha, len(names), *names, *call)
    # An error raised here would spell out the command, customers and all.
    return pipeline.execute(raise_on_error=False)
