"""Folding: reads what the logs say, keeps each channel's state, and has it answered.

One thread. After a commit to our log or a step of a mirror it is woken, feeds the new entries to
the channel's `Fold`, indexes what came into the cut, and lets `answering` say so in our own log.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from convenio.core.draft import Seen
from convenio.core.errors import ConvenioError, RefusedError, UnavailableError
from convenio.core.fit import Rules
from convenio.core.fold import Fold
from convenio.core.merkle import tree_root
from convenio.core.place import Alarm, Delivery, Folded, Place, Receipt, Wait
from convenio.core.record import Header, PartyId, parse_record
from convenio.core.trust import Charter
from convenio.instruments.builtin import require_understood
from convenio.instruments.cases import Case, Casebook
from convenio.node.answering import Answering, Answers
from convenio.node.clock import Clock
from convenio.node.cores import Cores
from convenio.node.definitions import known_instruments
from convenio.node.index import Index
from convenio.node.local import Channel
from convenio.node.registry import Log, Registry
from convenio.node.splits import Splits
from convenio.node.states import States
from convenio.store.api import LogStore

BATCH: Final = 512
MAX_WAITING: Final = 4096  # entries of a log held in memory because they wait for another log


@dataclass(slots=True)
class _Channel:
    """What is folded of one channel, and how far.

    book: the cases, told of everything that comes into the cut exactly once. states: what members
    say all cases come to. answers: what is to be said of it in our own log. fresh: what came into
    the cut and is not looked at and indexed yet. last: how much of each log counts, once a party
    was found to have signed two histories; nothing beyond is folded. looked: how much of each log
    was looked at for proofs of such. marks: the fold marks as the store has them. alarmed: how
    many were told.
    """

    fold: Fold
    book: Casebook
    states: States
    answers: Answers
    fresh: list[Folded] = field(default_factory=list)
    last: dict[PartyId, int] | None = None
    looked: dict[PartyId, int] = field(default_factory=dict)
    marks: dict[PartyId, tuple[int, dict[int, str]]] = field(default_factory=dict)
    alarmed: int = 0

    @classmethod
    def of(cls, fold: Fold, own: PartyId, lock: threading.Lock) -> _Channel:
        book = Casebook(fold, known_instruments())
        states = States(book, own)
        return cls(fold, book, states, Answers(book, states, lock))


def _nobody() -> None:
    pass


class Folding:
    """Keeps every channel folded until `stop`."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        store: LogStore,
        index: Index,
        answering: Answering,
        splits: Splits,
        clock: Clock,
        folded: Callable[[Log], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """splits: proofs of two histories in what others log. folded: another's log has moved, or
        what it says differs from what we hold."""
        self._registry, self._store, self._index = registry, store, index
        self._answering, self._splits, self._clock = answering, splits, clock
        self._folded, self._failed = folded, failed
        self._cores = Cores()
        self._channels: dict[str, _Channel] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._generation = 0  # how often something was folded
        # Held from the look whether a new entry's bodies are here until the index says that it
        # cites them; who deletes what nothing cites holds it too.
        self.taking_in = threading.Lock()
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
        self._answering.came(ch, party, c)
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
        return state.answers.seen if state else {}

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
        judged, unfit = self._mark(state, log)
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
                    self._answering.note(state.answers, item)
                self._index.add(state.fold.rules.ch, state.fresh, state.fold.cut())
            state.fresh = []

    def _remember(self, state: _Channel, log: Log, judged: int) -> None:
        """Renew the mark up to which this log is judged, so that a restart need not do it again."""
        with self._lock:
            size = state.fold.cut()[log.party]
            fresh = dict(state.fold.unfit(log.party).since(judged))
        if size > judged:
            self._store.set_fold_mark(log.origin, size, fresh)
            state.marks[log.party] = size, {}
        elif state.fold.held(log.party) >= judged:  # all that was known is fed
            state.marks[log.party] = judged, {}

    def _mark_again(self, state: _Channel, log: Log) -> None:
        """A log that waited for another is folded with that one's entries: its mark is late."""
        if log.party in state.marks:
            self._remember(state, log, state.marks[log.party][0])

    def _mark(self, state: _Channel, log: Log) -> tuple[int, dict[int, str]]:
        """Up to which entry this log is judged, and what of it was found unfit before the start."""
        if log.party not in state.marks:
            state.marks[log.party] = self._store.fold_mark(log.origin)
        return state.marks[log.party]

    def _logs(self, ch: str) -> list[Log]:
        return self._registry.logs(ch)

    def _state(self, ch: str) -> _Channel:
        with self._lock:
            state = self._channels.get(ch)
            if state is None:
                channel = self._registry.channel(ch)
                fold = Fold(Rules.of(channel.signed.charter), self._root_at(ch), self._cores.spread)
                state = self._channels[ch] = _Channel.of(fold, self._registry.party, self._lock)
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
                self._answering.say_splits(own)
                return
            while self._answering.say_received(state.answers, own):
                self._fold_new(ch)  # so that what we have just said is not said again
            self._answering.object_to_unfit(state.answers, own)
            self._answering.prove(state.answers, own)


def understands(charter: Charter) -> bool:
    """Whether this program knows the rules of a channel."""
    try:
        require_understood(charter, known_instruments())
    except RefusedError:
        return False
    return True
