"""Every statement of every write fails in turn: unpersisted, then though persisted.

After each the file is opened again: it is exactly as before, or exactly as after, the same write
then succeeds or is known to have happened, and everything follows from the entries.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import (
    MIRROR,
    MIRROR_LOG,
    OWN,
    OWN_LOG,
    announce,
    entries,
    grow_to,
    named,
    root_of,
    signed_head,
    signing,
)

from convenio.core.errors import ConflictError, UnavailableError
from convenio.store.api import Cosigned, LogSpec
from convenio.store.ids import Ids
from convenio.store.sqlite import SqliteStore

Write = Callable[[SqliteStore], object]


@dataclass
class Plan:
    """Which statement of the writer fails, counted from 0, and when and how it does."""

    fails_at: int = -1
    persisted: bool = False
    error: int = sqlite3.SQLITE_IOERR
    seen: int = 0
    last: str = ""
    writing: bool = False

    def fault(self) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("the disk says no")
        error.sqlite_errorcode = self.error
        return error

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        plan = self

        class Faulty(sqlite3.Connection):
            def _run(self, run: Callable[..., Any], sql: str, *more: Any) -> Any:
                if sql != "BEGIN IMMEDIATE" and not (self.in_transaction and plan.writing):
                    return run(sql, *more)
                plan.writing = sql not in {"COMMIT", "ROLLBACK"}
                number, plan.seen, plan.last = plan.seen, plan.seen + 1, sql
                if number == plan.fails_at and not plan.persisted:
                    raise plan.fault()
                done = run(sql, *more)
                if number == plan.fails_at:
                    raise plan.fault()
                return done

            def execute(self, sql: str, *more: Any) -> Any:
                return self._run(super().execute, sql, *more)

            def executemany(self, sql: str, *more: Any) -> Any:
                return self._run(super().executemany, sql, *more)

        return sqlite3.connect(*args, factory=Faulty, **options)


def cosigned(size: int) -> Cosigned:
    return Cosigned(size, root_of(size), "us/mirror", b"\0\0\0\1", b"line", 5, 5, flagged=False)


def append_a_run(store: SqliteStore) -> object:
    """The ids of what is there become a run, as after each ten thousand."""
    store._ids = Ids(max_fresh=260)
    return store.append(OWN, 250, named(range(250, 270)), signing(OWN))


WRITES: dict[str, Write] = {
    "a log is added": lambda s: s.add_log(LogSpec("new", "ab" * 32, "mx", 2, own=True)),
    "one entry is appended": lambda s: s.append(OWN, 250, named([250]), signing(OWN)),
    "entries across a tile": lambda s: s.append(OWN, 250, named(range(250, 530)), signing(OWN)),
    "ids become a run": append_a_run,
    "a checkpoint is replaced": lambda s: s.replace_checkpoint(
        OWN, 250, signed_head(OWN, 250).checkpoint
    ),
    "a pending checkpoint comes": lambda s: s.put_pending(
        MIRROR, 600, 700, root_of(700), signed_head(MIRROR, 700).checkpoint
    ),
    "a package is stored": lambda s: s.put_entries(MIRROR, 300, entries(range(300, 520))),
    "the mirror's head moves": lambda s: s.advance(MIRROR, 300),
    "a package is absorbed": lambda s: s.absorb(MIRROR, 300, entries(range(300, 600)), 600),
    "stored entries are discarded": lambda s: s.discard(MIRROR),
    "a cosignature comes": lambda s: s.put_cosignature(OWN, cosigned(200)),
    "evidence comes": lambda s: s.put_evidence(MIRROR, "split", b"proof", 5),
    "a foreign checkpoint comes": lambda s: s.put_foreign(MIRROR, 800, root_of(9), b"signed"),
    "the fold moves on": lambda s: s.set_fold_mark(OWN, 200, {7: "fold.id"}),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store: 250 own entries, 100 mirrored, 300 stored, 600 announced."""
    path = tmp_path_factory.mktemp("before") / "log.db"
    with closing(SqliteStore.create(path)) as store:
        store.add_log(OWN_LOG)
        store.add_log(MIRROR_LOG)
        grow_to(store, 250)
        for size in (100, 300, 600):
            announce(store, size)
        store.put_entries(MIRROR, 0, entries(range(300)))
        store.advance(MIRROR, 100)
    return path


