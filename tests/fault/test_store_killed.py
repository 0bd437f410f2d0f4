"""Processes killed while they write, disks that are full, bits that flip: what was acknowledged is
there, and what is there follows from the entries or is reported."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, lacking
from tests.support.stores import (
    MIRROR,
    MIRROR_LOG,
    OWN,
    OWN_LOG,
    announce,
    entries,
    entry,
    grow_to,
    id_of,
    named,
    root_of,
    signing,
)

from convenio.core.errors import UnavailableError
from convenio.core.merkle import RightEdge, leaf_hash
from convenio.store.api import Finding
from convenio.store.database import Database
from convenio.store.export import export_log
from convenio.store.objects import DiskBlobs
from convenio.store.schema import KIND, VERSION
from convenio.store.sqlite import SqliteStore

KILLS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    with closing(SqliteStore.create(path)) as store:
        store.add_log(OWN_LOG)
        store.add_log(MIRROR_LOG)
    return path


def writer(kind: str, path: Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.crashing", kind, str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, **options
    )


def kill_after(kind: str, path: Path, lines: int) -> int:
    """The last size that a writer acknowledged before it was killed, mid-write."""
    with writer(kind, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
    return int([line for line in said if line.endswith("\n")][-1])


def derived(store: SqliteStore, origin: str) -> None:
    """The head is what the entries make, and they are the ones that were written."""
    size = store.head(origin).size
    edge = RightEdge()
    for number, stored in enumerate(store.entries(origin, 0, size)):
        assert stored.entry == entry(number)
        edge = edge.append(leaf_hash(stored.entry))
    assert (edge.size, edge.root()) == (size, store.head(origin).root)


@pytest.mark.parametrize(("kind", "origin"), [("own", OWN), ("mirror", MIRROR)])
def test_what_a_killed_process_acknowledged_is_there(path: Path, kind: str, origin: str) -> None:
    for turn in range(KILLS // 2):
        acknowledged = kill_after(kind, path, 1 + 3 * turn)
        with closing(SqliteStore.open(path, quick_check=True)) as store:
            assert store.head(origin).size >= acknowledged
            derived(store, origin)
            assert not list(store.check())
    if kind == "own":
        with closing(SqliteStore.open(path)) as store:
            last = store.find(OWN, id_of(acknowledged - 1))
            assert last is not None
            assert last.entry == entry(acknowledged - 1)


def test_a_process_that_may_not_write_more_stops_and_loses_nothing(path: Path) -> None:
    """The kernel itself refuses to let a file grow, in the midst of a commit."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))

    with writer("own", path, preexec_fn=limit) as process:
        said, _ = process.communicate(timeout=60)
    *sizes, code = said.split()
    assert code == "store.io"
    with closing(SqliteStore.open(path)) as store:
        assert store.head(OWN).size == int(sizes[-1])
        derived(store, OWN)
        assert not list(store.check())


