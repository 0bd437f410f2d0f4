"""Signed notes: text with signature lines (C2SP signed-note v1.0.0), strict both ways.

One parser for records, checkpoints, cosignatures, charters and rosters. A note that `parse_note`
accepts prints back byte for byte. Unknown keys are ignored; a known key whose signature fails
rejects the note, as the specification asks.
"""

from __future__ import annotations

import base64
import hashlib
import re
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair
from nacl.bindings import crypto_sign_open as _crypto_sign_open
from nacl.exceptions import BadSignatureError

from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError, SignatureError

ED25519: Final = 0x01
MAX_SIGNATURES: Final = 64
_DASH = "— ".encode()
_CONTROL = bytes(set(range(0x20)) - {0x0A})
_KEY_NAME = re.compile(r"[^\x00-\x20+\ud800-\udfff]+")
_VKEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One line under a note. key_id: 4 bytes. signature: what follows the key id, not empty."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> bytes:
        blob = b2a_base64(self.key_id + self.signature)  # ends in the newline we need
        return b"%b%b %b" % (_DASH, self.name.encode(), blob)


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; nothing in it is verified. text: signed bytes, ends in a newline."""

    text: bytes
    lines: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        return self.text + b"\n" + b"".join(line.encode() for line in self.lines)


class Verifier(Protocol):
    """A key somebody trusts. `verify` raises SignatureError and never anything else."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def verify(self, text: bytes, signature: bytes) -> None: ...


class Signer(Protocol):
    """A private key that makes one signature line over a note's text."""

    @property
    def name(self) -> str: ...
    def sign(self, text: bytes) -> SignatureLine: ...


def parse_note(data: bytes, max_bytes: int) -> Note:
    """The note that `data` writes.

    Raises:  MalformedError: note.too_long · note.not_text · note.no_signature ·
             note.signature_line · note.key_name.
    Source:  C2SP signed-note v1.0.0, Format.
    """
    _check_text(data, max_bytes)
    cut = data.rfind(b"\n\n")
    if cut < 0:
        raise MalformedError("note.no_signature")
    return Note(data[: cut + 1], _parse_lines(data[cut + 2 :], "note.no_signature"))


def parse_signature_lines(data: bytes, max_bytes: int) -> tuple[SignatureLine, ...]:
    """The signature lines that `data` consists of, at least one: a cosigner's answer.

    Raises:  MalformedError: note.too_long · note.not_text · note.signature_line · note.key_name.
    """
    _check_text(data, max_bytes)
    return _parse_lines(data, "note.signature_line")


