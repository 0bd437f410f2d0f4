"""Records: what is written is read back, and what is accepted prints back byte for byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.property.channel import DESKS, Channel

from convenio.core import canon
from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.record import (
    CAVEATS,
    MAX_RECORD_BYTES,
    OBJECTION,
    PROOF,
    RECEIVED,
    Address,
    BodyRef,
    Header,
    PartyId,
    parse_header,
    parse_record,
    sign_record,
)

MX, US = PartyId("mx"), PartyId("us")
CHANNEL = Channel((MX, US))

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
codes = st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True)
addresses = st.lists(
    st.builds("{}:{:08x}".format, st.sampled_from(["mx", "us", "ca"]), st.integers(0, 2**32 - 1)),
    max_size=5,
    unique=True,
).map(lambda found: tuple(map(Address, sorted(found))))
opened = st.builds(BodyRef, st.just("open"), hashes, st.integers(1, canon.MAX_INTEGER))
sealed = st.builds(
    BodyRef,
    st.just("sealed"),
    hashes,
    st.integers(1, canon.MAX_INTEGER),
    hashes,
    st.just("") | hashes,
    addresses.filter(bool),
)
plain = st.recursive(
    st.booleans() | st.integers(-canon.MAX_INTEGER, canon.MAX_INTEGER) | codes,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(codes, inner, max_size=3),
    max_leaves=5,
)
leaves = st.lists(hashes, min_size=1, max_size=3)
states = st.tuples(st.integers(1, 2**31), st.integers(0, canon.MAX_INTEGER), hashes).map(list)
data: dict[str, st.SearchStrategy[Any]] = {
    RECEIVED: st.fixed_dictionaries({}, optional={"lack": leaves, "have": leaves, "state": states}),
    PROOF: st.fixed_dictionaries(
        {"leaf": hashes, "root": hashes, "size": st.integers(1, 99), "name": codes, "sig": codes}
    ),
    OBJECTION: st.fixed_dictionaries({"leaf": hashes, "code": codes}),
    "statement.v1": st.dictionaries(codes, plain, max_size=3),
}


@st.composite
def headers(draw: st.DrawFn) -> Header:
    kind = draw(st.sampled_from(sorted(data)))
    signers = draw(st.permutations(DESKS))[: draw(st.integers(1, 2))]
    return Header(
        id=draw(st.binary(min_size=16, max_size=16)).hex(),
        ch=draw(hashes),
        gen=draw(st.integers(1, 2**31)),
        type=kind,
        sender=MX,
        to=draw(addresses),
        by=tuple(CHANNEL.signers[MX, desk].name for desk in signers),
        at=draw(st.integers(0, canon.MAX_INTEGER)),
        seen=draw(
            st.dictionaries(
                st.sampled_from([US, PartyId("ca")]), st.tuples(st.integers(1, 2**53 - 1), hashes)
            )
        ),
        inst=draw(st.just("") | hashes),
        case=draw(st.just("") | hashes),
        act=draw(st.just("") | codes),
        due_in=draw(st.integers(0, 366 * 86_400)),
        cav=draw(st.sampled_from(["", *CAVEATS])),
        bodies=tuple(draw(st.lists(opened | sealed, max_size=3))),
        data=draw(data[kind]),
    )


def sign(header: Header) -> bytes:
    by = [name.rpartition("/")[2] for name in header.by]
    return sign_record(header, *(CHANNEL.signers[MX, desk] for desk in by))


@given(headers())
def test_what_is_written_is_read_back(header: Header) -> None:
    try:
        entry = sign(header)
    except MalformedError as error:
        assume(error.code not in ("canon.profile", "record.too_long"))
        raise
    record = parse_record(entry)
    assert record.header == header
    assert record.header.encode() == record.note.text
    assert record.note.encode() == entry


def accepted(entry: bytes) -> None:
    """Refused with our own error, or printed back."""
    try:
        record = parse_record(entry)
    except ConvenioError:
        return
    assert record.note.encode() == entry
    assert record.header.encode() == record.note.text


@given(headers(), st.data())
def test_bytes_changed_anywhere_are_refused_or_print_back(
    header: Header, draw: st.DataObject
) -> None:
    entry = bytearray(sign(header)) if small(header) else bytearray(b"{}\n\n")
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(entry) - 1))
        entry[at : at + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=2))
    accepted(bytes(entry))


odd: st.SearchStrategy[Any] = (
    st.none()
    | st.floats(allow_nan=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.booleans()
    | st.sampled_from(["", "a", "mx", "é", "A" * 64, "ab" * 32, "\x7f", [], {}, [[]], ["b", "a"]])
    | plain
)


@given(headers(), st.data())
def test_members_changed_to_anything_are_refused_or_print_back(
    header: Header, draw: st.DataObject
) -> None:
    assume(small(header))
    value = orjson.loads(header.encode())
    for _ in range(draw.draw(st.integers(1, 2))):
        key = draw.draw(st.sampled_from([*value, "inst", "case", "act", "cav", "data", "other"]))
        inside = value.get(key)
        if isinstance(inside, list) and inside and draw.draw(st.booleans()):
            inside[draw.draw(st.integers(0, len(inside) - 1))] = draw.draw(odd)
        elif isinstance(inside, dict) and inside and draw.draw(st.booleans()):
            inside[draw.draw(st.sampled_from(sorted(inside)))] = draw.draw(odd)
        else:
            value[key] = draw.draw(odd)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    lines = b"".join(line.encode() for line in parse_record(sign(header)).note.lines)
    accepted(text + b"\n" + lines)


def small(header: Header) -> bool:
    try:
        return len(sign(header)) <= MAX_RECORD_BYTES
    except MalformedError:
        return False


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("canon.not_json", b"{\n"),
        ("canon.not_json", b'{"a":1,}\n'),
        ("canon.profile", b"[]\n"),
        ("canon.profile", b'{"a":' + b"[" * 300 + b"]" * 300 + b"}\n"),
        ("canon.not_canonical", b'{"a":1,"a":1}\n'),
        ("canon.not_canonical", b'{"b":1,"a":1}\n'),
        ("canon.not_canonical", b'{"a":1.0e0}\n'),
        ("canon.not_canonical", b'{"a":"\\u0041"}\n'),
        ("record.kind", b"{}\n"),
        ("record.kind", b'{"kind":"charter","v":1}\n'),
        ("record.kind", b'{"kind":"record","v":true}\n'),
        ("record.kind", b'{"kind":"record","v":1.0}\n'),
        ("record.missing_field", b'{"kind":"record","v":1}\n'),
        ("record.unknown_field", b'{"kind":"record","note":"x","v":1}\n'),
        ("record.one_line", b'{"kind":"record","v":1}'),
        ("record.one_line", b"{}\n\n"),
    ],
)
def test_a_line_that_is_no_header_has_its_code(code: str, text: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_header(text)
    assert caught.value.code == code
