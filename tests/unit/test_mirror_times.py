"""When a mirror cosigns: never before what it said last, and not as often as a partner likes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.world import START, World

from convenio.core.errors import UnavailableError
from convenio.core.mirrorwire import UploadHeader
from convenio.node.mirror import REFRESH_S


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made


def refresh(world: World) -> list[bytes]:
    mirror, log = world.members["us"].mirror, world.log("us", "mx")
    size = world.members["us"].store.head(log.origin).size
    header = UploadHeader(log.origin, size, size)
    return [line.encode() for line in mirror.finish(log, header, mirror.begin(log, header))]


def test_more_of_a_log_is_not_cosigned_with_an_earlier_time(world: World) -> None:
    world.say("mx")
    world.deliver("mx", "us")
    world.say("mx")
    world.now = START - 100
    world.members["mx"].sequencer._last_at.clear()
    with pytest.raises(UnavailableError, match=r"clock\.backwards"):
        world.deliver("mx", "us")
    world.now = START
    world.deliver("mx", "us")


def test_a_cosignature_asked_for_all_the_time_is_made_and_not_kept_again(world: World) -> None:
    world.say("mx")
    world.deliver("mx", "us")
    store, origin = world.members["us"].store, world.log("us", "mx").origin
    kept = len(store.cosignatures(origin))
    first = refresh(world)
    assert [refresh(world) for _ in range(20)] == [first] * 20
    assert len(store.cosignatures(origin)) == kept
    world.now += REFRESH_S
    assert refresh(world) != first
