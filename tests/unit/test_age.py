"""Sealed files: who can open them, and that nothing changed or cut ever comes out."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest
from tests.sealing import (
    READER,
    SENDER,
    STRANGER,
    X25519Writer,
    fixed,
    split,
    taken_until_error,
)

from convenio.core.age import (
    HybridIdentity,
    HybridRecipient,
    Passphrase,
    Rng,
    X25519Identity,
    decrypt,
    decrypt_stream,
    encrypt,
    encrypt_stream,
    unarmor,
)
from convenio.core.age.header import Header, Stanza, make_header, parse_header
from convenio.core.age.recipients import HYBRID, SCRYPT
from convenio.core.age.source import Source
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    UnverifiedError,
)

CHUNK = 65_536
SEALED_CHUNK = CHUNK + 16
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]
KEY_WORDS = Passphrase("correcto caballo", log_n=1)


def sealed(content: bytes) -> bytes:
    return encrypt(content, [READER.recipient(), SENDER.recipient()], fixed("file"))


def payload_at(file: bytes) -> int:
    """Where the first chunk begins."""
    return file.index(b"\n", file.index(b"\n---") + 1) + 1 + 16


# Keys


def test_the_identity_of_the_specification_has_the_recipient_of_the_specification() -> None:
    identity = HybridIdentity.parse(
        "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
    )
    recipient = str(identity.recipient())
    assert recipient.startswith("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pz")
    assert recipient.endswith(
        "7tl2szhpr5qe8jj08ydjc4wy2rch2fhuy3pdfjax5awe9j99ly5hkntzz9fe5zatg"
        "jvzdd0kgtxs25njnajyf6ssekp7gelxquusn4pt25czh3scj68kq79wdn5tgm6yvm9"
        "nzavrg043x3msnygf8dweknw5jmqd0uvny6ttsn09508k0c55zfnegrm9efhxpfqdk"
        "mhh6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k"
    )


def test_keys_print_and_parse_back() -> None:
    assert HybridIdentity.parse(READER.reveal()) == READER
    assert HybridRecipient.parse(str(READER.recipient())) == READER.recipient()


def test_a_secret_is_not_shown_where_objects_are_shown() -> None:
    assert READER.seed.hex() not in repr(READER)
    assert str(READER.seed) not in repr(READER) + repr(X25519Identity(READER.seed))
    assert "caballo" not in repr(KEY_WORDS)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(str(READER.recipient()).upper(), id="upper case"),
        pytest.param(str(READER.recipient())[:-1], id="a letter is missing"),
        pytest.param(str(READER.recipient())[:-1] + "b", id="a letter outside the alphabet"),
        pytest.param(str(READER.recipient()).replace("age1pq1", "age1"), id="another prefix"),
        pytest.param(" " + str(READER.recipient()), id="a space before"),
        pytest.param(str(READER.recipient()) + "\n", id="a newline after"),
        pytest.param(READER.reveal(), id="an identity"),
    ],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match=r"age\.recipient"):
        HybridRecipient.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(bytes(1215), id="a byte too few"),
        pytest.param(b"\xff" * 1184 + READER.recipient().raw[1184:], id="no ML-KEM key"),
        pytest.param(READER.recipient().raw[:1184] + bytes(32), id="an X25519 point of low order"),
    ],
)
def test_a_key_that_cannot_be_sealed_to_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError, match=r"age\.recipient"):
        HybridRecipient(raw)


@pytest.mark.parametrize(
    "text",
    ["", READER.reveal().lower(), READER.reveal()[:-1], "AGE-SECRET-KEY-PQ-1", "ſ" * 70],
)
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match=r"age\.identity"):
        HybridIdentity.parse(text)
    with pytest.raises(MalformedError, match=r"age\.identity"):
        X25519Identity.parse(text)


def test_seeds_are_32_bytes() -> None:
    with pytest.raises(MalformedError, match=r"age\.identity"):
        HybridIdentity(bytes(31))
    with pytest.raises(MalformedError, match=r"age\.identity"):
        X25519Identity(bytes(33))


# Who opens


@pytest.mark.parametrize("size", SIZES)
def test_every_recipient_opens_the_same(size: int) -> None:
    content = fixed("content")(size)
    file = sealed(content)
    assert decrypt(file, [READER]) == decrypt(file, [STRANGER, SENDER]) == content


def test_a_stranger_opens_nothing() -> None:
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        decrypt(sealed(b"aviso"), [STRANGER, X25519Identity(bytes(32)), KEY_WORDS])
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        decrypt(sealed(b"aviso"), [])


def test_a_file_is_for_1_to_64_recipients() -> None:
    recipient = READER.recipient()
    assert decrypt(encrypt(b"x", [recipient] * 64, fixed("64")), [READER]) == b"x"
    for count in (0, 65):
        with pytest.raises(RefusedError, match=r"age\.recipients"):
            encrypt(b"x", [recipient] * count, fixed("65"))


def test_a_header_of_more_than_64_stanzas_is_refused() -> None:
    stanza = Stanza(("x",), b"")
    parse_header(make_header((stanza,) * 64, bytes(16)).encode())
    with pytest.raises(MalformedError, match=r"age\.stanzas"):
        decrypt(make_header((stanza,) * 65, bytes(16)).encode(), [READER])


@pytest.mark.parametrize("line", [b"-> x" + b"y" * 200_000 + b"\n", b"-> x\n\n" * 40_000])
def test_a_header_that_does_not_end_is_not_read_on(line: bytes) -> None:
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        yield b"age-encryption.org/v1\n" + line
        while True:
            given += 1
            yield bytes(65_536)

    with pytest.raises(MalformedError, match=r"age\.header_too_long"):
        decrypt_stream(endless(), [READER])
    assert given == 0


def test_an_endless_version_line_is_not_read_on() -> None:
    with pytest.raises(MalformedError, match=r"age\.version"):
        decrypt_stream(iter(lambda: b"age-encryption.org/", None), [READER])


class Other:
    """A recipient of a kind we don't know."""

    def wrap(self, file_key: bytes, rng: Rng) -> Stanza:
        return Stanza(("example.com/enigma", "!", HYBRID), rng(32))


