"""Bodies: the content of a record, in a blob beside the log (docs/spec/body.md).

A blob holds the *inner form*: one line that says which record and which part of it this is, then
the content. Open, it is stored as it is; sealed, it is padded (Padmé) and put into an age file for
the desks that may read it. The signed header names the blob by hash and commits to the content
with a salt that stands only inside; so the blob can be erased and the commitment tells nothing.

Opening proves that this is the content this record speaks of, and that every reader sees the same.
Who may read, and whether the author's signature holds, is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from convenio.core import canon
from convenio.core.age import HybridRecipient, Identity, Rng, decrypt_stream, encrypt_stream
from convenio.core.age.source import Source
from convenio.core.canon import Json, Object
from convenio.core.encoding import parse_hex
from convenio.core.errors import MalformedError, RefusedError, UnverifiedError
from convenio.core.record import MAX_BODIES, MAX_RECIPIENTS, Address, BodyRef, Header

SALT: Final = 32
MAX_INNER_BYTES: Final = 8 * 1024
MAX_NAME: Final = 255

_COMMITMENT: Final = b"convenio/body/1\x00"
_PIECE: Final = 64 * 1024
_TEXT = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_MEDIA = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)
_LANG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
# Control characters, path separators, surrogates and what reverses the direction of text.
_BAD_IN_NAME = re.compile(
    "[\x00-\x1f\x7f-\x9f/\\\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Label:
    """Which body this is, and of what kind.

    id, ch, type: as in the record's header. part: its place in `bodies`, from 0.
    media: `text/plain` and the like, no parameters. name: of a file, for people. lang: `es`, `en`.
    """

    id: str
    ch: str
    type: str
    part: int
    media: str
    name: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Inner:
    """The first line inside a blob.

    to: the desks it is sealed to, as in the header; empty when open. length: of the content in
    bytes. salt: 32 bytes; empty when open.
    """

    label: Label
    to: tuple[Address, ...]
    length: int
    salt: bytes

    def encode(self) -> bytes:
        """The line with its newline."""
        value: Object = {
            "id": self.label.id,
            "ch": self.label.ch,
            "type": self.label.type,
            "to": list(self.to),
            "part": self.label.part,
            "len": self.length,
            "media": self.label.media,
        }
        optional = {"name": self.label.name, "lang": self.label.lang, "salt": self.salt.hex()}
        return canon.dumps(value | {key: text for key, text in optional.items() if text}) + b"\n"


@dataclass(frozen=True, slots=True)
class Body:
    """A finished blob, what the header must say of it, and the salt (kept by the sender too)."""

    blob: bytes
    ref: BodyRef
    salt: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What was in a blob, proved against its record.  salt: what `check_disclosed` takes."""

    label: Label
    data: bytes
    salt: bytes


class Making:
    """A blob while it is made: iterate once over its bytes, then ask for `ref` and sign it."""

    def __init__(self, inner: Inner, content: Iterable[bytes], encrypt: _Encrypt | None) -> None:
        self.salt: Final = inner.salt
        self._inner = inner
        self._content = content
        self._encrypt = encrypt
        self._ref: BodyRef | None = None
        if inner.label.name:
            _name(inner.label.name)  # before JSON, which has no word for a lone surrogate
        parse_inner(inner.encode())

    @property
    def ref(self) -> BodyRef:
        """What the header must say of this blob; known when all its bytes were given."""
        if self._ref is None:
            raise RuntimeError("the blob is not complete")
        return self._ref

    def __iter__(self) -> Iterator[bytes]:
        """The bytes of the blob in pieces.

        Raises:  MalformedError: seal.length, the content is longer or shorter than announced.
        """
        blob, size = hashlib.sha256(), 0
        commitment = _commitment(self._inner.salt)
        plain = self._inner_form(commitment)
        for piece in self._encrypt(plain) if self._encrypt else plain:
            blob.update(piece)
            size += len(piece)
            yield piece
        to, c = self._inner.to, blob.hexdigest()
        if self._encrypt:
            self._ref = BodyRef("sealed", c, size, k=commitment.hexdigest(), to=to)
        else:
            self._ref = BodyRef("open", c, size)

    def _inner_form(self, commitment: hmac.HMAC) -> Iterator[bytes]:
        line, length = self._inner.encode(), 0
        yield line
        for piece in self._content:
            length += len(piece)
            if length > self._inner.length:
                raise MalformedError("seal.length")
            commitment.update(piece)
            yield piece
        if length != self._inner.length:
            raise MalformedError("seal.length")
        if self._encrypt:
            yield from _zeros(padme(len(line) + length) - len(line) - length)


