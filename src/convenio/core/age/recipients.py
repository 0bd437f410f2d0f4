"""The ways a file key is wrapped: hybrid post-quantum, X25519 (read only) and passphrase.

A hybrid identity is a 32-byte seed, expanded by SHAKE256 into an ML-KEM-768 seed and an X25519
scalar (X-Wing). HPKE encapsulation takes its randomness inside pyca/cryptography, from the system,
not from the given `rng`: a hybrid file is not reproducible from `rng`, and needs no good one to
stay sealed, apart from the file key itself. Python cannot wipe keys from memory; nothing here
claims to.
Source:  C2SP age.md 1.1.0, "Native recipient types"; vectors C2SP/CCTV age (hybrid_*, x25519_*,
         scrypt_*).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from convenio.core.age import bech32
from convenio.core.age.header import FILE_KEY, Stanza, derive, from_base64, to_base64
from convenio.core.errors import MalformedError, RefusedError, UnverifiedError

Rng = Callable[[int], bytes]

DEFAULT_LOG_N: Final = 16  # 64 MiB and about 0.2 s for each guess
MAX_LOG_N: Final = 18  # 256 MiB, about 1 s

HYBRID: Final = "mlkem768x25519"
X25519: Final = "X25519"
SCRYPT: Final = "scrypt"

_HYBRID_PREFIX: Final = "age1pq"
_HYBRID_SECRET_PREFIX: Final = "age-secret-key-pq-"  # noqa: S105 (a public prefix)
_X25519_SECRET_PREFIX: Final = "age-secret-key-"  # noqa: S105
_HYBRID_INFO: Final = b"age-encryption.org/mlkem768x25519"
_X25519_INFO: Final = b"age-encryption.org/v1/X25519"
_SCRYPT_LABEL: Final = b"age-encryption.org/v1/scrypt"
_MLKEM_BYTES: Final = 1184
_POINT: Final = 32
_ENC: Final = 1120
_SCRYPT_SALT: Final = 16
_SCRYPT_R: Final = 8
_WRAPPED: Final = FILE_KEY + 16
_ZERO_NONCE: Final = bytes(12)
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_LOG_N = re.compile(r"[1-9][0-9]*", re.ASCII)


class Recipient(Protocol):
    """Someone a file can be written for."""

    def wrap(self, file_key: bytes, rng: Rng) -> Stanza:
        """A stanza from which the other half of this recipient, no one else, gets `file_key`."""


class Identity(Protocol):
    """A secret that opens files."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key, or None if no stanza is for this identity.

        Raises:  MalformedError: age.stanza, one of its kind is not well formed.
        """


@dataclass(frozen=True, slots=True)
class HybridRecipient:
    """The public half of a desk's sealing key: ML-KEM-768 and X25519 together.

    raw: 1,216 bytes, checked to be a key that can be sealed to.
    """

    raw: bytes
    _key: MLKEM768X25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.raw) != _MLKEM_BYTES + _POINT or _is_low_order(self.raw[_MLKEM_BYTES:]):
            raise MalformedError("age.recipient")
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_BYTES])
        except ValueError as error:
            raise MalformedError("age.recipient") from error
        point = X25519PublicKey.from_public_bytes(self.raw[_MLKEM_BYTES:])
        object.__setattr__(self, "_key", MLKEM768X25519PublicKey(mlkem, point))

    @classmethod
    def parse(cls, text: str) -> HybridRecipient:
        """The recipient that `age1pq1…` writes.  Raises: MalformedError: age.recipient."""
        return cls(bech32.decode(text, _HYBRID_PREFIX, _MLKEM_BYTES + _POINT, "age.recipient"))

    def __str__(self) -> str:
        return bech32.encode(_HYBRID_PREFIX, self.raw)

    def wrap(self, file_key: bytes, rng: Rng) -> Stanza:  # noqa: ARG002 (see the module's text)
        """A stanza for this key. Its randomness is the system's, not `rng`."""
        sealed = _SUITE.encrypt(file_key, self._key, info=_HYBRID_INFO)
        return Stanza((HYBRID, to_base64(sealed[:_ENC]).decode("ascii")), sealed[_ENC:])


