"""The outbox: brings our log and its bodies to one partner, and its cosignatures home.

Our log is the queue: what is to be sent is whatever the partner has not cosigned yet, so there is
no second list that could differ from it, and a node cut off for weeks simply has more to send.
One thread a partner and channel. A failed round is tried again, later and later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
)
from convenio.core.merkle import consistency_proof
from convenio.core.mirrorwire import (
    MAX_PACKAGES,
    AddCheckpoint,
    UploadHeader,
    make_package,
    package_ranges,
)
from convenio.core.note import parse_note
from convenio.core.record import BodyRef, PartyId, parse_record
from convenio.node.again import Again
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.mirror import cosigned_of
from convenio.node.publish import Publisher
from convenio.node.registry import Log, shelf_of
from convenio.peer.client import Conflict, Partner
from convenio.peer.limits import MAX_CHUNK_BYTES, MAX_ENTRIES_BYTES
from convenio.peer.service import Stored
from convenio.store.api import Head, LogStore
from convenio.store.objects import BlobStore

MAX_STALLS: Final = 4  # answers in one upload that tell of no progress


class Lacking(Protocol):
    """Which of our bodies a partner says it lacks: an answer of the fold."""

    def lacking(self, log: Log, party: PartyId) -> list[int]:
        """Indexes of our entries whose bodies `party` named in `lack`, and not yet in `have`."""

    def frozen(self, ch: str) -> bool:
        """Whether the channel is folded no further: no `have` will be read any more."""


@dataclass(slots=True)
class FeedState:
    """How it goes with one partner, for `status`. Times are seconds UTC, 0 if never."""

    party: PartyId
    ch: str
    cosigned: int = 0
    cosigned_at: int = 0
    answered_at: int = 0
    failed_at: int = 0
    failures: int = 0
    error: str = ""
    parameters: dict[str, str | int] = field(default_factory=dict)


class Feed:
    """Feeds one partner in one channel until `stop`."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        log: Log,
        party: PartyId,
        connect: Callable[[], Partner],
        store: LogStore,
        blobs: BlobStore,
        publisher: Publisher,
        lacking: Lacking,
        clock: Clock,
        limits: Limits,
        cosigned: Callable[[Log, PartyId], None],
        compare: Callable[[Callable[[], Partner]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """connect: the partner's node; an address that cannot be called shows in `state`.
        compare: ask the partner what it holds of others' logs, where there is doubt."""
        self._log, self._connect = log, connect
        self._connected: Partner | None = None
        self._store, self._publisher = store, publisher
        self._shelf = shelf_of(blobs, log)  # ours: what a partner brought is not sent on
        self._lacking, self._clock, self._limits = lacking, clock, limits
        self._cosigned, self._compare, self._failed = cosigned, compare, failed
        self._verifiers = log.charter.member(party).mirror_verifiers()
        self._pushed: set[str] = set()
        self._again = Again(limits.retry_most_s)
        self._last_at = 0
        self._held = 0  # how much of our log the partner has proved to hold, at whatever time
        self._greeted = False
        self._sent_frozen = False
        self._refused: RefusedError | None = None
        self._wake = threading.Event()
        self._stopping = False
        self.state = FeedState(party, log.channel.ch)
        self._thread = threading.Thread(target=self._run, name=f"feed-{party}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Begin nothing more; the exchange that runs is the last."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def wake(self) -> None:
        """There is something new, or the partner has been heard: do not wait any longer."""
        self._wake.set()

    def _run(self) -> None:
        wait_s: float | None = 0
        while not self._stopping:
            self._wake.wait(wait_s)
            self._wake.clear()
            if not self._stopping:
                wait_s = self._attempt()
        if self._connected is not None:
            self._connected.close()

    @property
    def _partner(self) -> Partner:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    def _attempt(self) -> float | None:
        """One round. Returns how long to wait unless woken; None: until there is something new."""
        state, most = self.state, self._limits.retry_most_s
        try:
            owing = self.round()
        except ConvenioError as error:
            state.failures += 1
            state.failed_at = int(self._clock())
            state.error, state.parameters = error.code, dict(error.parameters)
            return float(min(most, self._limits.retry_first_s * 2 ** min(state.failures - 1, 12)))
        except Exception as error:
            if not self._stopping:  # else the store was closed under us, as it should be
                self._failed(error)
            return None
        state.failures, state.error, state.parameters = 0, "", {}
        return most if owing else None

    def round(self) -> bool:
        """Bring the partner up to our head. True if it still lacks bodies by its own word.

        (1) publish · (2) small bodies go first, so that a cosigned entry has its body there ·
        (3) the checkpoint · (4) the entries, answered by cosignatures · (5) large bodies, and
        those the partner says it lacks · (6) what it holds of logs in doubt. A body that is refused
        holds up nothing; what was said of the last one is raised when all the rest is done. The
        first round after a start offers the checkpoint even if nothing is new: the partner hears
        that we are up, and says if it knows a longer history of ours than we do.
        """
        origin = self._log.origin
        head = self._publisher.publish(origin)  # (1)
        acked = self._acked(origin)
        self.state.cosigned, self._refused = acked, None
        if acked < head.size:
            self._push_bodies(self._bodies(acked, head.size), large=False)  # (2)
            self._offer(head, acked)  # (3)
            self._upload(head, acked)  # (4)
            self._push_bodies(self._bodies(acked, head.size), large=True)  # (5)
        elif head.size and not self._greeted:
            self._offer(head, acked)
        self._greeted = True
        owing = self._push_lacking()
        self._compare(lambda: self._partner)  # (6)
        self.state.answered_at = int(self._clock())
        if self._refused is not None:
            raise self._refused
        return owing

    def _acked(self, origin: str) -> int:
        """How much of our log the partner has cosigned."""
        latest = self._store.latest_cosignature(origin, self._verifiers[0].name)
        if latest is None:
            return 0
        self._last_at = max(self._last_at, latest.at)
        return latest.size

    # --- bodies ---

    def _push_lacking(self) -> bool:
        """What the partner says it lacks is sent again. True if it owes us word that it has it.

        Each entry at once, then rarer and rarer, as long as no such word comes. In a frozen channel
        no such word counts any more: all is sent once, and that is all.
        """
        frozen = self._lacking.frozen(self._log.channel.ch)
        if frozen and self._sent_frozen:
            return False
        lacking = self._lacking.lacking(self._log, self.state.party)
        now = self._clock()
        for index in lacking if frozen else self._again.due(lacking, now):
            self._push_bodies(self._bodies(index, index + 1), large=False, again=True)
            self._push_bodies(self._bodies(index, index + 1), large=True, again=True)
            self._again.sent(index, now)
        self._sent_frozen = frozen and self._refused is None
        return bool(lacking) and not frozen

    def _bodies(self, start: int, end: int) -> Iterator[BodyRef]:
        """The bodies of our entries [start, end) that this partner's desks may read."""
        party = self.state.party
        for stored in self._store.entries(self._log.origin, start, end):
            for body in parse_record(stored.entry).header.bodies:
                if body.form == "open" or any(a.startswith(f"{party}:") for a in body.to):
                    yield body

    def _push_bodies(self, bodies: Iterator[BodyRef], *, large: bool, again: bool = False) -> None:
        for body in bodies:
            is_large = body.n > self._limits.small_body_bytes
            if is_large is large and (again or body.c not in self._pushed):
                try:
                    self._push(body)
                except RefusedError as error:
                    if error.parameters.get("reason") != "blob.not_cited":  # it will say `lack`
                        self._refused = error
                    continue
                if len(self._pushed) > 100_000:
                    self._pushed.clear()
                self._pushed.add(body.c)

    def _push(self, body: BodyRef) -> None:
        """One body, from where the partner stands. What we no longer hold is left out."""
        ch = self._log.channel.ch
        if not self._shelf.has(body.c):
            return
        if body.n <= MAX_CHUNK_BYTES:
            offset = 0  # one piece: asking first would cost as much as sending
        else:
            held = self._partner.blob_held(ch, body.c)
            offset = held.offset if held else 0
        while offset < body.n and not self._stopping:
            with self._shelf.open(body.c, offset) as file:
                chunk = file.read(min(MAX_CHUNK_BYTES, body.n - offset))
            answer = self._partner.put_blob_chunk(ch, body.c, offset, body.n, chunk)
            moved = answer.size if isinstance(answer, Conflict) else answer.offset
            if isinstance(answer, Conflict) and moved == offset:
                raise MalformedError("peer.content")
            offset = moved

    # --- checkpoint and entries ---

    def _offer(self, head: Head, acked: int) -> None:
        """Make our head the partner's pending checkpoint; its 409 says what it knows instead."""
        old = acked
        for _ in range(8):
            reader = self._store.reader(self._log.origin, head.size)
            proof = consistency_proof(old, head.size, reader) if old else []
            body = AddCheckpoint.of(old, proof, head.checkpoint).encode()
            answer = self._partner.add_checkpoint(body)
            if answer is None:
                return
            if answer.size > head.size:
                raise SignatureError("feed.partner_ahead", size=answer.size, ours=head.size)
            old = answer.size
        raise UnavailableError("feed.unsteady")

    def _upload(self, head: Head, acked: int) -> None:
        """Send the entries up to `head`, as often as the mirror says it lacks some."""
        start, ticket, stalls = max(acked, self._held), b"", 0
        for _ in range(2 * (head.size - acked) // 256 + 16):
            if self._stopping:
                raise UnavailableError("node.stopping")
            answer = self._partner.add_entries(self._body(start, head.size, ticket))
            if isinstance(answer, Stored):
                self._take(head, answer.lines)
                return
            info = answer.info
            if info.size != head.size:
                raise UnavailableError("feed.unsteady")
            following = min(info.next_entry, head.size)
            stalls += following <= start
            if stalls > MAX_STALLS:
                break
            start, ticket = following, info.ticket
        raise UnavailableError("feed.unsteady")

    def _body(self, start: int, end: int, ticket: bytes) -> bytes:
        """An upload of as many packages as one request may hold."""
        origin = self._log.origin
        parts = [UploadHeader(origin, start, end, ticket).encode()]
        size, reader = len(parts[0]), self._store.reader(origin, end)
        for number, (first, last) in enumerate(package_ranges(start, end)):
            entries = [stored.entry for stored in self._store.entries(origin, first, last)]
            package = make_package(first, entries, end, reader).encode()
            size += len(package)
            if number == MAX_PACKAGES or size > MAX_ENTRIES_BYTES:
                break
            parts.append(package)
        return b"".join(parts)

    def _take(self, head: Head, lines: bytes) -> None:
        """Keep the partner's cosignatures over `head`.

        Those whose time is more than `skew_s` from our clock, or before the last, or 0, are kept
        and flagged: they prove custody and tell nothing about when.
        Raises:  SignatureError: feed.no_cosignature, the ML-DSA-44 line is missing ·
                 cosign.bad_signature, nothing is kept · UnavailableError: feed.time_differs, they
                 were flagged: it is asked again later.
        """
        checkpoint = Checkpoint(self._log.origin, head.size, head.root)
        now, found = int(self._clock()), parse_note(checkpoint.text() + b"\n" + lines, 1 << 16)
        given = {(line.name, line.key_id): line for line in found.lines}
        main = self._verifiers[0]
        if (main.name, main.key_id) not in given:
            raise SignatureError("feed.no_cosignature", party=self.state.party)
        taken = [
            (line, verifier.verify_checkpoint(checkpoint, line.signature))
            for verifier in self._verifiers
            if (line := given.get((verifier.name, verifier.key_id))) is not None
        ]
        flagged = any(self._is_odd(at, now) for _, at in taken)
        for line, at in taken:
            kept = cosigned_of(head, line, at, now, flagged=flagged)
            self._store.put_cosignature(self._log.origin, kept)
        self._held, at = head.size, taken[0][1]
        if self._acked(self._log.origin) < head.size:  # also if these very lines were flagged once
            raise UnavailableError("feed.time_differs", party=self.state.party, at=at, now=now)
        self.state.cosigned, self.state.cosigned_at = head.size, now
        self._cosigned(self._log, self.state.party)

    def _is_odd(self, at: int, now: int) -> bool:
        return at == 0 or at < self._last_at or abs(at - now) > self._limits.skew_s
