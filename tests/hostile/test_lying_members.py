"""A member of a channel that does what an honest node never does, against real services."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nodes import Home, World, world

from convenio.core.errors import RefusedError
from convenio.core.record import PartyId
from convenio.node import answering
from convenio.node.registry import Log
from convenio.peer.service import BlobRef, Chunk
from convenio.store.objects import DEFAULT_LIMITS


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, ("mx", "us", "gt"), serving=False) as made:
        yield made


def test_one_member_cannot_take_the_upload_places_of_the_others(three: World) -> None:
    mx, ch = three["mx"].node, three.charter.charter.ch

    def begin(party: str, number: int) -> None:
        key = three.charter.charter.member(party).node_verifier()
        c = hashlib.sha256(f"{party} {number}".encode()).hexdigest()
        mx.partnering.blob_write(key, BlobRef(ch, c), Chunk(0, 10, b"x"))

    most = DEFAULT_LIMITS.max_staged
    for number in range(most):
        begin("us", number)
    with pytest.raises(RefusedError, match=r"blob\.too_many_uploads"):
        begin("us", most)
    begin("gt", 0)


def test_what_lacks_is_not_claimed_by_way_of_a_third_party_that_has_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lacks than one `received.v1` can name, and the one named has the other in its past."""
    monkeypatch.setattr(answering, "MAX_LACKING", 1)
    with world(tmp_path, ("mx", "us", "gt")) as made:
        mx, us, gt = made.homes
        us.unplug()
        said = [mx.say(b"one", to=("us:liaison",))]
        withhold(mx)
        made.until(lambda: gt.cut()["mx"] == 1 and gt.size() == 1)
        said.append(gt.say(b"two", to=("us:liaison",)))
        withhold(gt)
        mx.node.outbox.stop()
        us.serve()
        made.until(lambda: us.size("gt") == 2)  # folded only when mx's log has come, both at once
        mx.node.outbox.start()
        made.until(lambda: us.node.folding.lacking(us_log(us, "gt"), PartyId("us")) != [])
        made.until(lambda: us.node.folding.lacking(us_log(us, "mx"), PartyId("us")) != [])


def us_log(us: Home, party: str) -> Log:
    return next(log for log in us.node.registry.logs(us.channel.ch) if log.party == party)


def withhold(home: Home) -> None:
    """What this party has said is there, and its bodies are not."""
    for c in list(home.shelf().names()):
        home.shelf().delete(c)
