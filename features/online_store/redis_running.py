"""Running a script of ours on Redis, as often as needed in one round trip."""

from collections.abc import Sequence
from hashlib import sha1
from typing import Any

import redis
from redis.exceptions import NoScriptError


def run(
    client: redis.Redis, script: str, names: Sequence[str], calls: Sequence[Sequence[Any]]
) -> list[Any]:
    """Run a script once per call, with the arguments in it, and return the answers.

    A server that was restarted has forgotten the script, and is told again.

    Raises:
        RedisError: the first error of a call; the other calls were made nevertheless.
    """
    answers = _in_one_trip(client, script, names, calls)
    if any(isinstance(answer, NoScriptError) for answer in answers):
        client.script_load(script)
        answers = _in_one_trip(client, script, names, calls)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _in_one_trip(
    client: redis.Redis, script: str, names: Sequence[str], calls: Sequence[Sequence[Any]]
) -> list[Any]:
    sha = sha1(script.encode(), usedforsecurity=False).hexdigest()
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.evalsha(sha, len(names), *names, *call)
    # An error raised here would spell out the command, customers and all.
    return pipeline.execute(raise_on_error=False)
