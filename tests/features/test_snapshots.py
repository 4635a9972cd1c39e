from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import customer_batches
from features.catalogue import feature_columns
from features.contracts.as_of import AsOf
from features.contracts.errors import EmptyCohortError, FeatureStoreError
from features.contracts.vectors import SNAPSHOT_EPOCH
from features.snapshots import SnapshotFile, customers_at, snapshot_path, write_snapshots
from features.sources import open_connection
from tests.features.hand_made import (
    CATALOGUE,
    MAPPED,
    SECOND,
    Bench,
    Row,
    T,
    ago,
    canonical,
    features_at,
    line,
    message,
    order,
    profile,
)

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")

WEEKLY = tuple(T.plus_days(-7 * weeks) for weeks in (4, 3, 2, 1, 0))
FEW = {"orders": frozenset({"customer_id", "ordered_at"})}
"""Little is mapped: quicker where it does not matter which features there are."""


def small_shop(customers: int = 40) -> list[Row]:
    made_up = Random(7)
    rows: list[Row] = []
    for number in range(customers):
        customer = f"customer {number}"
        for _ in range(1 + number % 7):
            at = ago(days=1 + made_up.random() * 200)
            rows.append(order(at, f"{made_up.random() * 90:.2f}", customer=customer))
            rows.append(line(at, made_up.choice("tcp"), customer=customer, category="drinks"))
        rows.append(message(ago(days=made_up.random() * 90), customer=customer))
        rows.append(profile(ago(days=300), customer=customer, age=float(number % 3)))
    return [*rows, order(ago(days=250), customer="customer 0")]


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench()
    bench.fill(small_shop())
    return bench


def build(
    bench: Bench,
    directory: Path,
    moments: Sequence[AsOf] = (T,),
    mapped: Mapping[str, frozenset[str]] = FEW,
) -> list[SnapshotFile]:
    return list(write_snapshots(bench.connection, bench.tables, mapped, moments, directory))


@pytest.fixture(scope="module")
def written(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[SnapshotFile]:
    return build(bench, tmp_path_factory.mktemp("shop") / "new" / "folder", WEEKLY, MAPPED)


@pytest.fixture(scope="module")
def folder(written: list[SnapshotFile]) -> Path:
    return written[0].path.parent


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_each_moment_has_a_file_of_its_own_and_nothing_else_is_left(
    written: list[SnapshotFile], folder: Path
) -> None:
    assert [file.as_of for file in written] == list(WEEKLY)
    assert {file.path for file in written} == set(folder.iterdir())
    assert [pq.read_metadata(file.path).num_rows for file in written] == [
        file.customers for file in written
    ]


def test_a_file_is_named_by_its_moment_to_the_second() -> None:
    moment = AsOf.parse("2026-03-01T01:02:03+02:00")

    assert snapshot_path(Path("s"), moment) == Path("s/20260228T230203Z.parquet")


def test_a_snapshot_holds_keys_times_and_features_in_catalogue_order(folder: Path) -> None:
    schema = pq.read_schema(snapshot_path(folder, T))

    columns = [SNAPSHOT_EPOCH, *feature_columns(MAPPED)]
    assert schema.names == ["customer_id", "as_of", "known_at", *columns]
    assert {schema.field(name).type for name in columns} == {pa.float64()}
    assert schema.field("customer_id").type == pa.string()
    assert schema.field("as_of").type == pa.timestamp("us", tz="UTC")
    assert schema.field("known_at").type == pa.timestamp("us", tz="UTC")


def test_times_of_a_snapshot_are_its_moment(folder: Path) -> None:
    snapshot = pq.read_table(snapshot_path(folder, T))

    assert set(snapshot["as_of"].to_pylist()) == {T.moment}
    assert set(snapshot["known_at"].to_pylist()) == {T.moment}
    assert set(snapshot[SNAPSHOT_EPOCH].to_pylist()) == {T.moment.timestamp()}


def test_a_snapshot_holds_the_features_of_its_moment(folder: Path) -> None:
    expected = features_at(small_shop(), WEEKLY)

    found = {}
    for moment in WEEKLY:
        for row in pq.read_table(snapshot_path(folder, moment)).to_pylist():
            key = row.pop("customer_id"), AsOf(row.pop("as_of"))
            found[key] = {name: row[name] for name in feature_columns(MAPPED)}

    assert found == expected


def test_only_what_is_mapped_becomes_a_feature(bench: Bench, tmp_path: Path) -> None:
    build(bench, tmp_path, mapped=FEW)

    names = pq.read_schema(snapshot_path(tmp_path, T)).names
    assert names[4:] == list(feature_columns(FEW))
    assert "spend_30d" not in names


def test_customers_are_those_with_an_order_known_by_then_in_order(tmp_path: Path) -> None:
    bench = Bench()
    bench.fill(
        [
            order(ago(days=9), customer="zoe"),
            order(ago(days=9), customer="bob", status="cancelled"),
            order(ago(days=9), customer="late", known_at=T.moment + SECOND),
            order(T.moment, customer="new"),
            message(ago(days=9), customer="never"),
        ]
    )
    build(bench, tmp_path)

    assert customers_at(tmp_path, T) == ("bob", "zoe")


def test_a_missing_snapshot_names_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match=rf"as of {T}; build it with `bellwether features"):
        customers_at(tmp_path, T)


