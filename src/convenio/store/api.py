"""What a store promises, whatever holds the bytes (docs/spec/store.md).

A `LogStore` keeps the party's own logs and its mirrors of others'. A method that writes returns
only when what it wrote would survive a power cut, and it has written all or nothing. Any method
may be called from any thread; writes wait for one another. A store never parses records or
checkpoints: sizes, roots and ids are given by the caller, who has checked them. `check` alone
reads checkpoints, to compare.

Every method may raise UnavailableError: store.disk_full (nothing was written; go on when there is
space) · store.locked (another process is writing) · store.io · store.corrupt · store.dead (a
commit failed and nobody knows whether it took hold: stop the process and open again) — and, where
it takes an origin, RefusedError: store.unknown_log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from convenio.core.encoding import MAX_SIZE
from convenio.core.merkle import EMPTY_ROOT, Reader, RightEdge

ID_BYTES: Final = 16
MAX_PENDING: Final = 16
MAX_FOREIGN: Final = 64
MAX_EVIDENCE: Final = 64
MAX_EVIDENCE_BYTES: Final = 1 << 20

Sign = Callable[[int, bytes], bytes]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LogSpec:
    """One log. ch: channel, hex. gen: generation, from 1. own: we write it; else a mirror."""

    origin: str
    ch: str
    party: str
    gen: int
    own: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A signed state of a log. root: 32 bytes. checkpoint: a signed note; b"" if never signed."""

    size: int
    root: bytes
    checkpoint: bytes


EMPTY_HEAD: Final = Head(0, EMPTY_ROOT, b"")


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry in its place. leaf: its RFC 6962 leaf hash. entry: at most 65,535 bytes."""

    index: int
    leaf: bytes
    entry: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A cosignature as it was taken.

    line: the encoded signature line. at: its own timestamp, taken_at: our clock, both seconds UTC.
    flagged: kept, but no receipt (its time was implausible).
    """

    size: int
    root: bytes
    name: str
    key_id: bytes
    line: bytes
    at: int
    taken_at: int
    flagged: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves that a party contradicted itself. kind: a code. at: our clock, seconds UTC."""

    origin: str
    kind: str
    payload: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the store that does not follow from the entries.

    code: check.* (docs/spec/store.md). index: of the entry, tile, or size meant; -1 if none.
    """

    origin: str
    code: str
    index: int = -1


