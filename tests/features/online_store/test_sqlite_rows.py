"""A SQLite file that is locked, read-only, full, broken, or written by somebody who was killed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.contracts.errors import FeatureStoreError
from features.online_store.row_store import RowStore
from features.online_store.sqlite_rows import SqliteRows
from features.online_store.unpacking import unpack_matrix
from tests.features.online_store.packed_rows import TWO_FLOATS, float_rows
from tests.repository import ROOT

VIEW = "customers"
ANN = b"ann"
NOBODY = 65_534
"""User without rights: the tests may run as root, whom no file mode keeps out."""


def filled(path: Path, **options: float) -> SqliteRows:
    store = SqliteRows(path, "shop", **options)
    store.register(VIEW, TWO_FLOATS)
    store.write_rows(VIEW, [ANN], float_rows([1.0]))
    return store


def value_of_ann(store: RowStore) -> float:
    (rows,) = store.read_rows((VIEW,), [ANN])
    return float(unpack_matrix(rows, TWO_FLOATS, store.schemas(VIEW)).values[0, 0])


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = SqliteRows(tmp_path / "online.db", "shop")

    with pytest.raises(FeatureStoreError, match="there is no online store at"):
        store.read_rows((VIEW,), [ANN])

    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_when_a_view_is_registered(tmp_path: Path) -> None:
    filled(tmp_path / "new" / "online store #1.db").close()

    assert (tmp_path / "new" / "online store #1.db").exists()


def test_projects_share_a_file_without_meeting(tmp_path: Path) -> None:
    one, two = (SqliteRows(tmp_path / "online.db", name) for name in ("shop", 'the "other" shop'))
    for store, value in ((one, 1.0), (two, 2.0)):
        store.register(VIEW, TWO_FLOATS)
        store.write_rows(VIEW, [ANN], float_rows([value]))

    assert (value_of_ann(one), value_of_ann(two)) == (1.0, 2.0)
    assert one.views() == two.views() == (VIEW,)
    two.drop_view(VIEW)
    assert value_of_ann(one) == 1.0
    one.close()
    two.close()


def test_a_locked_file_is_waited_for_and_then_named(tmp_path: Path) -> None:
    store = filled(tmp_path / "online.db", wait_seconds=0.05)
    with closing(sqlite3.connect(tmp_path / "online.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FeatureStoreError, match="another process writes to it"):
            store.write_rows(VIEW, [ANN], float_rows([2.0]))

        assert value_of_ann(store) == 1.0  # whoever only reads does not wait
    store.write_rows(VIEW, [ANN], float_rows([2.0]))
    assert value_of_ann(store) == 2.0
    store.close()


@contextmanager
def without_rights() -> Iterator[None]:
    """Run as a user who may not write what root made; whoever is not root already is one."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_file_is_named() -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own folders keep other users out
    try:
        filled(folder / "online.db").close()
        for each in (*folder.iterdir(), folder):
            each.chmod(0o555 if each.is_dir() else 0o444)
        with without_rights():
            store = SqliteRows(folder / "online.db", "shop")
            with pytest.raises(FeatureStoreError, match="make the file and its folder"):
                store.write_rows(VIEW, [ANN], float_rows([2.0]))
            store.close()
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_full_disk_is_named_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path / "online.db")
    store.close()
    connect = sqlite3.connect

    def connect_to_small_disk(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_to_small_disk)
    store.begin_refresh(VIEW, "tuesday")
    keys = [str(number).encode() for number in range(20_000)]
    with pytest.raises(FeatureStoreError, match="is full; free some space"):
        store.write_rows(VIEW, keys, float_rows([2.0] * 20_000), refresh="tuesday", progress=1)

    assert value_of_ann(store) == 1.0
    assert store.begin_refresh(VIEW, "tuesday") == 0
    store.abandon_refresh(VIEW, "tuesday")
    store.write_rows(VIEW, [ANN], float_rows([3.0]))
    assert value_of_ann(store) == 3.0
    store.close()


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_text("customer_id,spend\n" * 100)
    store = SqliteRows(tmp_path / "online.db", "shop")

    with pytest.raises(FeatureStoreError, match="it is no SQLite file"):
        store.read_rows((VIEW,), [ANN])