def test_two_builds_give_the_same_bytes_whatever_the_order_of_rows(
    folder: Path, tmp_path: Path
) -> None:
    rows = small_shop()
    Random(1).shuffle(rows)
    bench = Bench()
    bench.fill(rows)

    build(bench, tmp_path, WEEKLY, MAPPED)

    assert contents(tmp_path) == contents(folder)


def tables_of(directory: Path) -> dict[str, pa.Table]:
    return {path.name: pq.read_table(path) for path in directory.iterdir()}


def test_the_size_of_batches_does_not_move_a_feature(
    bench: Bench,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(customer_batches, "ROWS_PER_BATCH", 150)

    build(bench, tmp_path, WEEKLY[-1:], MAPPED)

    expected = tables_of(folder)
    for name, table in tables_of(tmp_path).items():
        assert table == expected[name]
        assert pq.ParquetFile(tmp_path / name).num_row_groups > 1


def test_a_condition_that_all_rows_meet_is_still_asked(tmp_path: Path) -> None:
    """DuckDB plans without what its statistics call always true, and without its columns."""
    rows = small_shop()
    connection = open_connection()
    for name, content in canonical(rows).items():
        connection.con.register("new_rows", content)
        connection.raw_sql(f"CREATE TABLE {name} AS FROM new_rows")
        connection.con.unregister("new_rows")
    tables = {name: connection.table(name) for name in MAPPED}

    (snapshot,) = write_snapshots(connection, tables, MAPPED, (T,), tmp_path)

    expected = features_at(rows, (T,))
    found = pq.read_table(snapshot.path, columns=["customer_id", *CATALOGUE]).to_pylist()
    assert len(found) == len(expected)
    assert all(features == expected[features.pop("customer_id"), T] for features in found)


def test_moments_computed_one_by_one_give_the_same_bytes(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    for moment in WEEKLY[1:2]:
        build(bench, tmp_path, [moment], MAPPED)

    together = contents(folder)
    for name, alone in contents(tmp_path).items():
        assert alone == together[name]


def test_nothing_is_left_in_the_database(bench: Bench, tmp_path: Path) -> None:
    names = (
        "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() "
        "WHERE view_name NOT LIKE 'ibis_%'"  # Ibis lets go of its own with the expressions
    )
    before = bench.connection.con.sql(names).fetchall()

    build(bench, tmp_path, WEEKLY[-1:], FEW)

    assert bench.connection.con.sql(names).fetchall() == before


def test_a_moment_given_twice_does_not_count_orders_twice(bench: Bench, tmp_path: Path) -> None:
    build(bench, tmp_path / "once", [T])
    build(bench, tmp_path / "twice", [T, T])

    assert contents(tmp_path / "once") == contents(tmp_path / "twice")


def test_a_snapshot_built_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    bench = Bench()
    bench.fill([order(ago(days=9), customer="old")])
    build(bench, tmp_path)
    bench.fill([order(ago(days=9), customer="new")])
    build(bench, tmp_path)

    assert customers_at(tmp_path, T) == ("new",)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_moment_before_the_first_order_has_nobody(bench: Bench, tmp_path: Path) -> None:
    early = T.plus_days(-1000)

    with pytest.raises(EmptyCohortError, match=rf"before {early}; choose a later moment"):
        build(bench, tmp_path, [early, T])

    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing_half_done(bench: Bench, tmp_path: Path) -> None:
    in_the_way = snapshot_path(tmp_path, T)
    in_the_way.mkdir()

    with pytest.raises(OSError, match=in_the_way.name):
        build(bench, tmp_path)

    assert list(tmp_path.iterdir()) == [in_the_way]
