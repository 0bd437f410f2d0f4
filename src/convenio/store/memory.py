"""The log store in memory: for tests, examples and verifying a bundle. It dies with the process.

Same promises as the others but durability, and the same suite (tests/contract).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from convenio.core.encoding import MAX_SIZE
from convenio.core.errors import ConflictError, MalformedError, ProofError, RefusedError
from convenio.core.merkle import Leaves, Reader, RightEdge, leaf_hash, tree_root
from convenio.core.tiles import MAX_ENTRY_BYTES
from convenio.store.api import (
    EMPTY_HEAD,
    ID_BYTES,
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
from convenio.store.examine import checkpoint_findings


@dataclass(slots=True)
class _Log:
    spec: LogSpec
    head: Head = EMPTY_HEAD
    entries: list[Stored] = field(default_factory=list)
    edge: RightEdge = field(default_factory=RightEdge)
    ids: dict[bytes, int] = field(default_factory=dict)
    first_of: dict[bytes, int] = field(default_factory=dict)
    pending: list[Head] = field(default_factory=list)
    foreign: dict[int, Head] = field(default_factory=dict)
    cosigned: list[Cosigned] = field(default_factory=list)
    mark: int = 0
    unfit: dict[int, str] = field(default_factory=dict)


class MemoryStore:
    """A `LogStore` in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._logs: dict[str, _Log] = {}
        self._evidence: list[Evidence] = []

    def close(self) -> None:
        """Nothing is open."""

    # --- logs and heads ---

    def add_log(self, spec: LogSpec) -> None:
        with self._lock:
            if self._logs.setdefault(spec.origin, _Log(spec)).spec != spec:
                raise ConflictError("store.other_log")

    def logs(self) -> list[LogSpec]:
        with self._lock:
            return [log.spec for log in self._logs.values()]

    def head(self, origin: str) -> Head:
        return self._log(origin).head

    # --- own logs ---

    def append(
        self, origin: str, old_size: int, entries: Sequence[tuple[bytes, bytes]], sign: Sign
    ) -> Head:
        with self._lock:
            log = self._log(origin, own=True)
            if log.head.size != old_size:
                raise ConflictError("store.moved", size=log.head.size)
            _refuse_known(log, [record_id for record_id, _ in entries])
            stored = _placed(old_size, [entry for _, entry in entries])
            edge = log.edge.extend(each.leaf for each in stored)
            head = Head(edge.size, edge.root(), sign(edge.size, edge.root()))
            log.ids |= {record_id: old_size + n for n, (record_id, _) in enumerate(entries)}
            _grow(log, stored, edge)
            log.head = head
        return head

    def replace_checkpoint(self, origin: str, size: int, checkpoint: bytes) -> None:
        with self._lock:
            log = self._log(origin)
            if log.head.size != size:
                raise ConflictError("store.moved", size=log.head.size)
            log.head = replace(log.head, checkpoint=checkpoint)

    def find(self, origin: str, record_id: bytes) -> Stored | None:
        log = self._log(origin, own=True)
        index = log.ids.get(record_id)
        return None if index is None else log.entries[index]

    # --- reading ---

    def entries(self, origin: str, start: int, end: int) -> Iterator[Stored]:
        log = self._log(origin)
        return iter(log.entries[max(start, 0) : min(end, log.head.size)])

    def find_leaf(self, origin: str, leaf: bytes) -> int | None:
        log = self._log(origin)
        index = log.first_of.get(leaf, log.head.size)
        return index if index < log.head.size else None

    def reader(self, origin: str, size: int) -> Reader:
        log = self._log(origin)
        if size > len(log.entries):
            raise ConflictError("store.beyond", size=len(log.entries))
        return Leaves(each.leaf for each in log.entries[:size])

    def right_edge(self, origin: str) -> RightEdge:
        log = self._log(origin)
        return RightEdge().extend(each.leaf for each in log.entries[: log.head.size])

    # --- mirrors ---

    def pending(self, origin: str) -> list[Head]:
        return self._log(origin, own=False).pending[::-1]

    def put_pending(
        self, origin: str, old_size: int, size: int, root: bytes, checkpoint: bytes
    ) -> None:
        with self._lock:
            log = self._log(origin, own=False)
            newest = log.pending[-1] if log.pending else None
            newest_size = newest.size if newest else 0
            if old_size != newest_size:
                raise ConflictError("store.moved", size=newest_size)
            if size < newest_size:
                raise ConflictError("store.smaller", size=newest_size)
            if newest and size == newest_size:
                if newest.root != root:
                    raise ConflictError("store.other_root", size=size)
                log.pending.pop()
            log.pending = [*log.pending, Head(size, root, checkpoint)][-MAX_PENDING:]

    def next_entry(self, origin: str) -> int:
        return len(self._log(origin).entries)

    def put_entries(self, origin: str, start: int, entries: Sequence[bytes]) -> int:
        with self._lock:
            log = self._log(origin, own=False)
            stored, edge = _grown(log, start, entries)
            _grow(log, stored, edge)
            return edge.size

    def advance(self, origin: str, size: int) -> Head:
        return self.absorb(origin, self.next_entry(origin), (), size)

    def absorb(self, origin: str, start: int, entries: Sequence[bytes], size: int) -> Head:
        with self._lock:
            log = self._log(origin, own=False)
            stored, edge = _grown(log, start, entries)
            head = _signed(log, size, edge.size)
            leaves = [each.leaf for each in [*log.entries, *stored][:size]]
            if tree_root(size, Leaves(leaves)) != head.root:
                raise ProofError("store.root_differs", size=size)
            _grow(log, stored, edge)
            log.head = head
        return head

    def discard(self, origin: str) -> int:
        with self._lock:
            log = self._log(origin, own=False)
            gone = log.entries[log.head.size :]
            del log.entries[log.head.size :]
            log.edge = self.right_edge(origin)
            log.first_of = {leaf: n for leaf, n in log.first_of.items() if n < log.head.size}
        return len(gone)

    # --- what is kept about logs ---

    def put_cosignature(self, origin: str, cosigned: Cosigned) -> None:
        with self._lock:
            log = self._log(origin)
            if cosigned.size > log.head.size:
                raise ConflictError("store.beyond", size=log.head.size)
            if not any((c.size, c.line) == (cosigned.size, cosigned.line) for c in log.cosigned):
                log.cosigned.append(cosigned)
                log.cosigned.sort(key=lambda each: (each.size, each.at))

    def cosignatures(
        self, origin: str, min_size: int = 0, name: str | None = None, max_size: int = MAX_SIZE
    ) -> list[Cosigned]:
        known = list(self._log(origin).cosigned)
        return [c for c in known if min_size <= c.size <= max_size and name in {None, c.name}]

    def earliest_cosignature(self, origin: str, name: str, size: int) -> Cosigned | None:
        covering = self.cosignatures(origin, size, name)
        return next((each for each in covering if not each.flagged), None)

    def latest_cosignature(self, origin: str, name: str) -> Cosigned | None:
        good = [each for each in self.cosignatures(origin, 0, name) if not each.flagged]
        return good[-1] if good else None

    def foreign(self, origin: str) -> list[Head]:
        known = self._log(origin).foreign
        return [known[size] for size in sorted(known)]

    def put_foreign(self, origin: str, size: int, root: bytes, checkpoint: bytes) -> None:
        with self._lock:
            log = self._log(origin)
            if size <= log.head.size:
                raise ConflictError("store.reached", size=log.head.size)
            both = {size: Head(size, root, checkpoint)} | log.foreign
            log.foreign = {each: both[each] for each in sorted(both)[:MAX_FOREIGN]}

    def forget_foreign(self, origin: str) -> int:
        with self._lock:
            log = self._log(origin)
            gone = [size for size in log.foreign if size <= log.head.size]
            log.foreign = {s: head for s, head in log.foreign.items() if s not in gone}
        return len(gone)

    def put_evidence(self, origin: str, kind: str, payload: bytes, at: int) -> None:
        if len(payload) > MAX_EVIDENCE_BYTES:
            raise RefusedError("store.evidence_size", max_bytes=MAX_EVIDENCE_BYTES)
        with self._lock:
            self._log(origin)
            known = [each for each in self._evidence if each.origin == origin]
            if len(known) < MAX_EVIDENCE and (kind, payload) not in {
                (each.kind, each.payload) for each in known
            }:
                self._evidence.append(Evidence(origin, kind, payload, at))

    def evidence(self) -> list[Evidence]:
        return list(self._evidence)

    def fold_mark(self, origin: str) -> tuple[int, dict[int, str]]:
        with self._lock:
            log = self._log(origin)
            return log.mark, dict(sorted(log.unfit.items()))

    def set_fold_mark(self, origin: str, size: int, unfit: Mapping[int, str]) -> None:
        with self._lock:
            log = self._log(origin)
            both = log.unfit | dict(unfit)
            log.mark, log.unfit = size, {n: code for n, code in both.items() if n < size}

    # --- checking ---

    def check(self, progress: Progress | None = None) -> Iterator[Finding]:
        for origin, log in list(self._logs.items()):
            head = log.head
            yield from checkpoint_findings(origin, head.size, head.root, head.checkpoint)
            leaves = Leaves(leaf_hash(each.entry) for each in log.entries)
            claims = [("check.root", head.size, head.root)]
            claims += [("check.pending", p.size, p.root) for p in log.pending]
            claims += [("check.cosigned", c.size, c.root) for c in log.cosigned]
            for code, size, root in claims:
                if size <= len(log.entries) and tree_root(size, leaves) != root:
                    yield Finding(origin, code, size)
            if progress:
                progress(origin, len(log.entries), len(log.entries))

    def _log(self, origin: str, own: bool | None = None) -> _Log:
        log = self._logs.get(origin)
        if log is None:
            raise RefusedError("store.unknown_log")
        if own is not None and log.spec.own != own:
            raise RuntimeError("this is for own logs" if own else "this is for mirrors")
        return log


