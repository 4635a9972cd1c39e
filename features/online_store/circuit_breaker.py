"""Not asking a server that does not answer, until it had time to come back."""

import threading
from collections.abc import Callable


class CircuitBreaker:
    """Says whether a server is worth asking. Threads may share one.

    Closed, everybody may ask. After so many failures in a row it opens and nobody may; after a rest
    it lets one through to probe: an answer closes it, another failure opens it for a further rest.

    Args:
        clock: seconds that only ever grow.
        failures: how many in a row open it.
        rest_seconds: how long it then stays open.
    """

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 5, rest_seconds: float = 5.0
    ) -> None:
        self._clock = clock
        self._limit = failures
        self._rest_seconds = rest_seconds
        self._failures = 0
        self._asked_again_at = 0.0
        self._lock = threading.Lock()

    def may_ask(self) -> bool:
        """Return whether to ask; whoever is let through says how it went."""
        if self._failures < self._limit:
            return True
        with self._lock:
            if self._clock() < self._asked_again_at:
                return False
            # One probe at a time; should it never report back, the next may try after a rest.
            self._asked_again_at = self._clock() + self._rest_seconds
            return True

    def succeeded(self) -> None:
        """Record an answer, even one that says no: the server is there."""
        self._failures = 0

    def failed(self) -> None:
        """Record that there was no answer."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._asked_again_at = self._clock() + self._rest_seconds
