"""Derives a stored log again from its entries and says what differs (docs/spec/store.md, Checks).

`examine_edge` is what every start does, in some dozens of reads; `Examination` reads everything, in
constant memory. Both read checkpoints, to compare their size and root with ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import MalformedError, UnavailableError
from convenio.core.merkle import RightEdge, leaf_hash
from convenio.core.tiles import WIDTH, tile_hash
from convenio.store.api import Finding, Progress
from convenio.store.database import Database, typed
from convenio.store.ids import one_to_one
from convenio.store.rows import count_entries, edge_at, read_entries, slots_of
from convenio.store.schema import RUN_BITS, slot_key, tile_key

_PROGRESS_EVERY: Final = 64  # tiles
_TREE: Final = "SELECT size, root, checkpoint, edge FROM tree WHERE log = ?"
_SLOTS: Final = "SELECT key, leaves FROM slot WHERE key >= ? AND key < ? ORDER BY key"
_CLAIMS: Final = {
    "check.pending": "SELECT size, root FROM pending WHERE log = ? AND size > ? AND size <= ?",
    "check.cosigned": "SELECT size, root FROM cosignature WHERE log = ? AND size > ? AND size <= ?",
}


def examine_edge(db: sqlite3.Connection, origin: str, log: int) -> list[Finding]:
    """What is wrong at the end of a log: last entries, right edge, root, checkpoint."""
    db.execute("BEGIN")
    try:
        return list(_end_findings(db, origin, log))
    finally:
        db.execute("COMMIT")


def _end_findings(db: sqlite3.Connection, origin: str, log: int) -> Iterator[Finding]:
    row = db.execute(_TREE, (log,)).fetchone()
    size, root, checkpoint, raw = typed(row or (), int, bytes, bytes, bytes)
    yield from checkpoint_findings(origin, size, root, checkpoint)
    stored = count_entries(db, log)
    if stored < size:
        yield Finding(origin, "check.entries", stored)
        return
    try:
        edge, signed = edge_at(db, log, stored), edge_at(db, log, size)
    except UnavailableError:
        yield Finding(origin, "check.tile", stored // WIDTH * WIDTH)
        return
    if edge.encode() != raw:
        yield Finding(origin, "check.edge", stored)
    if signed.root() != root:
        yield Finding(origin, "check.root", size)


def checkpoint_findings(
    origin: str, size: int, root: bytes, checkpoint: bytes
) -> Iterator[Finding]:
    """No signature is checked here: whose they must be is known to the charter, not to a store."""
    if not checkpoint and size == 0:
        return
    try:
        signed, _ = parse_signed_checkpoint(checkpoint, allow_extensions=True)
    except MalformedError:
        yield Finding(origin, "check.checkpoint", size)
        return
    if (signed.origin, signed.size, signed.root) != (origin, size, root):
        yield Finding(origin, "check.checkpoint", size)


class Examination:
    """One log derived again from its entries, 256 at a time; what differs is yielded."""

    def __init__(self, database: Database, origin: str, log: int) -> None:
        self._database, self._origin, self._log = database, origin, log
        rows = database.read(_TREE, log)
        size, root, checkpoint, raw = typed(*rows or ((),), int, bytes, bytes, bytes)
        self._head = (size, root, checkpoint)
        self._raw = raw
        self._stored = max(size, int.from_bytes(raw[:8], "big"))
        self._edge = RightEdge()
        self._above: list[list[bytes]] = [[]]  # roots of full tiles, by level, not yet in a tile

    def run(self, progress: Progress | None = None) -> Iterator[Finding]:
        """Every finding. Entries that come while it runs are left for the next time."""
        yield from checkpoint_findings(self._origin, *self._head)
        for first in range(0, self._stored, WIDTH):
            end = min(first + WIDTH, self._stored)
            try:
                leaves = self._leaves(first, end)
            except UnavailableError:
                yield self._finding("check.entries", first)
                return
            yield from self._block(leaves, first, end)
            if progress and (end == self._stored or first // WIDTH % _PROGRESS_EVERY == 0):
                progress(self._origin, end, self._stored)
        if self._edge.encode() != self._raw:
            yield self._finding("check.edge", self._stored)
        if not self._placed():
            yield self._finding("check.ids", self._head[0])

    def _placed(self) -> bool:
        """Own log: each entry below the head has one id. Mirror: none has."""
        ((own, size),) = self._database.read(
            "SELECT own, size FROM log JOIN tree ON tree.log = log.id WHERE log.id = ?", self._log
        )
        with self._database.reading() as db, suppress(UnavailableError):
            return one_to_one(db, self._log, size if own else 0)
        return False

    def _leaves(self, first: int, end: int) -> list[bytes]:
        leaves: list[bytes] = []
        while first + len(leaves) < end:
            with self._database.reading() as db:
                entries = read_entries(db, self._log, first + len(leaves), end)
            leaves += [leaf_hash(entry) for entry in entries]
        return leaves

    def _block(self, leaves: list[bytes], first: int, end: int) -> Iterator[Finding]:
        for code, size, root in self._claims(first, end):
            if size > self._edge.size:
                self._edge = self._edge.extend(leaves[self._edge.size - first : size - first])
            if self._edge.root() != root:
                yield self._finding(code, size)
        self._edge = self._edge.extend(leaves[self._edge.size - first :])
        if len(leaves) == WIDTH:
            yield from self._tile(0, first // WIDTH, leaves)

    def _claims(self, first: int, end: int) -> list[tuple[str, int, bytes]]:
        """Roots that somebody has signed, of sizes first+1 up to `end`, by size."""
        found = [
            (code, *typed((size,), int), root)
            for code, sql in _CLAIMS.items()
            for size, root in self._database.read(sql, self._log, first, end)
        ]
        if first < self._head[0] <= end:
            found.append(("check.root", *self._head[:2]))
        return sorted(found, key=lambda each: each[1])

    def _tile(self, level: int, index: int, hashes: list[bytes]) -> Iterator[Finding]:
        data = b"".join(hashes)
        root = tile_hash(data)
        rows = self._database.read(
            "SELECT root, hashes FROM tile WHERE key = ?", tile_key(self._log, level, index)
        )
        if rows != [(root, data)]:
            yield self._finding("check.tile", index << (8 * (level + 1)))
        if level == 1:
            yield from self._slots(index)
        if len(self._above) == level + 1:
            self._above.append([])
        above = self._above[level + 1]
        above.append(root)
        if len(above) == WIDTH:
            self._above[level + 1] = []
            yield from self._tile(level + 1, index // WIDTH, above)

    def _slots(self, run: int) -> Iterator[Finding]:
        keys = slot_key(self._log, run, 0), slot_key(self._log, run + 1, 0)
        with self._database.reading() as db:
            rows = db.execute(_SLOTS, keys).fetchall()
            try:
                same = rows == slots_of(db, self._log, run)
            except UnavailableError:
                return  # a tile is missing, which was said
        if not same:
            yield self._finding("check.slot", run << RUN_BITS)

    def _finding(self, code: str, index: int) -> Finding:
        return Finding(self._origin, code, index)
