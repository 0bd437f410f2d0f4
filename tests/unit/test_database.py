"""One SQLite file: whole transactions, honest errors, never made by accident."""

from __future__ import annotations

import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from convenio.core.errors import ConflictError, UnavailableError
from convenio.store.backfill import Backfill
from convenio.store.database import Database
from convenio.store.sqlite import SqliteStore

SCRIPT = "CREATE TABLE t (n INTEGER PRIMARY KEY, word TEXT NOT NULL);"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(Database.create(path, SCRIPT, 3)) as database:
        yield database


def words(database: Database) -> list[str]:
    return [word for (word,) in database.read("SELECT word FROM t ORDER BY n")]


class TestFiles:
    def test_what_was_created_can_be_opened(self, database: Database, path: Path) -> None:
        with database.write() as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")
        database.close()
        with closing(Database.open(path, 3, quick_check=True)) as again:
            assert words(again) == ["one"]
            assert again.damage() == []

    def test_it_is_the_owners_only_and_nothing_is_left_beside_it(
        self, database: Database, path: Path
    ) -> None:
        database.close()
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_opening_never_creates(self, path: Path) -> None:
        with pytest.raises(UnavailableError, match=r"store\.absent"):
            Database.open(path, 3)
        assert not path.exists()

    def test_creating_never_replaces(self, database: Database, path: Path) -> None:
        before = path.read_bytes()
        with pytest.raises(ConflictError, match=r"store\.exists"):
            Database.create(path, SCRIPT, 3)
        assert path.read_bytes() == before

    def test_a_schema_that_fails_leaves_no_file(self, path: Path) -> None:
        with pytest.raises(RuntimeError):
            Database.create(path, "CREATE TABLE oops", 3)
        assert list(path.parent.iterdir()) == []

    def test_another_version_is_refused(self, database: Database, path: Path) -> None:
        with pytest.raises(UnavailableError) as caught:
            Database.open(path, 4)
        assert (caught.value.code, caught.value.parameters) == ("store.version", {"found": 3})

    def test_another_kind_is_refused(self, database: Database, path: Path) -> None:
        with pytest.raises(UnavailableError, match=r"store\.foreign"):
            SqliteStore.open(path)

    @pytest.mark.parametrize("content", [b"no database at all, only words" * 100, bytes(8192)])
    def test_what_is_no_database_is_refused(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(UnavailableError, match=r"store\.(corrupt|version)"):
            Database.open(path, 3)

    def test_an_odd_path_is_only_a_path(self, tmp_path: Path) -> None:
        path = tmp_path / "50% of?mode=memory#.db"
        Database.create(path, SCRIPT, 3).close()
        assert [each.name for each in tmp_path.iterdir()] == [path.name]


class TestTransactions:
    def test_all_of_it_or_nothing(self, database: Database) -> None:
        def change_my_mind() -> None:
            with database.write() as db:
                db.execute("INSERT INTO t VALUES (1, 'one')")
                raise KeyError

        with pytest.raises(KeyError):
            change_my_mind()
        assert words(database) == []
        with database.write() as db:
            db.execute("INSERT INTO t VALUES (2, 'two')")
        assert words(database) == ["two"]

    def test_every_commit_waits_for_the_disk(self, database: Database) -> None:
        with database.write() as db:
            assert db.execute("PRAGMA synchronous").fetchone() == (2,)
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_readers_see_whole_commits_and_never_wait(self, database: Database) -> None:
        with database.write() as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")
            assert words(database) == []
        assert words(database) == ["one"]

    def test_a_reader_cannot_write(self, database: Database) -> None:
        with pytest.raises(UnavailableError, match=r"store\.io"):
            database.read("INSERT INTO t VALUES (1, 'one')")

    def test_a_database_open_for_reading_does_not_write(
        self, database: Database, path: Path
    ) -> None:
        with closing(Database.open(path, 3, read_only=True)) as reader:
            with database.write() as db:
                db.execute("INSERT INTO t VALUES (1, 'one')")
            assert words(reader) == ["one"]
            with pytest.raises(RuntimeError), reader.write():
                pass

    def test_what_breaks_a_constraint_is_our_mistake(self, database: Database) -> None:
        with pytest.raises(RuntimeError), database.write() as db:
            db.execute("INSERT INTO t VALUES (1, NULL)")
        with database.write() as db:
            db.execute("INSERT INTO t VALUES (1, 'one')")

    def test_writes_from_many_threads_wait_for_one_another(self, database: Database) -> None:
        def work(first: int) -> None:
            for n in range(first, first + 20):
                with database.write() as db:
                    (count,) = db.execute("SELECT count(*) FROM t").fetchone()
                    db.execute("INSERT INTO t VALUES (?, ?)", (n, str(count)))

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(int, words(database))) == list(range(100))

    def test_another_process_that_writes_is_waited_for_then_named(
        self, database: Database, path: Path
    ) -> None:
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as other,
            closing(Database.open(path, 3, busy_s=0.01)) as mine,
        ):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError, match=r"store\.locked"), mine.write():
                pass
            other.execute("ROLLBACK")
            with mine.write() as db:
                db.execute("INSERT INTO t VALUES (1, 'one')")

    def test_nothing_works_after_closing(self, database: Database) -> None:
        database.close()
        database.close()
        with pytest.raises(RuntimeError):
            words(database)
        with pytest.raises(RuntimeError), database.write():
            pass


