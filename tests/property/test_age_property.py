"""Sealed files, for any content, any cut and any damage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.sealing import READER, fixed, split

from convenio.core.age import (
    HybridIdentity,
    HybridRecipient,
    Identity,
    Passphrase,
    X25519Identity,
    bech32,
    decrypt,
    decrypt_stream,
    encrypt,
    encrypt_stream,
    unarmor,
)
from convenio.core.age.header import Header, Stanza, parse_header
from convenio.core.errors import ConvenioError, MalformedError

WORDS = Passphrase("x", log_n=1, max_log_n=4)
IDENTITIES: list[Identity] = [READER, X25519Identity(bytes(32)), WORDS]
FILES = [
    encrypt(b"aviso", [READER.recipient()], fixed("p")),
    encrypt(b"aviso", [WORDS], fixed("p")),
]
LONG = encrypt(fixed("long")(150_000), [WORDS], fixed("p"))

contents = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda n, word: (word * n)[:n], st.integers(0, 200_000), st.binary(min_size=1)),
)
cuts = st.lists(st.integers(0, 70_000), max_size=6)
arguments = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
stanzas = st.builds(
    Stanza, st.lists(arguments, min_size=1, max_size=4).map(tuple), st.binary(max_size=150)
)
headers = st.builds(
    Header,
    st.lists(stanzas, min_size=1, max_size=5).map(tuple),
    st.binary(min_size=32, max_size=32),
)


@given(contents, cuts, cuts)
def test_what_was_sealed_is_opened(content: bytes, cut: list[int], cut_again: list[int]) -> None:
    file = b"".join(encrypt_stream(split(content, *cut), [WORDS], fixed("p")))
    assert b"".join(decrypt_stream(split(file, *cut_again), IDENTITIES)) == content


@given(headers)
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    assert parse_header(header.encode()) == header


@given(
    st.lists(
        st.sampled_from(
            [b"-> x y\n", b"QUJD", b"A" * 64, b"\n", b"=", b"-> ", b"--- ", b"A" * 43, b" ", b"\r"]
        ),
        max_size=12,
    )
)
def test_a_header_that_is_accepted_prints_back(parts: list[bytes]) -> None:
    text = b"age-encryption.org/v1\n" + b"".join(parts)
    try:
        header = parse_header(text)
    except MalformedError:
        return
    assert header.encode() == text


@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_raises_only_our_errors(file: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(file)))
    until = data.draw(st.integers(at, min(len(file), at + 80)))
    damaged = file[:at] + data.draw(st.binary(max_size=80)) + file[until:]
    try:
        opened = decrypt(damaged, IDENTITIES)
    except ConvenioError:
        assert damaged != file
    else:
        assert (damaged, opened) == (file, b"aviso")


@given(st.integers(0, len(LONG) - 1))
def test_a_file_that_is_cut_short_gives_a_beginning_only(size: int) -> None:
    given_bytes = bytearray()
    try:
        for piece in decrypt_stream((LONG[:size],), IDENTITIES):
            given_bytes += piece
    except ConvenioError:
        assert fixed("long")(150_000).startswith(given_bytes)
        assert len(given_bytes) in (0, 65_536, 131_072)
    else:
        raise AssertionError("a file that was cut short opened")


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_raise_only_our_errors(data: bytes, begun: bool) -> None:
    file = b"age-encryption.org/v1\n-> " + data if begun else data
    for read in (parse_header, unarmor, lambda file: decrypt(file, IDENTITIES)):
        try:
            read(file)
        except ConvenioError:
            continue
        raise AssertionError("something was read from noise")


@given(st.one_of(st.text(max_size=120), st.text("age1pqsecrty-kPQAG", max_size=120)))
def test_any_text_raises_only_our_errors_as_a_key(text: str) -> None:
    for parse in (HybridRecipient.parse, HybridIdentity.parse, X25519Identity.parse):
        try:
            parse(text)
        except MalformedError:
            continue
        raise AssertionError("a key was read from noise")


@given(st.binary(max_size=200))
def test_bech32_prints_and_parses_back(data: bytes) -> None:
    assert bech32.decode(bech32.encode("age", data), "age", len(data), "x") == data


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10_000), st.sampled_from("qpzry9x8g"))
def test_one_wrong_letter_in_bech32_is_found(data: bytes, at: int, letter: str) -> None:
    text = bech32.encode("age", data)
    place = 4 + at % (len(text) - 4)
    wrong = text[:place] + letter + text[place + 1 :]
    try:
        assert bech32.decode(wrong, "age", len(data), "x") == data
    except MalformedError:
        assert wrong != text
    else:
        assert wrong == text
