"""Answering: what our own log says of what was received, of others' faults and silence.

After each fold of a channel: `received.v1`, naming the bodies we lack or have got since;
`objection.v1`, once, to what of another's log breaks a rule; `proof.v1` against who keeps silent;
and of a frozen channel only `split.v1`. What is folded is the fold's; nothing is kept here but what
an answer has not said yet, or must not say again.
"""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from convenio.core.canon import Object
from convenio.core.card import author_key_name
from convenio.core.draft import Draft, Seen, draft
from convenio.core.fold import Fold
from convenio.core.note import parse_signature_lines
from convenio.core.place import Folded, Place
from convenio.core.record import (
    MAX_LACKING,
    MAX_RECORD_BYTES,
    OBJECTION,
    PROOF,
    RECEIVED,
    SPLIT,
    Header,
    PartyId,
    parse_record,
)
from convenio.instruments.cases import Casebook
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.incomplete import Incomplete
from convenio.node.index import Index
from convenio.node.registry import GENERATION, Log, Registry
from convenio.node.splits import Splits
from convenio.node.states import States
from convenio.store.api import Cosigned, LogStore
from convenio.store.objects import BlobStore

MAX_OBJECTIONS: Final = 1000
Say = Callable[[Log, Draft, Seen], object]
Random = Callable[[int], bytes]
Brought = tuple[PartyId, str]  # a blob, and whose shelf it is on


@dataclass(slots=True)
class Answers:
    """What is to be answered in one channel. Only the folding's thread touches it.

    lock: of the folding; to be held whenever the book, and so the fold under it, or the states are
    asked. seen: what our next entry may say it has seen; replaced, never changed, so that any
    thread may read it. It covers an entry only once its bodies are here, or once a `received.v1` of
    ours has named them as lacking: else any record of ours would claim a receipt we cannot give.
    incomplete: entries whose bodies for us were not here when they were folded. arrived: entries of
    which something has come since we last looked; started: whether we have looked at all since the
    start. objected: leaves we have objected to; considered: how much of a log was looked at for
    what to object to. proven: whose cosignature over which leaf of ours we have logged, by the
    key's name.
    """

    book: Casebook
    states: States
    lock: threading.Lock
    seen: Seen = field(default_factory=dict)
    incomplete: Incomplete = field(default_factory=Incomplete)
    arrived: deque[Place] = field(default_factory=deque)
    started: bool = False
    objected: set[str] = field(default_factory=set)
    considered: dict[PartyId, int] = field(default_factory=dict)
    proven: set[tuple[str, str]] = field(default_factory=set)

    @property
    def fold(self) -> Fold:
        return self.book.fold