def _check_text(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise MalformedError("note.too_long", max_bytes=max_bytes)
    if len(data.translate(None, _CONTROL)) != len(data):
        raise MalformedError("note.not_text")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("note.not_text") from error


def _parse_lines(data: bytes, code: str) -> tuple[SignatureLine, ...]:
    if not data.startswith(_DASH) or not data.endswith(b"\n"):
        raise MalformedError(code)
    raw_lines = data[:-1].split(b"\n")
    if len(raw_lines) > MAX_SIGNATURES:
        raise MalformedError("note.signature_line")
    return tuple(_parse_line(raw) for raw in raw_lines)


def _parse_line(raw: bytes) -> SignatureLine:
    if not raw.startswith(_DASH):
        raise MalformedError("note.signature_line")
    name, space, blob = raw[len(_DASH) :].partition(b" ")
    if not space:
        raise MalformedError("note.signature_line")
    signature = parse_base64(blob, "note.signature_line")
    if len(signature) < 5:
        raise MalformedError("note.signature_line")
    return SignatureLine(check_key_name(name.decode()), signature[:4], signature[4:])


@lru_cache(maxsize=1024)
def check_key_name(name: str) -> str:
    """`name`, if it may name a key: not empty, no space of any script, no plus, no control."""
    if not _KEY_NAME.fullmatch(name) or any(c.isspace() for c in name):
        raise MalformedError("note.key_name")
    return name


def verify_note(note: Note, known: dict[tuple[str, bytes], Verifier]) -> tuple[Verifier, ...]:
    """The known keys that signed `note`, each once, in line order; at least one.

    Raises:  SignatureError: note.bad_signature, a known key's line fails ·
             note.no_known_key, nobody known has signed.
    """
    good: dict[tuple[str, bytes], Verifier] = {}
    for line in note.lines:
        key = (line.name, line.key_id)
        verifier = known.get(key)
        if verifier is None or key in good:
            continue
        verifier.verify(note.text, line.signature)
        good[key] = verifier
    if not good:
        raise SignatureError("note.no_known_key")
    return tuple(good.values())


def keyring(*verifiers: Verifier) -> dict[tuple[str, bytes], Verifier]:
    """The verifiers by what a signature line shows of a key: name and key id."""
    return {(each.name, each.key_id): each for each in verifiers}


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256(name, newline, kind, public key)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def format_vkey(name: str, kind: int, public: bytes) -> str:
    """The verifier key as text: name+hex(key id)+base64(kind, public key)."""
    blob = base64.b64encode(bytes([kind]) + public).decode()
    return f"{check_key_name(name)}+{key_id(name, kind, public).hex()}+{blob}"


def parse_vkey(text: str) -> tuple[str, int, bytes]:
    """Name, signature type and public key that a vkey writes.

    Raises:  MalformedError: note.vkey, also when the key id is not the key's.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not _VKEY_ID.fullmatch(parts[1]):
        raise MalformedError("note.vkey")
    try:
        raw = parse_base64(parts[2].encode("ascii"), "note.vkey")
    except UnicodeEncodeError as error:
        raise MalformedError("note.vkey") from error
    name = check_key_name(parts[0])
    if len(raw) < 2 or key_id(name, raw[0], raw[1:]).hex() != parts[1]:
        raise MalformedError("note.vkey")
    return name, raw[0], raw[1:]


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts `signature` (64 bytes) by `public` (32 bytes) over `message`.

    The one Ed25519 rule everywhere: other libraries accept keys and signatures that libsodium
    refuses, and two nodes must never disagree (docs/spec/note.md).
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    try:
        _crypto_sign_open(signature + message, public)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """A trusted Ed25519 key for plain notes (type 0x01). public: 32 bytes."""

    name: str
    public: bytes
    key_id: bytes

    @classmethod
    def of(cls, name: str, public: bytes) -> Ed25519Verifier:
        if len(public) != 32:
            raise MalformedError("note.public_key")
        return cls(check_key_name(name), public, key_id(name, ED25519, public))

    def verify(self, text: bytes, signature: bytes) -> None:
        if not ed25519_verify(self.public, text, signature):
            raise SignatureError("note.bad_signature", key=self.name)

    def vkey(self) -> str:
        return format_vkey(self.name, ED25519, self.public)


class Ed25519Signer:
    """A private Ed25519 key for plain notes. seed: 32 secret bytes."""

    __slots__ = ("_dash_and_name", "_secret", "key_id", "name", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        self.public, self._secret = crypto_sign_seed_keypair(seed)
        self.name = check_key_name(name)
        self.key_id = key_id(name, ED25519, self.public)
        self._dash_and_name = b"%b%b " % (_DASH, name.encode())

    def sign_bytes(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return crypto_sign(message, self._secret)[:64]

    def sign(self, text: bytes) -> SignatureLine:
        return SignatureLine(self.name, self.key_id, self.sign_bytes(text))

    def line(self, text: bytes) -> bytes:
        """`sign(text)` as it is written, for whoever signs by the ten thousand."""
        return self._dash_and_name + b2a_base64(self.key_id + self.sign_bytes(text))

    def verifier(self) -> Ed25519Verifier:
        return Ed25519Verifier.of(self.name, self.public)


def sign_note(text: bytes, *signers: Signer) -> Note:
    """`text` (ends in a newline) with one line of each signer, in the order given."""
    if not text.endswith(b"\n") or not signers:
        raise RuntimeError("a note ends in a newline and has at least one signer")
    return Note(text, tuple(signer.sign(text) for signer in signers))


def signed_text(text: bytes, signers: Sequence[Ed25519Signer]) -> bytes:
    """The bytes of `sign_note(text, *signers)`, for whoever signs by the ten thousand."""
    return b"%b\n%b" % (text, b"".join([signer.line(text) for signer in signers]))
