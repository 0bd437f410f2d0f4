"""Liars, each at the same honest node, which is as good as before when they have gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.liars import TIGHT, Liar
from tests.support.nodes import World, world

from convenio.node.records import State


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """mx, and ca with whom it has an honest channel."""
    calm = {"retry_most_s": 2.0}  # the feeds to liars that are gone go on trying
    with world(tmp_path_factory.mktemp("honest"), ("mx", "ca"), limits=calm) as made:
        yield made
        made["ca"].say(b"I heard it all", to=("mx:liaison",))
        made.settle()
        assert [home.findings() for home in made.homes] == [[], []]


@pytest.fixture
def liar(honest: World) -> Iterator[Liar]:
    made = Liar(honest["mx"])
    yield made
    made.close()
    well(honest, made)


@pytest.fixture
def third(honest: World) -> Iterator[Liar]:
    """A liar in a channel with both of them."""
    made = Liar(honest["mx"], [honest["ca"]])
    yield made
    made.close()
    assert honest["ca"].node.healthy(), honest["ca"].node.failure
    well(honest, made)


@pytest.fixture
def tight(honest: World) -> Iterator[Liar]:
    made = Liar(honest["mx"], quota=TIGHT)
    yield made
    made.close()
    well(honest, made)


def well(made: World, liar: Liar) -> None:
    """The node is as good as before; that all it holds is sound is asked once, at the end."""
    mx = made["mx"]
    assert mx.node.healthy(), mx.node.failure
    said = mx.say(b"still here", to=("ca:liaison",))
    made.until(lambda: mx.states(said) == [State.RECEIVED])
