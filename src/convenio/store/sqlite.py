"""The log store in one SQLite file: the truth of a node (docs/spec/store.md).

Guarantees what `api.LogStore` promises. One writer per file is enforced by SQLite's lock and a
node's own; readers in this or other processes never wait and see whole commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from convenio.core.encoding import MAX_SIZE
from convenio.core.errors import ConflictError, ProofError, RefusedError, UnavailableError
from convenio.core.merkle import EMPTY_ROOT, HASH, Reader, RightEdge, leaf_hash, tree_root
from convenio.core.tiles import TileReader
from convenio.store.api import (
    MAX_EVIDENCE,
    MAX_EVIDENCE_BYTES,
    MAX_FOREIGN,
    MAX_PENDING,
    Cosigned,
    Evidence,
    Finding,
    Head,
    LogSpec,
    Progress,
    Sign,
    Stored,
)
from convenio.store.database import Connect, Database, Row, shape_of, typed
from convenio.store.examine import Examination, examine_edge
from convenio.store.ids import MAX_FRESH, Ids, find_id
from convenio.store.rows import (
    Tree,
    cut,
    edge_at,
    find_leaf,
    grow,
    read_entries,
    read_tile,
    read_tree,
    reader_within,
    write_tree,
)
from convenio.store.schema import KIND, SCRIPT, VERSION

_BATCH: Final = 256  # entries read at once: at most 17 MB
_COSIGNED: Final = "SELECT size, root, name, key_id, line, at, taken_at, flagged FROM cosignature"


class SqliteStore:
    """A `LogStore` in a file."""

    def __init__(self, database: Database, max_fresh: int = MAX_FRESH) -> None:
        """max_fresh: how many record ids of a log are kept out of their sorted index."""
        self._database = database
        self._known: dict[str, tuple[int, bool]] = {}
        self._ids = Ids(max_fresh)

    @classmethod
    def create(cls, path: Path) -> SqliteStore:
        """An empty store at `path`, open.  Raises:  ConflictError: store.exists."""
        return cls(Database.create(path, SCRIPT, VERSION, kind=KIND))

    @classmethod
    def open(  # noqa: PLR0913 - each has a name and a default
        cls,
        path: Path,
        *,
        read_only: bool = False,
        quick_check: bool = False,
        damaged: bool = False,
        busy_s: float = 5.0,
        connect: Connect = sqlite3.connect,
    ) -> SqliteStore:
        """The store at `path`, whose right edges agree with what was signed last.

        Every log's edge is derived again from tiles and last entries. A writer that ends the
        process without closing leaves nothing to repair beyond what SQLite does by itself.
        Args:    quick_check: also read the whole file and look for structural damage.
                 damaged: open it although something is wrong, so that `check` can say what.
        Raises:  UnavailableError: store.absent · store.foreign · store.version · store.corrupt.
        """
        options = {"read_only": read_only, "quick_check": quick_check, "busy_s": busy_s}
        database = Database.open(path, VERSION, kind=KIND, connect=connect, **options)  # type: ignore[arg-type]
        store = cls(database)
        try:
            if not damaged:
                store._recover()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        self._database.close()

    def backfill(self) -> None:
        """See `Database.backfill`."""
        self._database.backfill()

    @property
    def dead(self) -> bool:
        """Whether a commit failed and nobody knows what the disk holds: end the process."""
        return self._database.dead

    # --- logs and heads ---

    def add_log(self, spec: LogSpec) -> None:
        words = (spec.ch, spec.party, spec.gen, spec.own)
        with self._database.write() as db:
            known = db.execute(
                "SELECT ch, party, gen, own FROM log WHERE origin = ?", (spec.origin,)
            ).fetchone()
            if known == words:
                return
            if known:
                raise ConflictError("store.other_log")
            db.execute(
                "INSERT INTO log (origin, ch, party, gen, own) VALUES (?, ?, ?, ?, ?)",
                (spec.origin, *words),
            )
            (log,) = db.execute("SELECT last_insert_rowid()").fetchone()
            empty = (log, 0, EMPTY_ROOT, b"", RightEdge().encode())
            db.execute("INSERT INTO tree VALUES (?, ?, ?, ?, ?)", empty)

    def logs(self) -> list[LogSpec]:
        rows = self._database.read("SELECT origin, ch, party, gen, own FROM log ORDER BY id")
        return [_spec(row) for row in rows]

    def head(self, origin: str) -> Head:
        rows = self._database.read(
            "SELECT size, root, checkpoint FROM tree WHERE log = ?", self._log(origin)
        )
        return _head(rows[0])

    # --- own logs ---

    def append(
        self, origin: str, old_size: int, entries: Sequence[tuple[bytes, bytes]], sign: Sign
    ) -> Head:
        log = self._log(origin, own=True)
        with self._database.write() as db:
            tree = read_tree(db, log)
            if tree.size != old_size:
                raise ConflictError("store.moved", size=tree.size)
            self._ids.place(db, log, old_size, [record_id for record_id, _ in entries])
            edge = grow(db, log, tree.edge, [entry for _, entry in entries])
            root = edge.root()
            head = Head(edge.size, root, sign(edge.size, root))
            write_tree(db, log, Tree(head.size, head.root, head.checkpoint, edge))
        return head

    def replace_checkpoint(self, origin: str, size: int, checkpoint: bytes) -> None:
        log = self._log(origin)
        with self._database.write() as db:
            tree = read_tree(db, log)
            if tree.size != size:
                raise ConflictError("store.moved", size=tree.size)
            write_tree(db, log, Tree(size, tree.root, checkpoint, tree.edge))

    def find(self, origin: str, record_id: bytes) -> Stored | None:
        log = self._log(origin, own=True)
        with self._database.reading() as db:
            index = find_id(db, log, record_id)
        return None if index is None else next(self.entries(origin, index, index + 1))

    # --- reading ---

    def entries(self, origin: str, start: int, end: int) -> Iterator[Stored]:
        log, end = self._log(origin), min(end, self.head(origin).size)
        return self._entries(log, max(start, 0), end)

    def _entries(self, log: int, start: int, end: int) -> Iterator[Stored]:
        """No statement stays open between yields, so a slow reader holds nothing back."""
        while start < end:
            with self._database.reading() as db:
                found = read_entries(db, log, start, min(start + _BATCH, end))
            for entry in found:
                yield Stored(start, leaf_hash(entry), entry)
                start += 1

    def find_leaf(self, origin: str, leaf: bytes) -> int | None:
        log, size = self._log(origin), self.head(origin).size
        if len(leaf) != HASH:
            return None
        with self._database.reading() as db:
            return find_leaf(db, log, leaf, size)

    def reader(self, origin: str, size: int) -> Reader:
        log, stored = self._log(origin), self.next_entry(origin)
        if size > stored:
            raise ConflictError("store.beyond", size=stored)

        def fetch(level: int, index: int, width: int) -> bytes:
            with self._database.reading() as db:
                return read_tile(db, log, level, index, width)

        return TileReader(fetch, size)

    def right_edge(self, origin: str) -> RightEdge:
        log = self._log(origin)
        with self._database.reading() as db:
            tree = read_tree(db, log)
            return tree.edge if tree.edge.size == tree.size else edge_at(db, log, tree.size)

    # --- mirrors ---

    def pending(self, origin: str) -> list[Head]:
        rows = self._database.read(
            "SELECT size, root, checkpoint FROM pending WHERE log = ? ORDER BY size DESC",
            self._log(origin, own=False),
        )
        return [_head(row) for row in rows]

    def put_pending(
        self, origin: str, old_size: int, size: int, root: bytes, checkpoint: bytes
    ) -> None:
        log = self._log(origin, own=False)
        with self._database.write() as db:
            newest = db.execute(
                "SELECT size, root FROM pending WHERE log = ? ORDER BY size DESC LIMIT 1", (log,)
            ).fetchone() or (0, None)
            if old_size != newest[0]:
                raise ConflictError("store.moved", size=newest[0])
            if size < newest[0]:
                raise ConflictError("store.smaller", size=newest[0])
            if size == newest[0] and newest[1] not in {None, root}:
                raise ConflictError("store.other_root", size=size)
            same = (checkpoint, log, size)
            renewed = db.execute(
                "UPDATE pending SET checkpoint = ? WHERE log = ? AND size = ?", same
            )
            if not renewed.rowcount:
                row = (log, size, root, checkpoint)
                db.execute("INSERT INTO pending VALUES (?, ?, ?, ?)", row)
            db.execute(
                "DELETE FROM pending WHERE log = ? AND size NOT IN"
                " (SELECT size FROM pending WHERE log = ? ORDER BY size DESC LIMIT ?)",
                (log, log, MAX_PENDING),
            )

    def next_entry(self, origin: str) -> int:
        log = self._log(origin)
        with self._database.reading() as db:
            return read_tree(db, log).edge.size

    def put_entries(self, origin: str, start: int, entries: Sequence[bytes]) -> int:
        log = self._log(origin, own=False)
        with self._database.write() as db:
            tree = read_tree(db, log)
            edge = _grow_mirror(db, log, tree, start, entries)
            if edge is not tree.edge:
                write_tree(db, log, Tree(tree.size, tree.root, tree.checkpoint, edge))
        return edge.size

    def advance(self, origin: str, size: int) -> Head:
        log = self._log(origin, own=False)
        with self._database.write() as db:
            return _advance(db, log, read_tree(db, log), size)

    def absorb(self, origin: str, start: int, entries: Sequence[bytes], size: int) -> Head:
        log = self._log(origin, own=False)
        with self._database.write() as db:
            tree = read_tree(db, log)
            edge = _grow_mirror(db, log, tree, start, entries)
            return _advance(db, log, Tree(tree.size, tree.root, tree.checkpoint, edge), size)

    def discard(self, origin: str) -> int:
        log = self._log(origin, own=False)
        with self._database.write() as db:
            tree = read_tree(db, log)
            edge = edge_at(db, log, tree.size)
            cut(db, log, tree.size, tree.edge.size)
            write_tree(db, log, Tree(tree.size, tree.root, tree.checkpoint, edge))
        return tree.edge.size - tree.size

    # --- what is kept about logs ---

    def put_cosignature(self, origin: str, cosigned: Cosigned) -> None:
        log = self._log(origin)
        values = (
            *(log, cosigned.size, cosigned.root, cosigned.name, cosigned.key_id, cosigned.line),
            *(cosigned.at, cosigned.taken_at, cosigned.flagged),
        )
        with self._database.write() as db:
            size = read_tree(db, log).size
            if cosigned.size > size:
                raise ConflictError("store.beyond", size=size)
            db.execute(
                "INSERT INTO cosignature (log, size, root, name, key_id, line, at, taken_at,"
                " flagged) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1"
                " FROM cosignature WHERE log = ? AND size = ? AND at = ? AND line = ?)",
                (*values, log, cosigned.size, cosigned.at, cosigned.line),
            )

    def cosignatures(
        self, origin: str, min_size: int = 0, name: str | None = None, max_size: int = MAX_SIZE
    ) -> list[Cosigned]:
        rows = self._database.read(
            f"{_COSIGNED} WHERE log = ? AND size BETWEEN ? AND ?"
            " AND (? IS NULL OR name = ?) ORDER BY size, at, seq",
            *(self._log(origin), min_size, max_size, name, name),
        )
        return [_cosigned(row) for row in rows]

    def earliest_cosignature(self, origin: str, name: str, size: int) -> Cosigned | None:
        rows = self._database.read(
            f"{_COSIGNED} WHERE log = ? AND name = ? AND flagged = 0 AND size >= ?"
            " ORDER BY size, at, seq LIMIT 1",
            *(self._log(origin), name, size),
        )
        return _cosigned(rows[0]) if rows else None

    def latest_cosignature(self, origin: str, name: str) -> Cosigned | None:
        rows = self._database.read(
            f"{_COSIGNED} WHERE log = ? AND name = ? AND flagged = 0"
            " ORDER BY size DESC, at DESC, seq DESC LIMIT 1",
            *(self._log(origin), name),
        )
        return _cosigned(rows[0]) if rows else None

    def foreign(self, origin: str) -> list[Head]:
        rows = self._database.read(
            "SELECT size, root, checkpoint FROM met WHERE log = ? ORDER BY size", self._log(origin)
        )
        return [_head(row) for row in rows]

    def put_foreign(self, origin: str, size: int, root: bytes, checkpoint: bytes) -> None:
        log = self._log(origin)
        with self._database.write() as db:
            head = read_tree(db, log).size
            if size <= head:
                raise ConflictError("store.reached", size=head)
            db.execute(
                "INSERT INTO met SELECT ?, ?, ?, ? WHERE NOT EXISTS"
                " (SELECT 1 FROM met WHERE log = ? AND size = ?)",
                (log, size, root, checkpoint, log, size),
            )
            db.execute(
                "DELETE FROM met WHERE log = ? AND size NOT IN"
                " (SELECT size FROM met WHERE log = ? ORDER BY size LIMIT ?)",
                (log, log, MAX_FOREIGN),
            )

    def forget_foreign(self, origin: str) -> int:
        log = self._log(origin)
        with self._database.write() as db:
            gone = db.execute(
                "DELETE FROM met WHERE log = ? AND size <= ?", (log, read_tree(db, log).size)
            )
            return gone.rowcount

    def put_evidence(self, origin: str, kind: str, payload: bytes, at: int) -> None:
        if len(payload) > MAX_EVIDENCE_BYTES:
            raise RefusedError("store.evidence_size", max_bytes=MAX_EVIDENCE_BYTES)
        log = self._log(origin)
        with self._database.write() as db:
            db.execute(
                "INSERT INTO evidence (log, kind, payload, at) SELECT ?, ?, ?, ? WHERE"
                " NOT EXISTS (SELECT 1 FROM evidence WHERE log = ? AND kind = ? AND payload = ?)"
                " AND (SELECT count(*) FROM evidence WHERE log = ?) < ?",
                (log, kind, payload, at, log, kind, payload, log, MAX_EVIDENCE),
            )

    def evidence(self) -> list[Evidence]:
        rows = self._database.read(
            "SELECT origin, kind, payload, at FROM evidence JOIN log ON log.id = log ORDER BY seq"
        )
        return [Evidence(*typed(row, str, str, bytes, int)) for row in rows]

    def fold_mark(self, origin: str) -> tuple[int, dict[int, str]]:
        log = self._log(origin)
        with self._database.reading() as db:
            db.execute("BEGIN")
            try:
                mark = db.execute("SELECT size FROM fold_mark WHERE log = ?", (log,)).fetchone()
                unfit = db.execute(
                    "SELECT idx, code FROM unfit WHERE log = ? ORDER BY idx", (log,)
                ).fetchall()
            finally:
                db.execute("COMMIT")
        return (mark[0] if mark else 0), dict(unfit)

    def set_fold_mark(self, origin: str, size: int, unfit: Mapping[int, str]) -> None:
        log = self._log(origin)
        with self._database.write() as db:
            db.execute("DELETE FROM unfit WHERE log = ? AND idx >= ?", (log, size))
            db.executemany(
                "INSERT OR REPLACE INTO unfit VALUES (?, ?, ?)",
                [(log, index, code) for index, code in unfit.items() if index < size],
            )
            db.execute("INSERT OR REPLACE INTO fold_mark VALUES (?, ?)", (log, size))

    # --- checking ---

    def check(self, progress: Progress | None = None) -> Iterator[Finding]:
        for _ in self._database.damage():
            yield Finding("", "check.file")
        if self._database.tables() != shape_of(SCRIPT):
            yield Finding("", "check.schema")
        for spec in self.logs():
            log = self._log(spec.origin)
            try:
                yield from Examination(self._database, spec.origin, log).run(progress)
            except UnavailableError:
                yield Finding(spec.origin, "check.unreadable")

    def _recover(self) -> None:
        if self._database.tables() != shape_of(SCRIPT):
            raise UnavailableError("store.corrupt", found="check.schema")
        for spec in self.logs():
            log = self._log(spec.origin)
            with self._database.reading() as db:
                for finding in examine_edge(db, spec.origin, log):
                    raise UnavailableError("store.corrupt", log=log, found=finding.code)

    def _log(self, origin: str, own: bool | None = None) -> int:
        """The number of a log; of an own log or a mirror, if that is what is asked for."""
        known = self._known.get(origin)
        if known is None:
            rows = self._database.read("SELECT id, own FROM log WHERE origin = ?", origin)
            if not rows:
                raise RefusedError("store.unknown_log")
            known = self._known[origin] = (rows[0][0], bool(rows[0][1]))
        if own is not None and known[1] != own:
            raise RuntimeError("this is for own logs" if own else "this is for mirrors")
        return known[0]


def _grow_mirror(
    db: sqlite3.Connection, log: int, tree: Tree, start: int, entries: Sequence[bytes]
) -> RightEdge:
    known = tree.edge.size - start
    if known < 0:
        raise ConflictError("store.gap", next=tree.edge.size)
    if known >= len(entries):
        return tree.edge
    return grow(db, log, tree.edge, entries[known:])


def _advance(db: sqlite3.Connection, log: int, tree: Tree, size: int) -> Head:
    if size < tree.size:
        raise ConflictError("store.moved", size=tree.size)
    if size > tree.edge.size:
        raise ConflictError("store.gap", next=tree.edge.size)
    signed = db.execute(
        "SELECT size, root, checkpoint FROM pending WHERE log = ? AND size = ?", (log, size)
    ).fetchone()
    if signed is None:
        raise ConflictError("store.not_pending", size=size)
    head, edge = _head(signed), tree.edge
    root = edge.root() if edge.size == size else tree_root(size, reader_within(db, log, size))
    if root != head.root:
        raise ProofError("store.root_differs", size=size)
    write_tree(db, log, Tree(head.size, head.root, head.checkpoint, edge))
    return head


def _spec(row: Row) -> LogSpec:
    origin, ch, party, gen, own = typed(row, str, str, str, int, int)
    return LogSpec(origin, ch, party, gen, bool(own))


def _head(row: Row) -> Head:
    return Head(*typed(row, int, bytes, bytes))


def _cosigned(row: Row) -> Cosigned:
    kinds = (int, bytes, str, bytes, bytes, int, int, int)
    size, root, name, key_id, line, at, taken_at, flagged = typed(row, *kinds)
    return Cosigned(size, root, name, key_id, line, at, taken_at, bool(flagged))