def test_stanzas_of_other_kinds_are_passed_over() -> None:
    file = encrypt(b"aviso", [Other(), READER.recipient(), Other()], fixed("other"))
    assert decrypt(file, [READER]) == b"aviso"


def test_base64_in_a_stanza_is_not_padded() -> None:
    key = fixed("k")(16)
    _, salt, work = KEY_WORDS.wrap(key, fixed("k")).args
    for text in (salt + "==", salt + "=", salt[:-1]):
        file = make_header((Stanza((SCRYPT, text, work), bytes(32)),), key).encode()
        with pytest.raises(MalformedError, match=r"age\.stanza"):
            decrypt(file, [KEY_WORDS])


def test_x25519_is_read() -> None:
    identity = X25519Identity(fixed("x")(32))
    file = encrypt(b"aviso", [X25519Writer(identity)], fixed("x"))
    assert decrypt(file, [identity]) == b"aviso"
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        decrypt(file, [X25519Identity(fixed("y")(32))])


# Passphrases


def test_a_passphrase_opens_its_file() -> None:
    assert decrypt(encrypt(b"llave", [KEY_WORDS], fixed("p")), [KEY_WORDS]) == b"llave"


def test_another_passphrase_is_told_apart_from_damage() -> None:
    file = encrypt(b"llave", [KEY_WORDS], fixed("p"))
    with pytest.raises(UnverifiedError, match=r"age\.wrong_passphrase"):
        decrypt(file, [Passphrase("correcto caballo ")])


def test_a_passphrase_may_ask_for_2_to_the_18_and_no_more() -> None:
    file = encrypt(b"llave", [Passphrase("x", log_n=1)], fixed("p"))
    for work in (b"19", b"999", b"9" * 5000):
        asking = file.replace(b" 1\n", b" " + work + b"\n", 1)
        with pytest.raises(RefusedError, match=r"age\.work_factor") as caught:
            decrypt(asking, [Passphrase("x")])
        assert caught.value.parameters == {"max": 18}
    with pytest.raises(RefusedError, match=r"age\.work_factor"):
        decrypt(encrypt(b"", [Passphrase("x", log_n=5)], fixed("p")), [Passphrase("x", 1, 4)])


@pytest.mark.parametrize("log_n", [0, -1, 19])
def test_a_passphrase_we_could_not_read_is_not_written(log_n: int) -> None:
    with pytest.raises(RefusedError, match=r"age\.work_factor"):
        Passphrase("x", log_n=log_n)


@pytest.mark.parametrize("text", ["", "\ud800"], ids=["empty", "not a text"])
def test_what_is_no_passphrase_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match=r"age\.passphrase"):
        Passphrase(text)


