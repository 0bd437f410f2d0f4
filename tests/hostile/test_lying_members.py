"""A member of a channel that does what an honest node never does, against real services."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.nodes import World, world

from convenio.core.errors import RefusedError
from convenio.node.partnering import MAX_UPLOADS
from convenio.peer.service import BlobRef, Chunk


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

    for number in range(MAX_UPLOADS):
        begin("us", number)
    with pytest.raises(RefusedError, match=r"blob\.too_many_uploads"):
        begin("us", MAX_UPLOADS)
    begin("gt", 0)
