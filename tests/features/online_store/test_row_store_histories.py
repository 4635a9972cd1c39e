"""Any history of writes, refreshes and deletions leaves a store as a plain dictionary would be."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.online_store.packing import row_times
from features.online_store.row_store import RowStore
from tests.features.online_store.packed_rows import TWO_FLOATS, float_rows

KEYS = (b"ann", b"bob", b"cleo")
REFRESHES = ("monday", "tuesday")

Step = tuple[str, str, bytes, int]
STEPS = st.tuples(
    st.sampled_from(["push", "begin", "write", "publish", "keep", "abandon", "delete"]),
    st.sampled_from(REFRESHES),
    st.sampled_from(KEYS),
    st.integers(-3, 3),
)


@dataclass
class Twin:
    """What a view should hold: event times by key. Slow and obvious."""

    live: dict[bytes, int] = field(default_factory=dict)
    beside: dict[bytes, int] = field(default_factory=dict)
    name: str | None = None
    live_name: str | None = None

    def push(self, key: bytes, event: int) -> None:
        """Write to every generation there is."""
        newest(self.live, key, event)
        if self.name is not None:
            newest(self.beside, key, event)

    def begin(self, refresh: str) -> None:
        """Start afresh, unless this refresh is under way."""
        if self.name != refresh:
            self.name, self.beside = refresh, {}

    def write(self, refresh: str, key: bytes, event: int) -> None:
        """Write to a refresh under way, or to one that is live."""
        if refresh == self.name:
            newest(self.beside, key, event)
        else:
            self.push(key, event)

    def publish(self, keep_after: int | None) -> None:
        """Let the refresh take the place of what is live."""
        if keep_after is not None:
            for key, event in self.live.items():
                if event > keep_after:
                    newest(self.beside, key, event)
        self.live, self.beside = self.beside, {}
        self.live_name, self.name = self.name, None

    def delete(self, key: bytes) -> None:
        """Forget a customer."""
        self.live.pop(key, None)
        self.beside.pop(key, None)


def newest(rows: dict[bytes, int], key: bytes, event: int) -> None:
    rows[key] = max(event, rows.get(key, event))


def event_in_refresh(refresh: str, key: bytes) -> int:
    """Return the event time of a customer in a refresh: always the same, in each of its runs."""
    return (REFRESHES.index(refresh) + 2 * KEYS.index(key)) % 5 - 2


def take(store: RowStore, view: str, twin: Twin, step: Step) -> None:
    """Do one step to both."""
    what, refresh, key, number = step
    takes_rows = refresh in (twin.name, twin.live_name)
    steps: dict[str, Callable[[], None]] = {
        "push": lambda: push(store, view, twin, key, number),
        "begin": lambda: begin(store, view, twin, refresh),
        "write": lambda: write(store, view, twin, refresh, key) if takes_rows else None,
        "publish": lambda: publish(store, view, twin, None),
        "keep": lambda: publish(store, view, twin, number),
        "abandon": lambda: abandon(store, view, twin, refresh),
        "delete": lambda: delete(store, view, twin, key),
    }
    steps[what]()


def push(store: RowStore, view: str, twin: Twin, key: bytes, event: int) -> None:
    store.write_rows(view, [key], float_rows([0.0], event_us=event))
    twin.push(key, event)


def begin(store: RowStore, view: str, twin: Twin, refresh: str) -> None:
    store.begin_refresh(view, refresh)
    twin.begin(refresh)


def write(store: RowStore, view: str, twin: Twin, refresh: str, key: bytes) -> None:
    event = event_in_refresh(refresh, key)
    store.write_rows(view, [key], float_rows([0.0], event_us=event), refresh=refresh)
    twin.write(refresh, key, event)


def publish(store: RowStore, view: str, twin: Twin, keep_after: int | None) -> None:
    if twin.name is not None:
        rows = store.publish_refresh(view, twin.name, keep_after_us=keep_after)
        twin.publish(keep_after)
        assert rows == len(twin.live)


def abandon(store: RowStore, view: str, twin: Twin, refresh: str) -> None:
    store.abandon_refresh(view, refresh)
    if twin.name == refresh:
        twin.name, twin.beside = None, {}


def delete(store: RowStore, view: str, twin: Twin, key: bytes) -> None:
    assert store.delete_rows(view, [key]) == (key in twin.live)
    twin.delete(key)


@given(st.lists(STEPS, max_size=25))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_store_goes_through_any_history_like_its_twin(
    store: RowStore, history: list[Step]
) -> None:
    view, twin = uuid.uuid4().hex, Twin()
    store.register(view, TWO_FLOATS)

    for step in history:
        take(store, view, twin, step)
        (found,) = store.read_rows((view,), KEYS)
        events = {key: row_times(row)[0] for key, row in zip(KEYS, found, strict=True) if row}
        assert events == twin.live

    status = store.status(view)
    assert (status.live, status.refreshing) == (twin.live_name, twin.name)
    store.drop_view(view)
