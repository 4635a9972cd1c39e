"""Asking Redis: timeouts, one retry, a circuit breaker, and its errors in our words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.retry import Retry

from features.contracts.errors import ConfigurationError, FeatureStoreError
from features.online_store.circuit_breaker import CircuitBreaker

Answer = TypeVar("Answer")

NO_ANSWER = (redis.ConnectionError, redis.TimeoutError, OSError)

REFUSED = (AuthenticationError, AuthorizationError)
"""Errors of a connection for the client library, but the server did answer."""

TRIES = 2


class RedisConnection:
    """One Redis server, asked by any number of threads and event loops.

    Args:
        url: where it is; user and password in it never show up in a message.
        timeout_seconds: how long to wait for one answer when somebody waits for a score.
        write_timeout_seconds: the same when nobody does.
        clock: seconds that only ever grow, for the circuit breaker.

    Raises:
        ConfigurationError: if the URL is not one of Redis.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        write_timeout_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._breaker = CircuitBreaker(clock)
        try:
            self._reader = redis.Redis.from_url(url, **_options(timeout_seconds))
            self._writer = redis.Redis.from_url(url, **_options(write_timeout_seconds))
        except ValueError as error:
            raise ConfigurationError(
                f"the URL of the online store is not one of Redis: {error}"
            ) from error
        self._readers: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = (
            WeakKeyDictionary()
        )
        where = self._reader.connection_pool.connection_kwargs
        self.name = f"Redis at {where.get('path') or '{host}:{port}'.format(**_ADDRESS | where)}"

    def read(self, doing: str, question: Callable[[redis.Redis], Answer]) -> Answer:
        """Return what Redis answers to a question that may be put twice.

        Raises:
            FeatureStoreError: if it does not answer, or says no.
        """
        return self._ask(doing, self._reader, question)

    def write(self, doing: str, question: Callable[[redis.Redis], Answer]) -> Answer:
        """Return what Redis answers, like `read`, but with more patience."""
        return self._ask(doing, self._writer, question)

    async def read_async(
        self, doing: str, question: Callable[[redis.asyncio.Redis], Awaitable[Answer]]
    ) -> Answer:
        """Return what `read` returns, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._readers:
            options = _options(self._timeout_seconds)
            self._readers[loop] = redis.asyncio.Redis.from_url(self._url, **options)
        for turn in range(TRIES):
            self._require_answers(doing)
            try:
                answer = await question(self._readers[loop])
            except (RedisError, OSError) as error:
                self._note(doing, error, is_last=turn == TRIES - 1)
            else:
                self._breaker.succeeded()
                return answer
        raise AssertionError("the last turn answers or raises")

    def close(self) -> None:
        """Close the connections of all threads; those of an event loop close with `close_async`."""
        self._reader.close()
        self._writer.close()

    async def close_async(self) -> None:
        """Close the connections of the running event loop."""
        reader = self._readers.pop(asyncio.get_running_loop(), None)
        if reader is not None:
            await reader.aclose()

    def _ask(
        self, doing: str, client: redis.Redis, question: Callable[[redis.Redis], Answer]
    ) -> Answer:
        for turn in range(TRIES):
            self._require_answers(doing)
            try:
                answer = question(client)
            except (RedisError, OSError) as error:
                self._note(doing, error, is_last=turn == TRIES - 1)
            else:
                self._breaker.succeeded()
                return answer
        raise AssertionError("the last turn answers or raises")

    def _require_answers(self, doing: str) -> None:
        if not self._breaker.may_ask():
            raise FeatureStoreError(
                f"{doing} failed: {self.name} did not answer several times in a row and is given "
                "a rest of a few seconds; see that it runs"
            )

    def _note(self, doing: str, error: Exception, *, is_last: bool) -> None:
        """Tell the breaker of an error, and raise it unless it is worth a retry."""
        is_silent = isinstance(error, NO_ANSWER) and not isinstance(error, REFUSED)
        if is_silent:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        if is_last or not is_silent:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise FeatureStoreError(
                f"{doing} failed: {self.name} says: {reason}; {_advice(error)}"
            ) from error


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "socket_keepalive": True,
        "retry": Retry(
            NoBackoff(), 0
        ),  # the one retry is ours, and the circuit breaker hears of it
    }


_ADDRESS = {"host": "localhost", "port": 6379}


def _advice(error: Exception) -> str:
    for kind, advice in _ADVICE:
        if isinstance(error, kind):
            return advice
    if str(error).startswith("WRONGTYPE"):
        return (
            "something else was stored under a key of the online store: delete the keys "
            "`bellwether:*` and run `bellwether features build`"
        )
    return "look at the log of Redis"


_ADVICE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (REFUSED, "check user and password in the URL of the online store"),
    (NoPermissionError, "give its user the rights to run scripts and to use keys `bellwether:*`"),
    (OutOfMemoryError, "raise its `maxmemory`, or store fewer customers or features"),
    (ReadOnlyError, "it is a replica: write to its primary"),
    (redis.TimeoutError, "it is too slow or out of reach: see what it is doing"),
    (redis.ConnectionError, "see that it runs and that the URL of the online store is right"),
    (OSError, "see that it runs and that the URL of the online store is right"),
)
