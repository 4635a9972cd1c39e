"""Packed rows in Redis."""

from collections.abc import Callable
from time import monotonic


class RedisRows:
    """A `RowStore` in Redis: a hash per view and generation, a field per customer.

    Args:
        url: such as `redis://localhost:6379/0`; a password in it never shows up in a message.
        project: views of different projects may have one name.
        timeout_seconds: how long to wait for one answer, and for a connection.
        clock: seconds that only ever grow, for the circuit breaker.
    """

    def __init__(
        self,
        url: str,
        project: str,
        *,
        timeout_seconds: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        raise NotImplementedError
