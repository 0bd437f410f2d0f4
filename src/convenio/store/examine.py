"""Derives a stored log again from its entries and says what differs (docs/spec/store.md, Checks).

`examine_edge` is what every start does, in some dozens of reads; `Examination` reads everything, in
constant memory. Both read checkpoints, to compare their size and root with ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import MalformedError, UnavailableError
from convenio.core.merkle import RightEdge, leaf_hash
from convenio.core.tiles import WIDTH, tile_hash
from convenio.store.api import Finding, Progress
from convenio.store.database import Database, Row
from convenio.store.rows import edge_at
from convenio.store.schema import entry_key, tile_key

_PROGRESS_EVERY: Final = 64  # tiles
_TREE: Final = "SELECT size, root, checkpoint, edge FROM tree WHERE log = ?"
_ROWS: Final = "SELECT key - ?1, leaf, entry FROM entry WHERE key >= ?2 AND key < ?3 ORDER BY key"
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
    size, root, checkpoint, raw = db.execute(_TREE, (log,)).fetchone()
    yield from checkpoint_findings(origin, size, root, checkpoint)
    stored = _count(db, log)
    if stored < size:
        yield Finding(origin, "check.entries", stored)
        return
    last = stored // WIDTH * WIDTH
    for index, leaf, entry in db.execute(_ROWS, _range(log, last, stored)):
        if leaf_hash(entry) != leaf:
            yield Finding(origin, "check.leaf", index)
    try:
        edge, signed = edge_at(db, log, stored), edge_at(db, log, size)
    except UnavailableError:
        yield Finding(origin, "check.tile", last)
        return
    if edge.encode() != raw:
        yield Finding(origin, "check.edge", stored)
    if signed.root() != root:
        yield Finding(origin, "check.root", size)


def _count(db: sqlite3.Connection, log: int) -> int:
    first = entry_key(log, 0)
    (last,) = db.execute(
        "SELECT max(key) FROM entry WHERE key >= ? AND key < ?", (first, entry_key(log + 1, 0))
    ).fetchone()
    return 0 if last is None else int(last) - first + 1


def _range(log: int, start: int, end: int) -> tuple[int, int, int]:
    return entry_key(log, 0), entry_key(log, start), entry_key(log, end)


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
        ((size, root, checkpoint, raw),) = database.read(_TREE, log)
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
            rows = self._database.read(_ROWS, *_range(self._log, first, end))
            if len(rows) != end - first:
                yield self._finding("check.entries", first)
                return
            yield from self._block(rows, first, end)
            if progress and (end == self._stored or first // WIDTH % _PROGRESS_EVERY == 0):
                progress(self._origin, end, self._stored)
        if self._edge.encode() != self._raw:
            yield self._finding("check.edge", self._stored)

    def _block(self, rows: list[Row], first: int, end: int) -> Iterator[Finding]:
        leaves = [leaf_hash(entry) for _, _, entry in rows]
        for leaf, (index, stored, _) in zip(leaves, rows, strict=True):
            if leaf != stored:
                yield self._finding("check.leaf", index)
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
            (code, size, root)
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
        if len(self._above) == level + 1:
            self._above.append([])
        above = self._above[level + 1]
        above.append(root)
        if len(above) == WIDTH:
            self._above[level + 1] = []
            yield from self._tile(level + 1, index // WIDTH, above)

    def _finding(self, code: str, index: int) -> Finding:
        return Finding(self._origin, code, index)