class Opening:
    """A body while it is opened: `label` and `salt` at once, the content by iterating once.

    Nothing is proved before the iterator has ended without an error: anyone can seal to a desk, and
    only the hash of all the bytes is signed. Keep the pieces aside until then; if it raises, drop
    them. (Where the blob store has checked the hash before, only `k` and the padding are open.)
    """

    def __init__(self, plain: Iterable[bytes], header: Header, ref: BodyRef, part: int) -> None:
        self._plain = Source(plain)
        self._ref = ref
        line = self._plain.read_line(MAX_INNER_BYTES, "seal.inner")
        self._inner = parse_inner(line)
        self._line = len(line)
        self.label: Final = self._inner.label
        self.salt: Final = self._inner.salt
        _check_place(self._inner, header, ref, part)

    def __iter__(self) -> Iterator[bytes]:
        """The content in pieces.

        Raises:  UnverifiedError: seal.length, seal.padding, seal.commitment, seal.blob: the blob
                 is not what its record says. age.payload · age.truncated.
        """
        commitment, left = _commitment(self.salt), self._inner.length
        while left:
            piece = bytes(self._plain.read(min(left, _PIECE)))
            if not piece:
                raise UnverifiedError("seal.length")
            left -= len(piece)
            commitment.update(piece)
            yield piece
        self._check_padding()
        if self._ref.form == "sealed" and not _same(commitment, self._ref.k):
            raise UnverifiedError("seal.commitment")

    def _check_padding(self) -> None:
        """The rest is zeros, exactly as many as Padmé asks for, and reading it ends the source."""
        written = self._line + self._inner.length
        left = padme(written) - written if self._ref.form == "sealed" else 0
        while piece := self._plain.read(_PIECE):
            left -= len(piece)
            if bytes(piece).count(0) != len(piece):
                raise UnverifiedError("seal.padding")
        if left:
            raise UnverifiedError("seal.padding")


_Encrypt = Callable[[Iterator[bytes]], Iterator[bytes]]
Readers = Mapping[Address, HybridRecipient]


def seal_body(
    content: bytes, label: Label, readers: Readers, rng: Rng, *, salt: bytes | None = None
) -> Body:
    """`content` sealed to `readers`, in memory.  Args and raises: see `seal_stream`."""
    making = seal_stream((content,), len(content), label, readers, rng, salt=salt)
    return Body(b"".join(making), making.ref, making.salt)


def seal_stream(  # noqa: PLR0913 (no two of these belong together)
    content: Iterable[bytes],
    length: int,
    label: Label,
    readers: Readers,
    rng: Rng,
    *,
    salt: bytes | None = None,
) -> Making:
    """A blob of `content` that exactly the desks in `readers` can open.

    Args:    length: of the content in bytes, known before; the content is read once, in pieces.
             readers: each desk with its sealing key, the sender's own desk among them.
             salt: only to seal the same content again under the same commitment; else new.
    Raises:  RefusedError: seal.readers, none or more than 64 · MalformedError: seal.inner ·
             canon.profile, a label that cannot be written · seal.salt.
    """
    if not 1 <= len(readers) <= MAX_RECIPIENTS:
        raise RefusedError("seal.readers", max=MAX_RECIPIENTS)
    salt = rng(SALT) if salt is None else salt
    _check_salt(salt)
    to = tuple(sorted(readers))
    recipients = [readers[desk] for desk in to]
    inner = Inner(label, to, length, salt)
    return Making(inner, content, lambda plain: encrypt_stream(plain, recipients, rng))


def plain_body(content: bytes, label: Label) -> Body:
    """`content` as an open body, readable by the whole channel."""
    making = plain_stream((content,), len(content), label)
    return Body(b"".join(making), making.ref, b"")


def plain_stream(content: Iterable[bytes], length: int, label: Label) -> Making:
    """A blob of `content` as it is.  length: in bytes.  Raises: MalformedError: seal.inner."""
    return Making(Inner(label, (), length, b""), content, None)


def open_body(blob: bytes, identities: Sequence[Identity], header: Header, part: int) -> Content:
    """The content of body `part` of `header`, proved to be it; no identity is needed if open.

    Raises:  UnverifiedError: seal.blob, not the bytes the record names · and see `open_stream`.
    """
    ref = _ref(header, part)
    if len(blob) != ref.n or hashlib.sha256(blob).hexdigest() != ref.c:
        raise UnverifiedError("seal.blob")
    opening = Opening(_plain((blob,), identities, ref), header, ref, part)
    return Content(opening.label, b"".join(opening), opening.salt)


def open_stream(
    blob: Iterable[bytes], identities: Sequence[Identity], header: Header, part: int
) -> Opening:
    """Body `part` of `header`, in constant memory. Reads the start of `blob` before it returns.

    Raises:  MalformedError: seal.part · seal.inner · canon.* · age.* ·
             RefusedError: age.no_identity ·
             UnverifiedError: seal.not_this_record, it was written for another record, part or
             readers · age.header_mac · age.payload · age.truncated · seal.blob.
    """
    ref = _ref(header, part)
    return Opening(_plain(_hashed(blob, ref), identities, ref), header, ref, part)


