"""The fold under bad links and liars: its promises, and agreement with the definition."""

from __future__ import annotations

import os
from random import Random  # noqa: TID251  # seeded

import pytest
from tests.property.channel import Channel
from tests.property.oracle import Oracle
from tests.property.properties import Program, check, fall_quiet, shuffled, states
from tests.property.simulator import HOUR, World, simulate

from convenio.core.record import PartyId
from convenio.instruments.cases import Casebook

RUNS = 30 * int(os.environ.get("CONVENIO_FOLD_RUNS", "1"))
TWO = (PartyId("mx"), PartyId("us"))
THREE = (*TWO, PartyId("ca"))


def run(seed: int, *, liars: int | None = None) -> World:
    return simulate(Channel(TWO if seed % 2 else THREE), seed, 160, liars=liars)


@pytest.mark.parametrize("seed", range(RUNS))
def test_every_promise_holds_whoever_lies(seed: int) -> None:
    world = run(seed)
    watch = check(world, Program(world))
    assert len(watch.shown) > 5


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_shows_what_the_definition_says(seed: int) -> None:
    world = run(1000 + seed)
    random = Random(seed)
    for viewer, held in random.sample(world.history, min(3, len(world.history))):
        fold, book = shuffled(world, held, random)
        oracle = Oracle(world.channel.rules, world.channel.instruments, world.holdings(held))
        assert fold.cut() == oracle.cut
        assert states(book) == oracle.state(), viewer


@pytest.mark.parametrize("seed", range(RUNS))
def test_equal_holdings_give_equal_bytes_in_any_order_with_duplicates(seed: int) -> None:
    world = run(2000 + seed)
    random = Random(seed)
    held = random.choice(world.history)[1]
    _, one = shuffled(world, held, random)
    _, two = shuffled(world, held, random)
    assert one.state_bytes() == two.state_bytes()
    assert one.digest() == two.digest()


@pytest.mark.parametrize("seed", range(RUNS))
def test_an_earlier_cut_shows_what_was_shown_when_no_more_was_held(seed: int) -> None:
    world = run(3000 + seed)
    everything = {party: len(log) for party, log in world.logs.items()}
    _, later = shuffled(world, everything, Random(seed))
    for _, held in Random(seed).sample(world.history, min(5, len(world.history))):
        fold, then = shuffled(world, held, Random(seed))
        assert later.state_bytes(fold.cut()) == then.state_bytes()
        for now in (world.now - 20 * HOUR, world.now, world.now + 100 * HOUR):
            assert overdue(later, now, fold.cut()) == overdue(then, now, None)


def overdue(book: Casebook, now: int, cut: dict[PartyId, int] | None) -> list[tuple[bytes, str]]:
    return [(case.leaf, debt.debtor) for case, debt in book.overdue(now, cut)]


@pytest.mark.parametrize("seed", range(RUNS))
def test_a_connected_channel_falls_quiet(seed: int) -> None:
    world = run(4000 + seed)
    assert fall_quiet(world, rounds=5)


@pytest.mark.parametrize("seed", range(RUNS))
def test_among_the_honest_all_is_settled_and_final_once_it_is_quiet(seed: int) -> None:
    world = run(5000 + seed, liars=0)
    for node in world.nodes.values():
        node.absent.clear()
    assert fall_quiet(world, rounds=5)
    books = [node.book for node in world.nodes.values()]
    assert len({book.state_bytes() for book in books}) == 1
    assert not any(node.fold.alarms for node in world.nodes.values())
    for case in books[0].cases():
        assert all(case.settled)
        assert all(debt.final for debt in case.debts if debt.due is not None)
