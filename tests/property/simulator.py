"""Parties that talk over bad links, some of them lying; what each held, and when, is recorded.

Everybody's node folds with the program. The properties are checked afterwards, from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random  # noqa: TID251  # seeded: every run can be repeated
from typing import Any, Final

from tests.property.channel import DESKS, REVOKE, Channel, Roots, Seen
from tests.property.revoking import RevokingFold

from convenio.core.canon import Object
from convenio.core.fold import Fold
from convenio.core.place import Place
from convenio.core.record import OBJECTION, PROOF, RECEIVED, PartyId
from convenio.instruments.cases import Case, Casebook

MX, US, CA = PartyId("mx"), PartyId("us"), PartyId("ca")
START: Final = 1_700_000_000
HOUR: Final = 3600
CLAIMS_STORED: Final = "claiming stored instead of folded entries"
LIES: Final = ("little", "invented", "junk", "turn", "clock", "bodies", "revoke")


@dataclass
class World:
    """The logs as their owners wrote them, and how much of each every party holds.

    history: for each party, in order, every holding it had. fault: something honest nodes do wrong.
    """

    channel: Channel
    random: Random
    fault: str = ""
    now: int = START
    logs: dict[PartyId, list[bytes]] = field(init=False)
    nodes: dict[PartyId, Node] = field(init=False)
    cosigned: dict[tuple[PartyId, PartyId], list[tuple[int, int]]] = field(default_factory=dict)
    history: list[tuple[PartyId, dict[PartyId, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        parties = self.channel.parties
        self.logs = {party: [] for party in parties}
        self.roots = Roots(parties)
        self.nodes = {party: Node(self, party) for party in parties}

    def append(self, party: PartyId, entry: bytes) -> None:
        self.logs[party].append(entry)
        self.roots.append(party, entry)
        self.nodes[party].hold(party, len(self.logs[party]))

    def holdings(self, sizes: Mapping[PartyId, int]) -> dict[PartyId, list[bytes]]:
        return {party: self.logs[party][:size] for party, size in sizes.items()}


class Node:
    """One party's node. An honest one does what the definition asks of it, and no more."""

    def __init__(self, world: World, party: PartyId) -> None:
        self.world, self.party, self.random = world, party, world.random
        self.channel = world.channel
        self.others = tuple(p for p in self.channel.parties if p != party)
        self.fold: Fold = RevokingFold(self.channel.rules, world.roots.at)
        self.book = Casebook(self.fold, self.channel.instruments)
        self.held = dict.fromkeys(self.channel.parties, 0)
        self.skew, self.at = 0, 0
        self.lies: tuple[str, ...] = ()
        self.absent: set[Place] = set()  # entries of others whose bodies have not come
        self.bodies_come = True
        self.number = 0
        self.desk = DESKS[0]
        self.disowned: set[str] = set()

    # --- receiving -------------------------------------------------------------------------------

    def hold(self, party: PartyId, size: int) -> None:
        """Store up to `size` entries of a log, sometimes some of them again."""
        start = self.held[party]
        for index in range(start, size):
            self._feed(party, index)
            if self.random.random() < 0.1:
                self._feed(party, self.random.randrange(index + 1))
        self.held[party] = max(start, size)
        if self.held[party] != start:
            self.world.history.append((self.party, dict(self.held)))

    def _feed(self, party: PartyId, index: int) -> None:
        for folded in self.fold.feed(party, index, self.world.logs[party][index]):
            self.book.take(folded)
            if folded.header.bodies and folded.place.party != self.party:
                self.absent.add(folded.place)

    def fetch(self, party: PartyId, most: int) -> None:
        """Fetch some of what another has written, store it and cosign."""
        size = min(len(self.world.logs[party]), self.held[party] + most)
        if size > self.held[party]:
            self.hold(party, size)
            self.world.cosigned.setdefault((party, self.party), []).append((size, self.clock()))

    # --- saying ----------------------------------------------------------------------------------

    def clock(self) -> int:
        """The node's own time, which never goes back."""
        self.at = max(self.at, self.world.now + self.skew)
        return self.at

    def seen(self) -> Seen:
        if self.world.fault == CLAIMS_STORED:
            roots = self.world.roots
            return {
                p: (self.held[p], roots.at(p, self.held[p]).hex())
                for p in self.others
                if self.held[p]
            }
        return self.fold.seen(self.party)

    def say(self, kind: str, data: Object | None = None, **fields: Any) -> None:
        """Append a record that has seen all that is folded; first own up to bodies that lack."""
        lack = [place for place in self.fold.new_to(self.party) if place in self.absent]
        if lack and kind != RECEIVED:
            self.receive()
        self.write(kind, self.seen(), data, **fields)

    def write(self, kind: str, seen: Seen, data: Object | None = None, **fields: Any) -> None:
        header = self.channel.header(
            self.party,
            self.number,
            self.clock(),
            seen,
            kind=kind,
            desk=self.desk,
            data=data,
            **fields,
        )
        self.number += 1
        self.world.append(self.party, self.channel.sign(header))

    def receive(self) -> None:
        """Log what is received, what lacks, and what has come since it lacked."""
        new = [place for place in self.fold.new_to(self.party) if place in self.absent]
        came = [place for place in self.fold.lacking(self.party) if place not in self.absent]
        data: Object = {}
        if new:
            data["lack"] = [self.fold.leaf(place).hex() for place in new]
        if came:
            data["have"] = [self.fold.leaf(place).hex() for place in came]
        self.write(RECEIVED, self.seen(), data)

    # --- one turn --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Do one thing: lie, answer, act, prove, object or open."""
        if self.bodies_come and self.absent and self.random.random() < 0.5:
            self.absent.discard(self.random.choice(sorted(self.absent)))
        if self.lies and self.random.random() < 0.6:
            self.lie(self.random.choice(self.lies))
            return
        came = any(place not in self.absent for place in self.fold.lacking(self.party))
        if (self.book.needs_answer(self.party) or came) and self.random.random() < 0.7:
            self.receive()
            return
        self.random.choice((self.act, self.act, self.act, self.prove, self.object, self.open))()

    def quiet_turn(self) -> bool:
        """Answer if an answer is owed; whether anything was said that anybody can fold."""
        owed = self.book.needs_answer(self.party) and self.desk not in self.disowned
        if owed:
            self.receive()
        return owed

    def cases(self) -> list[Case]:
        return list(self.book.cases())

    def act(self) -> None:
        cases = self.cases()
        if not cases:
            return self.open()
        case = self.random.choice(cases)
        lacking = any(place in self.absent for place in self.fold.new_to(self.party))
        if lacking:
            return self.receive()
        moves = self.book.moves(case, self.party, self.clock())
        if moves:
            act = self.random.choice(moves).act
            due: dict[str, Any] = {"due_in": 600} if self.coin(0.5) else {}
            self.say("request.v1", case=case.leaf.hex(), act=act, body=self.coin(0.3), **due)
        return None

    def open(self) -> None:
        instrument = self.random.choice(self.channel.instruments)
        to = self.others if self.coin(0.5) else (self.random.choice(self.others),)
        fields: dict[str, Any] = {"inst": instrument.hash, "act": sorted(instrument.openings)[0]}
        if self.coin(0.7):
            fields["due_in"] = self.random.randrange(HOUR, 6 * HOUR)
        self.say("request.v1", to=to, body=self.coin(0.3), **fields)

    def prove(self) -> None:
        """Log a cosignature over an entry of one's own, of a partner or of the witness."""
        partner = self.random.choice(self.others)
        cosigned = self.world.cosigned.get((self.party, partner), [])
        if cosigned:
            size, at = self.random.choice(cosigned)
            place = Place(self.party, self.random.randrange(size))
            if place.index >= self.fold.cut()[self.party] or not self.fold.is_fit(place):
                return
            who = partner if self.coin(0.7) else None
            leaf, root = self.fold.leaf(place), self.world.roots.at(self.party, size)
            self.say(PROOF, self.channel.proof(self.party, leaf, size, root, at, who))

    def object(self) -> None:
        found = [s.event.place for case in self.cases() for s in case.steps]
        found = [place for place in found if place.party != self.party]
        if found:
            leaf = self.fold.leaf(self.random.choice(found)).hex()
            self.say(OBJECTION, {"leaf": leaf, "code": "unreadable"})

    def coin(self, chance: float) -> bool:
        return self.random.random() < chance

    # --- lies ------------------------------------------------------------------------------------

    def lie(self, how: str) -> None:
        lies: dict[str, Callable[[], None]] = {
            "little": lambda: self.anything(self.less(self.seen())),
            "invented": lambda: self.anything(self.invented()),
            "junk": self.junk,
            "turn": lambda: self.anything(self.seen()),
            "clock": self.shift_clock,
            "bodies": self.deny_bodies,
            "revoke": self.revoke,
        }
        lies[how]()

    def anything(self, seen: Seen) -> None:
        """Any act in any case, allowed or not."""
        cases = self.cases()
        if cases and self.coin(0.8):
            case = self.random.choice(cases)
            acts = sorted({move.act for move in case.instrument.moves})
            act = self.random.choice(acts)
            due: dict[str, Any] = {"due_in": 1} if self.coin(0.2) else {}
            leaf = case.leaf.hex()
            self.write("request.v1", seen, case=leaf, act=act, body=self.coin(0.2), **due)
        else:
            self.write(RECEIVED, seen)

    def less(self, seen: Seen) -> Seen:
        """As if one had seen less, with the right roots."""
        sizes = {party: self.random.randrange(size + 1) for party, (size, _) in seen.items()}
        at = self.world.roots.at
        return {party: (size, at(party, size).hex()) for party, size in sizes.items() if size}

    def invented(self) -> Seen:
        """As if one had seen more than there is, or something else."""
        seen = self.seen()
        other = self.random.choice(self.others)
        size = len(self.world.logs[other])
        if size and self.coin(0.1):
            seen[other] = (self.random.randrange(size) + 1, "00" * 32)
        else:
            seen[other] = (size + 1 + self.random.randrange(3), "00" * 32)
        return seen

    def junk(self) -> None:
        log = self.world.logs[self.party]
        choices: list[bytes] = [b"junk", b"{}\n\n", self.random.randbytes(40)]
        if log:
            choices += [self.random.choice(log), log[-1], log[-1].replace(b'"at":', b'"at": ')]
            choices.append(log[-1][:-6] + b"AAA=\n")
        self.world.append(self.party, self.random.choice(choices))

    def shift_clock(self) -> None:
        self.skew += self.random.choice((-8, -2, 2, 8)) * HOUR
        self.anything(self.seen())

    def deny_bodies(self) -> None:
        self.bodies_come = False
        named = [self.fold.leaf(place).hex() for place in self.fold.new_to(self.party)]
        data: Object = {"lack": named[:50]} if named else {}  # type: ignore[dict-item]
        self.write(RECEIVED, self.seen(), data)

    def revoke(self) -> None:
        """Disown the desk in use, then go on with the other one, or with the same."""
        key = self.channel.signers[self.party, self.desk].name
        self.write(REVOKE, self.seen(), {"key": key})
        self.disowned.add(self.desk)
        if self.coin(0.7):
            self.desk = DESKS[1]


def simulate(
    channel: Channel, seed: int, turns: int, *, fault: str = "", liars: int | None = None
) -> World:
    """A run: some honest parties, at most one of them a liar unless `liars` says otherwise."""
    random = Random(seed)
    world = World(channel, random, fault)
    parties = list(channel.parties)
    many = random.randrange(2) if liars is None else liars
    for liar in random.sample(parties, many):
        world.nodes[liar].lies = tuple(random.sample(LIES, random.randrange(1, 4)))
    for node in world.nodes.values():
        honest, lying = (0, 0, -200, 150, -2 * HOUR, 3 * HOUR), (0, -30 * HOUR, 30 * HOUR)
        node.skew = random.choice(lying if node.lies else honest)
    cut_off: Sequence[PartyId] = ()
    for _ in range(turns):
        world.now += random.choice((0, 1, 60, HOUR // 4, HOUR // 4, 2 * HOUR))
        if random.random() < 0.1:
            cut_off = random.sample(parties, random.randrange(len(parties)))
        node = world.nodes[random.choice(parties)]
        if random.random() < 0.6:
            other = random.choice(node.others)
            if node.party not in cut_off and other not in cut_off:
                node.fetch(other, random.randrange(1, 5))
        else:
            node.turn()
    return world
