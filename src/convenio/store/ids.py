"""Which entry of an own log has which record id: no id stands for two records.

Ids are random, so each would fall on another page of a sorted index, and the longer the log the
more pages a commit would write. New ids are kept as they came, one row a commit (`fresh`). By the
ten thousand they become a run (`named`): 256 rows, one for each first byte. An id is looked for in
what is fresh, then in one row of each run. The writer knows by heart what is fresh, and of the runs
enough to say of nearly every new id that it is in none. All of this is of what is committed only.
Works on a connection and opens no transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from convenio.core.errors import ConflictError, UnavailableError
from convenio.store.api import ID_BYTES
from convenio.store.database import typed
from convenio.store.rows import place_in
from convenio.store.schema import entry_key, slot_key

MAX_FRESH: Final = 16_384  # some 3 MB by heart, for each own log that is written to
_ROOM: Final = 16  # a sieve is made for so many runs at first: 1 MiB
_NAMED_BYTES: Final = ID_BYTES + 2  # an id, and its place in the run
_FRESH: Final = "SELECT key, ids FROM fresh WHERE key >= ? AND key < ? ORDER BY key"
# A bit by three bits of a hash; by its top three, as it is a signed number, from -4 to 3.
_BITS: Final = tuple(1 << n for n in range(8))
_NAMED: Final = "SELECT start, ids FROM named WHERE key = ?"


class Sieve:
    """A Bloom filter: says of an id that it was surely never put in, or that it may have been.

    32 bits an id and two of them set: one new id in 250 may have been. Grows by being made anew.
    """

    def __init__(self, room: int) -> None:
        """room: how many ids it is made for."""
        self.room, self.count = room, 0
        self._mask = (1 << (4 * room - 1).bit_length()) - 1
        self._bytes = bytearray(self._mask + 1)

    def add(self, ids: Sequence[bytes]) -> None:
        table, mask = self._bytes, self._mask
        for h in map(hash, ids):  # keyed anew in each process
            table[h & mask] |= _BITS[h >> 61]
            table[h >> 29 & mask] |= _BITS[h >> 58 & 7]
        self.count += len(ids)

    def kept(self, ids: Iterable[bytes]) -> list[bytes]:
        """Those that may have been put in."""
        table, mask = self._bytes, self._mask
        return [
            record_id
            for record_id in ids
            if table[(h := hash(record_id)) & mask] & _BITS[h >> 61]
            and table[h >> 29 & mask] & _BITS[h >> 58 & 7]
        ]


@dataclass(slots=True)
class _Known:
    """What is known of one log by heart, as of some commit.

    next: key from which on fresh rows are not read yet. fresh: where the entries of fresh ids are.
    runs: how many there were. sieve: has all ids, of runs and fresh.
    """

    next: int
    sieve: Sieve
    fresh: dict[bytes, int] = field(default_factory=dict)
    runs: int = 0


class Ids:
    """For the one writer of a file; `find_id` is for everybody."""

    def __init__(self, max_fresh: int = MAX_FRESH) -> None:
        """max_fresh: at most 32,768, as a place in a run has 16 bits."""
        self._max_fresh = max_fresh
        self._known: dict[int, _Known] = {}

    def place(self, db: sqlite3.Connection, log: int, start: int, ids: Sequence[bytes]) -> None:
        """The ids stand for the entries from `start` on, or the transaction must be given up.

        Raises:  ConflictError: store.duplicate_id, with the `index` of the entry that has one of
                 the ids; -1 if they only repeat each other.
        """
        if any(len(record_id) != ID_BYTES for record_id in ids):
            raise RuntimeError("a record id has 16 bytes")
        known = self._refreshed(db, log)
        taken = next(_taken(db, log, known, ids), None)
        if taken is not None or len(set(ids)) < len(ids):
            raise ConflictError("store.duplicate_id", index=-1 if taken is None else taken)
        fresh = len(known.fresh)
        for at in range(0, len(ids), self._max_fresh):
            some = ids[at : at + self._max_fresh]
            if fresh + len(some) > self._max_fresh:
                _settle(db, log)
                fresh = 0
            db.execute("INSERT INTO fresh VALUES (?, ?)", (entry_key(log, start + at), _row(some)))
            fresh += len(some)

    def _refreshed(self, db: sqlite3.Connection, log: int) -> _Known:
        """What this transaction finds: what was known may have been settled since."""
        zero, end = entry_key(log, 0), entry_key(log + 1, 0)
        known = self._known.setdefault(log, _Known(zero, Sieve(_ROOM * self._max_fresh)))
        runs = _runs(db, log)
        if runs != known.runs:
            self._settled(db, log, known, runs)
        for key, ids in _rows(db, known.next, end):
            known.fresh.update(zip(ids, range(key - zero, key - zero + len(ids)), strict=True))
            known.sieve.add(ids)
            known.next = key + len(ids)
        if known.sieve.count > known.sieve.room:
            known.sieve = Sieve(4 * known.sieve.count)
            for run in range(runs):
                known.sieve.add(_run(db, log, run))
            known.sieve.add([*known.fresh])
        return known

    def _settled(self, db: sqlite3.Connection, log: int, known: _Known, runs: int) -> None:
        """All that was fresh is in runs now; what another writer put there, or we did in an earlier
        life, is not in the sieve yet."""
        (first,) = db.execute(
            "SELECT min(key) FROM fresh WHERE key >= ? AND key < ?",
            (entry_key(log, 0), entry_key(log + 1, 0)),
        ).fetchone()
        if first is None or first > known.next:
            if runs * self._max_fresh > known.sieve.room:
                known.sieve, known.runs = Sieve(2 * runs * self._max_fresh), 0
            new = range(known.runs, runs)
            for run in new:
                known.sieve.add(_run(db, log, run))
        known.fresh, known.runs = {}, runs


def find_id(db: sqlite3.Connection, log: int, record_id: bytes) -> int | None:
    """The entry that has this id. Rows go from `fresh` to `named`, so `fresh` is asked first."""
    zero, end = entry_key(log, 0), entry_key(log + 1, 0)
    rows = db.execute(
        "SELECT key, ids FROM fresh WHERE key >= ? AND key < ? AND instr(ids, ?)",
        (zero, end, record_id),
    ).fetchall()
    for key, ids in map(_split, rows):
        if record_id in ids:  # not across two of them
            return key - zero + ids.index(record_id)
    return _find_named(db, log, record_id)


def one_to_one(db: sqlite3.Connection, log: int, size: int) -> bool:
    """Whether each of the first `size` entries has one id, and no id stands for two.

    Memory: the ids of one run, or those that begin with one byte.
    """
    zero, end = entry_key(log, 0), entry_key(log + 1, 0)
    at = 0
    for run in range(_runs(db, log)):
        rows = (_named(db, log, run, byte) for byte in range(256))
        indexes = sorted(index for _, index in chain.from_iterable(rows))
        if indexes != list(range(at, at + len(indexes))):
            return False
        at += len(indexes)
    fresh: list[bytes] = []
    for key, ids in _rows(db, zero, end):
        if key - zero != at + len(fresh):
            return False
        fresh += ids
    return at + len(fresh) == size and all(_differ(db, log, byte, fresh) for byte in range(256))


def _differ(db: sqlite3.Connection, log: int, byte: int, fresh: Sequence[bytes]) -> bool:
    """Whether all ids that begin with `byte` differ, and nothing else is in their rows."""
    found = [record_id for record_id in fresh if record_id[0] == byte]
    for run in range(_runs(db, log)):
        found += (record_id for record_id, _ in _named(db, log, run, byte))
    return len(set(found)) == len(found) and all(record_id[0] == byte for record_id in found)


def _taken(db: sqlite3.Connection, log: int, known: _Known, ids: Sequence[bytes]) -> Iterator[int]:
    """The entries that have one of the ids."""
    for record_id in known.sieve.kept(ids):
        index = known.fresh.get(record_id)
        if index is None:
            index = _find_named(db, log, record_id)
        if index is not None:
            yield index


def _find_named(db: sqlite3.Connection, log: int, record_id: bytes) -> int | None:
    for run in range(_runs(db, log)):
        start, ids = _read_named(db, log, run, record_id[0])
        place = place_in(ids, record_id, _NAMED_BYTES)
        if place is not None:
            return start + _place_at(ids, place * _NAMED_BYTES)
    return None


def _settle(db: sqlite3.Connection, log: int) -> None:
    """All that is fresh becomes a run."""
    zero, end = entry_key(log, 0), entry_key(log + 1, 0)
    rows = list(_rows(db, zero, end))
    rows_of: list[list[bytes]] = [[] for _ in range(256)]
    for place, record_id in enumerate(chain.from_iterable(ids for _, ids in rows)):
        rows_of[record_id[0]].append(record_id + place.to_bytes(2, "big"))
    run, start = _runs(db, log), rows[0][0] - zero
    db.executemany(
        "INSERT INTO named VALUES (?, ?, ?)",
        [(slot_key(log, run, byte), start, _row(some)) for byte, some in enumerate(rows_of)],
    )
    db.execute("DELETE FROM fresh WHERE key >= ? AND key < ?", (zero, end))


def _runs(db: sqlite3.Connection, log: int) -> int:
    """How many runs a log has."""
    (last,) = db.execute(
        "SELECT max(key) FROM named WHERE key >= ? AND key < ?",
        (slot_key(log, 0, 0), slot_key(log + 1, 0, 0)),
    ).fetchone()
    return 0 if last is None else ((last - slot_key(log, 0, 0)) >> 8) + 1


def _run(db: sqlite3.Connection, log: int, run: int) -> list[bytes]:
    """The ids of a run."""
    rows = (_read_named(db, log, run, byte)[1] for byte in range(256))
    return [ids[at : at + ID_BYTES] for ids in rows for at in range(0, len(ids), _NAMED_BYTES)]


def _named(db: sqlite3.Connection, log: int, run: int, byte: int) -> Iterator[tuple[bytes, int]]:
    start, ids = _read_named(db, log, run, byte)
    for at in range(0, len(ids), _NAMED_BYTES):
        yield ids[at : at + ID_BYTES], start + _place_at(ids, at)


def _place_at(ids: bytes, at: int) -> int:
    return int.from_bytes(ids[at + ID_BYTES : at + _NAMED_BYTES], "big")


def _read_named(db: sqlite3.Connection, log: int, run: int, byte: int) -> tuple[int, bytes]:
    row = db.execute(_NAMED, (slot_key(log, run, byte),)).fetchone()
    start, ids = typed(row or (), int, bytes)
    if len(ids) % _NAMED_BYTES:
        raise UnavailableError("store.corrupt")
    return start, ids


def _rows(db: sqlite3.Connection, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
    return map(_split, db.execute(_FRESH, (start, end)).fetchall())


def _row(parts: Sequence[bytes]) -> bytes:
    return b"".join(parts)


def _split(row: tuple[object, ...]) -> tuple[int, list[bytes]]:
    key, ids = typed(row, int, bytes)
    if len(ids) % ID_BYTES:
        raise UnavailableError("store.corrupt")
    return key, [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]
