"""The fold: what the logs of a channel say together, the same on every node that holds the same.

Rules (2) to (5), (7) and (9) of docs/spec/fold.md: the closed cut, which entry was before which,
receipts, what is settled, and alarms. Cases and clocks are built on this by `instruments`. Nothing
here asks for a clock, an order of arrival, a body or a cosignature that no log holds.

A `Fold` only grows. Every question may be put to an earlier closed cut; the answer is the one a
node gave that held no more than this cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Final, cast

from convenio.core.checkpoint import Checkpoint
from convenio.core.custody import Custody, stamps_of
from convenio.core.errors import RefusedError
from convenio.core.faults import Faults
from convenio.core.fit import (
    Fit,
    Opened,
    Rules,
    Spread,
    Unfit,
    judge,
    open_entries,
)
from convenio.core.foldedlog import FIT, SAYS_RECEIVED, VOID, FoldedLog, Head, Waiting
from convenio.core.note import Verifier
from convenio.core.place import Alarm, Cut, Delivery, Folded, Place, Receipt, Wait
from convenio.core.record import PROOF, RECEIVED, Header, PartyId

FOLD_VERSION: Final = 1
RootAt = Callable[[PartyId, int], bytes]

_NO_PROOF: Final = -1
_NONE_UNFIT: Final[Mapping[int, str]] = {}
_OPEN_AT_ONCE: Final = 256


class Fold:
    """The logs of one channel, folded as far as they are closed. Not thread-safe.

    root_at(party, size) gives the root of that party's log at any size fed so far; the node has it
    from its tiles, so it is not kept here a second time. spread: how signatures are checked.
    """

    def __init__(self, rules: Rules, root_at: RootAt, spread: Spread = map) -> None:
        if rules.fold != FOLD_VERSION:
            raise RefusedError("fold.version", version=rules.fold)
        self._rules = rules
        self._root_at, self._spread = root_at, spread
        members = len(rules.members)
        self._order = [FoldedLog(m.party, i, members) for i, m in enumerate(rules.members)]
        self._logs = {log.party: log for log in self._order}
        self._custody = Custody()
        self._halted = False

    # --- feeding -----------------------------------------------------------------------------

    def rules_for(self, past: Sequence[int]) -> Rules:
        """The rules in force for an entry before which the logs had these sizes: rule (7).

        Everything asks here. So far nothing amends a charter, so the past makes no difference.
        Args:    past: sizes in charter order.
        """
        del past
        return self._rules

    def amend(self, place: Place, header: Header) -> None:
        """Note a fit entry that changes the rules of what comes after it. So far nothing does.

        It is asked for every fit entry as it comes into the cut, before a later one is judged.
        """

    def feed(
        self, party: PartyId, index: int, entry: bytes, *, verified: bool = False, unfit: str = ""
    ) -> list[Folded]:
        """As `feed_all` for one entry. unfit: the code by which it was judged unfit before."""
        known = {index: unfit} if unfit else {}
        return self.feed_all(party, index, (entry,), verified=verified, unfit=known)

    def feed_all(
        self,
        party: PartyId,
        start: int,
        entries: Sequence[bytes],
        *,
        verified: bool = False,
        unfit: Mapping[int, str] = _NONE_UNFIT,
    ) -> list[Folded]:
        """Take entries of a log from `start` on; what has come into the cut, predecessors first.

        Each log is fed in its own order and logs in any order; many entries at a time are faster.
        One held already is ignored. One that must wait for another log stays in memory: ask `wait`
        which log to feed next.

        Args:    verified: this node has checked the signatures of these bytes before.
                 unfit: indices that it has judged unfit before, with their codes.
        """
        log = self._logs[party]
        if self._halted:
            return []
        if start > log.held:
            raise RuntimeError("a log is fed in its own order")
        fresh = entries[log.held - start :]
        if log.alarm is None:
            log.queue += ((e, verified, unfit.get(i, "")) for i, e in enumerate(fresh, log.held))
        log.held += len(fresh)
        folded: list[Folded] = []
        self._advance(log, folded)
        return folded

    def halt(self) -> None:
        """Fold no further: somebody has shown two histories, and the cut held is what counts."""
        self._halted = True

    def _advance(self, fed: FoldedLog, folded: list[Folded]) -> None:
        """Fold what can be folded now that more of `fed` is held."""
        todo = [fed]
        while todo:
            log = todo.pop()
            while log.queue and self._step(log, folded):
                pass
            todo += [o for o in self._order if o.wait and self._due(o, log)]

    @staticmethod
    def _due(log: FoldedLog, other: FoldedLog) -> bool:
        """Whether what `log` waits for has come with `other`."""
        if log.wait is None or log.head is None or log.wait.party != other.party:
            return False
        return log.wait.size <= (other.size if log.head.checked else other.held)

    def _step(self, log: FoldedLog, folded: list[Folded]) -> bool:
        """Fold the first of a log's queue; False if it must wait, or never can be."""
        head = log.head = log.head or self._judge(log)
        if isinstance(head.verdict, Unfit):
            log.unfit.add(log.size, head.verdict.code)
            log.append(None, 0)
        elif self._closed(log, head, head.verdict.header):
            folded.append(self._take(log, head.leaf, head.verdict))
        else:
            return False
        log.queue.popleft()
        log.opened.popleft()
        return True

    def _judge(self, log: FoldedLog) -> Head:
        rules = self.rules_for(log.row)
        member = rules.members[log.order]
        if not log.opened or log.opened[0].authors is not member.authors:
            log.opened = deque(_open(log.queue, member.authors, self._spread))
        opened = log.opened[0]
        return Head(opened.leaf, judge(opened, member, log.state, rules))

    def _closed(self, log: FoldedLog, head: Head, header: Header) -> bool:
        """Whether all that `header` claims to have seen is in the cut, with those roots: rule (2).

        A root is compared as soon as the size is held, to raise the alarm early.
        """
        if header.seen.items() <= log.seen.items():
            return True
        claims = [(p, c) for p, c in header.seen.items() if log.seen.get(p) != c]
        if not head.checked:
            for party, (size, root) in claims:
                if size > self._logs[party].held:
                    log.wait = Wait(party, size)
                    return False
                if (held := self._root_at(party, size)) != bytes.fromhex(root):
                    place = Place(log.party, log.size)
                    log.stop(Alarm(place, party, size, bytes.fromhex(root), held))
                    return False
            head.checked = True
        for party, (size, _) in claims:
            if size > self._logs[party].size:
                log.wait = Wait(party, size)
                return False
        return True

    def _take(self, log: FoldedLog, leaf: bytes, fit: Fit) -> Folded:
        """Put a fit entry into the cut."""
        header, place, before = fit.header, Place(log.party, log.size), log.row[:]
        for party, (size, _) in header.seen.items():
            seen = self._logs[party]
            if size > log.row[seen.order]:
                self._reach(log.row, seen, size)
        log.seen.update(header.seen)
        log.state.take(fit)
        rules = self.rules_for(log.row)
        void, received = not rules.names(header.type), header.type == RECEIVED
        log.append(leaf, FIT | VOID * void | SAYS_RECEIVED * received)
        self.amend(place, header)
        if received and header.data:
            self._note_bodies(log, before, header)
        elif header.type == PROOF:
            self._note_stamp(log, place.index, header, rules)
        return Folded(place, leaf, header, void)

    @staticmethod
    def _reach(row: list[int], seen: FoldedLog, size: int) -> None:
        """Make `row` cover the first `size` entries of `seen` and all before the last of these."""
        row[seen.order] = size
        for order, column in enumerate(seen.past):
            row[order] = max(row[order], column[size - 1])

    # --- what a log says of others' entries ----------------------------------------------------

    def _note_bodies(self, log: FoldedLog, before: list[int], header: Header) -> None:
        """Remember `lack` (only of what this entry is the first to cover), then later `have`."""
        for leaf in _leaves(header, "have"):
            if place := self.find(leaf):
                self._custody.have(log.party, place, log.size - 1)
        for leaf in _leaves(header, "lack"):
            place = self.find(leaf)
            if place and place.party != log.party:
                order = self._logs[place.party].order
                if before[order] <= place.index < log.row[order]:
                    self._custody.lack(log.party, place)

    def _note_stamp(self, log: FoldedLog, index: int, header: Header, rules: Rules) -> None:
        """Remember a `proof.v1` that holds: a cosigned root of this log over one of its entries."""
        number = log.leaves.find(bytes.fromhex(cast(str, header.data["leaf"])))
        size, root = cast(int, header.data["size"]), bytes.fromhex(cast(str, header.data["root"]))
        if number is None or not number < size <= index or self._root_at(log.party, size) != root:
            return
        checkpoint = Checkpoint(rules.members[log.order].origin, size, root)
        shown = stamps_of(rules, checkpoint, header, index)
        self._custody.show(Place(log.party, number), shown)

    # --- questions -------------------------------------------------------------------------------

    @property
    def parties(self) -> tuple[PartyId, ...]:
        """The members in charter order."""
        return tuple(self._logs)

    @property
    def rules(self) -> Rules:
        return self._rules

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Roots claimed that are not those held; at most one a log, which ends there."""
        return tuple(log.alarm for log in self._order if log.alarm)

    @property
    def halted(self) -> bool:
        return self._halted

    def cut(self) -> dict[PartyId, int]:
        """The greatest closed cut of what is held."""
        return {log.party: log.size for log in self._order}

    def held(self, party: PartyId) -> int:
        """How many entries of a log have been fed."""
        return self._logs[party].held

    def is_folded(self, party: PartyId) -> bool:
        """Whether all that is held of a log is in the cut."""
        log = self._logs[party]
        return log.size == log.held

    def wait(self, party: PartyId) -> Wait | None:
        """What the next entry of a log waits for; None if nothing keeps it."""
        return self._logs[party].wait

    def unfit(self, party: PartyId) -> Faults:
        """The unfit entries of a log within the cut, with their codes."""
        return self._logs[party].unfit

    def seen(
        self, party: PartyId, without: Collection[Place] = ()
    ) -> dict[PartyId, tuple[int, str]]:
        """What `party`'s next entry is to say it has seen: all that is folded of the others.

        Args:    without: entries it is not to cover yet, nor anything that has them in its past.
        """
        return {
            other: (size, self._root_at(other, size).hex())
            for other, size in self._cut_without(without).items()
            if size and other != party
        }

    def _cut_without(self, places: Collection[Place]) -> dict[PartyId, int]:
        """The greatest closed cut that holds none of `places`."""
        cut = self.cut()
        for place in places:
            cut[place.party] = min(cut[place.party], place.index)
        shrinks = bool(places)
        while shrinks:
            shrinks = False
            for log in self._order:
                for other in self._order:
                    size = bisect_right(log.past[other.order], cut[other.party], 0, cut[log.party])
                    if other is not log and size < cut[log.party]:
                        cut[log.party], shrinks = size, True
        return cut

    def find(self, leaf: bytes) -> Place | None:
        """Where the fit entry with this leaf hash is, if it is in the cut."""
        for log in self._order:
            if (number := log.leaves.find(leaf)) is not None:
                return Place(log.party, number)
        return None

    def leaf(self, place: Place) -> bytes:
        """The leaf hash of a fit entry."""
        return self._logs[place.party].leaves[place.index]

    def at(self, place: Place) -> int:
        """When a fit entry says it was made, seconds UTC."""
        return self._logs[place.party].at[place.index]

    def is_fit(self, place: Place) -> bool:
        return bool(self._logs[place.party].flags[place.index] & FIT)

    def is_void(self, place: Place) -> bool:
        """Whether the charter does not name the type of a fit entry: it then changes nothing."""
        return bool(self._logs[place.party].flags[place.index] & VOID)

    def past(self, place: Place) -> dict[PartyId, int]:
        """How much of each log was before this entry: itself a closed cut."""
        log = self._logs[place.party]
        return {other.party: log.past[other.order][place.index] for other in self._order}

    def before(self, first: Place, then: Place) -> bool:
        """Whether `first` → `then`: rule (3)."""
        if first.party == then.party:
            return first.index < then.index
        return first.index < self.covers(then, first.party)

    def covers(self, place: Place, party: PartyId) -> int:
        """How many entries of `party`'s log are before this one."""
        return self._logs[place.party].past[self._logs[party].order][place.index]

    def is_closed(self, cut: Cut) -> bool:
        """Whether everything before each entry of `cut` is in it; the last of each log tells."""
        return all(
            size <= self._logs[party].size
            and all(
                self.covers(Place(party, size - 1), other) <= cut[other] for other in cut if size
            )
            for party, size in cut.items()
        )

    # --- receipts --------------------------------------------------------------------------------

    def first_after(self, place: Place, party: PartyId, cut: Cut | None = None) -> int | None:
        """The index of `party`'s first fit entry with `place` in its past, within `cut`.

        A row changes only at a fit entry, so the first index whose row covers `place` is fit.
        """
        log, other = self._logs[party], self._logs[place.party]
        if log is other:
            raise RuntimeError("a party's own later entries all have its entry in their past")
        index = bisect_right(log.past[other.order], place.index)
        return index if index < (log.size if cut is None else cut[party]) else None

    def receipt(self, place: Place, party: PartyId, cut: Cut | None = None) -> Receipt | None:
        """That `party` received an entry of another, by what is within `cut`: rule (4)."""
        end = self.cut() if cut is None else cut
        entry = self._entry_of_receipt(place, party, end)
        times = [] if entry is None else [(self._logs[party].at[entry], _NO_PROOF)]
        for stamp in self._custody.stamps(place, end):
            late = entry is not None and self.before(
                Place(party, entry), Place(place.party, stamp.index)
            )
            if stamp.cosigner == party and not late:
                times.append((stamp.at, stamp.index))
        if not times:
            return None
        at, proof = min(times)
        return Receipt(at, entry, None if proof == _NO_PROOF else proof)

    def _entry_of_receipt(self, place: Place, party: PartyId, end: Cut) -> int | None:
        entry = self.first_after(place, party, end)
        if entry is None or self._custody.lacks(party, place):
            return None
        later = self._custody.had(party, place)
        if later is None:
            return entry
        return later if later < end[party] else None

    def neutral_stamps(self, place: Place, cut: Cut | None = None) -> list[int]:
        """Times at which neutral witnesses cosigned an entry, as its sender has logged them."""
        end = self.cut() if cut is None else cut
        return [s.at for s in self._custody.stamps(place, end) if s.cosigner is None]

    def delivery(self, place: Place, party: PartyId, cut: Cut | None = None) -> Delivery:
        """What `party`'s own log says of another's entry; proofs are not asked."""
        end = self.cut() if cut is None else cut
        if self.first_after(place, party, end) is None:
            return Delivery.UNSEEN
        received = self._entry_of_receipt(place, party, end) is not None
        return Delivery.RECEIVED if received else Delivery.LACKING

    def lacking(self, party: PartyId) -> list[Place]:
        """Entries whose bodies `party` has named as lacking, and not yet as had."""
        return self._custody.lacking(party)

    def lacks(self, party: PartyId, place: Place) -> bool:
        """Whether `place` is one of `lacking`."""
        return self._custody.lacks(party, place)

    def settled(self, place: Place, parties: Collection[PartyId], cut: Cut | None = None) -> bool:
        """Whether an entry is in the past of all that `parties` will ever say: rule (5)."""
        others = (party for party in parties if party != place.party)
        return all(self.first_after(place, party, cut) is not None for party in others)

    # --- answering -------------------------------------------------------------------------------

    def said_seen(self, party: PartyId, other: PartyId) -> int:
        """How many entries of `other`'s log the last entry of `party` in the cut covers."""
        return self._logs[party].row[self._logs[other].order]

    def new_to(self, party: PartyId) -> Iterator[Place]:
        """The fit entries of others in the cut that nothing `party` has said covers yet."""
        own = self._logs[party]
        for log in self._order:
            if log is not own:
                for index in range(own.row[log.order], log.size):
                    if log.flags[index] & FIT:
                        yield Place(log.party, index)

    def needs_answer(self, party: PartyId) -> bool:
        """Whether `party` owes a `received.v1`: somebody has said more than that he received.

        Not while its own log is not all folded: one more entry would change nothing.
        """
        own = self._logs[party]
        return self.is_folded(party) and any(
            log.spoke > own.row[log.order] for log in self._order if log is not own
        )


def _open(
    queue: deque[Waiting], authors: Mapping[str, Verifier], spread: Spread
) -> Iterator[Opened]:
    """The first few entries of a queue, opened; those known to be unfit are not looked into."""
    for (verified, unfit), alike in groupby(islice(queue, _OPEN_AT_ONCE), key=itemgetter(1, 2)):
        if unfit:
            yield from (Opened(b"", None, unfit, "", authors) for _ in alike)
        else:
            some = [entry for entry, _, _ in alike]
            yield from open_entries(some, authors, verified=verified, spread=spread)


def _leaves(header: Header, key: str) -> list[bytes]:
    return [bytes.fromhex(leaf) for leaf in cast(list[str], header.data.get(key, []))]