class TestBackfill:
    def test_what_is_committed_comes_to_its_place_while_the_file_is_open(
        self, database: Database, path: Path, tmp_path: Path
    ) -> None:
        put(database, 1)
        assert in_the_file_alone(path, tmp_path / "before.db") == 0
        database.backfill()
        assert in_the_file_alone(path, tmp_path / "after.db") == 1

    def test_a_reader_holds_back_what_it_does_not_see_until_it_ends(
        self, database: Database, path: Path, tmp_path: Path
    ) -> None:
        put(database, 1)
        with database.reading() as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM t").fetchall()
            put(database, 2)
            database.backfill()
            assert in_the_file_alone(path, tmp_path / "held.db") < 2
            db.execute("COMMIT")
        database.backfill()
        assert in_the_file_alone(path, tmp_path / "free.db") == 2

    @pytest.mark.parametrize("number", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT])
    def test_a_disk_that_fails_it_ends_all_writing(self, path: Path, number: int) -> None:
        """What was to be copied may be lost in the cache of a disk that has said no once."""
        Database.create(path, SCRIPT, 3).close()
        with closing(Database.open(path, 3, connect=failing_to_fill(number))) as database:
            put(database, 1)
            with pytest.raises(UnavailableError):
                database.backfill()
            assert database.dead
            with pytest.raises(UnavailableError, match=r"store\.dead"):
                put(database, 2)

    def test_a_full_disk_does_not(self, path: Path) -> None:
        Database.create(path, SCRIPT, 3).close()
        connect = failing_to_fill(sqlite3.SQLITE_FULL)
        with closing(Database.open(path, 3, connect=connect)) as database:
            put(database, 1)
            with pytest.raises(UnavailableError, match=r"store\.disk_full"):
                database.backfill()
            put(database, 2)

    def test_after_the_end_it_does_nothing(self, database: Database) -> None:
        put(database, 1)
        database.close()
        database.backfill()

    def test_a_thread_does_it_and_tells_what_is_our_own_fault(self) -> None:
        told: queue.SimpleQueue[object] = queue.SimpleQueue()
        says: list[Exception] = [UnavailableError("store.disk_full"), ZeroDivisionError()]

        class Store:
            def backfill(self) -> None:
                told.put("asked")
                raise says.pop(0)

        with Backfill(Store(), told.put, every_s=0.001):
            found = [told.get(timeout=10) for _ in range(3)]
        assert found[:2] == ["asked", "asked"]  # a disk that says no is asked again
        assert isinstance(found[2], ZeroDivisionError)


def put(database: Database, number: int) -> None:
    with database.write() as db:
        db.execute("INSERT INTO t VALUES (?, 'word')", (number,))


def in_the_file_alone(path: Path, copy: Path) -> int:
    """How many rows the file has without its write-ahead log."""
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as db:
        (count,) = db.execute("SELECT count(*) FROM t").fetchone()
    return int(count)


def failing_to_fill(number: int) -> Callable[..., sqlite3.Connection]:
    class Faulty(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> Any:
            if "wal_checkpoint" in sql:
                error = sqlite3.OperationalError("the disk says no")
                error.sqlite_errorcode = number
                raise error
            return super().execute(sql, *more)

    return partial(sqlite3.connect, factory=Faulty)