def check_disclosed(content: bytes | Iterable[bytes], salt: bytes, commitment: str) -> None:
    """Nothing, if the record that says `commitment` spoke of `content`. No key is needed.

    Args:    salt: 32 bytes, as disclosed. commitment: `k` or `k0` of a body in the header.
    Raises:  UnverifiedError: seal.commitment · MalformedError: seal.salt.
    """
    _check_salt(salt)
    if not _same(_commit(content, salt), commitment):
        raise UnverifiedError("seal.commitment")


def commit(content: bytes | Iterable[bytes], salt: bytes) -> str:
    """The commitment to `content`, hex: HMAC-SHA-256(salt, "convenio/body/1" 0x00 content)."""
    _check_salt(salt)
    return _commit(content, salt).hexdigest()


def padme(size: int) -> int:
    """`size` rounded up so that it shows only its magnitude: at most 12 % more.

    Source:  Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication
             with PURBs", PETS 2019, algorithm 1.
    """
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (size + mask) & ~mask


def parse_inner(line: bytes) -> Inner:
    """The inner header that `line` writes; encoding it gives `line` again.

    Raises:  MalformedError: seal.inner · canon.*.
    """
    if not line.endswith(b"\n"):
        raise MalformedError("seal.inner")
    value = canon.loads(line[:-1], MAX_INNER_BYTES)
    if not _REQUIRED <= value.keys() <= _KNOWN:
        raise MalformedError("seal.inner")
    label = Label(
        id=_match(value["id"], _TEXT),
        ch=_match(value["ch"], _TEXT),
        type=_match(value["type"], _TEXT),
        part=_number(value["part"], MAX_BODIES - 1),
        media=_match(value["media"], _MEDIA),
        name=_name(value["name"]) if "name" in value else "",
        lang=_match(value["lang"], _LANG) if "lang" in value else "",
    )
    to = _desks(value["to"])
    salt = parse_hex(_match(value["salt"], _TEXT), SALT, "seal.inner") if "salt" in value else b""
    if bool(to) != bool(salt):
        raise MalformedError("seal.inner")
    return Inner(label, to, _number(value["len"], canon.MAX_INTEGER), salt)


_REQUIRED: Final = {"id", "ch", "type", "to", "part", "len", "media"}
_KNOWN: Final = _REQUIRED | {"name", "lang", "salt"}


def _match(value: Json, rule: re.Pattern[str]) -> str:
    if type(value) is not str or not rule.fullmatch(value):
        raise MalformedError("seal.inner")
    return value


def _name(value: Json) -> str:
    if type(value) is not str or not 1 <= len(value) <= MAX_NAME or value in (".", ".."):
        raise MalformedError("seal.inner")
    if _BAD_IN_NAME.search(value):
        raise MalformedError("seal.inner")
    return value


def _number(value: Json, high: int) -> int:
    if type(value) is not int or not 0 <= value <= high:
        raise MalformedError("seal.inner")
    return value


def _desks(value: Json) -> tuple[Address, ...]:
    if type(value) is not list or len(value) > MAX_RECIPIENTS:
        raise MalformedError("seal.inner")
    return tuple(Address(_match(item, _TEXT)) for item in value)


def _ref(header: Header, part: int) -> BodyRef:
    if not 0 <= part < len(header.bodies):
        raise MalformedError("seal.part")
    return header.bodies[part]


def _check_place(inner: Inner, header: Header, ref: BodyRef, part: int) -> None:
    label = inner.label
    said = (label.id, label.ch, label.type, label.part, inner.to)
    if said != (header.id, header.ch, header.type, part, ref.to):
        raise UnverifiedError("seal.not_this_record")


def _plain(blob: Iterable[bytes], identities: Sequence[Identity], ref: BodyRef) -> Iterable[bytes]:
    return decrypt_stream(blob, identities) if ref.form == "sealed" else blob


def _hashed(blob: Iterable[bytes], ref: BodyRef) -> Iterator[bytes]:
    """`blob`, refusing to end if it was not the bytes that `ref` names."""
    digest, size = hashlib.sha256(), 0
    for piece in blob:
        size += len(piece)
        if size > ref.n:
            raise UnverifiedError("seal.blob")
        digest.update(piece)
        yield piece
    if size != ref.n or digest.hexdigest() != ref.c:
        raise UnverifiedError("seal.blob")


def _zeros(count: int) -> Iterator[bytes]:
    while count:
        piece = bytes(min(count, _PIECE))
        count -= len(piece)
        yield piece


def _check_salt(salt: bytes) -> None:
    """Exactly 32 bytes: HMAC takes shorter keys for longer ones, and the other way round."""
    if len(salt) != SALT:
        raise MalformedError("seal.salt")


def _commitment(salt: bytes) -> hmac.HMAC:
    return hmac.new(salt, _COMMITMENT, "sha256")


def _commit(content: bytes | Iterable[bytes], salt: bytes) -> hmac.HMAC:
    commitment = _commitment(salt)
    for piece in (content,) if isinstance(content, bytes) else content:
        commitment.update(piece)
    return commitment


def _same(commitment: hmac.HMAC, expected: str) -> bool:
    return hmac.compare_digest(commitment.hexdigest().encode(), expected.encode())