class Answering:
    """Says what is due. Used by the folding's thread; `came` by any."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        store: LogStore,
        blobs: BlobStore,
        index: Index,
        splits: Splits,
        clock: Clock,
        limits: Limits,
        rng: Random,
        node_desk: str,
        say: Say,
    ) -> None:
        """splits: proofs of two histories that we owe the others. say: append a draft of the node
        itself to our log."""
        self._registry, self._store, self._blobs, self._index = registry, store, blobs, index
        self._splits, self._clock, self._limits, self._rng = splits, clock, limits, rng
        self._node_desk, self._say = node_desk, say
        self._came: dict[str, set[Brought]] = {}
        self._lock = threading.Lock()  # of `_came`

    def came(self, ch: str, party: PartyId, c: str) -> None:
        """`party` has brought a body."""
        with self._lock:
            self._came.setdefault(ch, set()).add((party, c))

    def note(self, answers: Answers, item: Folded) -> None:
        """What of an entry that came into the cut concerns our own next answer."""
        if item.place.party == self._registry.party:
            if item.header.type == OBJECTION:
                answers.objected.add(str(item.header.data["leaf"]))
            elif item.header.type == PROOF:
                said = item.header.data
                answers.proven.add((str(said["leaf"]), str(said["name"])))
            return
        if any(self._lacking(answers, item.place.party, item.header)):
            answers.incomplete.add(item.place)

    # --- two histories ---

    def say_splits(self, own: Log) -> None:
        """What a frozen channel still says: each proof of two histories that our log lacks."""
        with self._lock:
            self._came.pop(own.channel.ch, None)  # nothing of it will be said any more
        for record_id, data in self._splits.unsaid(own):
            self._say(own, self._draft(own, SPLIT, data, record_id), {})

    # --- received ---

    def say_received(self, answers: Answers, own: Log) -> bool:
        """One `received.v1`, if one is due; True if there may be more to say."""
        have, looked = self._have(answers, own)
        with answers.lock:
            due = answers.book.needs_answer(own.party)
            answers.incomplete.forget(self._covered(answers.fold, own.party))
        look = answers.incomplete.look(lambda p: not self._complete(answers, p), MAX_LACKING)
        with answers.lock:  # what does not fit, and what has it in its past, is not claimed yet
            seen = answers.fold.seen(own.party, look.rest)
            digest = {} if look.rest else answers.states.to_say(int(self._clock()))
        if due or look.named or have:
            data: Object = dict(digest)
            for key, places in (("lack", look.named), ("have", have)):
                if places:
                    data[key] = [answers.fold.leaf(place).hex() for place in places]
            self._say(own, self._draft(own, RECEIVED, data), seen)
        answers.seen = seen
        answers.incomplete.drop(look)
        for _ in range(looked):
            answers.arrived.popleft()
        return bool(look.rest or answers.arrived)

    @staticmethod
    def _covered(fold: Fold, own: PartyId) -> Callable[[PartyId], int]:
        """How much of another's log our last entry covers."""
        size = fold.cut()[own]
        return lambda party: fold.covers(Place(own, size - 1), party) if size else 0

    def _have(self, answers: Answers, own: Log) -> tuple[list[Place], int]:
        """The next entries that we said we lack something of and that are whole now, as many as
        one answer names; and how many of `arrived` were looked at for that.

        One that is not whole yet is looked at again when another body of it comes.
        """
        self._note_arrived(answers, own)
        whole: dict[Place, None] = {}
        looked = 0
        for place in answers.arrived:
            if len(whole) == MAX_LACKING:
                break
            looked += 1
            if answers.fold.lacks(own.party, place) and self._complete(answers, place):
                whole[place] = None
        return [*whole], looked

    def _note_arrived(self, answers: Answers, own: Log) -> None:
        """Which entries what has come is of. The first time after a start anything may have."""
        if not answers.started:
            answers.arrived.extend(answers.fold.lacking(own.party))
            answers.started = True
        with self._lock:
            came = [*self._came.get(own.channel.ch, ())]
        for party, c in came:
            citing = self._index.citing(own.channel.ch, party, c)
            answers.arrived.extend(Place(party, index) for index in citing)
        with self._lock:
            self._came.get(own.channel.ch, set()).difference_update(came)

    def _header(self, answers: Answers, place: Place) -> Header:
        member = next(m for m in answers.fold.rules.members if m.party == place.party)
        (stored,) = self._store.entries(member.origin, place.index, place.index + 1)
        return parse_record(stored.entry).header

    def _complete(self, answers: Answers, place: Place) -> bool:
        """Whether every body of a record that is meant for us is here."""
        return not any(self._lacking(answers, place.party, self._header(answers, place)))

    def _lacking(self, answers: Answers, party: PartyId, header: Header) -> Iterator[str]:
        """The blobs of a record of `party` that are meant for us, and that it has not brought."""
        shelf = self._blobs.shelf(answers.fold.rules.ch, party)
        return (c for c in self._ours(header) if not shelf.has(c))

    def _ours(self, header: Header) -> Iterator[str]:
        """The blobs of a record that are meant for us."""
        for body in header.bodies:
            mine = any(a.startswith(f"{self._registry.party}:") for a in body.to)
            if body.form == "open" or mine:
                yield body.c

    # --- faults and silence ---

    def object_to_unfit(self, answers: Answers, own: Log) -> None:
        """One `objection.v1` to each unfit entry of another, up to a bound."""
        for log in self._registry.logs(own.channel.ch):
            if log.own or len(answers.objected) >= MAX_OBJECTIONS:
                continue
            for index, code in self._unconsidered(answers, log):
                (stored,) = self._store.entries(log.origin, index, index + 1)
                leaf = stored.leaf.hex()
                if leaf not in answers.objected and len(answers.objected) < MAX_OBJECTIONS:
                    data: Object = {"leaf": leaf, "code": code.replace(".", "_")}
                    self._say(own, self._draft(own, OBJECTION, data), answers.seen)
                    answers.objected.add(leaf)
                answers.considered[log.party] = index + 1

    def _unconsidered(self, answers: Answers, log: Log) -> list[tuple[int, str]]:
        with answers.lock:
            return answers.fold.unfit(log.party).since(answers.considered.get(log.party, 0))

    def prove(self, answers: Answers, own: Log) -> None:
        """Log a debtor's cosignature over what started a clock, if it keeps silent about it.

        Else a debtor that takes everything and never writes `received.v1` would never be overdue.
        Each debtor once: one of several may have been away while the other was proved. Cosignatures
        come in the order of the log: behind an entry whose time has not come no other is asked for.
        """
        now, early = int(self._clock()), dict[PartyId, int]()
        with answers.lock:
            owed = list(answers.book.unreceived(own.party))
        for place, party in owed:
            if place.index >= early.get(party, place.index + 1):
                continue
            key, leaf = own.charter.member(party).mirror_verifiers()[0], answers.fold.leaf(place)
            if (leaf.hex(), key.name) in answers.proven:
                continue
            taken = self._store.earliest_cosignature(own.origin, key.name, place.index + 1)
            if taken and now - taken.at >= self._limits.proof_after_s:
                self._say(own, self._draft(own, PROOF, _proof_data(leaf, taken)), answers.seen)
                answers.proven.add((leaf.hex(), key.name))
            else:
                early[party] = place.index

    def _draft(self, own: Log, kind: str, data: Object, record_id: bytes = b"") -> Draft:
        """A record of the node itself, signed by the node's own desk."""
        card = own.charter.member(own.party)
        header = Header(
            id=(record_id or self._rng(16)).hex(),
            ch=own.channel.ch,
            gen=GENERATION,
            type=kind,
            sender=own.party,
            to=(),
            by=(author_key_name(card.domain, self._node_desk),),
            at=0,
            data=data,
        )
        return draft(header)


def _proof_data(leaf: bytes, taken: Cosigned) -> Object:
    """A cosignature as `proof.v1` carries it: the words of its signature line."""
    (line,) = parse_signature_lines(taken.line, MAX_RECORD_BYTES)
    sig = base64.b64encode(line.key_id + line.signature).decode()
    root = taken.root.hex()
    return {"leaf": leaf.hex(), "size": taken.size, "root": root, "name": line.name, "sig": sig}