@dataclass(frozen=True, slots=True)
class HybridIdentity:
    """The secret half of a desk's sealing key.  seed: 32 bytes; never shown by `repr`."""

    seed: bytes = field(repr=False)
    _key: MLKEM768X25519PrivateKey = field(init=False, repr=False, compare=False)
    _public: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.seed) != 32:
            raise MalformedError("age.identity")
        expanded = hashlib.shake_256(self.seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        scalar = X25519PrivateKey.from_private_bytes(expanded[64:])
        public = mlkem.public_key().public_bytes_raw() + scalar.public_key().public_bytes_raw()
        object.__setattr__(self, "_key", MLKEM768X25519PrivateKey(mlkem, scalar))
        object.__setattr__(self, "_public", public)

    @classmethod
    def generate(cls, rng: Rng) -> HybridIdentity:
        """A new identity from 32 bytes of `rng`."""
        return cls(rng(32))

    @classmethod
    def parse(cls, text: str) -> HybridIdentity:
        """The identity `AGE-SECRET-KEY-PQ-1…` writes.  Raises: MalformedError: age.identity."""
        return cls(_parse_secret(text, _HYBRID_SECRET_PREFIX))

    def reveal(self) -> str:
        """The secret as text, `AGE-SECRET-KEY-PQ-1…`."""
        return bech32.encode(_HYBRID_SECRET_PREFIX, self.seed).upper()

    def recipient(self) -> HybridRecipient:
        """The public half."""
        return HybridRecipient(self._public)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key from the first stanza sealed to this key."""
        for stanza in stanzas:
            if stanza.args[0] == HYBRID:
                _, enc = _fields(stanza, 2)
                share = _fixed(enc, _ENC)
                if (file_key := self._open(share, stanza.body)) is not None:
                    return file_key
        return None

    def _open(self, share: bytes, body: bytes) -> bytes | None:
        try:
            return _SUITE.decrypt(share + body, self._key, info=_HYBRID_INFO)
        except InvalidTag:
            if _is_low_order(share[-_POINT:]):
                raise MalformedError("age.stanza") from None
            return None


@dataclass(frozen=True, slots=True)
class X25519Identity:
    """A classical age identity, to read files others made; we write none.  seed: 32 bytes."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != 32:
            raise MalformedError("age.identity")

    @classmethod
    def parse(cls, text: str) -> X25519Identity:
        """The identity `AGE-SECRET-KEY-1…` writes.  Raises: MalformedError: age.identity."""
        return cls(_parse_secret(text, _X25519_SECRET_PREFIX))

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key from the first stanza sealed to this key."""
        for stanza in stanzas:
            if stanza.args[0] == X25519:
                _, share = _fields(stanza, 2)
                file_key = self._open(_fixed(share, _POINT), stanza.body)
                if file_key is not None:
                    return file_key
        return None

    def _open(self, share: bytes, body: bytes) -> bytes | None:
        key = X25519PrivateKey.from_private_bytes(self.seed)
        try:
            shared = key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError as error:  # the shared secret is all zeros
            raise MalformedError("age.stanza") from error
        salt = share + key.public_key().public_bytes_raw()
        return _unwrap(derive(shared, salt, _X25519_INFO), body)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase, to write and to open a file that has no other recipient: key files.

    log_n: work to write with; a file is 2**log_n * 1 KiB of memory to open.
    max_log_n: the most work a file may ask of us when reading.
    """

    text: str = field(repr=False)
    log_n: int = DEFAULT_LOG_N
    max_log_n: int = MAX_LOG_N

    def __post_init__(self) -> None:
        try:
            empty = not self.text.encode()
        except UnicodeEncodeError:
            empty = True
        if empty:
            raise MalformedError("age.passphrase")
        if not 1 <= self.log_n <= self.max_log_n:
            raise RefusedError("age.work_factor", max=self.max_log_n)

    def wrap(self, file_key: bytes, rng: Rng) -> Stanza:
        """The one stanza of a passphrase file, with a new salt."""
        salt = rng(_SCRYPT_SALT)
        body = ChaCha20Poly1305(self._key(salt, self.log_n)).encrypt(_ZERO_NONCE, file_key, None)
        return Stanza((SCRYPT, to_base64(salt).decode("ascii"), str(self.log_n)), body)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key, or None if the file has no passphrase.

        Raises:  UnverifiedError: age.wrong_passphrase · RefusedError: age.work_factor.
        """
        stanza = stanzas[0]
        if stanza.args[0] != SCRYPT:
            return None
        _, salt_text, log_n = _fields(stanza, 3)
        salt = _fixed(salt_text, _SCRYPT_SALT)
        file_key = _unwrap(self._key(salt, self._allowed(log_n)), stanza.body)
        if file_key is None:
            raise UnverifiedError("age.wrong_passphrase")
        return file_key

    def _allowed(self, text: str) -> int:
        if not _LOG_N.fullmatch(text):
            raise MalformedError("age.stanza")
        if len(text) > 2 or int(text) > self.max_log_n:
            raise RefusedError("age.work_factor", max=self.max_log_n)
        return int(text)

    def _key(self, salt: bytes, log_n: int) -> bytes:
        return hashlib.scrypt(
            self.text.encode(),
            salt=_SCRYPT_LABEL + salt,
            n=1 << log_n,
            r=_SCRYPT_R,
            p=1,
            maxmem=(128 * _SCRYPT_R << log_n) + 2**20,
            dklen=32,
        )


def check_together(kinds: Sequence[str]) -> None:
    """Nothing, if stanzas of these kinds may share a file: a passphrase stands alone.

    Raises:  MalformedError: age.passphrase_not_alone.
    """
    if SCRYPT in kinds and len(kinds) > 1:
        raise MalformedError("age.passphrase_not_alone")


def _parse_secret(text: str, prefix: str) -> bytes:
    if text != text.upper() or not text.isascii():
        raise MalformedError("age.identity")
    return bech32.decode(text.lower(), prefix, 32, "age.identity")


def _fields(stanza: Stanza, count: int) -> tuple[str, ...]:
    """The arguments of a stanza of a kind we know, whose body is a wrapped file key."""
    if len(stanza.args) != count or len(stanza.body) != _WRAPPED:
        raise MalformedError("age.stanza")
    return stanza.args


def _fixed(text: str, length: int) -> bytes:
    raw = from_base64(text.encode("ascii"), "age.stanza")
    if len(raw) != length:
        raise MalformedError("age.stanza")
    return raw


def _unwrap(key: bytes, body: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        return None


def _is_low_order(point: bytes) -> bool:
    """Whether an exchange with `point` gives zeros, whatever the other secret."""
    probe = X25519PrivateKey.from_private_bytes(bytes(32))
    try:
        probe.exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        return True
    return False