def copy_of(before: Path, folder: Path) -> Path:
    """A store of its own for each case, without anybody's write-ahead log beside it."""
    path = folder / f"{len(list(folder.iterdir()))}.db"
    shutil.copy(before, path)
    return path


def content(path: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as db:
        names = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def after(write: Write, path: Path) -> tuple[int, dict[str, list[Any]]]:
    """How many statements the write has, and what the store holds then."""
    plan = Plan()
    with closing(SqliteStore.open(path, connect=plan.connect)) as store:
        plan.seen = 0
        write(store)
    return plan.seen, content(path)


def fail(write: Write, path: Path, plan: Plan) -> str:
    """The write, failing as planned. Returns the error's code."""
    at, plan.fails_at = plan.fails_at, -1
    with closing(SqliteStore.open(path, connect=plan.connect)) as store:
        plan.fails_at, plan.seen = at, 0
        with pytest.raises(UnavailableError) as caught:
            write(store)
        plan.fails_at = -1
        with pytest.raises(UnavailableError, match=r"store\.dead"):
            store.put_evidence(MIRROR, "after", b"death", 9)
    return caught.value.code


@pytest.mark.parametrize("name", WRITES)
def test_a_write_happens_whole_or_not_at_all(name: str, before: Path, tmp_path: Path) -> None:
    write = WRITES[name]
    count, done = after(write, copy_of(before, tmp_path))
    untouched = content(before)
    assert count >= 3
    for number in range(count):
        for persisted in (False, True):
            path = copy_of(before, tmp_path)
            plan = Plan(number, persisted)
            assert fail(write, path, plan) == "store.io"
            committed = persisted and number == count - 1
            assert content(path) == (done if committed else untouched)
            with closing(SqliteStore.open(path, quick_check=True)) as store:
                assert not list(store.check())
                with suppress(ConflictError):  # where the write is known to have happened
                    write(store)
            assert content(path) == done


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_changes_nothing_and_the_store_goes_on(
    name: str, before: Path, tmp_path: Path
) -> None:
    write = WRITES[name]
    count, done = after(write, copy_of(before, tmp_path))
    for number in range(count):
        path = copy_of(before, tmp_path)
        plan = Plan(-1, error=sqlite3.SQLITE_FULL)
        with closing(SqliteStore.open(path, connect=plan.connect)) as store:
            plan.fails_at, plan.seen = number, 0
            with pytest.raises(UnavailableError, match=r"store\.disk_full"):
                write(store)
            plan.fails_at = -1
            assert not list(store.check())
            write(store)
        assert content(path) == done


def test_after_a_commit_with_an_unknown_end_nothing_more_is_written(
    before: Path, tmp_path: Path
) -> None:
    count, _ = after(WRITES["one entry is appended"], copy_of(before, tmp_path))
    path = copy_of(before, tmp_path)
    plan = Plan(persisted=True, error=sqlite3.SQLITE_BUSY)
    with closing(SqliteStore.open(path, connect=plan.connect)) as store:
        plan.fails_at, plan.seen = count - 1, 0
        with pytest.raises(UnavailableError, match=r"store\.locked"):
            store.append(OWN, 250, named([250]), signing(OWN))
        assert plan.last == "COMMIT"
        with pytest.raises(UnavailableError, match=r"store\.dead"):
            store.append(OWN, 251, named([251]), signing(OWN))
    with closing(SqliteStore.open(path)) as store:
        assert store.head(OWN).root == root_of(251)


def test_a_bit_that_flips_on_its_way_into_the_page_is_never_signed(
    before: Path, tmp_path: Path
) -> None:
    class Flipping(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> Any:
            if sql.startswith("INSERT INTO piece"):
                key, count, bundle = more[0]
                more = ((key, count, bundle[:-1] + bytes([bundle[-1] ^ 1])),)
            return super().execute(sql, *more)

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(*args, factory=Flipping, **options)

    signed: list[int] = []

    def sign(size: int, root: bytes) -> bytes:
        signed.append(size)
        return b""

    with closing(SqliteStore.open(copy_of(before, tmp_path), connect=connect)) as store:
        with pytest.raises(UnavailableError, match=r"store\.corrupt"):
            store.append(OWN, 250, named([250]), sign)
        with pytest.raises(UnavailableError, match=r"store\.corrupt"):
            store.put_entries(MIRROR, 300, entries([300]))
        assert (signed, store.head(OWN).size, store.next_entry(MIRROR)) == ([], 250, 300)