def test_a_passphrase_stands_alone() -> None:
    with pytest.raises(MalformedError, match=r"age\.passphrase_not_alone"):
        encrypt(b"x", [KEY_WORDS, READER.recipient()], fixed("p"))
    file_key = fixed("k")(16)
    both = (READER.recipient().wrap(file_key, fixed("k")), KEY_WORDS.wrap(file_key, fixed("k")))
    for stanzas in (both, both[::-1]):
        with pytest.raises(MalformedError, match=r"age\.passphrase_not_alone"):
            decrypt(make_header(stanzas, file_key).encode() + bytes(32), [READER])


# Changed and cut files


def test_no_byte_of_a_file_can_change() -> None:
    file = encrypt(b"aviso", [READER.recipient()], fixed("tamper"))
    for at in range(len(file)):
        changed = bytearray(file)
        changed[at] ^= 1
        with pytest.raises(ConvenioError):
            decrypt(bytes(changed), [READER])


def test_no_file_cut_anywhere_opens() -> None:
    file = encrypt(b"aviso", [KEY_WORDS], fixed("cut"))
    for size in range(len(file)):
        with pytest.raises(ConvenioError):
            decrypt(file[:size], [KEY_WORDS])
    with pytest.raises(UnverifiedError, match=r"age\.payload"):
        decrypt(file + b"\x00", [KEY_WORDS])


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [3 * CHUNK + 7, 4 * CHUNK], ids=["odd end", "full end"])
def test_a_file_cut_between_chunks_gives_a_beginning_and_an_error(chunks: int, size: int) -> None:
    content = fixed("content")(size)
    file = sealed(content)
    cut = file[: payload_at(file) + chunks * SEALED_CHUNK]
    taken, failure = taken_until_error(decrypt_stream((cut,), [READER]))
    assert taken == content[: max(0, chunks - 1) * CHUNK]
    assert isinstance(failure, UnverifiedError)
    assert failure.code == "age.truncated"


