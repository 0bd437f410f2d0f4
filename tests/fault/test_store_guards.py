"""Whoever opens the file with another tool is refused by it: what is signed only grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.stores import (
    MIRROR,
    MIRROR_LOG,
    OWN,
    OWN_LOG,
    announce,
    entries,
    grow_to,
    root_of,
)

from convenio.store.api import Cosigned
from convenio.store.database import Database
from convenio.store.schema import KIND, VERSION
from convenio.store.sqlite import SqliteStore


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guarded") / "log.db"
    SqliteStore.create(path).close()
    with closing(SqliteStore(Database.open(path, VERSION, kind=KIND), max_fresh=100)) as store:
        store.add_log(OWN_LOG)
        store.add_log(MIRROR_LOG)
        grow_to(store, 200)
        grow_to(store, 300)
        announce(store, 280)
        announce(store, 600)
        store.put_entries(MIRROR, 0, entries(range(300)))
        store.advance(MIRROR, 280)
        cosigned = Cosigned(9, root_of(9), "us/mirror", b"\0\0\0\1", b"line", 5, 5, flagged=False)
        store.put_cosignature(OWN, cosigned)
        store.put_evidence(MIRROR, "split", b"proof", 5)
        store.put_foreign(MIRROR, 900, root_of(9), b"signed")
    return path


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE piece SET bundle = zeroblob(length(bundle)) WHERE key = 1 << 40",
        "UPDATE piece SET count = count + 1 WHERE key = 1 << 40",
        "UPDATE piece SET key = key + 1000000",
        "DELETE FROM piece WHERE key = 1 << 40",
        "DELETE FROM piece WHERE key = (SELECT max(key) FROM piece WHERE key < 2 << 40)",
        "DELETE FROM piece",
        "REPLACE INTO piece VALUES (1 << 40, 1, x'000141')",
        "INSERT OR REPLACE INTO piece VALUES (1 << 40 | 299, 1, x'000141')",
        "INSERT INTO piece VALUES (1 << 40 | 301, 1, x'000141')",
        "INSERT INTO piece VALUES (9 << 40 | 1, 1, x'000141')",
        # of the mirror's last piece, entries under the head at 280
        "UPDATE piece SET count = 1, bundle = substr(bundle, 1, 2 + 26)"
        " WHERE key = (SELECT max(key) FROM piece)",
        "UPDATE tree SET size = size - 1",
        "UPDATE tree SET size = 301 WHERE log = 1",
        "UPDATE tree SET size = 301 WHERE log = 2",
        "UPDATE tree SET root = zeroblob(32)",
        "UPDATE tree SET log = log + 5",
        "DELETE FROM tree",
        "REPLACE INTO tree VALUES (1, 0, zeroblob(32), x'', x'0000000000000000')",
        "INSERT INTO tree VALUES (7, 5, zeroblob(32), x'', x'0000000000000000')",
        "UPDATE log SET origin = 'other'",
        "DELETE FROM log",
        "REPLACE INTO log SELECT * FROM log",
        "INSERT INTO log SELECT 9, origin, ch, party, gen, own FROM log",
        "UPDATE tile SET hashes = zeroblob(8192)",
        "DELETE FROM tile WHERE key >> 40 = 1",
        "REPLACE INTO tile SELECT * FROM tile",
        "UPDATE named SET start = 1",
        "UPDATE named SET ids = x''",
        "DELETE FROM named",
        "REPLACE INTO named SELECT * FROM named",
        "UPDATE fresh SET ids = zeroblob(16)",
        "DELETE FROM fresh",
        "DELETE FROM fresh WHERE key = (SELECT max(key) FROM fresh)",
        "REPLACE INTO fresh SELECT * FROM fresh",
        "UPDATE cosignature SET at = 9",
        "DELETE FROM cosignature",
        "REPLACE INTO cosignature SELECT * FROM cosignature",
        "UPDATE evidence SET at = 9",
        "DELETE FROM evidence",
        "REPLACE INTO evidence SELECT * FROM evidence",
        "UPDATE met SET root = zeroblob(32)",
        "UPDATE met SET size = 5",
        "DELETE FROM met",
        "REPLACE INTO met SELECT * FROM met",
        "INSERT INTO met VALUES (2, 280, zeroblob(32), x'')",
        "UPDATE pending SET root = zeroblob(32)",
        "UPDATE pending SET size = size + 1",
        "DELETE FROM pending WHERE size = 600",
        "DELETE FROM pending",
        "REPLACE INTO pending SELECT * FROM pending",
        "INSERT INTO pending VALUES (2, 500, zeroblob(32), x'')",
        "INSERT INTO pending VALUES (1, 299, zeroblob(32), x'')",
    ],
)
def test_a_guard_refuses(raw: sqlite3.Connection, sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(sql)


def test_what_is_beyond_the_head_may_go(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("BEGIN")
    cut = (
        "UPDATE piece SET count = 30, bundle = substr(bundle, 1, ?)"
        " WHERE key = 2 << 40 | 256 AND count = 44"
    )
    kept = sum(2 + len(entry) for entry in entries(range(256, 286)))
    assert raw.execute(cut, (kept,)).rowcount == 1
    raw.execute("ROLLBACK")
    with closing(SqliteStore.open(path)) as store:
        assert not list(store.check())
        assert store.head(OWN).size == 300