def test_a_file_that_may_have_no_more_pages_goes_on_when_it_may(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(sqlite3.connect(*args, **options))
        return opened[-1]

    with closing(SqliteStore.open(path, connect=connect)) as store:
        opened[0].execute("PRAGMA max_page_count = 60")
        with pytest.raises(UnavailableError, match=r"store\.disk_full"):
            grow_to(store, 100_000)
        size = store.head(OWN).size
        assert size > 100
        assert not list(store.check())
        opened[0].execute("PRAGMA max_page_count = 100000")
        assert grow_to(store, size + 300).root == root_of(size + 300)
        assert not list(store.check())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        lacking("the right to mount a small disk (root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_changes_nothing_and_the_store_goes_on(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    with closing(SqliteStore.create(small_disk / "log.db")) as store:
        store.add_log(OWN_LOG)
        with pytest.raises(UnavailableError, match=r"store\.disk_full"):
            grow_to(store, 100_000)
        size = store.head(OWN).size
        assert size > 100
        derived(store, OWN)
        ballast.unlink()
        assert grow_to(store, size + 10).root == root_of(size + 10)
        assert not list(store.check())


def test_a_blob_and_an_export_that_do_not_fit_leave_nothing_half(
    small_disk: Path, path: Path
) -> None:
    blobs = DiskBlobs.create(small_disk / "blobs", lambda: 5.0)
    shelf = blobs.shelf("ab" * 32, "mx")
    with pytest.raises(UnavailableError, match=r"store\.disk_full"):
        shelf.put("0" * 64, bytes(3 << 20))
    assert list(shelf.names()) == []
    assert blobs.sweep(-1) == 0
    (small_disk / "ballast").write_bytes(bytes((2 << 20) - 60_000))
    with closing(SqliteStore.open(path)) as store:
        head = grow_to(store, 3_000)
        with pytest.raises(UnavailableError, match=r"store\.disk_full"):
            export_log(store, OWN, small_disk / "export")
        assert not (small_disk / "export/checkpoint").exists()
        (small_disk / "ballast").unlink()
        assert export_log(store, OWN, small_disk / "export") == head


# --- bits that flip ---


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "log.db"
    SqliteStore.create(path).close()
    with closing(SqliteStore(Database.open(path, VERSION, kind=KIND), max_fresh=500)) as store:
        store.add_log(OWN_LOG)
        store.add_log(MIRROR_LOG)
        grow_to(store, 700)
        announce(store, 300)
        announce(store, 600)
        store.absorb(MIRROR, 0, entries(range(300)), 300)
        store.put_entries(MIRROR, 300, entries(range(300, 550)))
    return path


FLIPS = {
    "an entry": (
        "UPDATE piece SET bundle = CAST(substr(bundle, 1, 5) || x'00' || substr(bundle, 7) AS BLOB)"
        " WHERE key = 1 << 40 | 300",
        {Finding(OWN, "check.tile", 256), Finding(OWN, "check.root", 700)},
    ),
    "the last entry": (
        "UPDATE piece SET bundle = CAST(substr(bundle, 1, length(bundle) - 1) || x'00' AS BLOB)"
        " WHERE key = (SELECT max(key) FROM piece WHERE key < 2 << 40)",
        {Finding(OWN, "check.edge", 700), Finding(OWN, "check.root", 700)},
    ),
    "an entry not yet under a head": (
        "UPDATE piece SET bundle = CAST(substr(bundle, 1, 5) || x'00' || substr(bundle, 7) AS BLOB)"
        " WHERE key = 2 << 40 | 512",
        {Finding(MIRROR, "check.edge", 550)},
    ),
    "a length within a bundle": (
        "UPDATE piece"
        " SET bundle = CAST(x'0001' || substr(bundle, 3) AS BLOB) WHERE key = 1 << 40 | 300",
        {Finding(OWN, "check.entries", 256)},
    ),
    "a missing piece": (
        "DELETE FROM piece WHERE key = 1 << 40 | 300",
        {Finding(OWN, "check.entries", 256)},
    ),
    "a hash in a tile": (
        "UPDATE tile SET hashes = CAST(x'00' || substr(hashes, 2) AS BLOB) WHERE key = 1 << 40 | 1",
        {Finding(OWN, "check.tile", 256)},
    ),
    "the root of a tile": (
        "UPDATE tile SET root = zeroblob(32) WHERE key = 1 << 40",
        {Finding(OWN, "check.tile", 0)},
    ),
    "a missing tile": (
        "DELETE FROM tile WHERE key = 1 << 40 | 1",
        {Finding(OWN, "check.tile", 256)},
    ),
    "the right edge": (
        "UPDATE tree"
        " SET edge = CAST(substr(edge, 1, 8) || x'00' || substr(edge, 10) AS BLOB) WHERE log = 1",
        {Finding(OWN, "check.edge", 700)},
    ),
    "the head's root": (
        "UPDATE tree SET root = zeroblob(32) WHERE log = 1",
        {Finding(OWN, "check.root", 700), Finding(OWN, "check.checkpoint", 700)},
    ),
    "the head's size": (
        "UPDATE tree SET size = 699 WHERE log = 1",
        {Finding(OWN, "check.root", 699), Finding(OWN, "check.checkpoint", 699)},
    ),
    "the checkpoint's root": (
        "UPDATE tree"
        " SET checkpoint = CAST(replace(checkpoint, '700', '600') AS BLOB) WHERE log = 1",
        {Finding(OWN, "check.checkpoint", 700)},
    ),
    "a pending root": (
        "UPDATE pending SET root = zeroblob(32) WHERE size = 300",
        {Finding(MIRROR, "check.pending", 300)},
    ),
    "the place of a record": (
        "UPDATE named SET ids = CAST(substr(ids, 1, 16) || x'7fff' || substr(ids, 19) AS BLOB)"
        " WHERE ids <> x''",
        {Finding(OWN, "check.ids", 700)},
    ),
    "a run that begins elsewhere": (
        "UPDATE named SET start = 1",
        {Finding(OWN, "check.ids", 700)},
    ),
    "an id under another byte": (
        "UPDATE named SET ids = CAST(x'ffee' || substr(ids, 3) AS BLOB)"
        " WHERE key = (SELECT min(key) FROM named WHERE ids <> x'')",
        {Finding(OWN, "check.ids", 700)},
    ),
    "the place of a new record": (
        "UPDATE fresh SET key = key + 1",
        {Finding(OWN, "check.ids", 700)},
    ),
    "an id that stands twice": (
        "UPDATE fresh SET ids = CAST((SELECT substr(ids, 1, 16) FROM named WHERE ids <> x'')"
        " || substr(ids, 17) AS BLOB)",
        {Finding(OWN, "check.ids", 700)},
    ),
    "an id of a run that is missing": (
        "UPDATE named SET ids = substr(ids, 19) WHERE key = (SELECT max(key) FROM named"
        " WHERE ids <> x'')",
        {Finding(OWN, "check.ids", 700)},
    ),
    "a run that is gone": (
        "DELETE FROM named",
        {Finding(OWN, "check.ids", 700)},
    ),
    "a row of a run that is gone": (
        "DELETE FROM named WHERE key & 255 = 7",
        {Finding(OWN, "check.ids", 700)},
    ),
    "a missing id": (
        "UPDATE fresh SET ids = substr(ids, 17)",
        {Finding(OWN, "check.ids", 700)},
    ),
    "bytes that became text": (
        "UPDATE piece SET bundle = CAST(bundle AS TEXT) WHERE key = 1 << 40 | 300",
        {Finding(OWN, "check.entries", 256)},
    ),
    "a cosignature that became a number": (
        "INSERT INTO cosignature VALUES (1, 1, 5, 7, 'name', x'00', x'00', 5, 5, 0)",
        {Finding(OWN, "check.cosigned", 5)},
    ),
    "a guard that is gone": ("DROP TRIGGER tree_grows", {Finding("", "check.schema")}),
}


def without_guards(path: Path) -> Callable[[str], None]:
    """Runs SQL as somebody would who wants to do harm: guards dropped, and put back after."""

    def run(sql: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            guards_now = guards.fetchall()
            for name, _ in guards_now:
                db.execute(f"DROP TRIGGER {name}")
            dropped = sql.removeprefix("DROP TRIGGER ")
            if dropped == sql:
                db.execute(sql)
            for name, text in guards_now:
                if name != dropped:
                    db.execute(text)

    return run


@pytest.mark.parametrize("what", FLIPS)
def test_a_flip_is_found_and_named(sound: Path, tmp_path: Path, what: str) -> None:
    sql, expected = FLIPS[what]
    path = tmp_path / "log.db"
    shutil.copy(sound, path)
    without_guards(path)(sql)
    with closing(SqliteStore.open(path, damaged=True, read_only=True)) as store:
        found = set(store.check())
    assert expected <= found


@pytest.mark.parametrize(
    "what",
    [
        "the last entry",
        "the right edge",
        "the head's root",
        "the head's size",
        "the checkpoint's root",
        "an entry not yet under a head",
        "a guard that is gone",
    ],
)
def test_a_store_damaged_at_its_end_does_not_open(sound: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "log.db"
    shutil.copy(sound, path)
    without_guards(path)(FLIPS[what][0])
    with pytest.raises(UnavailableError, match=r"store\.corrupt"):
        SqliteStore.open(path)


def test_nothing_is_signed_over_a_damaged_edge(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    shutil.copy(sound, path)
    with closing(SqliteStore.open(path)) as store:
        without_guards(path)(FLIPS["the right edge"][0])
        with pytest.raises(UnavailableError, match=r"store\.corrupt"):
            store.append(OWN, 700, named([700]), signing(OWN))


def test_a_bit_flipped_anywhere_in_the_file_is_harmless_or_found(
    sound: Path, tmp_path: Path
) -> None:
    path = tmp_path / "log.db"
    data = bytearray(sound.read_bytes())
    truth = contents(sound)
    for turn in range(150):
        at, bit = turn * 7_919_317 % len(data), 1 << turn % 8
        data[at] ^= bit
        path.write_bytes(data)
        data[at] ^= bit
        assert damage_found(path) or contents(path) == truth


def contents(path: Path) -> list[object]:
    with closing(SqliteStore.open(path, damaged=True, read_only=True)) as store:
        return [
            item
            for origin in (OWN, MIRROR)
            for item in (store.head(origin), *store.entries(origin, 0, 1_000))
        ]


def damage_found(path: Path) -> bool:
    try:
        with closing(SqliteStore.open(path, damaged=True, read_only=True)) as store:
            return bool(list(store.check()))
    except UnavailableError:
        return True
