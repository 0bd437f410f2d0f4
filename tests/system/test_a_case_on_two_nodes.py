"""A request with a clock between two real nodes: both compute its state and deadline themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import NOW, OFFICER, Home, World, world

from convenio.core.errors import RefusedError
from convenio.instruments.builtin import REQUEST
from convenio.node.commands import dispatcher
from convenio.node.sequencer import Accepted

HOUR_S = 3600
PINNED = {REQUEST.name: REQUEST.hash}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, instruments=PINNED) as world_:
        yield world_


def asked(made: World) -> Accepted:
    us = made["us"]
    said = us.say("Who owns it?", act="ask", inst=REQUEST.hash, due_in=HOUR_S, type="request.v1")
    made.settle()
    return said


def answered(made: World, opening: Accepted) -> None:
    made["mx"].say("Nobody we know.", act="answer", case=opening.leaf.hex(), type="request.v1")
    made.settle()


def case(home: Home, opening: Accepted) -> dict[str, Any]:
    args = {"as": OFFICER, "record": opening.leaf.hex()}
    return dispatcher(home.node)("case", args, [], lambda _done, _total: None)


def both(made: World, opening: Accepted) -> dict[str, Any]:
    """What both nodes say of the case; the same, to the letter."""
    first, second = (case(home, opening) for home in made.homes)
    assert first == second
    return first


def test_both_nodes_compute_one_deadline_from_the_debtors_own_receipt(made: World) -> None:
    made.clock.now = NOW + 60
    opening = asked(made)
    seen = both(made, opening)
    assert (seen["instrument"], seen["state"]) == ("request", "open")
    (clock,) = seen["clocks"]
    assert (clock["debtor"], clock["creditor"]) == ("mx", "us")
    assert (clock["status"], clock["due"], clock["overdue"]) == (
        "running",
        NOW + 60 + HOUR_S,
        False,
    )
    assert clock["final"], "the creditor's node has answered the receipt that starts the clock"


def test_an_answer_before_the_deadline_is_in_time_on_both_nodes(made: World) -> None:
    opening = asked(made)
    answered(made, opening)
    seen = both(made, opening)
    assert seen["state"] == "answered"
    assert [clock["status"] for clock in seen["clocks"]] == ["in_time"]


def test_silence_is_overdue_on_both_nodes_and_a_late_answer_is_late(made: World) -> None:
    opening = asked(made)
    made.clock.now += HOUR_S + 1
    assert [clock["overdue"] for clock in both(made, opening)["clocks"]] == [True]
    answered(made, opening)
    (clock,) = both(made, opening)["clocks"]
    assert (clock["status"], clock["overdue"]) == ("late", False)


def test_an_answer_nobody_could_give_changes_nothing(made: World) -> None:
    opening = asked(made)
    made["us"].say("I answer myself.", act="answer", case=opening.leaf.hex(), type="request.v1")
    made.settle()
    seen = both(made, opening)
    assert seen["state"] == "open"
    assert [step["verdict"] for step in seen["steps"]] == ["applied", "out_of_turn"]


def test_a_restart_changes_nothing(made: World) -> None:
    opening = asked(made)
    before = both(made, opening)
    made["mx"].reopen()
    made.settle()
    assert both(made, opening) == before


def test_the_channel_still_falls_quiet(made: World) -> None:
    answered(made, asked(made))
    sizes = [home.size() for home in made.homes]
    for home in made.homes:
        home.node.tick()
    made.settle()
    assert [home.size() for home in made.homes] == sizes


def test_a_record_that_opened_nothing_is_no_case(made: World) -> None:
    said = made["us"].say()
    made.settle()
    with pytest.raises(RefusedError) as refused:
        case(made["us"], said)
    assert refused.value.code == "case.none"
