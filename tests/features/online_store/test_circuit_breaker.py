"""A server that does not answer is left alone for a while."""

from features.online_store.circuit_breaker import CircuitBreaker


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def opened() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(clock, failures=2, rest_seconds=5)
    breaker.failed()
    breaker.failed()
    return breaker, clock


def test_single_failures_do_not_open_it() -> None:
    breaker = CircuitBreaker(Clock(), failures=2, rest_seconds=5)
    for _ in range(10):
        breaker.failed()
        assert breaker.may_ask()
        breaker.succeeded()


def test_failures_in_a_row_open_it() -> None:
    breaker, _ = opened()

    assert not breaker.may_ask()


def test_after_a_rest_one_may_probe() -> None:
    breaker, clock = opened()
    clock.seconds += 5

    assert breaker.may_ask()
    assert not breaker.may_ask()


def test_an_answer_to_the_probe_closes_it() -> None:
    breaker, clock = opened()
    clock.seconds += 5
    assert breaker.may_ask()
    breaker.succeeded()

    assert breaker.may_ask()
    assert breaker.may_ask()


def test_a_failed_probe_opens_it_for_a_further_rest() -> None:
    breaker, clock = opened()
    clock.seconds += 5
    assert breaker.may_ask()
    clock.seconds += 1
    breaker.failed()
    clock.seconds += 4

    assert not breaker.may_ask()
    clock.seconds += 1
    assert breaker.may_ask()


def test_a_probe_that_never_reports_back_blocks_nobody_for_ever() -> None:
    breaker, clock = opened()
    clock.seconds += 5
    assert breaker.may_ask()
    clock.seconds += 5

    assert breaker.may_ask()
