"""Canonical JSON and the small encodings: one spelling for each value, and no lenient reader."""

from __future__ import annotations

import base64
import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.core import canon
from convenio.core.encoding import MAX_SIZE, parse_base64, parse_decimal, parse_hex
from convenio.core.errors import MalformedError

MAX = canon.MAX_INTEGER
KEYS = st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True)
VALUES = st.recursive(
    st.booleans() | st.integers(-MAX, MAX) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def code_of(line: bytes, max_bytes: int = 1000) -> str:
    with pytest.raises(MalformedError) as caught:
        canon.loads(line, max_bytes)
    return caught.value.code


@given(OBJECTS)
def test_any_value_of_the_profile_prints_and_reads_back(value: canon.Object) -> None:
    try:
        line = canon.dumps(value)
    except MalformedError:
        line = orjson.dumps(value)  # deeper than the profile: not read either
        assert code_of(line, 1 << 20) in ("canon.profile", "canon.not_canonical")
        return
    assert canon.loads(line, 1 << 20) == value
    assert b"\n" not in line


@given(st.binary(max_size=100))
def test_whatever_is_read_prints_back(data: bytes) -> None:
    try:
        value = canon.loads(data, 1000)
    except MalformedError:
        return
    assert canon.dumps(value) == data


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"", "canon.not_json", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", "canon.not_json", id="a byte order mark"),
        pytest.param(b'{"a":"\xff"}', "canon.not_json", id="bytes that are no UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', "canon.not_json", id="half a character"),
        pytest.param(b"{}{}", "canon.not_json", id="two objects"),
        pytest.param(b'{"a":1,}', "canon.not_json", id="a last comma"),
        pytest.param(b"{'a':1}", "canon.not_json", id="single quotes"),
        pytest.param(b'{"a":Infinity}', "canon.not_json", id="infinity"),
        pytest.param(b'{"a":01}', "canon.not_json", id="a leading zero"),
        pytest.param(b'{"a":+1}', "canon.not_json", id="a plus"),
        pytest.param(b"[]", "canon.profile", id="a list"),
        pytest.param(b"1", "canon.profile", id="a number"),
        pytest.param(b"null", "canon.profile", id="null"),
        pytest.param(b'{"a":null}', "canon.profile", id="null inside"),
        pytest.param(b'{"a":1.5}', "canon.profile", id="a fraction"),
        pytest.param(b'{"a":1.0}', "canon.profile", id="a whole number written as a fraction"),
        pytest.param(b'{"a":9007199254740992}', "canon.profile", id="an integer no double holds"),
        pytest.param(b'{"a":-9007199254740992}', "canon.profile", id="or a negative one"),
        pytest.param(b'{"A":1}', "canon.profile", id="a key in capitals"),
        pytest.param(b'{"":1}', "canon.profile", id="an empty key"),
        pytest.param('{"ñ":1}'.encode(), "canon.profile", id="a key with an accent"),
        pytest.param(b'{"%b":1}' % (b"a" * 65), "canon.profile", id="a long key"),
        pytest.param(nested(canon.MAX_DEPTH + 1), "canon.profile", id="a level too deep"),
        pytest.param(nested(400), "canon.profile", id="hundreds of levels"),
        pytest.param(b'{"a":1}\n', "canon.not_canonical", id="a newline behind"),
        pytest.param(b'{"a": 1}', "canon.not_canonical", id="a space"),
        pytest.param(b'{"b":1,"a":1}', "canon.not_canonical", id="keys out of order"),
        pytest.param(b'{"a":1,"a":1}', "canon.not_canonical", id="a key twice"),
        pytest.param(b'{"a":-0}', "canon.not_canonical", id="minus zero"),
        pytest.param(b'{"a":"\\/"}', "canon.not_canonical", id="a needless escape"),
        pytest.param(b'{"a":"\\u00e9"}', "canon.not_canonical", id="an escaped letter"),
        pytest.param(b'{"a":"\\u000A"}', "canon.not_canonical", id="an escape in capitals"),
        pytest.param(b'{"a":"%b"}' % (b"x" * 1000), "canon.too_long", id="too many bytes"),
    ],
)
def test_a_line_is_refused_for(line: bytes, code: str) -> None:
    assert code_of(line) == code


def test_the_edges_of_the_profile_are_inside_it() -> None:
    for line in (
        b"{}",
        b'{"a":9007199254740991,"b":-9007199254740991}',
        b'{"%b":true}' % (b"a" * 64),
        nested(canon.MAX_DEPTH),
        '{"a":"é\\n\\"\\\\\U0001f41e"}'.encode(),
        b'{"_":{},"0":[]}'.replace(b'"_":{},"0":[]', b'"0":[],"_":{}'),
    ):
        assert canon.dumps(canon.loads(line, 1000)) == line


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.5},
        {"a": None},
        {"A": 1},
        {1: 2},
        {"a": 2**53},
        {"a": b"x"},
        {"a": (1,)},
        {"a": "\ud800"},
    ],
    ids=lambda value: repr(value).encode("ascii", "replace").decode(),
)
def test_what_is_outside_the_profile_is_not_printed(value: canon.Object) -> None:
    with pytest.raises(MalformedError) as caught:
        canon.dumps(value)
    assert caught.value.code == "canon.profile"


# --- numbers, base64, hex ---


@given(st.integers(0, MAX_SIZE))
def test_a_number_reads_as_it_is_written(number: int) -> None:
    assert parse_decimal(b"%d" % number, "x.y") == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-1",
        b"+1",
        b"01",
        b"00",
        b" 1",
        b"1 ",
        b"1\n",
        b"1_0",
        b"1e3",
        b"0x1",
        "١".encode(),
        b"9223372036854775808",
        b"9" * 40,
    ],
)
def test_a_number_is_not_written(text: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_decimal(text, "x.y")
    assert caught.value.code == "x.y"


@given(st.binary(max_size=40))
def test_base64_and_hex_print_back_or_are_refused(data: bytes) -> None:
    assert parse_base64(base64.b64encode(data), "x.y") == data
    assert parse_hex(data.hex(), len(data), "x.y") == data
    with contextlib.suppress(MalformedError):
        assert base64.b64encode(parse_base64(data, "x.y")) == data


@pytest.mark.parametrize(
    "text",
    [b"A", b"AA", b"AAA", b"AAA=A", b"AB==", b"AAB=", b"A A=", b"AA==\n", b"-_==", b"AA==AAAA"],
)
def test_base64_is_not_written(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_base64(text, "x.y")


@pytest.mark.parametrize("text", ["AB", "a", "abc", " ab", "0xab", "ａｂ", "٠٠", "ab\n", ""])
def test_hex_of_one_byte_is_not_written(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_hex(text, 1, "x.y")
