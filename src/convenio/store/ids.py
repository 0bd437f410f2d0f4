"""Which entry of an own log has which record id: no id stands for two records.

Ids are random, so each falls on another page of a sorted index, and a commit of 256 would write
256 pages. New ids are therefore kept in the order they came, one row a commit (`fresh`), and go
into the index (`record`) by the ten thousand, sorted, page after page. What is fresh is also known
by heart, from what is committed only. Works on a connection and opens no transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from convenio.core.errors import ConflictError, UnavailableError
from convenio.store.api import ID_BYTES
from convenio.store.database import typed
from convenio.store.schema import entry_key

MAX_FRESH: Final = 16_384  # some 3 MB by heart, for each own log that is written to
_AT_ONCE: Final = 256  # ids looked up with one statement
_FRESH: Final = "SELECT key, ids FROM fresh WHERE key >= ? AND key < ? ORDER BY key"


@dataclass(slots=True)
class _Recent:
    """The fresh ids of one log by heart, as of some commit.

    first: key of the first row, -1 if there is none. next: key from which on rows are not read yet.
    """

    first: int
    next: int
    index: dict[bytes, int] = field(default_factory=dict)


class Ids:
    """For the one writer of a file; `find_id` is for everybody."""

    def __init__(self, max_fresh: int = MAX_FRESH) -> None:
        self._max_fresh = max_fresh
        self._recent: dict[int, _Recent] = {}

    def place(self, db: sqlite3.Connection, log: int, start: int, ids: Sequence[bytes]) -> None:
        """The ids stand for the entries from `start` on, or the transaction must be given up.

        Raises:  ConflictError: store.duplicate_id, with the `index` of the entry that has one of
                 the ids; -1 if they only repeat each other.
        """
        if any(len(record_id) != ID_BYTES for record_id in ids):
            raise RuntimeError("a record id has 16 bytes")
        recent = self._refreshed(db, log)
        taken = next(_taken(db, log, recent, ids), None)
        if taken is not None or len(set(ids)) < len(ids):
            raise ConflictError("store.duplicate_id", index=-1 if taken is None else taken)
        if len(recent.index) + len(ids) > self._max_fresh:
            _settle(db, log, recent)
        if ids:
            row = (entry_key(log, start), b"".join(ids))
            db.execute("INSERT INTO fresh VALUES (?, ?)", row)

    def _refreshed(self, db: sqlite3.Connection, log: int) -> _Recent:
        """What is fresh as this transaction finds it: others may have been given up since."""
        zero, end = entry_key(log, 0), entry_key(log + 1, 0)
        recent = self._recent.setdefault(log, _Recent(-1, zero))
        (first,) = db.execute(
            "SELECT coalesce(min(key), -1) FROM fresh WHERE key >= ? AND key < ?", (zero, end)
        ).fetchone()
        if first != recent.first:
            recent = self._recent[log] = _Recent(first, zero)
        for key, ids in _rows(db, recent.next, end):
            recent.index.update(zip(ids, range(key - zero, key - zero + len(ids)), strict=True))
            recent.next = key + len(ids)
        return recent


def find_id(db: sqlite3.Connection, log: int, record_id: bytes) -> int | None:
    """The entry that has this id. Rows go from `fresh` to `record`, so `fresh` is asked first."""
    zero, end = entry_key(log, 0), entry_key(log + 1, 0)
    rows = db.execute(
        "SELECT key, ids FROM fresh WHERE key >= ? AND key < ? AND instr(ids, ?)",
        (zero, end, record_id),
    ).fetchall()
    for key, ids in map(_split, rows):
        if record_id in ids:  # not across two of them
            return key - zero + ids.index(record_id)
    return next(_indexed(db, log, [record_id]), None)


def one_to_one(db: sqlite3.Connection, log: int, size: int) -> bool:
    """Whether each of the first `size` entries has one id, and no id stands for two."""
    zero, end = entry_key(log, 0), entry_key(log + 1, 0)
    fresh: list[bytes] = []
    start = None
    for key, ids in _rows(db, zero, end):
        start = key - zero if start is None else start
        if key - zero != start + len(fresh):
            return False
        fresh += ids
    settled = size - len(fresh)
    counts = db.execute(
        "SELECT count(*), count(DISTINCT idx), coalesce(max(idx), -1) FROM record WHERE log = ?",
        (log,),
    ).fetchone()
    return (
        counts == (settled, settled, settled - 1)
        and start in {None, settled}
        and len(set(fresh)) == len(fresh)
        and next(_indexed(db, log, fresh), None) is None
    )


def _taken(
    db: sqlite3.Connection, log: int, recent: _Recent, ids: Sequence[bytes]
) -> Iterator[int]:
    """The entries that have one of the ids."""
    yield from (recent.index[record_id] for record_id in ids if record_id in recent.index)
    yield from _indexed(db, log, ids)


def _indexed(db: sqlite3.Connection, log: int, ids: Sequence[bytes]) -> Iterator[int]:
    for at in range(0, len(ids), _AT_ONCE):
        some = ids[at : at + _AT_ONCE]
        marks = ",".join("?" * len(some))
        sql = f"SELECT idx FROM record WHERE log = ? AND id IN ({marks})"  # noqa: S608 - marks only
        for row in db.execute(sql, (log, *some)):
            yield typed(row, int)[0]


def _settle(db: sqlite3.Connection, log: int, recent: _Recent) -> None:
    """All that is fresh goes into the index, in the order of its pages."""
    places = [(log, record_id, index) for record_id, index in sorted(recent.index.items())]
    db.executemany("INSERT INTO record VALUES (?, ?, ?)", places)
    db.execute(
        "DELETE FROM fresh WHERE key >= ? AND key < ?", (entry_key(log, 0), entry_key(log + 1, 0))
    )


def _rows(db: sqlite3.Connection, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
    return map(_split, db.execute(_FRESH, (start, end)).fetchall())


def _split(row: tuple[object, ...]) -> tuple[int, list[bytes]]:
    key, ids = typed(row, int, bytes)
    if len(ids) % ID_BYTES:
        raise UnavailableError("store.corrupt")
    return key, [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]
