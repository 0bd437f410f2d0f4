"""The vector in docs/spec/fold.md is what the code folds."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest
from tests.conftest import ROOT
from tests.property.channel import Roots

from convenio.core import canon
from convenio.core.fit import Member, Rules
from convenio.core.fold import Fold
from convenio.core.note import Ed25519Verifier, parse_vkey
from convenio.core.record import PartyId
from convenio.instruments.builtin import REQUEST
from convenio.instruments.cases import Casebook

PAGE = (ROOT / "docs/spec/fold.md").read_text()


def block(name: str) -> str:
    (found,) = re.findall(rf"^```{name}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def members() -> tuple[Member, ...]:
    found = []
    for vkey in block("keys").split():
        name, _, public = parse_vkey(vkey)
        party = PartyId(name.partition(".")[0])
        found.append(Member(party, 1, "", {name: Ed25519Verifier.of(name, public)}))
    return tuple(found)


def test_the_instrument_is_the_one_that_comes_with_the_program() -> None:
    assert block("instrument").encode() == REQUEST.encode()


@pytest.mark.parametrize("backwards", [False, True])
def test_the_logs_fold_to_the_state(backwards: bool) -> None:
    state = block("state").encode()
    ch = str(canon.loads(state.partition(b"\n")[0], 1000)["ch"])
    kinds, pinned = frozenset(["request.v1"]), frozenset([REQUEST.hash])
    rules = Rules(ch, 1, members(), kinds, pinned)
    roots = Roots(member.party for member in rules.members)
    entries = [line.split() for line in block("logs").splitlines()]
    for party, _, entry in entries:
        roots.append(PartyId(party), b64decode(entry))
    fold = Fold(rules, roots.at)
    book = Casebook(fold, [REQUEST])
    for party, index, entry in sorted(entries, reverse=backwards, key=lambda entry: entry[0]):
        for folded in fold.feed(PartyId(party), int(index), b64decode(entry)):
            book.take(folded)
    assert book.state_bytes() == state
    assert book.digest().hex() == block("digest").strip()
