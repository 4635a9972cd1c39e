"""What every store of rows promises, on real ones."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.contracts.errors import FeatureStoreError
from features.online_store.packing import row_times
from features.online_store.row_store import RowStore, newest_of_each
from features.online_store.schema import RowSchema, ValueType
from features.online_store.unpacking import unpack_matrix
from tests.features.online_store.packed_rows import DAY_US, TWO_FLOATS, float_rows

VIEW = "customers"
ANN, BOB, CLEO = b"ann", b"bob", "cléo \U0001f9fe".encode()


@pytest.fixture
def rows(store: RowStore) -> RowStore:
    """A store that knows the view."""
    store.register(VIEW, TWO_FLOATS)
    return store


def first_values(store: RowStore, keys: Sequence[bytes]) -> list[float | None]:
    """Return the first feature of customers, None where there is no row."""
    (found,) = store.read_rows((VIEW,), keys)
    answer = unpack_matrix(found, TWO_FLOATS, store.schemas(VIEW))
    assert answer.refused == 0
    return [
        float(value) if known else None
        for value, known in zip(answer.values[:, 0], answer.known, strict=True)
    ]


def refreshed(store: RowStore, name: str, values: dict[bytes, float], *, event_us: int = 0) -> None:
    """Make a refresh of these values live."""
    store.begin_refresh(VIEW, name)
    store.write_rows(
        VIEW, list(values), float_rows([*values.values()], event_us=event_us), refresh=name
    )
    store.publish_refresh(VIEW, name)


def test_rows_come_in_the_order_asked_for(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN, BOB, CLEO], float_rows([1.0, 2.0, 3.0]))

    assert first_values(rows, [CLEO, b"nobody", ANN, CLEO]) == [3.0, None, 1.0, 3.0]


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 1024, 1025, 6000])
def test_any_number_of_customers_is_read(rows: RowStore, count: int) -> None:
    keys = [str(number).encode() for number in range(count)]
    rows.write_rows(VIEW, keys, float_rows(list(range(count))))

    assert first_values(rows, keys) == list(range(count))


def test_several_views_are_read_at_once(rows: RowStore) -> None:
    rows.register("products", TWO_FLOATS)
    rows.write_rows(VIEW, [ANN], float_rows([1.0]))
    rows.write_rows("products", [ANN, BOB], float_rows([2.0, 3.0]))

    customers, products, unknown = rows.read_rows((VIEW, "products", "unknown"), [ANN, BOB])

    assert [row is not None for row in (*customers, *products, *unknown)] == [
        *(True, False),
        *(True, True),
        *(False, False),
    ]


def test_reading_in_an_event_loop_gives_the_same(rows: RowStore) -> None:
    rows.register("products", TWO_FLOATS)
    rows.write_rows(VIEW, [ANN, BOB], float_rows([1.0, 2.0]))

    async def read() -> object:
        found = [
            await rows.read_rows_async((VIEW,), [BOB]),
            await rows.read_rows_async((VIEW, "products"), [ANN, CLEO]),
            await rows.read_rows_async((VIEW,), []),
        ]
        await rows.close_async()
        return found

    assert asyncio.run(read()) == [
        rows.read_rows((VIEW,), [BOB]),
        rows.read_rows((VIEW, "products"), [ANN, CLEO]),
        [[]],
    ]


def test_an_older_event_never_overwrites_a_newer_one(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN], float_rows([2.0], event_us=2 * DAY_US))
    rows.write_rows(VIEW, [ANN], float_rows([1.0], event_us=DAY_US, created_us=9 * DAY_US))

    assert first_values(rows, [ANN]) == [2.0]


def test_of_equal_events_the_one_learnt_later_stays(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN], float_rows([2.0], created_us=DAY_US))
    rows.write_rows(VIEW, [ANN], float_rows([1.0], created_us=DAY_US - 1))

    assert first_values(rows, [ANN]) == [2.0]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ((2**32 - 1, 9), (2**32, 0)),
        ((0, 2**40), (1, 0)),
        ((0, 2**32 - 1), (0, 2**32)),
        ((0, 0), (0, 1)),
        ((-1, 9), (0, -9)),
        ((-(2**63), 0), (2**63 - 1, 0)),
        ((5, -(2**63)), (5, -(2**63) + 1)),
    ],
    ids=str,
)
def test_times_are_compared_to_the_last_bit(
    rows: RowStore, older: tuple[int, int], newer: tuple[int, int]
) -> None:
    old, new = (float_rows([0.0], event_us=e, created_us=c)[0] for e, c in (older, newer))
    for row in (old, new):
        rows.write_rows(VIEW, [ANN], [row])
    for row in (new, old):
        rows.write_rows(VIEW, [BOB], [row])

    assert rows.read_rows((VIEW,), [ANN, BOB]) == [[new, new]]


def test_a_correction_of_the_same_moment_replaces_the_row(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN], float_rows([1.0]))
    rows.write_rows(VIEW, [ANN], float_rows([2.0]))

    assert first_values(rows, [ANN]) == [2.0]


def test_a_clock_that_was_set_back_does_not_lose_what_is_newer(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN], float_rows([1.0], event_us=DAY_US, created_us=5 * DAY_US))
    rows.write_rows(VIEW, [ANN], float_rows([2.0], event_us=2 * DAY_US, created_us=3 * DAY_US))

    assert first_values(rows, [ANN]) == [2.0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ANN, BOB]),
            st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
            st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 12),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_any_batches_end_with_the_newest(
    rows: RowStore, writes: list[tuple[bytes, int, int]], batch: int
) -> None:
    rows.delete_rows(VIEW, [ANN, BOB])
    packed = [float_rows([0.0], event_us=event, created_us=made)[0] for _, event, made in writes]
    for start in range(0, len(writes), batch):
        keys = [key for key, _, _ in writes[start : start + batch]]
        rows.write_rows(VIEW, keys, packed[start : start + batch])

    (found,) = rows.read_rows((VIEW,), [ANN, BOB])

    for key, row in zip([ANN, BOB], found, strict=True):
        times = [(event, made) for name, event, made in writes if name == key]
        assert (row and row_times(row)) == (max(times) if times else None)


def test_a_refresh_is_invisible_until_it_is_published(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0, BOB: 1.0})
    rows.begin_refresh(VIEW, "tuesday")
    rows.write_rows(VIEW, [ANN, CLEO], float_rows([2.0, 2.0]), refresh="tuesday")

    assert first_values(rows, [ANN, BOB, CLEO]) == [1.0, 1.0, None]
    assert rows.publish_refresh(VIEW, "tuesday") == 2
    assert first_values(rows, [ANN, BOB, CLEO]) == [2.0, None, 2.0]
    assert rows.live_refresh(VIEW) == "tuesday"


def test_a_refresh_of_nobody_empties_the_view(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0})
    rows.begin_refresh(VIEW, "tuesday")

    assert rows.publish_refresh(VIEW, "tuesday") == 0
    assert first_values(rows, [ANN]) == [None]


def test_a_refresh_is_resumed_where_it_stopped(rows: RowStore) -> None:
    assert rows.begin_refresh(VIEW, "monday") == 0
    rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="monday", progress=1)
    rows.write_rows(VIEW, [BOB], float_rows([2.0]), refresh="monday", progress=2)

    assert rows.begin_refresh(VIEW, "monday") == 2
    rows.write_rows(VIEW, [CLEO], float_rows([3.0]), refresh="monday", progress=3)
    assert rows.publish_refresh(VIEW, "monday") == 3
    assert first_values(rows, [ANN, BOB, CLEO]) == [1.0, 2.0, 3.0]


def test_the_next_refresh_clears_up_behind_a_dead_one(rows: RowStore) -> None:
    rows.begin_refresh(VIEW, "dead")
    rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="dead", progress=7)
    assert rows.begin_refresh(VIEW, "next") == 0
    rows.write_rows(VIEW, [BOB], float_rows([2.0]), refresh="next")

    assert rows.publish_refresh(VIEW, "next") == 1
    assert first_values(rows, [ANN, BOB]) == [None, 2.0]


def test_of_two_refreshes_at_once_the_later_one_goes_on(rows: RowStore) -> None:
    refreshed(rows, "old", {ANN: 0.0})
    rows.begin_refresh(VIEW, "first")
    rows.begin_refresh(VIEW, "second")

    with pytest.raises(FeatureStoreError, match="the refresh second has taken its place"):
        rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="first")
    with pytest.raises(FeatureStoreError, match="the refresh second has taken its place"):
        rows.publish_refresh(VIEW, "first")
    rows.abandon_refresh(VIEW, "first")
    rows.write_rows(VIEW, [ANN], float_rows([2.0]), refresh="second")
    rows.publish_refresh(VIEW, "second")

    assert first_values(rows, [ANN]) == [2.0]


def test_two_runs_of_one_refresh_both_end_well(rows: RowStore) -> None:
    for _ in range(2):
        rows.begin_refresh(VIEW, "monday")
    rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="monday")
    rows.publish_refresh(VIEW, "monday")
    rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="monday", progress=1)

    assert rows.publish_refresh(VIEW, "monday") == 1
    assert rows.status(VIEW).refreshing is None


def test_what_is_pushed_during_a_refresh_survives_it(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0})
    rows.begin_refresh(VIEW, "tuesday")
    rows.write_rows(VIEW, [ANN, BOB], float_rows([5.0, 5.0], event_us=5))
    assert first_values(rows, [ANN, BOB]) == [5.0, 5.0]
    rows.write_rows(VIEW, [ANN, BOB], float_rows([2.0, 2.0], event_us=2), refresh="tuesday")
    rows.publish_refresh(VIEW, "tuesday")

    assert first_values(rows, [ANN, BOB]) == [5.0, 5.0]


def test_what_was_pushed_before_a_refresh_is_kept_if_it_is_newer(rows: RowStore) -> None:
    refreshed(rows, "monday", {b"gone": 1.0, ANN: 1.0, BOB: 1.0}, event_us=1)
    rows.write_rows(VIEW, [ANN, BOB, CLEO], float_rows([4.0, 4.0, 4.0], event_us=4))
    rows.begin_refresh(VIEW, "tuesday")
    tuesday = [*float_rows([3.0], event_us=3), *float_rows([5.0], event_us=5)]
    rows.write_rows(VIEW, [ANN, BOB], tuesday, refresh="tuesday")

    assert rows.publish_refresh(VIEW, "tuesday", keep_after_us=3) == 3
    assert first_values(rows, [ANN, BOB, CLEO, b"gone"]) == [4.0, 5.0, 4.0, None]


def test_keeping_leaves_out_the_moment_itself(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0}, event_us=-3)
    rows.begin_refresh(VIEW, "tuesday")

    assert rows.publish_refresh(VIEW, "tuesday", keep_after_us=-3) == 0


def test_a_refresh_can_go_back_in_time(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0}, event_us=9)
    refreshed(rows, "sunday", {ANN: 0.5}, event_us=2)

    assert first_values(rows, [ANN]) == [0.5]


def test_an_abandoned_refresh_leaves_the_live_rows(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0})
    rows.begin_refresh(VIEW, "tuesday")
    rows.write_rows(VIEW, [ANN], float_rows([2.0]), refresh="tuesday")
    rows.abandon_refresh(VIEW, "tuesday")

    assert first_values(rows, [ANN]) == [1.0]
    assert rows.status(VIEW).refreshing is None
    with pytest.raises(FeatureStoreError, match="abandoned or never begun"):
        rows.publish_refresh(VIEW, "tuesday")


def test_readers_never_see_a_mix_of_two_refreshes(rows: RowStore) -> None:
    keys = [str(number).encode() for number in range(50)]
    refreshed(rows, "0", dict.fromkeys(keys, 0.0))
    mixes: list[set[float | None]] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            seen = set(first_values(rows, keys))
            if len(seen) != 1 or None in seen:
                mixes.append(seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for turn in range(1, 15):
        refreshed(rows, str(turn), dict.fromkeys(keys, float(turn)))
    is_over.set()
    watcher.join()

    assert mixes == []


def test_two_writers_at_once_lose_nothing(rows: RowStore) -> None:
    keys = [str(number).encode() for number in range(200)]

    def write(event_us: int) -> None:
        packed = float_rows([float(event_us)] * len(keys), event_us=event_us)
        for start in range(0, len(keys), 10):
            rows.write_rows(VIEW, keys[start : start + 10], packed[start : start + 10])

    writers = [threading.Thread(target=write, args=(event_us,)) for event_us in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert first_values(rows, keys) == [3.0] * len(keys)


def test_deleted_customers_are_gone_also_from_a_refresh_under_way(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN, BOB], float_rows([1.0, 1.0]))
    rows.begin_refresh(VIEW, "tuesday")
    rows.write_rows(VIEW, [ANN, BOB], float_rows([2.0, 2.0]), refresh="tuesday")

    assert rows.delete_rows(VIEW, [ANN, b"nobody"]) == 1
    assert first_values(rows, [ANN, BOB]) == [None, 1.0]
    rows.publish_refresh(VIEW, "tuesday")
    assert first_values(rows, [ANN, BOB]) == [None, 2.0]


def test_deleting_nobody_deletes_nothing(rows: RowStore) -> None:
    assert rows.delete_rows(VIEW, []) == 0


def test_schemas_of_old_and_new_rows_are_remembered(rows: RowStore) -> None:
    newer = RowSchema.of({**TWO_FLOATS.by_name, "région": ValueType.STRING})
    for _ in range(2):
        rows.register(VIEW, newer)

    assert dict(rows.schemas(VIEW)) == {
        schema.fingerprint: schema for schema in (TWO_FLOATS, newer)
    }


def test_the_status_counts_rows_and_tells_their_age(rows: RowStore) -> None:
    refreshed(rows, "monday", {ANN: 1.0, BOB: 1.0}, event_us=-5)
    rows.write_rows(VIEW, [ANN], float_rows([1.0], event_us=7))
    rows.begin_refresh(VIEW, "tuesday")

    status = rows.status(VIEW)

    assert (status.live, status.refreshing) == ("monday", "tuesday")
    assert (status.rows, status.looked_at) == (2, 2)
    assert (status.oldest_event_us, status.newest_event_us) == (-5, 7)
    assert status.rows_by_fingerprint == {TWO_FLOATS.fingerprint: 2}


def test_the_status_of_an_empty_view_has_no_ages(rows: RowStore) -> None:
    status = rows.status(VIEW)

    assert (status.rows, status.live, status.oldest_event_us) == (0, None, None)
    assert rows.live_refresh(VIEW) is None


def test_a_dropped_view_is_forgotten(rows: RowStore) -> None:
    rows.register("products", TWO_FLOATS)
    rows.write_rows(VIEW, [ANN], float_rows([1.0]))
    assert rows.views() == (VIEW, "products")

    rows.drop_view(VIEW)

    assert rows.views() == ("products",)
    assert rows.read_rows((VIEW,), [ANN]) == [[None]]
    assert rows.schemas(VIEW) == {}


@pytest.mark.parametrize("refresh", [None, "monday"])
def test_rows_of_an_unregistered_view_are_refused(rows: RowStore, refresh: str | None) -> None:
    with pytest.raises(FeatureStoreError, match="no view products; run `bellwether features build"):
        rows.write_rows("products", [ANN], float_rows([1.0]), refresh=refresh)
    with pytest.raises(FeatureStoreError, match="no view products"):
        rows.begin_refresh("products", "monday")


def test_a_refresh_that_was_never_begun_takes_no_rows(rows: RowStore) -> None:
    with pytest.raises(FeatureStoreError, match="abandoned or never begun"):
        rows.write_rows(VIEW, [ANN], float_rows([1.0]), refresh="monday")


def test_a_store_that_was_closed_opens_again(rows: RowStore) -> None:
    rows.write_rows(VIEW, [ANN], float_rows([1.0]))
    rows.close()

    assert first_values(rows, [ANN]) == [1.0]


def test_of_rows_of_one_customer_the_last_of_the_newest_is_taken() -> None:
    old, new, same = (
        float_rows([value], event_us=when)[0] for value, when in ((1, 1), (2, 2), (3, 2))
    )

    assert newest_of_each([ANN, BOB, ANN, ANN], [new, old, old, same]) == ([ANN, BOB], [same, old])
