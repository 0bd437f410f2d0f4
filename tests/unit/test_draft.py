"""Drafts: what the sequencer puts together is the canonical line of that header."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convenio.core.draft import draft, seen_json
from convenio.core.record import Address, Header, PartyId

PLAIN = Header(
    id="00" * 16,
    ch="11" * 32,
    gen=1,
    type="statement.v1",
    sender=PartyId("mx"),
    to=(Address("us:22222222"),),
    by=("mx.localhost/k/33333333",),
    at=0,
)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(PLAIN, id="a plain statement"),
        pytest.param(
            replace(PLAIN, act="ask", inst="44" * 32, due_in=9), id="the opening of a case"
        ),
        pytest.param(replace(PLAIN, act="answer", case="55" * 32, cav="amber"), id="an answer"),
        pytest.param(replace(PLAIN, data={"at": "x", "seen": "y"}), id="data with the same words"),
    ],
)
def test_the_text_that_is_signed_is_the_canonical_line(header: Header) -> None:
    seen = {PartyId("us"): (7, "66" * 32)}
    text = draft(header).text(1_600_000_000, seen_json(seen))
    assert text == replace(header, at=1_600_000_000, seen=seen).encode()
