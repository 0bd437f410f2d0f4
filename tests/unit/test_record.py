"""Records: every field that is wrong is named, whatever is accepted prints back, and drafts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.parties import charter, party

from convenio.core.draft import draft, seen_json
from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.note import Note, sign_note
from convenio.core.record import (
    MAX_BODIES,
    MAX_LACKING,
    MAX_RECIPIENTS,
    MAX_RECORD_BYTES,
    OBJECTION,
    PROOF,
    RECEIVED,
    SPLIT,
    Address,
    BodyRef,
    Header,
    PartyId,
    parse_header,
    parse_record,
    sign_record,
)

AUTHOR = party("mx").author("liaison")
LEGAL = party("mx").author("legal")
TO = charter().address("us:liaison")
HASH, OTHER = "ab" * 32, "cd" * 32
SEALED = BodyRef("sealed", HASH, 100, k=OTHER, to=(TO,))
FULL = Header(
    id="01" * 16,
    ch=HASH,
    gen=1,
    type="notice.v1",
    sender=PartyId("mx"),
    to=(TO,),
    by=(AUTHOR.name,),
    at=1_800_000_000,
    seen={PartyId("us"): (7, OTHER)},
    inst=HASH,
    case=OTHER,
    act="give",
    due_in=3600,
    cav="amber_strict",
    bodies=(SEALED, replace(SEALED, k0=HASH), BodyRef("open", OTHER, 1)),
    data={"count": 3, "place": {"code": "t1"}, "list": [1, "two", True]},
)
PLAIN = replace(
    FULL, seen={}, inst="", case="", act="", due_in=0, cav="", bodies=(), data={}, to=()
)
ENTRY = sign_record(FULL, AUTHOR)


def as_signed(value: dict[str, Any]) -> bytes:
    return sign_note(orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n", AUTHOR).encode()


def changed(**fields: Any) -> bytes:
    """The full record with these fields, signed as if that were right; `...` takes one away."""
    value = orjson.loads(FULL.encode())
    for name, item in fields.items():
        key = "from" if name == "sender" else name
        if item is ...:
            del value[key]
        else:
            value[key] = item
    return as_signed(value)


def body(**fields: Any) -> list[dict[str, Any]]:
    value: dict[str, Any] = {"form": "sealed", "c": HASH, "n": 1, "k": HASH, "to": [TO]}
    return [{key: item for key, item in {**value, **fields}.items() if item is not ...}]


def typed(kind: str, data: Any) -> bytes:
    return changed(type=kind, data=data)


LOST = {"lack": [HASH]}
STAMP = {"leaf": HASH, "size": 1, "root": HASH, "name": "us.localhost/mirror", "sig": "AAAA"}
MALFORMED = {
    "another kind": (changed(kind="card"), "record.kind"),
    "no kind": (changed(kind=...), "record.kind"),
    "another version": (changed(v=2), "record.kind"),
    "true for the version": (changed(v=True), "record.kind"),
    "an unknown field": (changed(note="hello"), "record.unknown_field"),
    "a field in capitals": (changed(ID="x"), "record.unknown_field"),
    "no id": (changed(id=...), "record.missing_field"),
    "no author": (changed(by=...), "record.missing_field"),
    "nothing seen and not said so": (changed(seen=...), "record.missing_field"),
    "an id in capitals": (changed(id="AB" * 16), "record.id"),
    "an id cut short": (changed(id="ab" * 15), "record.id"),
    "an id as a number": (changed(id=1), "record.id"),
    "an id with a newline": (changed(id="01" * 15 + "0\n"), "record.id"),
    "an id in Arabic digits": (changed(id="٠١" * 16), "record.id"),
    "a channel that is no hash": (changed(ch="bicentennial"), "record.ch"),
    "generation zero": (changed(gen=0), "record.gen"),
    "generation true": (changed(gen=True), "record.gen"),
    "a huge generation": (changed(gen=2**31 + 1), "record.gen"),
    "a type without a version": (changed(type="notice"), "record.type"),
    "a type of version zero": (changed(type="notice.v0"), "record.type"),
    "a type with an accent": (changed(type="petición.v1"), "record.type"),
    "a sender in capitals": (changed(sender="MX"), "record.from"),
    "a sender with a desk": (changed(sender="mx:ab"), "record.from"),
    "a recipient by alias": (changed(to=["us:liaison"]), "record.to"),
    "a recipient that is a number": (changed(to=[7]), "record.to"),
    "a recipient twice": (changed(to=[TO, TO]), "record.to"),
    "recipients out of order": (changed(to=["us:ffffffff", "us:00000000"]), "record.to"),
    "one recipient not in a list": (changed(to=TO), "record.to"),
    "too many recipients": (
        changed(to=[f"us:{n:08x}" for n in range(MAX_RECIPIENTS + 1)]),
        "record.to",
    ),
    "nobody as author": (changed(by=[]), "record.by"),
    "an author twice": (changed(by=[AUTHOR.name, AUTHOR.name]), "record.by"),
    "an author that is no desk key": (changed(by=["mx.localhost/mirror"]), "record.by"),
    "an author with a plus": (changed(by=["mx+x/k/00000000"]), "record.by"),
    "an author that is a list": (changed(by=[[AUTHOR.name]]), "record.by"),
    "nine authors": (changed(by=[f"mx/k/{n:08x}" for n in range(9)]), "record.by"),
    "a time before 1970": (changed(at=-1), "record.at"),
    "a time as text": (changed(at="2026"), "record.at"),
    "a time with a fraction": (changed(at=1.5), "record.at"),
    "a time beyond exact integers": (changed(at=2**53), "record.at"),
    "seen as a list": (changed(seen=[]), "record.seen"),
    "seen of a party in capitals": (changed(seen={"US": [1, HASH]}), "record.seen"),
    "seen of nothing": (changed(seen={"us": [0, HASH]}), "record.seen"),
    "seen without a root": (changed(seen={"us": [1]}), "record.seen"),
    "seen with a short root": (changed(seen={"us": [1, "ab"]}), "record.seen"),
    "seen with more": (changed(seen={"us": [1, HASH, 1]}), "record.seen"),
    "seen of a size that is true": (changed(seen={"us": [True, HASH]}), "record.seen"),
    "an empty instrument": (changed(inst=""), "record.inst"),
    "an instrument by name": (changed(inst="request.v1"), "record.inst"),
    "an empty case": (changed(case=""), "record.case"),
    "an empty act": (changed(act=""), "record.act"),
    "an act in words": (changed(act="Give notice"), "record.act"),
    "a deadline of zero": (changed(due_in=0), "record.due_in"),
    "a deadline of eleven years": (changed(due_in=11 * 366 * 86_400), "record.due_in"),
    "a deadline that is true": (changed(due_in=True), "record.due_in"),
    "an unknown caveat": (changed(cav="secret"), "record.cav"),
    "an empty caveat": (changed(cav=""), "record.cav"),
    "a caveat in a list": (changed(cav=["red"]), "record.cav"),
    "no bodies and said so": (changed(bodies=[]), "record.bodies"),
    "a body that is text": (changed(bodies=["hello"]), "record.bodies"),
    "more bodies than may be": (changed(bodies=body() * (MAX_BODIES + 1)), "record.bodies"),
    "a body with an unknown field": (changed(bodies=body(name="a.pdf")), "record.bodies"),
    "a body without a hash": (changed(bodies=body(c=...)), "record.bodies"),
    "a body without a size": (changed(bodies=body(n=...)), "record.bodies"),
    "a body of no bytes": (changed(bodies=body(n=0)), "record.bodies"),
    "a body whose form is not said": (changed(bodies=body(form=...)), "record.bodies"),
    "a body of another form": (changed(bodies=body(form="hidden")), "record.bodies"),
    "a body whose form is a list": (changed(bodies=body(form=["sealed"])), "record.bodies"),
    "a sealed body for nobody": (changed(bodies=body(to=[])), "record.bodies"),
    "a sealed body without readers": (changed(bodies=body(to=...)), "record.bodies"),
    "a sealed body without a commitment": (changed(bodies=body(k=...)), "record.bodies"),
    "an open body with readers": (changed(bodies=body(form="open")), "record.bodies"),
    "an open body with a commitment": (
        changed(bodies=body(form="open", to=...)),
        "record.bodies",
    ),
    "an empty original commitment": (changed(bodies=body(k0="")), "record.bodies"),
    "data that is empty": (changed(data={}), "record.data"),
    "data that is a list": (changed(data=[1]), "record.data"),
    "data with free text": (changed(data={"name": "José"}), "record.data"),
    "free text deep in the data": (changed(data={"a": [{"b": ["ñ"]}]}), "record.data"),
    "a control character in the data": (changed(data={"a": "\x7f"}), "record.data"),
    "a fraction in the data": (changed(data={"a": 1.5}), "canon.profile"),
    "null in the data": (changed(data={"a": None}), "canon.profile"),
    "a huge number in the data": (changed(data={"a": 2**53}), "canon.profile"),
    "a key in capitals in the data": (changed(data={"A": 1}), "canon.profile"),
    "data too deep": (changed(data={"a": [[[[[[[[1]]]]]]]]}), "canon.profile"),
    "data one level too deep": (changed(data={"a": [[[[[[[1]]]]]]]}), "canon.profile"),
    "a receipt with more to say": (typed(RECEIVED, {**LOST, "why": "x"}), "record.data"),
    "states without a digest": (typed(RECEIVED, {"state": [1, 0]}), "record.data"),
    "states of no fold": (typed(RECEIVED, {"state": [0, 0, HASH]}), "record.data"),
    "states of a size below zero": (typed(RECEIVED, {"state": [1, -1, HASH]}), "record.data"),
    "states with a digest that is none": (typed(RECEIVED, {"state": [1, 0, "ab"]}), "record.data"),
    "states that are no list": (typed(RECEIVED, {"state": HASH}), "record.data"),
    "a receipt that lacks nothing and says so": (typed(RECEIVED, {"lack": []}), "record.data"),
    "a receipt whose leaf is no hash": (typed(RECEIVED, {"have": ["x"]}), "record.data"),
    "a receipt that lacks too much": (
        typed(RECEIVED, {"lack": [HASH] * (MAX_LACKING + 1)}),
        "record.data",
    ),
    "a proof without its root": (
        typed(PROOF, {k: v for k, v in STAMP.items() if k != "root"}),
        "record.data",
    ),
    "a proof of size zero": (typed(PROOF, {**STAMP, "size": 0}), "record.data"),
    "an alarm without its proof": (typed(SPLIT, {"of": "us"}), "record.data"),
    "an alarm about no party": (typed(SPLIT, {"of": "US", "proof": "eA=="}), "record.data"),
    "an alarm with more to say": (
        typed(SPLIT, {"of": "us", "proof": "eA==", "why": "x"}),
        "record.data",
    ),
    "an alarm that is not ASCII": (typed(SPLIT, {"of": "us", "proof": "é"}), "record.data"),
    "a proof without data": (changed(type=PROOF, data=...), "record.data"),
    "an objection in words": (typed(OBJECTION, {"leaf": HASH, "code": "No!"}), "record.data"),
    "an objection with more to say": (
        typed(OBJECTION, {"leaf": HASH, "code": "late", "why": "x"}),
        "record.data",
    ),
    "an objection without data": (changed(type=OBJECTION, data=...), "record.data"),
}


@pytest.mark.parametrize(("entry", "code"), MALFORMED.values(), ids=MALFORMED)
def test_no_record_has(entry: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_record(entry)
    assert caught.value.code == code


TEXT = FULL.encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"\n", "canon.not_json", id="nothing"),
        pytest.param(b"hello\n", "canon.not_json", id="words"),
        pytest.param(TEXT[:-2] + b"\n", "canon.not_json", id="a line cut short"),
        pytest.param(b"[1]\n", "canon.profile", id="a list"),
        pytest.param(b'"record"\n', "canon.profile", id="a string"),
        pytest.param(TEXT.replace(b'{"', b'{ "', 1), "canon.not_canonical", id="a space"),
        pytest.param(b" " + TEXT, "canon.not_canonical", id="a space in front"),
        pytest.param(
            TEXT.replace(b'"gen":1', b'"gen":1,"gen":1'), "canon.not_canonical", id="a key twice"
        ),
        pytest.param(
            TEXT.replace(b'{"act":"give",', b"{").replace(b'"gen":1', b'"act":"give","gen":1'),
            "canon.not_canonical",
            id="keys out of order",
        ),
        pytest.param(TEXT.replace(b"give", b"gi\\u0076e"), "canon.not_canonical", id="an escape"),
        pytest.param(TEXT.replace(b"3600", b"3.6e3"), "canon.not_canonical", id="an exponent"),
        pytest.param(TEXT.replace(b"3600", b"-0"), "canon.not_canonical", id="minus zero"),
        pytest.param(TEXT.replace(b"3600", b"03600"), "canon.not_json", id="a leading zero"),
        pytest.param(TEXT.replace(b"3600", b"9" * 40), "canon.not_canonical", id="40 digits"),
        pytest.param(TEXT.replace(b"3600", b"NaN"), "canon.not_json", id="not a number"),
        pytest.param(TEXT + TEXT, "record.one_line", id="two lines"),
    ],
)
def test_the_text_of_a_record_is_one_canonical_line_and_not(text: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_record(sign_note(text, AUTHOR).encode())
    assert caught.value.code == code


def test_the_lines_are_those_of_the_named_authors_in_their_order() -> None:
    two = replace(FULL, by=(AUTHOR.name, LEGAL.name))
    text = two.encode()
    assert parse_record(sign_note(text, AUTHOR, LEGAL).encode()).header == two
    for wrong in ((LEGAL, AUTHOR), (AUTHOR,), (AUTHOR, LEGAL, AUTHOR), (AUTHOR, AUTHOR)):
        with pytest.raises(MalformedError) as caught:
            parse_record(sign_note(text, *wrong).encode())
        assert caught.value.code == "record.signers"


def test_a_record_of_more_than_16_kib_is_refused_unread() -> None:
    entry = Note(b"x" * MAX_RECORD_BYTES + b"\n", parse_record(ENTRY).note.lines).encode()
    with pytest.raises(MalformedError) as caught:
        parse_record(entry)
    assert caught.value.code == "record.too_long"


# --- what is accepted prints back ---


def test_a_full_and_a_plain_record_print_back() -> None:
    for header in (FULL, PLAIN):
        entry = sign_record(header, AUTHOR)
        record = parse_record(entry)
        assert record.header == header
        assert record.note.encode() == entry
        assert record.header.encode() == record.note.text


HEX32 = st.binary(min_size=32, max_size=32).map(bytes.hex)
CODES = st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True)
DESKS = st.sets(st.integers(0, 2**32 - 1).map(lambda n: Address(f"us:{n:08x}")), max_size=4)
SEEN = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{1,15}", fullmatch=True).map(PartyId),
    st.tuples(st.integers(1, 2**53 - 1), HEX32),
    max_size=3,
)
PLAIN_DATA = st.recursive(
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.booleans()
    | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CODES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def body_refs(draw: st.DrawFn) -> BodyRef:
    to = draw(DESKS)
    n = draw(st.integers(1, 2**53 - 1))
    if not to:
        return BodyRef("open", draw(HEX32), n)
    k0 = draw(HEX32 | st.just(""))
    return BodyRef("sealed", draw(HEX32), n, draw(HEX32), k0, tuple(sorted(to)))


@st.composite
def headers(draw: st.DrawFn) -> Header:
    return Header(
        id=draw(st.binary(min_size=16, max_size=16)).hex(),
        ch=draw(HEX32),
        gen=draw(st.integers(1, 2**31)),
        type=f"{draw(CODES)}.v{draw(st.integers(1, 9999))}",
        sender=PartyId("mx"),
        to=tuple(sorted(draw(DESKS))),
        by=(AUTHOR.name,),
        at=draw(st.integers(0, 2**53 - 1)),
        seen=draw(SEEN),
        inst=draw(HEX32 | st.just("")),
        case=draw(HEX32 | st.just("")),
        act=draw(CODES | st.just("")),
        due_in=draw(st.integers(0, 10 * 366 * 86_400)),
        cav=draw(st.sampled_from(("", "clear", "green", "amber", "amber_strict", "red"))),
        bodies=tuple(draw(st.lists(body_refs(), max_size=3))),
        data=draw(st.dictionaries(CODES, PLAIN_DATA, max_size=3)),
    )


@given(headers())
def test_any_header_prints_and_reads_back(header: Header) -> None:
    text = header.encode()
    assert parse_header(text) == header
    assert parse_header(text).encode() == text


@given(headers(), SEEN, st.integers(0, 2**53 - 1))
def test_a_draft_is_the_header_with_a_time_and_what_was_seen(
    header: Header, seen: dict[PartyId, tuple[int, str]], at: int
) -> None:
    entry = draft(header).sign(at, seen_json(seen), [AUTHOR])
    assert parse_record(entry).header == replace(header, at=at, seen=seen)
    assert entry == sign_record(replace(header, at=at, seen=seen), AUTHOR)


@given(st.binary(max_size=400))
@example(b"{}\n\n\xe2\x80\x94 x AAAAAAAA\n")
@example(b'{"' + b"[" * 300)
def test_no_bytes_raise_anything_but_malformed(data: bytes) -> None:
    for parse in (parse_record, parse_header):
        with pytest.raises(MalformedError):
            parse(data)


@given(st.binary(max_size=200))
def test_no_signed_text_raises_anything_but_malformed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_record(sign_note(text + b"\n", AUTHOR).encode())


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["us:00000000", HASH, "sealed", "open", AUTHOR.name, "received.v1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(sorted(orjson.loads(TEXT))), JSONISH)
def test_a_record_with_any_value_in_any_field_prints_back_or_is_malformed(
    name: str, value: object
) -> None:
    entry = changed(**{name: value})
    try:
        record = parse_record(entry)
    except MalformedError:
        return
    assert record.header.encode() == record.note.text


@given(st.integers(0, len(ENTRY) - 1), st.integers(0, 255))
def test_a_record_with_any_byte_changed_is_another_record_or_malformed(at: int, byte: int) -> None:
    data = bytearray(ENTRY)
    data[at] = byte
    try:
        record = parse_record(bytes(data))
    except MalformedError:
        return
    assert record.note.encode() == bytes(data)
    assert record.header.encode() == record.note.text


# --- drafts ---


def with_data(data: Any) -> Header:
    return replace(FULL, data=data)


def draft_code(header: Header) -> str:
    with pytest.raises(ConvenioError) as caught:
        draft(header)
    return caught.value.code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param(replace(FULL, id="x"), "record.id", id="a bad id"),
        pytest.param(replace(FULL, id="é" * 32), "record.id", id="an id not in ASCII"),
        pytest.param(replace(FULL, type="Notice"), "record.type", id="a bad type"),
        pytest.param(replace(FULL, to=(Address("us:liaison"),)), "record.to", id="an alias"),
        pytest.param(replace(FULL, by=("mx",)), "record.by", id="a bad author"),
        pytest.param(replace(FULL, case="12"), "record.case", id="a bad case"),
        pytest.param(replace(FULL, due_in=-5), "record.due_in", id="a deadline in the past"),
        pytest.param(replace(FULL, cav="RED"), "record.cav", id="a bad caveat"),
        pytest.param(replace(FULL, data={"a": "ñ"}), "record.data", id="free text"),
        pytest.param(with_data({"a": 1.5}), "canon.profile", id="a fraction"),
        pytest.param(replace(FULL, data={"a": "\ud800"}), "canon.profile", id="half a character"),
        pytest.param(with_data({7: "a"}), "canon.profile", id="a number as key"),
        pytest.param(with_data({"a": {1}}), "canon.profile", id="a set"),
        pytest.param(with_data({"a": b"x"}), "canon.profile", id="bytes"),
        pytest.param(
            replace(FULL, data={"a": "x" * 7900, "b": "y" * 5000}), "record.too_long", id="too much"
        ),
        pytest.param(
            replace(FULL, data={"a": "x" * 8192, "b": "y" * 8192}),
            "canon.too_long",
            id="far too much",
        ),
        pytest.param(
            replace(FULL, bodies=(replace(SEALED, to=()),)), "record.bodies", id="sealed to nobody"
        ),
    ],
)
def test_a_draft_is_refused_before_it_reaches_the_log_for(header: Header, code: str) -> None:
    assert draft_code(header) == code


def test_a_draft_leaves_room_for_what_fifteen_members_may_still_add() -> None:
    """The largest draft there can be is never too long once it is dated and signed."""
    seen = {PartyId(f"p{'x' * 13}{n:02}"): (2**53 - 1, HASH) for n in range(15)}
    low, high = 0, 16_000
    while low < high:
        middle = (low + high + 1) // 2
        try:
            draft(_of_size(middle))
            low = middle
        except MalformedError:
            high = middle - 1
    entry = draft(_of_size(low)).sign(2**53 - 1, seen_json(seen), [AUTHOR])
    assert MAX_RECORD_BYTES - 1000 < len(entry) <= MAX_RECORD_BYTES


def _of_size(size: int) -> Header:
    parts = {f"k{n}": "x" * min(8000, size - n * 8000) for n in range(size // 8000 + 1)}
    return replace(PLAIN, data={key: text for key, text in parts.items() if text})


def test_signing_needs_the_very_keys_the_header_names() -> None:
    with pytest.raises(RuntimeError):
        sign_record(FULL, LEGAL)


def test_data_may_speak_of_seen_without_confusing_the_draft() -> None:
    """The draft finds `seen` by its place in the text, so data must not be able to move it."""
    sly: Callable[[str], Header] = lambda text: replace(PLAIN, data={"seen": {}, "a": text})  # noqa: E731
    for text in (',"seen":{}', '","seen":{},"x":"', '{"at":0,"seen":{}'):
        entry = draft(sly(text)).sign(5, seen_json({PartyId("us"): (1, HASH)}), [AUTHOR])
        header = parse_record(entry).header
        assert (header.at, header.seen) == (5, {"us": (1, HASH)})
        assert header.data == {"seen": {}, "a": text}
