"""Each wrong reading of the definition breaks a promise: the property tests are not blind."""

from __future__ import annotations

import re

import pytest
from tests.property.channel import Channel
from tests.property.oracle import BY_TIME, NO_CLOSURE, OWN_FIRST, REACH_BACK
from tests.property.properties import Literal, Program, check
from tests.property.simulator import CLAIMS_STORED, simulate
from tests.property.test_fold_property import THREE, TWO

SEEDS = range(200)


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        (OWN_FIRST, "two states at the cut"),
        (REACH_BACK, "settled .* was|final deadline .* moved"),
        (NO_CLOSURE, "nobody can serve"),
        (BY_TIME, "settled .* was"),
    ],
)
def test_a_promise_is_seen_to_break_with(fault: str, promise: str) -> None:
    for seed in SEEDS:
        world = simulate(Channel(TWO if seed % 2 else THREE), seed, 120, liars=1)
        try:
            check(world, Literal(world, fault))
        except AssertionError as broken:
            if re.search(promise, str(broken)):
                return
    pytest.fail("no run broke the promise")


def test_claiming_what_is_stored_but_not_folded_holds_the_honest_back() -> None:
    for seed in SEEDS:
        world = simulate(Channel(TWO), seed, 120, liars=1, fault=CLAIMS_STORED)
        try:
            check(world, Program(world))
        except AssertionError as broken:
            assert "held back" in str(broken)  # noqa: PT017  # any other would be another fault
            return
    pytest.fail("no run broke a promise")


def test_without_a_fault_the_same_runs_keep_every_promise() -> None:
    for seed in SEEDS[:20]:
        world = simulate(Channel(TWO if seed % 2 else THREE), seed, 120, liars=1)
        check(world, Literal(world))
