"""The vector in docs/spec/body.md is what the code reads and writes."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.sealing import header_of

from convenio.core import canon
from convenio.core.age import HybridIdentity, unarmor
from convenio.core.record import Address, BodyRef
from convenio.core.seal import check_disclosed, open_body, parse_inner, plain_body

PAGE = (ROOT / "docs/spec/body.md").read_text()
CONTENT = "Se hará una detención el viernes.\n".encode()


def block(name: str) -> str:
    found = re.findall(rf"^```{name}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def ref() -> BodyRef:
    said = canon.loads(block("body").strip().encode(), 1000)
    assert isinstance(said["to"], list)
    to = tuple(Address(str(desk)) for desk in said["to"])
    assert isinstance(said["n"], int)
    return BodyRef(str(said["form"]), str(said["c"]), said["n"], str(said["k"]), to=to)


def test_the_sealed_blob_opens_to_the_content() -> None:
    identity = HybridIdentity.parse(block("identity").strip())
    assert identity.seed == bytes(range(32))
    inner = parse_inner(block("inner").encode())
    opened = open_body(unarmor(block("blob").encode()), [identity], header_of(ref()), 0)
    assert (opened.data, opened.label, opened.salt) == (CONTENT, inner.label, inner.salt)


def test_the_content_can_be_disclosed() -> None:
    check_disclosed(CONTENT, parse_inner(block("inner").encode()).salt, ref().k)


def test_the_open_body_has_the_name_that_is_given() -> None:
    label = parse_inner(block("inner").encode()).label
    assert plain_body(CONTENT, label).ref.c == block("open").strip()