def _refuse_known(log: _Log, ids: list[bytes]) -> None:
    if any(len(record_id) != ID_BYTES for record_id in ids):
        raise RuntimeError("a record id has 16 bytes")
    if len(set(ids)) != len(ids):
        raise ConflictError("store.duplicate_id", index=-1)
    for record_id in ids:
        if record_id in log.ids:
            raise ConflictError("store.duplicate_id", index=log.ids[record_id])


def _placed(start: int, entries: Sequence[bytes]) -> list[Stored]:
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise MalformedError("tiles.entry_too_long", max_bytes=MAX_ENTRY_BYTES)
    return [Stored(n, leaf_hash(entry), bytes(entry)) for n, entry in enumerate(entries, start)]


def _grown(log: _Log, start: int, entries: Sequence[bytes]) -> tuple[list[Stored], RightEdge]:
    """What `entries` add to what is stored, and the edge that would follow."""
    count = len(log.entries)
    if start > count:
        raise ConflictError("store.gap", next=count)
    stored = _placed(count, entries[count - start :])
    return stored, log.edge.extend(each.leaf for each in stored)


def _grow(log: _Log, stored: list[Stored], edge: RightEdge) -> None:
    for each in stored:
        log.first_of.setdefault(each.leaf, each.index)
    log.entries += stored
    log.edge = edge


def _signed(log: _Log, size: int, stored: int) -> Head:
    """The pending checkpoint that a mirror may move to."""
    if size < log.head.size:
        raise ConflictError("store.moved", size=log.head.size)
    if size > stored:
        raise ConflictError("store.gap", next=stored)
    for head in log.pending:
        if head.size == size:
            return head
    raise ConflictError("store.not_pending", size=size)
