"""What must hold of every run, whoever lies: the promises of docs/spec/fold.md as checks.

They are asked of an *engine*, which says what a node shows that holds so and so much: the program,
or the oracle with a fault in it, which must then break one of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random  # noqa: TID251  # seeded
from typing import Any, Protocol, cast

from tests.property.channel import Channel, Roots, Seen
from tests.property.oracle import Oracle
from tests.property.revoking import RevokingFold
from tests.property.simulator import World

from convenio.core.canon import Object
from convenio.core.fold import Fold
from convenio.core.record import PartyId
from convenio.instruments.cases import Casebook

Sizes = Mapping[PartyId, int]


class Engine(Protocol):
    def view(self, viewer: PartyId, held: Sizes) -> tuple[dict[PartyId, int], list[Object]]:
        """The cut and the states of all cases that `viewer` shows, holding this."""
        ...


class Program:
    """The program; each viewer's fold goes on from what it held before, as a node does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._folds: dict[PartyId, tuple[Fold, Casebook]] = {}

    def view(self, viewer: PartyId, held: Sizes) -> tuple[dict[PartyId, int], list[Object]]:
        if viewer not in self._folds:
            self._folds[viewer] = start(self._world)
        fold, book = self._folds[viewer]
        for party, size in held.items():
            for index in range(fold.held(party), size):
                for folded in fold.feed(party, index, self._world.logs[party][index]):
                    book.take(folded)
        return fold.cut(), states(book)


class Literal:
    """The oracle, with or without faults."""

    def __init__(self, world: World, *faults: str) -> None:
        self._world, self._faults = world, frozenset(faults)

    def view(self, viewer: PartyId, held: Sizes) -> tuple[dict[PartyId, int], list[Object]]:
        channel, logs = self._world.channel, self._world.holdings(held)
        oracle = Oracle(channel.rules, channel.instruments, logs, self._faults, viewer)
        return oracle.cut, oracle.state()


def start(world: World) -> tuple[Fold, Casebook]:
    fold = RevokingFold(world.channel.rules, world.roots.at)
    return fold, Casebook(fold, world.channel.instruments)


def states(book: Casebook, cut: Sizes | None = None) -> list[Object]:
    return [json.loads(line) for line in book.state_lines(cut)][1:]


def shuffled(world: World, held: Sizes, random: Random) -> tuple[Fold, Casebook]:
    """A node that got the same holdings in another order, some of it twice, without any blob."""
    fold, book = start(world)
    lanes = [party for party, size in held.items() for _ in range(size)]
    random.shuffle(lanes)
    for party in lanes:
        index = fold.held(party)
        repeated = random.randrange(index + 1)
        for each in (index, repeated):
            for folded in fold.feed(party, each, world.logs[party][each]):
                book.take(folded)
    return fold, book