class LogStore(Protocol):
    """Logs and mirrors: durable when a method returns, and only ever growing."""

    def add_log(self, spec: LogSpec) -> None:
        """The log is known. Nothing happens if it already is, with the same words.

        Raises:  ConflictError: store.other_log, the origin stands for something else.
        """

    def logs(self) -> list[LogSpec]:
        """Every log and mirror, in the order they were added."""

    def head(self, origin: str) -> Head:
        """Own log: what was signed last. Mirror: what we hold whole and may cosign."""

    def append(
        self, origin: str, old_size: int, entries: Sequence[tuple[bytes, bytes]], sign: Sign
    ) -> Head:
        """The entries are in our own log, under a signed checkpoint; one commit.

        The entries are read back and hashed again before `sign` sees the root. If `sign` raises,
        or anything else, nothing has changed. No entries: the present state is signed again.
        Args:    entries: pairs of (record id, 16 bytes; entry bytes).
                 sign: from (size, root) to the signed checkpoint's bytes.
        Raises:  ConflictError: store.moved, with `size`: the log is not at `old_size` ·
                 store.duplicate_id, with `index`: an id is in the log, or twice in the call
                 (then -1) · MalformedError: tiles.entry_too_long.
        """

    def replace_checkpoint(self, origin: str, size: int, checkpoint: bytes) -> None:
        """The head has these bytes: the same size and root with more signature lines.

        Raises:  ConflictError: store.moved, the head is not at `size`.
        """

    def find(self, origin: str, record_id: bytes) -> Stored | None:
        """The entry of an own log that was appended under `record_id`."""

    def entries(self, origin: str, start: int, end: int) -> Iterator[Stored]:
        """Entries from `start` up to `end` or the head, whichever is less; constant memory."""

    def find_leaf(self, origin: str, leaf: bytes) -> int | None:
        """The first index below the head that has this leaf hash."""

    def pending(self, origin: str) -> list[Head]:
        """Mirror: the last checkpoints taken from the log's owner, newest first, at most 16."""

    def put_pending(
        self, origin: str, old_size: int, size: int, root: bytes, checkpoint: bytes
    ) -> None:
        """Mirror: the newest pending checkpoint is this one. At equal size it is replaced.

        Raises:  ConflictError: store.moved, with `size`: that is the newest pending size (0 if
                 none), not `old_size` · store.smaller · store.other_root, at equal size.
        """

    def next_entry(self, origin: str) -> int:
        """The first index that is not stored. Mirror: at or beyond the head; own: the head."""

    def put_entries(self, origin: str, start: int, entries: Sequence[bytes]) -> int:
        """Mirror: the entries are stored, not yet under the head. Returns the next entry.

        The caller has checked them against a pending checkpoint. Those already stored are skipped.
        Raises:  ConflictError: store.gap, with `next`: entries before `start` are missing ·
                 MalformedError: tiles.entry_too_long.
        """

    def advance(self, origin: str, size: int) -> Head:
        """Mirror: the head is the pending checkpoint of `size`, whose root the entries have.

        Raises:  ProofError: store.root_differs · ConflictError: store.moved, the head is beyond ·
                 store.not_pending, no pending checkpoint has that size · store.gap.
        """

    def absorb(self, origin: str, start: int, entries: Sequence[bytes], size: int) -> Head:
        """`put_entries` and `advance` in one commit: all or nothing."""

    def discard(self, origin: str) -> int:
        """Mirror: entries stored beyond the head are forgotten. Returns how many there were.

        The way out when they turn out not to lead to the root that was signed.
        """

    def put_cosignature(self, origin: str, cosigned: Cosigned) -> None:
        """The cosignature is kept for good. The same line once more changes nothing.

        Raises:  ConflictError: store.beyond, its size is larger than the head's.
        """

    def cosignatures(
        self, origin: str, min_size: int = 0, name: str | None = None, max_size: int = MAX_SIZE
    ) -> list[Cosigned]:
        """Cosignatures over `min_size` to `max_size` entries, by size, then by their time."""

    def earliest_cosignature(self, origin: str, name: str, size: int) -> Cosigned | None:
        """Of those by `name` that cover `size` entries and are not flagged, the smallest."""

    def latest_cosignature(self, origin: str, name: str) -> Cosigned | None:
        """Of those by `name` that are not flagged, the one that covers most; the last taken."""

    def reader(self, origin: str, size: int) -> Reader:
        """Hashes of perfect subtrees within the first `size` entries.

        Raises:  ConflictError: store.beyond, fewer entries are stored.
        """

    def right_edge(self, origin: str) -> RightEdge:
        """The right edge of the tree at the head."""

    def foreign(self, origin: str) -> list[Head]:
        """Checkpoints of a log that were met and cannot be judged yet, by size; at most 64."""

    def put_foreign(self, origin: str, size: int, root: bytes, checkpoint: bytes) -> None:
        """The checkpoint is kept until the head reaches its size; one for each size.

        Where there are 64 already, those of the largest sizes go: they would be judged last.
        Raises:  ConflictError: store.reached, with `size`: the head is there already.
        """

    def forget_foreign(self, origin: str) -> int:
        """Foreign checkpoints up to the head's size are forgotten. Returns how many there were."""

    def put_evidence(self, origin: str, kind: str, payload: bytes, at: int) -> None:
        """The evidence is kept, unless it is known or there are 64 pieces on this log already.

        Raises:  RefusedError: store.evidence_size, over 1 MiB.
        """

    def evidence(self) -> list[Evidence]:
        """All evidence, oldest first."""

    def fold_mark(self, origin: str) -> tuple[int, dict[int, str]]:
        """How many entries were judged, and the code of each that was found unfit."""

    def set_fold_mark(self, origin: str, size: int, unfit: Mapping[int, str]) -> None:
        """`size` entries are judged; the codes in `unfit` are added to those known below `size`.

        A smaller size forgets what is beyond it; 0 forgets all. It is derived and may be dropped.
        """

    def check(self, progress: Progress | None = None) -> Iterator[Finding]:
        """Everything derived again from the entries; what differs is yielded.

        Args:    progress: called with (origin, entries done, entries in all) now and then.
        """

    def close(self) -> None:
        """Nothing is open any more. A second call does nothing."""
