"""Bodies: what opens is what this record speaks of, or nothing opens."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest
from tests.sealing import (
    DESKS,
    LABEL,
    MX,
    READER,
    SENDER,
    STRANGER,
    US,
    fixed,
    header_of,
    split,
    taken_until_error,
)

from convenio.core import canon
from convenio.core.age import decrypt, encrypt
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    UnverifiedError,
)
from convenio.core.record import Address, BodyRef, Header
from convenio.core.seal import (
    Body,
    Inner,
    Label,
    check_disclosed,
    commit,
    open_body,
    open_stream,
    padme,
    parse_inner,
    plain_body,
    plain_stream,
    seal_body,
    seal_stream,
)

NOTICE = "Se hará una detención el viernes.".encode()
SALT = bytes(range(32))
TO = (MX, US)


def sealed(content: bytes = NOTICE, salt: bytes | None = None) -> Body:
    return seal_body(content, LABEL, DESKS, fixed("body"), salt=salt)


def crafted(
    inner: Inner | None = None,
    content: bytes = NOTICE,
    padding: bytes | None = None,
    line: bytes | None = None,
) -> Body:
    """What a sender without our scruples could put in a blob, named rightly by its record."""
    inner = inner or Inner(LABEL, TO, len(content), SALT)
    plain = (inner.encode() if line is None else line) + content
    plain += bytes(padme(len(plain)) - len(plain)) if padding is None else padding
    blob = encrypt(plain, [DESKS[desk] for desk in TO], fixed("crafted"))
    c = hashlib.sha256(blob).hexdigest()
    return Body(blob, BodyRef("sealed", c, len(blob), commit(content, SALT), to=TO), SALT)


Open = Callable[[bytes, Header], bytes]


def at_once(blob: bytes, header: Header) -> bytes:
    return open_body(blob, [READER], header, 0).data


def as_stream(blob: bytes, header: Header) -> bytes:
    return b"".join(open_stream(split(blob, 1, 2000, 70_000), [READER], header, 0))


either_way = pytest.mark.parametrize("opened", [at_once, as_stream])


# What opens


@either_way
@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000])
def test_every_reader_opens_what_was_sealed(opened: Open, size: int) -> None:
    content = fixed("content")(size)
    body = sealed(content)
    assert opened(body.blob, header_of(body.ref)) == content


def test_what_opens_says_what_it_is() -> None:
    body = sealed()
    content = open_body(body.blob, [STRANGER, SENDER], header_of(body.ref), 0)
    assert (content.label, content.data, content.salt) == (LABEL, NOTICE, body.salt)
    opening = open_stream((body.blob,), [READER], header_of(body.ref), 0)
    assert (opening.label, opening.salt) == (LABEL, body.salt)


def test_a_header_says_of_a_sealed_body_what_is_stored_and_who_reads() -> None:
    body = sealed()
    c = hashlib.sha256(body.blob).hexdigest()
    k = commit(NOTICE, body.salt)
    assert body.ref == BodyRef("sealed", c, len(body.blob), k=k, to=(MX, US))


def test_a_stranger_opens_nothing() -> None:
    body = sealed()
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        open_body(body.blob, [STRANGER], header_of(body.ref), 0)
    with pytest.raises(RefusedError, match=r"age\.no_identity"):
        open_stream((body.blob,), [], header_of(body.ref), 0)


@either_way
@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_an_open_body_needs_no_key(opened: Open, size: int) -> None:
    body = plain_body(bytes(size), LABEL)
    header = header_of(body.ref)
    assert opened(body.blob, header) == bytes(size)
    assert open_body(body.blob, [], header, 0).salt == b""
    assert body.ref == BodyRef("open", hashlib.sha256(body.blob).hexdigest(), len(body.blob))


def test_an_open_blob_is_a_line_and_the_content() -> None:
    body = plain_body(b"hola\n", replace(LABEL, name="", lang=""))
    assert body.blob == (
        b'{"ch":"' + b"c4" * 32 + b'","id":"' + b"1d" * 16 + b'","len":5,"media":"text/plain",'
        b'"part":0,"to":[],"type":"notice.v1"}\nhola\n'
    )


def test_a_sealed_blob_holds_the_same_and_zeros_up_to_a_padme_size() -> None:
    body = sealed()
    plain = decrypt(body.blob, [READER])
    line, _, rest = plain.partition(b"\n")
    assert parse_inner(line + b"\n") == Inner(LABEL, TO, len(NOTICE), body.salt)
    assert rest == NOTICE + bytes(len(rest) - len(NOTICE))
    assert len(plain) == padme(len(line) + 1 + len(NOTICE))


def test_contents_of_like_length_make_blobs_of_the_same_length() -> None:
    sizes = {len(sealed(bytes(size)).blob) for size in range(40_000, 40_200)}
    assert len(sizes) <= 2


def test_several_bodies_of_a_record_open_each_in_its_place() -> None:
    first = sealed()
    second = seal_body(b"anexo", replace(LABEL, part=1), DESKS, fixed("2"))
    header = header_of(first.ref, second.ref)
    assert open_body(second.blob, [READER], header, 1).data == b"anexo"
    assert open_body(first.blob, [READER], header, 0).data == NOTICE


@pytest.mark.parametrize("part", [-1, 1])
def test_a_part_that_the_record_does_not_have_is_refused(part: int) -> None:
    body = sealed()
    with pytest.raises(MalformedError, match=r"seal\.part"):
        open_body(body.blob, [READER], header_of(body.ref), part)


def test_sealing_again_with_the_same_salt_keeps_the_commitment() -> None:
    first = sealed()
    again = seal_body(NOTICE, LABEL, DESKS, fixed("again"), salt=first.salt)
    assert again.ref.k == first.ref.k
    assert again.ref.c != first.ref.c


def test_a_new_salt_makes_another_commitment_to_the_same_content() -> None:
    other = seal_body(NOTICE, LABEL, DESKS, fixed("other"))
    assert other.ref.k != sealed().ref.k


# What does not


@either_way
@pytest.mark.parametrize(
    "label",
    [
        replace(LABEL, id="2d" * 16),
        replace(LABEL, ch="c5" * 32),
        replace(LABEL, type="notice.v2"),
        replace(LABEL, part=1),
    ],
    ids=["another record", "another channel", "another type", "another part"],
)
def test_a_body_of_another_record_does_not_open(opened: Open, label: Label) -> None:
    body = crafted(Inner(label, TO, len(NOTICE), SALT))
    with pytest.raises(UnverifiedError, match=r"seal\.not_this_record"):
        opened(body.blob, header_of(body.ref))


@either_way
@pytest.mark.parametrize("to", [(US,), (MX,), (MX, US, Address("us:ffffffff")), (US, MX)])
def test_a_body_for_other_readers_does_not_open(opened: Open, to: tuple[Address, ...]) -> None:
    body = crafted(Inner(LABEL, to, len(NOTICE), SALT))
    with pytest.raises(UnverifiedError, match=r"seal\.not_this_record"):
        opened(body.blob, header_of(body.ref))


@either_way
def test_a_sealed_body_cannot_be_passed_off_as_an_open_one(opened: Open) -> None:
    plain = Inner(LABEL, TO, len(NOTICE), SALT).encode() + NOTICE
    ref = BodyRef("open", hashlib.sha256(plain).hexdigest(), len(plain))
    with pytest.raises(UnverifiedError, match=r"seal\.not_this_record"):
        opened(plain, header_of(ref))


@either_way
def test_another_content_than_the_one_committed_to_does_not_open(opened: Open) -> None:
    body = sealed()
    ref = replace(body.ref, k=commit(b"otra cosa", body.salt))
    with pytest.raises(UnverifiedError, match=r"seal\.commitment"):
        opened(body.blob, header_of(ref))


@either_way
def test_another_salt_than_the_one_committed_with_does_not_open(opened: Open) -> None:
    body = crafted(Inner(LABEL, TO, len(NOTICE), bytes(32)))
    with pytest.raises(UnverifiedError, match=r"seal\.commitment"):
        opened(body.blob, header_of(body.ref))


@either_way
def test_other_bytes_than_those_the_record_names_do_not_open(opened: Open) -> None:
    body, other = sealed(), seal_body(NOTICE, LABEL, DESKS, fixed("o"), salt=sealed().salt)
    for ref in (
        replace(body.ref, c=other.ref.c),
        replace(body.ref, n=body.ref.n - 1),
        replace(body.ref, n=body.ref.n + 1),
    ):
        with pytest.raises(UnverifiedError, match=r"seal\.blob"):
            opened(body.blob, header_of(ref))
    plain = plain_body(NOTICE, LABEL)
    with pytest.raises(UnverifiedError, match=r"seal\.blob"):
        opened(plain.blob, header_of(replace(plain.ref, c="00" * 32)))


@either_way
@pytest.mark.parametrize("change", [1, -1, 5000])
def test_a_length_that_is_not_the_contents_does_not_open(opened: Open, change: int) -> None:
    body = crafted(Inner(LABEL, TO, len(NOTICE) + change, SALT))
    with pytest.raises(UnverifiedError, match=r"seal\.(length|padding|commitment)"):
        opened(body.blob, header_of(body.ref))


@either_way
def test_an_open_body_shorter_or_longer_than_it_says_does_not_open(opened: Open) -> None:
    for change, code in ((1, "seal.length"), (-1, "seal.padding")):
        blob = Inner(LABEL, (), len(NOTICE) + change, b"").encode() + NOTICE
        ref = BodyRef("open", hashlib.sha256(blob).hexdigest(), len(blob))
        with pytest.raises(UnverifiedError, match=code):
            opened(blob, header_of(ref))


@either_way
def test_padding_is_zeros_and_exactly_as_many_as_padme_asks_for(opened: Open) -> None:
    content = bytes(5000)
    written = len(Inner(LABEL, TO, len(content), SALT).encode()) + len(content)
    right = padme(written) - written
    assert right > 1
    body = crafted(content=content, padding=bytes(right))
    assert opened(body.blob, header_of(body.ref)) == content
    for padding in (
        bytes(right - 1),
        bytes(right + 1),
        bytes(right + 200_000),
        b"",
        bytes(right - 1) + b"\x01",
        b"\x01" + bytes(right - 1),
    ):
        body = crafted(content=content, padding=padding)
        with pytest.raises(UnverifiedError, match=r"seal\.padding"):
            opened(body.blob, header_of(body.ref))


def spoilt(**change: canon.Json) -> bytes:
    value = canon.loads(Inner(LABEL, TO, 1, SALT).encode()[:-1], 10_000)
    return canon.dumps({key: item for key, item in (value | change).items() if item != "-"}) + b"\n"


LINES = {
    "no line": b"",
    "no newline": b"x" * 100,
    "a line that does not end": b"x" * 9000,
    "no JSON": b"hola\n",
    "not canonical": spoilt().replace(b":", b": ", 1),
    "a field is missing": spoilt(media="-"),
    "a field too many": spoilt(more=1),
    "a truth for a number": spoilt(part=True),
    "a negative length": spoilt(len=-1),
    "a part beyond the last": spoilt(part=32),
    "a list for a text": spoilt(id=[]),
    "a media type with parameters": spoilt(media="text/plain; charset=utf-8"),
    "a media type in upper case": spoilt(media="Text/plain"),
    "a language that is none": spoilt(lang="español"),
    "an empty name": spoilt(name=""),
    "a name that is a path": spoilt(name="../../etc/passwd"),
    "a name that is a Windows path": spoilt(name="a\\b"),
    "a name that is the folder": spoilt(name=".."),
    "a name with a newline": spoilt(name="a\nb"),
    "a name that hides its ending": spoilt(name="carta\u202efdp.exe"),
    "a name too long": spoilt(name="x" * 256),
    "a short salt": spoilt(salt="00" * 31),
    "a salt in upper case": spoilt(salt="AA" * 32),
    "sealed without salt": spoilt(salt="-"),
    "a salt but no readers": spoilt(to=[]),
    "readers that are no list": spoilt(to="us:7f3a91c2"),
    "more readers than there can be": spoilt(to=["us:7f3a91c2"] * 65),
}


@either_way
@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_first_line_that_is_not_of_the_format_is_refused(opened: Open, line: bytes) -> None:
    body = crafted(line=line, content=b"" if line == b"" else b"x")
    with pytest.raises(MalformedError, match=r"^(seal\.inner|canon\.)"):
        opened(body.blob, header_of(body.ref))


def test_no_byte_of_a_blob_can_change() -> None:
    body = seal_body(NOTICE, LABEL, {US: READER.recipient()}, fixed("one"))
    header = header_of(body.ref)
    for at in range(0, len(body.blob), 7):
        changed = bytearray(body.blob)
        changed[at] ^= 4
        with pytest.raises(UnverifiedError, match=r"seal\.blob"):
            open_body(bytes(changed), [READER], header, 0)
        with pytest.raises(ConvenioError):
            list(open_stream((bytes(changed),), [READER], header, 0))


def test_a_stream_cut_short_gives_a_beginning_and_an_error() -> None:
    content = fixed("content")(300_000)
    body = sealed(content)
    for size in range(0, len(body.blob), 65_536):
        taken, failure = taken_until_error(_reading(body, size))
        assert content.startswith(taken)
        assert isinstance(failure, ConvenioError)


def _reading(body: Body, size: int) -> Iterator[bytes]:
    yield from open_stream((body.blob[:size],), [READER], header_of(body.ref), 0)


# Making


def test_a_stream_makes_the_same_record_as_at_once() -> None:
    content = fixed("content")(200_000)
    making = seal_stream(split(content, 1, 0, 70_000), len(content), LABEL, DESKS, fixed("s"))
    blob = b"".join(making)
    assert open_body(blob, [READER], header_of(making.ref), 0).data == content
    assert making.ref.k == commit(content, making.salt)
    plain = plain_stream(split(content, 5), len(content), LABEL)
    assert Body(b"".join(plain), plain.ref, b"") == plain_body(content, LABEL)


def test_a_blob_that_is_not_complete_has_no_reference() -> None:
    making = seal_stream((NOTICE,), len(NOTICE), LABEL, DESKS, fixed("s"))
    with pytest.raises(RuntimeError):
        _ = making.ref
    next(iter(making))
    with pytest.raises(RuntimeError):
        _ = making.ref


@pytest.mark.parametrize("said", [len(NOTICE) - 1, len(NOTICE) + 1])
def test_content_of_another_length_than_announced_makes_no_blob(said: int) -> None:
    for making in (
        seal_stream((NOTICE,), said, LABEL, DESKS, fixed("s")),
        plain_stream((NOTICE,), said, LABEL),
    ):
        with pytest.raises(MalformedError, match=r"seal\.length"):
            b"".join(making)
        with pytest.raises(RuntimeError):
            _ = making.ref


def test_content_that_does_not_end_is_not_read_on() -> None:
    for making in (
        seal_stream(repeat(NOTICE), len(NOTICE), LABEL, DESKS, fixed("s")),
        plain_stream(repeat(NOTICE), len(NOTICE), LABEL),
    ):
        with pytest.raises(MalformedError, match=r"seal\.length"):
            b"".join(making)


def test_a_blob_that_does_not_end_is_not_read_on() -> None:
    for body in (sealed(), plain_body(NOTICE, LABEL)):
        with pytest.raises(UnverifiedError, match=r"seal\.blob"):
            list(open_stream(chain((body.blob,), repeat(b"x")), [READER], header_of(body.ref), 0))


@pytest.mark.parametrize("name", ["a/b", "\ud800", "x" * 256, "\x00"])
def test_a_label_that_could_not_be_read_is_not_written(name: str) -> None:
    with pytest.raises(MalformedError, match=r"seal\.inner"):
        plain_body(b"", replace(LABEL, name=name))
    with pytest.raises(MalformedError, match=r"seal\.inner"):
        seal_body(b"", replace(LABEL, name=name), DESKS, fixed("s"))


def test_a_body_is_sealed_to_1_to_64_desks() -> None:
    many = {Address(f"us:{n:08x}"): READER.recipient() for n in range(65)}
    for readers in ({}, many):
        with pytest.raises(RefusedError, match=r"seal\.readers"):
            seal_body(NOTICE, LABEL, readers, fixed("s"))


def test_a_long_attachment_takes_little_memory() -> None:
    count, piece = 256, bytes(65_536)  # 16 MiB
    header = header_of(BodyRef("open", "", 0))
    tracemalloc.start()
    making = seal_stream((piece for _ in range(count)), count * 65_536, LABEL, DESKS, fixed("m"))
    size = sum(len(piece) for piece in making)
    assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    tracemalloc.stop()
    assert size == making.ref.n
    assert header.bodies


# Commitments and padding


def test_disclosed_content_is_checked_without_any_key() -> None:
    body = sealed()
    check_disclosed(NOTICE, body.salt, body.ref.k)
    check_disclosed(split(NOTICE, 3, 0), body.salt, body.ref.k)


@pytest.mark.parametrize("content", [NOTICE + b" ", NOTICE[:-1], b""])
def test_content_that_is_not_what_was_committed_to_is_not_taken(content: bytes) -> None:
    body = sealed()
    with pytest.raises(UnverifiedError, match=r"seal\.commitment"):
        check_disclosed(content, body.salt, body.ref.k)


def test_an_open_body_commits_to_nothing() -> None:
    with pytest.raises(UnverifiedError, match=r"seal\.commitment"):
        check_disclosed(NOTICE, SALT, plain_body(NOTICE, LABEL).ref.k)


@pytest.mark.parametrize("salt", [SALT[:-1], SALT + b"\x00", b""])
def test_a_salt_is_32_bytes(salt: bytes) -> None:
    with pytest.raises(MalformedError, match=r"seal\.salt"):
        check_disclosed(NOTICE, salt, "00" * 32)
    with pytest.raises(MalformedError, match=r"seal\.salt"):
        sealed(salt=salt)


def test_the_commitment_is_an_hmac_over_a_name_and_the_content() -> None:
    assert commit(b"hola", SALT) == (
        "4c34bdeac8568a92f60fcfe310af46d1af8e6982cb6a58411dde15a097516d10"
    )


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (9, 10),
        (16, 16),
        (17, 18),
        (1000, 1024),
        (1025, 1088),
        (65_537, 67_584),
        (10**6, 1_015_808),
        (10**9, 1_006_632_960),
    ],
)
def test_padme_rounds_up_to_few_significant_bits(size: int, padded: int) -> None:
    assert padme(size) == padded