@dataclass
class Watch:
    """Everything that was ever shown, held against what is shown now."""

    channel: Channel
    roots: Roots
    honest: frozenset[PartyId]
    claims: dict[PartyId, list[Seen | None]]  # of each entry; None if it is unfit
    cuts: dict[PartyId, dict[PartyId, int]] = field(default_factory=dict)
    shown: dict[tuple[int, ...], str] = field(default_factory=dict)
    settled: dict[tuple[str, str], str] = field(default_factory=dict)
    due: dict[tuple[str, str], int] = field(default_factory=dict)
    there: dict[PartyId, set[tuple[str, str, int]]] = field(default_factory=dict)
    clocks: dict[tuple[PartyId, str, str], str] = field(default_factory=dict)

    def see(
        self, viewer: PartyId, held: Sizes, cut: dict[PartyId, int], shown: list[Object]
    ) -> None:
        self._cuts_only_grow(viewer, cut)
        self._equal_cuts_show_equal_states(cut, shown)
        if viewer in self.honest:
            assert cut[viewer] == held[viewer], f"{viewer} is held back at its own node"
        self._claims_can_be_served(cut)
        self._what_was_settled_is_still_there(viewer, shown)
        for case in cast(list[Any], shown):
            final = self._settled_verdicts_never_change(case)
            self._final_deadlines_never_change(case)
            self._what_was_claimed_may_only_become_in_time(viewer, case, final)
            for party, index, verdict, _ in case["events"]:
                out = party in self.honest and verdict == "out_of_turn"
                assert not out, f"honest {party} is out of turn at {index}"

    def _claims_can_be_served(self, cut: dict[PartyId, int]) -> None:
        """Of all that is folded, everything before it is folded too."""
        for party, claims in self.claims.items():
            for claim in filter(None, claims[: cut[party]]):
                for other, (size, root) in claim.items():
                    good = size <= cut[other] and self.roots.at(other, size).hex() == root
                    assert good, f"{party} claims {size} of {other}, which nobody can serve"

    def _cuts_only_grow(self, viewer: PartyId, cut: dict[PartyId, int]) -> None:
        before = self.cuts.get(viewer, cut)
        assert all(before[party] <= cut[party] for party in cut), f"cut of {viewer} shrank"
        self.cuts[viewer] = cut

    def _equal_cuts_show_equal_states(self, cut: dict[PartyId, int], shown: list[Object]) -> None:
        """So also the overdue lists: they are a function of what is shown, and `now`."""
        text = json.dumps(shown, sort_keys=True)
        key = tuple(cut[party] for party in self.channel.parties)
        assert self.shown.setdefault(key, text) == text, f"two states at the cut {key}"

    def _settled_verdicts_never_change(self, case: Any) -> set[str]:
        final = set()
        for party, index, verdict, settled in case["events"]:
            if settled:
                place = f"{party} {index}"
                final.add(place)
                first = self.settled.setdefault((case["case"], place), verdict)
                assert first == verdict, f"settled {place} was {first}, is {verdict}"
        return final

    def _what_was_settled_is_still_there(self, viewer: PartyId, shown: list[Object]) -> None:
        now = {
            (case["case"], party, index)
            for case in cast(list[Any], shown)
            for party, index, _, settled in case["events"]
            if settled
        }
        lost = self.there.get(viewer, set()) - now
        assert not lost, f"settled {lost} was there, and is gone"
        self.there[viewer] = now

    def _final_deadlines_never_change(self, case: Any) -> None:
        for clock in case["clocks"]:
            key = (case["case"], f"{clock['clock']} {clock['debtor']} {clock['start']}")
            if clock["final"]:
                first = self.due.setdefault(key, clock["due"])
                assert first == clock["due"], f"final deadline {key} moved"

    def _what_was_claimed_may_only_become_in_time(
        self, viewer: PartyId, case: Any, final: set[str]
    ) -> None:
        for clock in case["clocks"]:
            if "met_by" in clock and clock["final"] and "{} {}".format(*clock["met_by"]) in final:
                key = (viewer, case["case"], f"{clock['debtor']} {clock['start']}")
                first, now = self.clocks.get(key, clock["status"]), clock["status"]
                better = now == "in_time" and first in ("claimed", "contradicted")
                assert first == now or better, f"{first} became {now}"
                self.clocks[key] = now


def check(world: World, engine: Engine) -> Watch:
    """Every promise over all that any node held in the run, in the order it came to hold it."""
    honest = frozenset(party for party, node in world.nodes.items() if not node.lies)
    everything = {party: len(log) for party, log in world.logs.items()}
    truth = Oracle(world.channel.rules, world.channel.instruments, world.logs)
    claims = {p: [e.header.seen if e else None for e in log] for p, log in truth.fit.items()}
    watch = Watch(world.channel, world.roots, honest, claims)
    for viewer, held in world.history:
        watch.see(viewer, held, *engine.view(viewer, held))
    for viewer in world.channel.parties:
        watch.see(viewer, everything, *engine.view(viewer, everything))
    return watch


def fall_quiet(world: World, rounds: int) -> bool:
    """Connect everybody and let them only answer what is owed; whether they stop in time."""
    for _ in range(rounds):
        for node in world.nodes.values():
            for other in node.others:
                node.fetch(other, len(world.logs[other]))
        world.now += 60
        said = [node.quiet_turn() for node in world.nodes.values()]
        if not any(said):
            return True
    return False