def test_a_database_of_something_else_is_named(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "online.db")) as other:
        other.execute("CREATE TABLE spend (customer_id TEXT)")
    store = SqliteRows(tmp_path / "online.db", "shop")

    with pytest.raises(FeatureStoreError, match="no such table: row_schemas; run"):
        store.schemas(VIEW)
    assert store.read_rows((VIEW,), [ANN]) == [[None]]
    store.close()


@pytest.mark.parametrize("broken", [b"", b"short", float_rows([1.0])[0][:-1]])
def test_a_corrupt_row_is_counted_and_can_be_replaced(tmp_path: Path, broken: bytes) -> None:
    store = filled(tmp_path / "online.db")
    with closing(sqlite3.connect(tmp_path / "online.db")) as other, other:
        other.execute('UPDATE "rows of shop/customers" SET row = ?', [broken])
    (rows,) = store.read_rows((VIEW,), [ANN])

    assert unpack_matrix(rows, TWO_FLOATS, store.schemas(VIEW)).refused == 1
    assert store.status(VIEW).rows == 1
    store.write_rows(VIEW, [ANN], float_rows([2.0]))
    assert value_of_ann(store) == 2.0
    store.close()


REFRESH_THAT_HANGS = """
import sys
from pathlib import Path
from features.online_store.sqlite_rows import SqliteRows
from tests.features.online_store.packed_rows import float_rows
store = SqliteRows(Path(sys.argv[1]), "shop")
store.begin_refresh("customers", "tuesday")
for number in range(100_000):
    keys = [str(n).encode() for n in range(number * 100, number * 100 + 100)]
    store.write_rows("customers", keys, float_rows([2.0] * 100), refresh="tuesday", progress=number)
    print(number, flush=True)
"""


def test_a_refresh_killed_in_the_middle_leaves_the_live_rows(tmp_path: Path) -> None:
    store = filled(tmp_path / "online.db")
    command = [sys.executable, "-c", REFRESH_THAT_HANGS, str(tmp_path / "online.db")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)

    assert value_of_ann(store) == 1.0
    assert store.status(VIEW).refreshing == "tuesday"
    assert store.begin_refresh(VIEW, "tuesday") >= 4
    assert store.begin_refresh(VIEW, "wednesday") == 0
    store.write_rows(VIEW, [ANN], float_rows([3.0]), refresh="wednesday")
    assert store.publish_refresh(VIEW, "wednesday") == 1
    assert value_of_ann(store) == 3.0
    with closing(sqlite3.connect(tmp_path / "online.db")) as other:
        tables = other.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchone() == (3,)  # rows, schemas, views: no leftovers
    store.close()


def test_another_process_publishes_under_the_eyes_of_a_reader(tmp_path: Path) -> None:
    reader, writer = (filled(tmp_path / "online.db") for _ in range(2))
    assert value_of_ann(reader) == 1.0  # from here on its statement is prepared
    writer.begin_refresh(VIEW, "tuesday")
    writer.write_rows(VIEW, [ANN], float_rows([2.0]), refresh="tuesday")
    writer.publish_refresh(VIEW, "tuesday")

    assert value_of_ann(reader) == 2.0
    reader.close()
    writer.close()


def test_threads_read_at_the_same_time(tmp_path: Path) -> None:
    store = filled(tmp_path / "online.db")
    start = threading.Barrier(8)
    seen: list[float] = []

    def read() -> None:
        start.wait()
        seen.extend(value_of_ann(store) for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [1.0] * 400
    store.close()


def test_a_forked_process_opens_connections_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path / "online.db")
    opened: list[object] = []
    connect = sqlite3.connect

    def count(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(arguments)
        connection: sqlite3.Connection = connect(*arguments, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", count)
    assert value_of_ann(store) == 1.0
    assert opened == []  # connections are kept
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert value_of_ann(store) == 1.0
    assert len(opened) == 1
    store.close()
