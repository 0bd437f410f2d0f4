"""The mirror: we store another party's log, entry by entry, and cosign what we hold whole.

It checks the log's signature and the tree, and never looks into an entry: what a record may do is
the fold's question. Cosigning means *received*, never *agreed*. Steps: docs/spec/mirror.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.errors import (
    ConflictError,
    ProofError,
    RefusedError,
    SignatureError,
    SplitViewError,
    UnverifiedError,
)
from convenio.core.merkle import check_consistency, edge_of
from convenio.core.mirrorwire import (
    AddCheckpoint,
    MirrorInfo,
    Package,
    UploadHeader,
    check_package,
)
from convenio.core.note import (
    Note,
    SignatureLine,
    keyring,
    parse_signature_lines,
    verify_note,
)
from convenio.node.clock import Clock, stamp
from convenio.node.config import Limits
from convenio.node.histories import Histories
from convenio.node.keys import NodeKeys
from convenio.node.quotas import Quotas
from convenio.node.registry import Log
from convenio.store.api import Cosigned, Head, LogStore

REFRESH_S: Final = 30  # a cosignature no older is given again: each one made is kept for ever
_LINE_BYTES: Final = 8192


class Mirror:
    """Takes other parties' logs in. One upload per log at a time; others wait."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        store: LogStore,
        keys: NodeKeys,
        clock: Clock,
        limits: Limits,
        quotas: Quotas,
        advanced: Callable[[Log], None],
        alarm: Callable[[Log, str], None],
    ) -> None:
        self._store, self._clock, self._limits = store, clock, limits
        self._cosigners = keys.mirror_cosigners()
        self._quotas, self._advanced = quotas, advanced
        self.histories = Histories(store, clock, alarm)
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def lock(self, log: Log) -> threading.RLock:
        """Held over one whole upload, so that packages of two uploads do not interleave."""
        with self._guard:
            return self._locks.setdefault(log.origin, threading.RLock())

    # --- add-checkpoint ---

    def add_checkpoint(self, log: Log, request: AddCheckpoint) -> None:
        """The checkpoint is pending: signed by the log, and an extension of what we knew.

        One that is signed and does not become pending is kept until the log has come that far.

        Raises:  SignatureError: not the log's · ConflictError: mirror.moved, with `size`: what we
                 know · ProofError: the tree does not extend ours · SplitViewError, once
                 `alarm` was told: what is signed contradicts what the same key signed before.
        Source:  C2SP tlog-witness, add-checkpoint; tlog-mirror.
        """
        checkpoint, signed = request.checkpoint, self._log_lines(log, request).encode()
        with self.lock(log):
            self.histories.compare(log, checkpoint, signed)
            known, proof = self._newest(log.origin), request.proof
            if request.old != known.size:
                self.histories.keep(log, checkpoint, signed)
                raise ConflictError("mirror.moved", size=known.size)
            try:
                check_consistency(known.size, known.root, checkpoint.size, checkpoint.root, proof)
            except ProofError:
                self.histories.disagrees(log, known, checkpoint, signed, proof)
                raise
            self._store.put_pending(
                log.origin, known.size, checkpoint.size, checkpoint.root, signed
            )

    def _log_lines(self, log: Log, request: AddCheckpoint) -> Note:
        """The note with only the log's own two lines, both of them verified."""
        verifiers = log.charter.log_verifiers(log.party)
        known = keyring(*verifiers)
        signed = verify_note(request.note, known)
        if len(signed) != len(verifiers):
            raise SignatureError("mirror.log_signature", origin=log.origin)
        lines: dict[tuple[str, bytes], SignatureLine] = {}
        for line in request.note.lines:
            if (line.name, line.key_id) in known:
                lines.setdefault((line.name, line.key_id), line)
        return Note(request.checkpoint.text(), tuple(lines.values()))

    def _newest(self, origin: str) -> Head:
        pending = self._store.pending(origin)
        return pending[0] if pending else self._store.head(origin)

    # --- add-entries ---

    def begin(self, log: Log, header: UploadHeader) -> Head:
        """The pending checkpoint this upload leads to; to be called under `lock`.

        Raises:  UnverifiedError: mirror.no_checkpoint · NotThereError, with where we stand.
        """
        pending = self._store.pending(log.origin)
        if not pending:
            raise UnverifiedError("mirror.no_checkpoint")
        head, following = self._store.head(log.origin), self._store.next_entry(log.origin)
        target = next((p for p in pending if p.size == header.end), None)
        if target is None and header.end == head.size > 0:
            target = head
        if target is None or header.end < head.size or header.start > following:
            raise NotThereError(self.info(log, header))
        if min(header.end, following) - header.start > 256 * 32:
            raise NotThereError(self.info(log, header))
        return target

    def info(self, log: Log, header: UploadHeader) -> MirrorInfo:
        """What a 202 or 409 answer says: the size to aim at, and the next entry we lack."""
        pending = self._store.pending(log.origin)
        sizes = [p.size for p in pending]
        size = header.end if header.end in sizes else self._newest(log.origin).size
        return MirrorInfo(size, self._store.next_entry(log.origin))

    def take(self, log: Log, package: Package, target: Head) -> None:
        """Store one package, proven into `target`; with the last one the mirror advances.

        Raises:  ProofError, nothing of this package is stored · RefusedError: quota.exceeded, what
                 today's quota admits of it is stored · SplitViewError: all is stored, and the log
                 is one of two histories.
        """
        origin = log.origin
        known = self._store.next_entry(origin)
        reader = self._store.reader(origin, package.start)
        before = edge_of(package.bundle_start, package.start, reader)
        check_package(package, before, target.size, target.root)
        sizes = [len(entry) for entry in package.entries[max(0, known - package.start) :]]
        admitted = self._quotas.admit(log, sizes, int(self._clock()))
        entries = package.entries[: len(package.entries) - len(sizes) + admitted]
        whole = admitted == len(sizes)
        if whole and package.end == target.size and target.size > self._store.head(origin).size:
            self._store.absorb(origin, package.start, entries, target.size)
            self.histories.reached(log)  # whether or not somebody comes to finish
        elif admitted:
            self._store.put_entries(origin, package.start, entries)
        if not whole:
            quota = log.charter.quota.entries_per_day
            raise RefusedError("quota.exceeded", entries_per_day=quota)

    def finish(self, log: Log, header: UploadHeader, target: Head) -> list[SignatureLine]:
        """All entries are here: advance if that is still due, cosign, and say so.

        A cosignature is made anew when it is asked for: its time says "as of now", within
        `REFRESH_S`.

        Raises:  SplitViewError: the log has turned out to have two histories, perhaps while this
                 upload ran; nothing is cosigned.
        """
        head = self._store.head(log.origin)
        if head.size < header.end:
            head = self._store.advance(log.origin, target.size)
        self.histories.reached(log)
        if self.histories.is_split(log):  # found while this upload ran
            raise SplitViewError("mirror.split_view", origin=log.origin)
        if head.size != header.end:
            raise NotThereError(self.info(log, header))
        lines = self._cosign(log, head)
        self._advanced(log)
        return lines

    def _cosign(self, log: Log, head: Head) -> list[SignatureLine]:
        checkpoint = Checkpoint(log.origin, head.size, head.root)
        now = self._clock()
        last = self._store.latest_cosignature(log.origin, self._cosigners[0].name)
        if last and last.size == head.size and 0 <= now - last.at < REFRESH_S:
            given = self._given(log, last)
            if len(given) == len(self._cosigners):
                return given
        at = stamp(now, last.at if last else 0, self._limits.clock_slack_s)
        lines = [cosigner.cosign(checkpoint, at) for cosigner in self._cosigners]
        _, signed = parse_signed_checkpoint(head.checkpoint)
        for line in (*signed.lines, *lines):  # the log's own, so that a receipt of it can be shown
            self._store.put_cosignature(log.origin, cosigned_of(head, line, at, at, flagged=False))
        return lines

    def _given(self, log: Log, last: Cosigned) -> list[SignatureLine]:
        """The lines we made together with `last`."""
        kept = self._store.cosignatures(log.origin, last.size, last.name, last.size)
        lines = {c.key_id: c.line for c in kept if c.at == last.at}
        return [parse_signature_lines(line, _LINE_BYTES)[0] for line in lines.values()]

    def checkpoint(self, log: Log) -> bytes:
        """The mirror checkpoint with the log's lines and ours; b"" while there is none."""
        head = self._store.head(log.origin)
        if not head.size:
            return b""
        _, note = parse_signed_checkpoint(head.checkpoint)
        name = self._cosigners[0].name
        latest = {
            c.key_id: c.line
            for c in self._store.cosignatures(log.origin, head.size, name)
            if c.size == head.size
        }
        return note.encode() + b"".join(latest.values())


class NotThereError(ConflictError):
    """The upload does not fit where the mirror stands; `info` says where that is."""

    def __init__(self, info: MirrorInfo) -> None:
        super().__init__("mirror.not_there", size=info.size, next=info.next_entry)
        self.info = info


def cosigned_of(
    head: Head, line: SignatureLine, at: int, taken_at: int, *, flagged: bool
) -> Cosigned:
    """A cosignature line as the store keeps it."""
    return Cosigned(
        head.size, head.root, line.name, line.key_id, line.encode(), at, taken_at, flagged
    )
