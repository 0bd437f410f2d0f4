"""The definition of docs/spec/fold.md, transcribed as literally as can be, slowly.

Sets of entries instead of sizes, everything recomputed, nothing incremental. It shares with the
program only the parsing of one record, hashes and signatures. `faults` are the wrong readings that
the definition names; the property tests must find each of them.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, cast

from tests.property.channel import REVOKE

from convenio.core.canon import Json, Object
from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import MalformedError, SignatureError
from convenio.core.fit import Rules
from convenio.core.note import Verifier
from convenio.core.record import OBJECTION, PROOF, RECEIVED, Header, PartyId, parse_record
from convenio.instruments.model import Clock, Instrument

OWN_FIRST = "own-first ties"
REACH_BACK = "revocation that reaches back"
NO_CLOSURE = "no closure"
BY_TIME = "order by time"
FORGETFUL = "forgetting one's own claims"
FAULTS = (OWN_FIRST, REACH_BACK, NO_CLOSURE, BY_TIME, FORGETFUL)

SKEW_S = 300
At = tuple[PartyId, int]  # an entry: whose log, and where


@dataclass(frozen=True)
class Entry:
    place: At
    leaf: bytes
    header: Header

    def __hash__(self) -> int:
        return hash(self.place)


Entries = frozenset[Entry]


@dataclass
class Oracle:
    """What the logs held say. viewer: who asks; it makes a difference to one of the faults only."""

    rules: Rules
    instruments: Collection[Instrument]
    held: Mapping[PartyId, Sequence[bytes]]
    faults: frozenset[str] = frozenset()
    viewer: PartyId | None = None
    _pasts: dict[At, Entries] = field(default_factory=dict)
    _walks: dict[tuple[At, Entries], tuple[str, dict[str, Entry], list[Any]]] = field(
        default_factory=dict
    )

    # (1) Fit.

    @cached_property
    def fit(self) -> dict[PartyId, list[Entry | None]]:
        return {member.party: self._fit_log(member.party) for member in self.rules.members}

    def _fit_log(self, party: PartyId) -> list[Entry | None]:
        entries: list[Entry | None] = []
        for index, raw in enumerate(self.held[party]):
            earlier = [e for e in entries if e]
            entries.append(self._fit(party, index, raw, earlier))
        if REACH_BACK in self.faults:
            revoked = {e.header.data["key"] for e in entries if e and e.header.type == REVOKE}
            entries = [e if e and not revoked & set(e.header.by) else None for e in entries]
        return entries

    def _fit(self, party: PartyId, index: int, raw: bytes, earlier: list[Entry]) -> Entry | None:
        member = next(m for m in self.rules.members if m.party == party)
        header = _signed(raw, tuple(member.authors.values()))
        revoked = {e.header.data["key"] for e in earlier if e.header.type == REVOKE}
        if (
            header is None
            or (header.sender, header.ch, header.gen) != (party, self.rules.ch, member.gen)
            or set(header.seen) - {m.party for m in self.rules.members} - {party}
            or party in header.seen
            or revoked & set(header.by)
            or (earlier and header.at < earlier[-1].header.at)
            or any(e.header == header for e in earlier)
        ):
            return None
        return Entry((party, index), hashlib.sha256(b"\0" + raw).digest(), header)

    # (2) Closed cut.

    def root(self, party: PartyId, size: int) -> bytes:
        return _tree([hashlib.sha256(b"\0" + raw).digest() for raw in self.held[party][:size]])

    @cached_property
    def cut(self) -> dict[PartyId, int]:
        cut = {party: len(log) for party, log in self.held.items()}
        if NO_CLOSURE in self.faults:
            return cut
        while True:
            ends = [e.place for e in self._within(cut) if not self._serves(cut, e)]
            if not ends:
                return cut
            for party, index in ends:
                cut[party] = min(cut[party], index)

    def _within(self, cut: Mapping[PartyId, int]) -> list[Entry]:
        return [e for party, size in cut.items() for e in self.fit[party][:size] if e]

    def _serves(self, cut: Mapping[PartyId, int], entry: Entry) -> bool:
        return all(
            size <= cut[party] and self.root(party, size).hex() == root
            for party, (size, root) in entry.header.seen.items()
        )

    # (3) Before.

    def past(self, f: Entry) -> Entries:
        if f.place not in self._pasts:
            party, index = f.place
            own = [e for e in self.fit[party][:index] if e]
            seen = [e for p, (size, _) in f.header.seen.items() for e in self.fit[p][:size] if e]
            inherited = seen if FORGETFUL in self.faults else own + seen
            past = frozenset(own + seen).union(*(self.past(e) for e in inherited))
            self._pasts[f.place] = past
        return self._pasts[f.place]

    # (4) Receipt. `within` is a closed set of entries: a cut, or a past.

    def said_by(self, party: PartyId, within: Entries) -> list[Entry]:
        return sorted((e for e in within if e.place[0] == party), key=lambda e: e.place)

    def receipt(self, e: Entry, party: PartyId, within: Entries) -> tuple[int | None, Entry | None]:
        """(T, a): the time of the receipt and the entry that is one."""
        first = next((a for a in self.said_by(party, within) if e in self.past(a)), None)
        a = first
        if first and e.leaf.hex() in self._named(first, "lack"):
            later = [f for f in self.said_by(party, within) if f.place > first.place]
            a = next((f for f in later if e.leaf.hex() in self._named(f, "have")), None)
        times = [a.header.at] if a else []
        for p, who, at in self._proofs(e, within):
            if who == party and not (a and a in self.past(p)):
                times.append(at)
        return (min(times) if times else None), a

    @staticmethod
    def _named(entry: Entry, key: str) -> list[str]:
        if entry.header.type != RECEIVED:
            return []
        return cast(list[str], entry.header.data.get(key, []))

    def _proofs(self, e: Entry, within: Entries) -> list[tuple[Entry, PartyId | None, int]]:
        """The `proof.v1` of the sender of `e` that hold: (p, who cosigned or None, when)."""
        found = []
        for p in self.said_by(e.place[0], within):
            data = p.header.data
            if p.header.type == PROOF and data["leaf"] == e.leaf.hex():
                size = cast(int, data["size"])
                if e.place[1] < size <= p.place[1]:
                    found += self._cosigned(p, size)
        return found

    def _cosigned(self, p: Entry, size: int) -> list[tuple[Entry, PartyId | None, int]]:
        data, party = p.header.data, p.place[0]
        origin = next(m.origin for m in self.rules.members if m.party == party)
        root = self.root(party, size)
        if root.hex() != data["root"]:
            return []
        keys: list[tuple[PartyId | None, Any]] = [(None, key) for key in self.rules.witnesses]
        keys += [(m.party, k) for m in self.rules.members for k in m.cosigners if m.party != party]
        try:
            raw = b64decode(cast(str, data["sig"]), validate=True)
        except ValueError:
            return []
        for who, key in keys:
            if (key.name, key.key_id) == (data["name"], raw[:4]):
                try:
                    at = key.verify_checkpoint(Checkpoint(origin, size, root), raw[4:])
                except SignatureError:
                    return []
                return [(p, who, at)] if at > 0 else []
        return []

    # (5) Settled.

    def settled(self, e: Entry, parties: Iterable[PartyId], within: Entries) -> bool:
        return all(
            party == e.place[0] or any(e in self.past(a) for a in self.said_by(party, within))
            for party in parties
        )

    # (6) Case.

    def openings(self, within: Entries) -> list[Entry]:
        order = [m.party for m in self.rules.members]
        found = [e for e in within if not e.header.case and self._instrument(e)]
        return sorted(found, key=lambda e: (order.index(e.place[0]), e.place[1]))

    def _instrument(self, e: Entry) -> Instrument | None:
        """The instrument that `e` opens a case of."""
        header = e.header
        for each in self.instruments:
            if each.hash == header.inst and header.inst in self.rules.instruments:
                opens = (START, each.opener, header.act) in each.table
                fits = each.due_fits(header.act, header.due_in)
                if opens and fits and len(self.roles(e, each)) > 1 and self.counts(e):
                    return each
        return None

    def counts(self, e: Entry) -> bool:
        """(7) A type that the charter does not name is void; an automatic record is no event."""
        return e.header.type in self.rules.types

    def roles(self, opening: Entry, instrument: Instrument) -> dict[PartyId, str]:
        to = {address.partition(":")[0] for address in opening.header.to}
        roles = {}
        for member in self.rules.members:
            if member.party == opening.place[0]:
                roles[member.party] = instrument.opener
            elif member.party in to:
                roles[member.party] = instrument.addressee
        return roles

    def events(self, opening: Entry, within: Entries) -> Entries:
        instrument = self._instrument(opening)
        assert instrument is not None
        return frozenset(
            e
            for e in within
            if e == opening
            or (
                e.header.case == opening.leaf.hex()
                and opening in self.past(e)
                and self.counts(e)
                and e.header.act
                and e.header.inst in ("", instrument.hash)
            )
        )

    def walk(self, opening: Entry, events: Entries) -> tuple[str, dict[str, Entry], list[Any]]:
        """The state after the events, the last start of each clock, (event, verdict, state)s."""
        key = (opening.place, events)
        if key not in self._walks:
            self._walks[key] = self._walk(opening, events)
        return self._walks[key]

    def _walk(self, opening: Entry, events: Entries) -> tuple[str, dict[str, Entry], list[Any]]:
        instrument = self._instrument(opening)
        assert instrument is not None
        state, starts, verdicts, left = START, dict[str, Entry](), list[Any](), set(events)
        while left:
            free = [e for e in left if not (self.past(e) & left)]
            if BY_TIME in self.faults:
                free = list(left)
            e = min(free, key=lambda e: self._rank(instrument, e))
            left.remove(e)
            to = self._allowed(opening, state, e)
            if to is not None:
                state = to
                for clock in instrument.starts.get(e.header.act, ()):
                    starts[clock.name] = e
                verdicts.append((e, "applied", state))
            else:
                alone, _, _ = self.walk(opening, events & self.past(e))
                overtaken = self._allowed(opening, alone, e) is not None
                verdicts.append((e, "overtaken" if overtaken else "out_of_turn", state))
        return state, starts, verdicts

    def _rank(self, instrument: Instrument, e: Entry) -> tuple[Any, ...]:
        race, order = instrument.race, [m.party for m in self.rules.members]
        act, party = e.header.act, e.place[0]
        rank = (race.index(act) if act in race else len(race), order.index(party), e.place[1])
        if BY_TIME in self.faults:
            return (e.header.at, *rank)
        if OWN_FIRST in self.faults:
            return (party != self.viewer, *rank)
        return rank

    def _allowed(self, opening: Entry, state: str, e: Entry) -> str | None:
        instrument = self._instrument(opening)
        assert instrument is not None
        roles, act = self.roles(opening, instrument), e.header.act
        move = instrument.table.get((state, roles.get(e.place[0], ""), act))
        if move is None or not instrument.due_fits(act, e.header.due_in):
            return None
        if move.after:
            past = self.past(e)
            _, starts, _ = self.walk(opening, self.events(opening, past))
            if move.after not in starts:
                return None
            clock, start = instrument.clock(move.after), starts[move.after]
            for debtor in self._debtors(roles, clock, start):
                t, _ = self.receipt(start, debtor, past)
                if t is None or not e.header.at > t + self._length(clock, start):
                    return None
        return move.to

    # (8) Clocks.

    @staticmethod
    def _length(clock: Clock, start: Entry) -> int:
        return start.header.due_in or clock.default_s

    @staticmethod
    def _debtors(roles: dict[PartyId, str], clock: Clock, start: Entry) -> list[PartyId]:
        return [p for p, role in roles.items() if role == clock.debtor and p != start.place[0]]

    def _clocks(self, opening: Entry, verdicts: list[Any], within: Entries) -> list[Json]:
        instrument = self._instrument(opening)
        assert instrument is not None
        roles = self.roles(opening, instrument)
        contested = self.contested(opening, within)
        found: list[Json] = []
        for number, (start, verdict, _) in enumerate(verdicts):
            if verdict == "applied":
                for clock in instrument.starts.get(start.header.act, ()):
                    for debtor in self._debtors(roles, clock, start):
                        after = verdicts[number + 1 :]
                        found.append(
                            self._clock(roles, clock, debtor, start, after, contested, within)
                        )
        return found

    def _clock(  # noqa: PLR0917  # one paragraph of the definition
        self,
        roles: dict[PartyId, str],
        clock: Clock,
        debtor: PartyId,
        start: Entry,
        after: list[Any],
        contested: bool,
        within: Entries,
    ) -> Json:
        creditor = start.place[0]
        t, a = self.receipt(start, debtor, within)
        fulfilled, ended = None, False
        for e, verdict, state in after:
            if verdict != "applied" or fulfilled or ended:
                continue
            if e.place[0] == debtor and e.header.act in clock.fulfilled:
                fulfilled = e
            elif e.header.act == clock.start or state not in clock.runs_in:
                ended = True
        value: Object = {
            "clock": clock.name,
            "debtor": debtor,
            "start": list(start.place),
            "since": start.header.at if t is None else t,
            "final": a is not None and self.settled(a, roles, within),
            "disputed": a is not None and self._disputed(a, creditor, within),
        }
        if fulfilled:
            value["met_by"] = list(fulfilled.place)
        if t is None:
            value["status"] = "undelivered"
        else:
            value["due"] = due = t + self._length(clock, start)
            if fulfilled:
                value["status"] = self._met(fulfilled, creditor, due, within)
            elif ended:
                value["status"] = "ended"
            else:
                value["status"] = "paused" if contested and clock.pauses else "running"
        return value

    def _met(self, f: Entry, creditor: PartyId, due: int, within: Entries) -> str:
        if f.header.at > due:
            return "late"
        t, _ = self.receipt(f, creditor, within)
        stamps = [at for _, who, at in self._proofs(f, within) if who is None]
        if (t is not None and t <= due) or any(at <= due for at in stamps):
            return "in_time"
        said = self.said_by(creditor, self.past(f))
        return "contradicted" if said and said[-1].header.at > due else "claimed"

    def _disputed(self, a: Entry, creditor: PartyId, within: Entries) -> bool:
        after = [e for e in self.said_by(creditor, within) if a in self.past(e)]
        return bool(after) and after[0].header.at < a.header.at - SKEW_S

    # Objections.

    def contested(self, opening: Entry, within: Entries) -> bool:
        instrument = self._instrument(opening)
        assert instrument is not None
        roles = self.roles(opening, instrument)
        for o in within:
            if o.header.type == OBJECTION and o.place[0] in roles:
                for e in self.past(o):
                    mine = e == opening or (
                        e.header.case == opening.leaf.hex()
                        and opening in self.past(e)
                        and self.counts(e)
                        and e.header.inst in ("", instrument.hash)
                    )
                    others = e.place[0] != o.place[0] and e.header.bodies
                    if mine and others and o.header.data["leaf"] == e.leaf.hex():
                        return True
        return False

    # What the program prints.

    def state(self, cut: Mapping[PartyId, int] | None = None) -> list[Object]:
        """All case states at a closed cut: the objects that the program's lines write."""
        within = frozenset(self._within(cut or self.cut))
        return [self._case(opening, within) for opening in self.openings(within)]

    def _case(self, opening: Entry, within: Entries) -> Object:
        instrument = self._instrument(opening)
        assert instrument is not None
        roles = self.roles(opening, instrument)
        state, _, verdicts = self.walk(opening, self.events(opening, within))
        return {
            "case": opening.leaf.hex(),
            "inst": instrument.hash,
            "state": state,
            "contested": self.contested(opening, within),
            "roles": cast(Object, roles),
            "events": [
                [*e.place, verdict, self.settled(e, roles, within)] for e, verdict, _ in verdicts
            ],
            "clocks": self._clocks(opening, verdicts, within),
        }


START = ""


@cache
def _signed(raw: bytes, authors: tuple[Verifier, ...]) -> Header | None:
    """The header of a record whose every signature is good; remembered, for it is asked often."""
    try:
        record = parse_record(raw)
        for line in record.note.lines:
            (key,) = (k for k in authors if (k.name, k.key_id) == (line.name, line.key_id))
            key.verify(record.note.text, line.signature)
    except (MalformedError, SignatureError, ValueError):
        return None
    return record.header


def _tree(leaves: list[bytes]) -> bytes:
    """The root over some leaf hashes: RFC 6962 section 2.1, as written there."""
    return _tree_of(tuple(leaves))


@cache
def _tree_of(leaves: tuple[bytes, ...]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + _tree_of(leaves[:k]) + _tree_of(leaves[k:])).digest()
