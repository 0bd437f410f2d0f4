"""Folding: reads what the logs say, keeps each channel's state, and answers what was received.

One thread. After a commit to our log or a step of a mirror it is woken, feeds the new entries to
the channel's `Fold`, indexes what came into the cut, and says so in our own log: `received.v1`,
naming the bodies we lack or have got since. What of another's log breaks a rule is answered with
`objection.v1`, once.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, cast

from convenio.core.canon import Object
from convenio.core.draft import Draft, Seen, draft
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.fit import Member, Rules
from convenio.core.fold import FOLD_VERSION, Alarm, Delivery, Fold, Folded, Place, Receipt, Wait
from convenio.core.merkle import tree_root
from convenio.core.note import parse_signature_lines
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
from convenio.core.trust import Charter, author_key_name
from convenio.instruments.cases import Case, Casebook
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.cores import Cores
from convenio.node.definitions import known_instruments
from convenio.node.index import Index
from convenio.node.local import Channel
from convenio.node.registry import GENERATION, Log, Registry
from convenio.node.splits import Splits
from convenio.node.states import States
from convenio.store.api import Cosigned, LogStore
from convenio.store.objects import BlobStore

BATCH: Final = 512
MAX_WAITING: Final = 4096  # entries of a log held in memory because they wait for another log
MAX_OBJECTIONS: Final = 1000
Say = Callable[[Log, Draft, Seen], object]
Random = Callable[[int], bytes]
Brought = tuple[PartyId, str]  # a blob, and whose shelf it is on


@dataclass(slots=True)
class _Channel:
    """The state of one channel.

    seen: what our next entry may say it has seen; replaced, never changed. It covers an entry only
    once its bodies are here, or once a `received.v1` of ours has named them as lacking: else any
    record of ours would claim a receipt we cannot give. incomplete: entries whose bodies for us
    were not here when they were folded. arrived: entries of which something may have come since we
    last looked. objected: leaves we have objected to; considered: up to which index we have looked
    for what to object to. proven: whose cosignature over which leaf of ours we have logged, by the
    key's name. fresh: what came into the cut and is not looked at and indexed yet. book: the cases,
    told of everything that comes into the cut exactly once. last: how much of each log counts, once
    a party was found to have signed two histories; nothing beyond is folded. looked: how much of
    each log was looked at for proofs of such. marked: the fold marks as they were set. alarmed:
    how many were told. states: what members say all cases come to.
    """

    fold: Fold
    book: Casebook
    states: States
    seen: Seen = field(default_factory=dict)
    incomplete: dict[Place, bytes] = field(default_factory=dict)
    arrived: set[Place] | None = None  # None: not looked since the start
    objected: set[str] = field(default_factory=set)
    considered: dict[PartyId, int] = field(default_factory=dict)
    fresh: list[Folded] = field(default_factory=list)
    proven: set[tuple[str, str]] = field(default_factory=set)
    last: dict[PartyId, int] | None = None
    looked: dict[PartyId, int] = field(default_factory=dict)
    marked: dict[PartyId, int] = field(default_factory=dict)
    alarmed: int = 0

    @classmethod
    def of(cls, fold: Fold, own: PartyId) -> _Channel:
        book = Casebook(fold, known_instruments())
        return cls(fold, book, States(book, own))


def _nobody() -> None:
    pass


class Folding:
    """Keeps every channel folded until `stop`."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        store: LogStore,
        blobs: BlobStore,
        index: Index,
        clock: Clock,
        limits: Limits,
        rng: Random,
        node_desk: str,
        say: Say,
        folded: Callable[[Log], None],
        splits: Splits,
        failed: Callable[[Exception], None],
    ) -> None:
        """say: append a draft of the node itself to our log. folded: another's log has moved, or
        what it says differs from what we hold. splits: proofs that others log, or we owe."""
        self._registry, self._store, self._blobs = registry, store, blobs
        self._index, self._clock, self._limits, self._rng = index, clock, limits, rng
        self._node_desk, self._say, self._folded, self._failed = node_desk, say, folded, failed
        self._splits = splits
        self._cores = Cores()
        self._channels: dict[str, _Channel] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._generation = 0  # how often something was folded
        # Held from the look whether a new entry's bodies are here until the index says that it
        # cites them; who deletes what nothing cites holds it too.
        self.taking_in = threading.Lock()
        self._came: dict[str, set[Brought]] = {}
        self._dirty: set[str] = {""}
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)

    def start(self, progress: Callable[[int, int], None]) -> None:
        """Fold and index what is held already, then go on in a thread.

        progress: (entries done, entries in all), after each batch.
        """
        channels = self._foldable()
        logs = [log for channel in channels for log in self._registry.logs(channel.ch)]
        total = sum(self._store.head(log.origin).size for log in logs)

        def told() -> None:
            progress(sum(sum(self.cut(each.ch).values()) for each in channels), total)

        for channel in channels:
            self._fold_new(channel.ch, told)
        self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._cores.close()

    def wake(self, ch: str = "") -> None:
        """A log of a channel has grown; "": any may have."""
        with self._lock:
            self._dirty.add(ch)
        self._wake.set()

    def came(self, ch: str, party: PartyId, c: str) -> None:
        """`party` has brought a body."""
        with self._lock:
            self._came.setdefault(ch, set()).add((party, c))
        self.wake(ch)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            with self._lock:
                dirty, self._dirty = self._dirty, set()
            try:
                self._fold_all(dirty)
            except UnavailableError:  # the store says why; it is asked again at the next wake
                with self._lock:
                    self._dirty |= dirty
                continue
            except Exception as error:
                self._failed(error)
                return
            with self._changed:
                self._generation += 1
                self._changed.notify_all()

    def _fold_all(self, dirty: set[str]) -> None:
        for channel in self._foldable():
            if "" in dirty or channel.ch in dirty:
                self._fold_new(channel.ch)
                self._answer(channel.ch)

    def _foldable(self) -> list[Channel]:
        """Complete channels whose rules this program knows."""
        return [
            channel
            for channel in self._registry.channels()
            if not channel.signed.missing() and understands(channel.signed.charter)
        ]

    # --- questions ---

    def seen(self, ch: str) -> Seen:
        """How much of each other log is folded: what our next entry says it has seen."""
        state = self._channels.get(ch)
        return state.seen if state else {}

    def cut(self, ch: str) -> dict[PartyId, int]:
        with self._lock:
            state = self._channels.get(ch)
            return state.fold.cut() if state else {}

    def alarms(self, ch: str) -> tuple[Alarm, ...]:
        with self._lock:
            state = self._channels.get(ch)
            return state.fold.alarms if state else ()

    def differ(self, ch: str) -> list[PartyId]:
        """Members whose node comes to other states of cases than ours, by its own word."""
        with self._lock:
            state = self._channels.get(ch)
            return sorted(state.states.differ) if state else []

    def waits(self, ch: str) -> dict[PartyId, Wait]:
        """Logs that wait for another log, and for how much of it."""
        with self._lock:
            state = self._channels.get(ch)
            found = {p: state.fold.wait(p) for p in state.fold.parties} if state else {}
        return {party: wait for party, wait in found.items() if wait}

    def unfit(self, ch: str, party: PartyId) -> dict[int, str]:
        with self._lock:
            state = self._channels.get(ch)
            return dict(state.fold.unfit(party)) if state else {}

    def receipt(self, ch: str, place: Place, party: PartyId) -> Receipt | None:
        """That `party` has received an entry of another, by its own log or a logged proof."""
        with self._lock:
            state = self._channels.get(ch)
            if state is None or place.index >= state.fold.cut()[place.party]:
                return None
            return state.fold.receipt(place, party)

    def delivery(self, ch: str, place: Place, party: PartyId) -> Delivery:
        with self._lock:
            state = self._channels.get(ch)
            if state is None or place.index >= state.fold.cut()[place.party]:
                return Delivery.UNSEEN
            return state.fold.delivery(place, party)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Whether `ready` came true within `timeout_s`; asked again whenever something folds."""
        with self._changed:
            until = time.monotonic() + timeout_s
            while True:
                seen = self._generation
                if self._unlocked(ready):
                    return True
                left = until - time.monotonic()
                if left <= 0:
                    return False
                if seen == self._generation:  # else something was folded while we asked
                    self._changed.wait(left)

    def _unlocked(self, ready: Callable[[], bool]) -> bool:
        self._lock.release()
        try:
            return ready()
        finally:
            self._lock.acquire()

    def case(self, ch: str, leaf: bytes) -> Case | None:
        """The case that this entry opened, as all that is folded tells it."""
        with self._lock:
            state = self._channels.get(ch)
            return state.book.case(leaf) if state else None

    def lacking(self, log: Log, party: PartyId) -> list[int]:
        """Indexes of our entries whose bodies `party` says it lacks: what `feed` sends again."""
        with self._lock:
            state = self._channels.get(log.channel.ch)
            if state is None:
                return []
            return [place.index for place in state.fold.lacking(party) if place.party == log.party]

    def frozen(self, ch: str) -> bool:
        """Whether this channel is folded no further."""
        state = self._channels.get(ch)
        return state is not None and state.last is not None

    def citing(self, log: Log, c: str) -> Iterator[Header]:
        """The headers of fit entries of this log that name blob `c`."""
        for index in self._index.citing(log.channel.ch, log.party, c):
            for stored in self._store.entries(log.origin, index, index + 1):
                yield parse_record(stored.entry).header

    def freeze(self, ch: str) -> dict[PartyId, int]:
        """Fold this channel no further, from now on. Returns how much of each log counts.

        That is what is folded now; while a start is still going on, what was folded before it.
        """
        channel = self._registry.channel(ch)
        if channel.signed.missing() or not understands(channel.signed.charter):
            return {}
        state = self._state(ch)
        with self._lock:
            if state.last is None:
                marks = {log.party: self._store.fold_mark(log.origin)[0] for log in self._logs(ch)}
                state.last = {p: max(n, marks[p]) for p, n in state.fold.cut().items()}
            return dict(state.last)

    # --- folding ---

    def _fold_new(self, ch: str, told: Callable[[], None] = _nobody) -> None:
        """Feed the fold until nothing is new. Logs take turns: each may wait for others."""
        state = self._state(ch)
        self._take_in(state)  # what an error kept from being indexed the last time
        moved = True
        while moved and not self._stopping:
            moved = False
            for log in self._registry.logs(ch):
                if self._feed_batch(state, log):
                    moved = True
                    self._take_in(state)
                    told()
                    if not log.own:
                        self._folded(log)
        for log in self._logs(ch):
            self._mark_again(state, log)
            self._look_beyond(state, log)
        self._tell_alarms(state, ch)
        with self._lock:
            state.states.compare(int(self._clock()))

    def _feed_batch(self, state: _Channel, log: Log) -> bool:
        """Feed some of a log; False if there is nothing more, or too much of it waits already."""
        held, size = state.fold.held(log.party), state.fold.cut()[log.party]
        head = self._store.head(log.origin)
        if head.size <= held or held - size >= MAX_WAITING:
            return False
        judged, unfit = self._store.fold_mark(log.origin)
        known = log.own or held < judged  # their signatures were checked before
        end = min(held + BATCH, head.size if log.own or not known else judged)
        if state.last is not None:  # a split is proved: what was folded then is what counts
            end = min(end, state.last[log.party])
        if end <= held:
            return False
        entries = [stored.entry for stored in self._store.entries(log.origin, held, end)]
        if state.last is None and not log.own:
            entries = self._splits.until(log, entries)
        with self._lock:
            if state.last is not None and held + len(entries) > state.last[log.party]:
                return True  # frozen meanwhile: once more, and no further than that
            folded = state.fold.feed_all(log.party, held, entries, verified=known, unfit=unfit)
            for item in folded:
                state.book.take(item)
                state.states.take(item)
            state.fresh += folded
        self._remember(state, log, judged)
        return True

    def _look_beyond(self, state: _Channel, log: Log) -> None:
        """Look for proofs of two histories in what is stored and not fed to the fold."""
        with self._lock:
            held, sizes = state.fold.held(log.party), state.fold.cut()
        if state.last is None and held - sizes[log.party] < MAX_WAITING:
            return
        start, end = max(held, state.looked.get(log.party, 0)), self._store.head(log.origin).size
        self._splits.look(log, start, end, sizes)
        state.looked[log.party] = end

    def _tell_alarms(self, state: _Channel, ch: str) -> None:
        """A log that ends at an alarm has moved too: its party is to be asked what it holds."""
        with self._lock:
            alarms = state.fold.alarms
        if len(alarms) > state.alarmed:
            state.alarmed = len(alarms)
            for log in self._logs(ch):
                if not log.own and any(alarm.place.party == log.party for alarm in alarms):
                    self._folded(log)

    def _take_in(self, state: _Channel) -> None:
        """Look at what came into the cut, and index it; all again if an error ends it."""
        if state.fresh:
            with self.taking_in:
                for item in state.fresh:
                    self._look_at(state, item)
                self._index.add(state.fold.rules.ch, state.fresh, state.fold.cut())
            state.fresh = []

    def _look_at(self, state: _Channel, item: Folded) -> None:
        """What of an entry that came into the cut concerns our own next answer."""
        if item.place.party == self._registry.party:
            if item.header.type == OBJECTION:
                state.objected.add(str(item.header.data["leaf"]))
            elif item.header.type == PROOF:
                said = item.header.data
                state.proven.add((str(said["leaf"]), str(said["name"])))
            return
        if any(self._lacking(state, item.place.party, item.header)):
            state.incomplete[item.place] = item.leaf

    def _remember(self, state: _Channel, log: Log, judged: int) -> None:
        """Renew the mark up to which this log is judged, so that a restart need not do it again."""
        with self._lock:
            size = state.fold.cut()[log.party]
            unfit = dict(state.fold.unfit(log.party))
        state.marked[log.party] = max(size, judged)
        if size > judged:
            self._store.set_fold_mark(
                log.origin, size, {i: code for i, code in unfit.items() if i >= judged}
            )

    def _mark_again(self, state: _Channel, log: Log) -> None:
        """A log that waited for another is folded with that one's entries: its mark is late."""
        with self._lock:
            size = state.fold.cut()[log.party]
        if size > state.marked.get(log.party, size):
            self._remember(state, log, state.marked[log.party])

    def _logs(self, ch: str) -> list[Log]:
        return self._registry.logs(ch)

    def _state(self, ch: str) -> _Channel:
        with self._lock:
            state = self._channels.get(ch)
            if state is None:
                channel = self._registry.channel(ch)
                fold = Fold(rules_of(channel.signed.charter), self._root_at(ch), self._cores.spread)
                state = self._channels[ch] = _Channel.of(fold, self._registry.party)
                if channel.frozen_at:
                    cut = channel.frozen_cut
                    state.last = {party: cut.get(party, 0) for party in fold.parties}
        return state

    def _root_at(self, ch: str) -> Callable[[PartyId, int], bytes]:
        origins = {log.party: log.origin for log in self._registry.logs(ch)}

        def root_at(party: PartyId, size: int) -> bytes:
            head = self._store.head(origins[party])
            if size == head.size:
                return head.root
            return tree_root(size, self._store.reader(origins[party], size))

        return root_at

    # --- answering ---

    def _answer(self, ch: str) -> None:
        """Say what we received, what we lack, what has come; object to what breaks a rule.

        In this order: who objects to an entry has it in its past (docs/spec/fold.md).
        A failure to write is not ours to report: it stands in the store's and outbox's own state,
        and the next wake tries again.
        """
        state, own = self._channels[ch], self._registry.own_log(ch)
        if not own.channel.in_force:
            return
        with contextlib.suppress(ConvenioError):
            if state.last is not None:
                for record_id, data in self._splits.unsaid(own):
                    self._say(own, self._draft(own, SPLIT, data, record_id), {})
                return
            while self._say_received(state, own):
                self._fold_new(ch)  # so that what we have just said is not said again
            self._object(state, own)
            self._prove(state, own)

    def _say_received(self, state: _Channel, own: Log) -> bool:
        """One `received.v1`, if one is due; True if there may be more to say."""
        have = self._have(state, own)
        with self._lock:
            due = state.book.needs_answer(own.party)
            lack = self._unanswered(state, own.party)
        named, rest = self._first_lacking(state, lack)
        with self._lock:  # what does not fit, and what has it in its past, is not claimed yet
            seen = state.fold.seen(own.party, rest)
            digest = {} if rest else state.states.to_say(int(self._clock()))
        said = [*have][:MAX_LACKING]
        if due or named or have:
            data: Object = dict(digest)
            if named:
                data["lack"] = [leaf.hex() for leaf in named.values()]
            if said:
                data["have"] = [have[place].hex() for place in said]
            self._say(own, self._draft(own, RECEIVED, data), seen)
        state.seen = seen
        for place in named:
            state.incomplete.pop(place, None)
        if state.arrived is not None:
            state.arrived.difference_update(said)
        return bool(rest) or len(have) > len(said)

    def _have(self, state: _Channel, own: Log) -> dict[Place, bytes]:
        """The entries we said we lack something of, and which are whole now."""
        with self._lock:
            came = {*self._came.get(own.channel.ch, ())}
            absent = state.fold.lacking(own.party) if came or state.arrived != set() else []
        if state.arrived is None:
            state.arrived = set(absent)
        for party, c in came:
            citing = self._index.citing(own.channel.ch, party, c)
            state.arrived.update(Place(party, index) for index in citing)
        with self._lock:
            self._came.get(own.channel.ch, set()).difference_update(came)
        state.arrived &= {*absent, *state.incomplete}  # what is named already, or will be
        whole = [p for p in absent if p in state.arrived and self._complete(state, p)]
        return {place: state.fold.leaf(place) for place in whole}

    def _first_lacking(
        self, state: _Channel, places: dict[Place, bytes]
    ) -> tuple[dict[Place, bytes], list[Place]]:
        """The first few, as they were folded, of which something lacks; and all that follow.

        Those are looked at when their turn comes: there may be as many as a partner sends in a day.
        """
        named: dict[Place, bytes] = {}
        rest = iter(places)
        while len(named) < MAX_LACKING and (place := next(rest, None)):
            if not self._complete(state, place):
                named[place] = places[place]
        return named, list(rest)

    def _unanswered(self, state: _Channel, own: PartyId) -> dict[Place, bytes]:
        """The incomplete entries that nothing we have said covers yet."""
        size = state.fold.cut()[own]
        last = Place(own, size - 1) if size else None
        for place in list(state.incomplete):
            if last and place.index < state.fold.covers(last, place.party):
                del state.incomplete[place]
        return dict(state.incomplete)

    def _header(self, state: _Channel, place: Place) -> Header:
        member = next(m for m in state.fold.rules.members if m.party == place.party)
        (stored,) = self._store.entries(member.origin, place.index, place.index + 1)
        return parse_record(stored.entry).header

    def _complete(self, state: _Channel, place: Place) -> bool:
        """Whether every body of a record that is meant for us is here."""
        return not any(self._lacking(state, place.party, self._header(state, place)))

    def _lacking(self, state: _Channel, party: PartyId, header: Header) -> Iterator[str]:
        """The blobs of a record of `party` that are meant for us, and that it has not brought."""
        shelf = self._blobs.shelf(state.fold.rules.ch, party)
        return (c for c in self._ours(header) if not shelf.has(c))

    def _ours(self, header: Header) -> Iterator[str]:
        """The blobs of a record that are meant for us."""
        for body in header.bodies:
            mine = any(a.startswith(f"{self._registry.party}:") for a in body.to)
            if body.form == "open" or mine:
                yield body.c

    def _object(self, state: _Channel, own: Log) -> None:
        """One `objection.v1` to each unfit entry of another, up to a bound."""
        for log in self._registry.logs(own.channel.ch):
            if log.own or len(state.objected) >= MAX_OBJECTIONS:
                continue
            for index, code in self._unconsidered(state, log):
                (stored,) = self._store.entries(log.origin, index, index + 1)
                leaf = stored.leaf.hex()
                if leaf not in state.objected and len(state.objected) < MAX_OBJECTIONS:
                    data: Object = {"leaf": leaf, "code": code.replace(".", "_")}
                    self._say(own, self._draft(own, OBJECTION, data), state.seen)
                    state.objected.add(leaf)
                state.considered[log.party] = index

    def _unconsidered(self, state: _Channel, log: Log) -> list[tuple[int, str]]:
        last = state.considered.get(log.party, -1)
        with self._lock:
            unfit = state.fold.unfit(log.party)
            fresh = takewhile(lambda index: index > last, reversed(cast(dict[int, str], unfit)))
            return [(index, unfit[index]) for index in fresh][::-1]

    def _prove(self, state: _Channel, own: Log) -> None:
        """Log a debtor's cosignature over what started a clock, if it keeps silent about it.

        Else a debtor that takes everything and never writes `received.v1` would never be overdue.
        Each debtor once: one of several may have been away while the other was proved.
        """
        now = int(self._clock())
        with self._lock:
            owed = list(state.book.unreceived(own.party))
        for place, party in owed:
            key, leaf = own.charter.member(party).mirror_verifiers()[0], state.fold.leaf(place)
            if (leaf.hex(), key.name) in state.proven:
                continue
            taken = self._store.earliest_cosignature(own.origin, key.name, place.index + 1)
            if taken and now - taken.at >= self._limits.proof_after_s:
                self._say(own, self._draft(own, PROOF, _proof_data(leaf, taken)), state.seen)
                state.proven.add((leaf.hex(), key.name))

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


def understands(charter: Charter) -> bool:
    """Whether this program has the fold and every instrument that the charter pins."""
    known = {instrument.hash for instrument in known_instruments()}
    return charter.fold == FOLD_VERSION and known >= set(charter.instruments.values())


def rules_of(charter: Charter) -> Rules:
    """The charter as the fold asks it."""
    members = tuple(
        Member(
            party=card.party,
            gen=GENERATION,
            origin=charter.origin(card.party),
            authors={v.name: v for v in card.author_verifiers()},
            cosigners=card.mirror_verifiers(),
            log=charter.log_verifiers(card.party)[0],
        )
        for card in charter.parties
    )
    return Rules(
        ch=charter.ch,
        fold=charter.fold,
        members=members,
        types=frozenset(charter.types),
        instruments=frozenset(charter.instruments.values()),
    )


def _proof_data(leaf: bytes, taken: Cosigned) -> Object:
    """A cosignature as `proof.v1` carries it: the words of its signature line."""
    (line,) = parse_signature_lines(taken.line, MAX_RECORD_BYTES)
    sig = base64.b64encode(line.key_id + line.signature).decode()
    root = taken.root.hex()
    return {"leaf": leaf.hex(), "size": taken.size, "root": root, "name": line.name, "sig": sig}