@pytest.mark.parametrize("at", [0, CHUNK, SEALED_CHUNK, 2 * SEALED_CHUNK - 1, 3 * SEALED_CHUNK])
def test_a_changed_chunk_never_comes_out_nor_does_any_after_it(at: int) -> None:
    content = fixed("content")(3 * CHUNK + 7)
    file = bytearray(sealed(content))
    file[payload_at(bytes(file)) + at] ^= 0x80
    taken, failure = taken_until_error(decrypt_stream((bytes(file),), [READER]))
    assert taken == content[: at // SEALED_CHUNK * CHUNK]
    assert isinstance(failure, UnverifiedError)
    assert failure.code == "age.payload"


def test_chunks_cannot_change_places_be_repeated_or_left_out() -> None:
    content = b"".join(bytes((n,)) * CHUNK for n in range(4))
    file = sealed(content)
    head = file[: payload_at(file)]
    chunks = [file[at : at + SEALED_CHUNK] for at in range(len(head), len(file), SEALED_CHUNK)]
    for order in ([1, 0, 2, 3], [0, 0, 1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2, 3, 3]):
        with pytest.raises(UnverifiedError, match=r"age\.payload"):
            decrypt(head + b"".join(chunks[n] for n in order), [READER])


def test_the_payload_of_another_file_does_not_fit() -> None:
    one, two = encrypt(b"uno", [READER.recipient()], fixed("1")), sealed(b"dos")
    with pytest.raises(UnverifiedError, match=r"age\.payload"):
        decrypt(one[: payload_at(one) - 16] + two[payload_at(two) - 16 :], [READER])


def test_a_file_whose_stanzas_hold_two_file_keys_opens_for_one_reader_only() -> None:
    key, other = fixed("k")(16), fixed("other")(16)
    stanzas = (
        READER.recipient().wrap(key, fixed("k")),
        SENDER.recipient().wrap(other, fixed("k")),
    )
    file = make_header(stanzas, key).encode() + bytes(48)
    with pytest.raises(UnverifiedError, match=r"age\.payload"):
        decrypt(file, [READER])
    with pytest.raises(UnverifiedError, match=r"age\.header_mac"):
        decrypt(file, [SENDER])


# Streams


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_is_the_same_file_however_it_is_cut(size: int) -> None:
    content = fixed("content")(size)
    pieces = split(content, 1, 0, 3, CHUNK - 5, 2 * CHUNK)
    file = b"".join(encrypt_stream(pieces, [KEY_WORDS], fixed("s")))
    assert file == encrypt(content, [KEY_WORDS], fixed("s"))
    again = decrypt_stream(split(file, 5, 0, 100, 1, SEALED_CHUNK), [KEY_WORDS])
    assert b"".join(again) == content


def test_pieces_given_are_never_longer_than_a_chunk() -> None:
    file = sealed(bytes(5 * CHUNK + 1))
    pieces = list(decrypt_stream((file,), [READER]))
    assert [len(piece) for piece in pieces] == [CHUNK] * 5 + [1]


def test_a_long_stream_takes_little_memory() -> None:
    content = (bytes(CHUNK) for _ in range(512))  # 32 MiB
    tracemalloc.start()
    file = encrypt_stream(content, [READER.recipient()], fixed("memory"))
    size = sum(len(piece) for piece in decrypt_stream(file, [READER]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 512 * CHUNK
    assert peak < 2 * 2**20


def test_the_header_is_checked_before_a_stream_is_given() -> None:
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        decrypt_stream((sealed(b"aviso"),), [STRANGER])
    file = sealed(b"aviso")
    with pytest.raises(UnverifiedError, match=r"age\.truncated"):
        decrypt_stream((file[: payload_at(file) - 1],), [READER])


def test_the_random_source_decides_file_key_and_nonce() -> None:
    asked: list[int] = []

    def counting(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    encrypt(b"x", [READER.recipient()], counting)
    assert asked == [16, 16]


def test_two_files_of_the_same_content_have_nothing_in_common() -> None:
    one, two = (encrypt(bytes(64), [READER.recipient()], fixed(name)) for name in "ab")
    assert one[payload_at(one) - 16 :] != two[payload_at(two) - 16 :]
    assert hashlib.sha256(one).digest() != hashlib.sha256(two).digest()


# Headers, armor, reading


def test_a_header_prints_as_it_was_read() -> None:
    file = sealed(b"aviso")
    head = file[: payload_at(file) - 16]
    assert parse_header(head).encode() == head


def test_a_body_of_48_bytes_ends_with_an_empty_line() -> None:
    header = Header((Stanza(("x", "y"), bytes(48)),), bytes(32))
    assert b"A" * 64 + b"\n\n---" in header.encode()
    assert parse_header(header.encode()) == header


ARMOR = (
    b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"QUJD" * 16 + b"\nREU=\n"
    b"-----END AGE ENCRYPTED FILE-----\n"
)


def test_armor_is_read_with_either_line_end_and_space_around() -> None:
    assert unarmor(ARMOR) == unarmor(b" \n" + ARMOR.replace(b"\n", b"\r\n")) == b"ABC" * 16 + b"DE"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"x" + ARMOR, id="text before"),
        pytest.param(ARMOR + b"x", id="text after"),
        pytest.param(ARMOR + ARMOR, id="two blocks"),
        pytest.param(ARMOR.replace(b"REU=", b"REV="), id="bits after the last byte"),
        pytest.param(ARMOR.replace(b"REU=", b"REU"), id="no padding"),
        pytest.param(ARMOR.replace(b"D\nR", b"\nDR", 1), id="a short line inside"),
        pytest.param(ARMOR.replace(b"REU=\n", b"REU=\r"), id="a line that ends with CR"),
        pytest.param(ARMOR.replace(b"AGE", b"PGP"), id="another label"),
    ],
)
def test_what_is_not_exactly_armor_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedError, match=r"age\.armor"):
        unarmor(text)


def test_reading_gives_what_is_asked_for_whatever_the_chunks() -> None:
    source = Source(split(b"uno\ndos\ntres", 2, 0, 3))
    assert source.read_line(4, "x") == b"uno\n"
    assert bytes(source.read(2)) == b"do"
    assert source.read_line(100, "x") == b"s\n"
    assert bytes(source.read(100)) == b"tres"
    assert bytes(source.read(100)) == b""
    assert source.read_line(100, "x") == b""


def test_a_line_longer_than_allowed_is_refused() -> None:
    assert Source((b"abc\n",)).read_line(4, "x") == b"abc\n"
    assert Source((b"abc",)).read_line(3, "x") == b"abc"
    with pytest.raises(MalformedError, match="too long"):
        Source(split(b"abc\n", 1, 1)).read_line(3, "too long")
