"""Two nodes tell each other what all cases come to, and say so when the other comes to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nodes import Home, World, world

from convenio.core.record import RECEIVED, Header, parse_record
from convenio.instruments.builtin import REQUEST
from convenio.node.doctor import examine

HOUR_S = 3600


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, instruments={REQUEST.name: REQUEST.hash}) as world_:
        yield world_


def ask(made: World, by: str) -> None:
    other = "mx" if by == "us" else "us"
    made[by].say("Who?", (f"{other}:liaison",), act="ask", inst=REQUEST.hash, type="request.v1")
    made.settle()


def digests(home: Home) -> list[Header]:
    entries = home.node.store.entries(home.origin(), 0, home.size())
    said = [parse_record(stored.entry).header for stored in entries]
    return [header for header in said if header.type == RECEIVED and "state" in header.data]


def differ(home: Home) -> list[str]:
    return [str(party) for party in home.node.folding.differ(home.channel.ch)]


def alarms(home: Home) -> list[str]:
    return [each.code for each in examine(home.node) if each.code == "doctor.states_differ"]


def hours_go_on(made: World) -> None:
    """Everybody says something, twice, with more than an hour between."""
    for _ in range(2):
        made.clock.now += HOUR_S + 1
        ask(made, "us")
        ask(made, "mx")


def test_each_node_says_its_states_once_an_hour_and_they_agree(made: World) -> None:
    ask(made, "us")
    assert len(digests(made["mx"])) == 1, "with the first case there is something to compare"
    ask(made, "us")
    assert len(digests(made["mx"])) == 1, "not twice in an hour"
    hours_go_on(made)
    for home in made.homes:
        assert len(digests(home)) >= 2
        assert differ(home) == alarms(home) == []
        compared = home.node.folding._channels[home.channel.ch].states
        assert compared.compared_at, "the other's digest was computed here too"
        assert not home.findings()


def test_a_channel_without_cases_says_no_states(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made["us"].say("hello")
        made.settle()
        assert [digests(home) for home in made.homes] == [[], []]


def test_a_node_that_computes_otherwise_is_named_until_it_agrees(made: World) -> None:
    mx, us = made.homes
    book = mx.node.folding._state(mx.channel.ch).states.book
    true = book.digest
    book.digest = lambda cut=None: b"\1" * 32  # type: ignore[method-assign]
    ask(made, "us")
    made.until(lambda: differ(us) == ["mx"])
    assert alarms(us) == ["doctor.states_differ"]
    us.reopen()
    made.until(lambda: differ(us) == ["mx"])
    book.digest = true  # type: ignore[method-assign]
    hours_go_on(made)
    made.until(lambda: differ(us) == [] == differ(mx))
