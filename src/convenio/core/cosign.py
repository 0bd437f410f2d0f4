"""Cosignatures: a dated signature line over a checkpoint (C2SP tlog-cosignature v1.1.0-rc.1).

Type 0x04 is Ed25519, type 0x06 ML-DSA-44. Signers take a `Checkpoint`, never bytes, so that what is
signed is what was understood. A mirror cosigns what it stored; a log's own 0x06 line is named by
its origin. Whether a timestamp is plausible is the caller's question: there is no clock here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from convenio.core.checkpoint import MAX_ORIGIN_BYTES, Checkpoint, parse_checkpoint_text
from convenio.core.encoding import MAX_SIZE
from convenio.core.errors import MalformedError, SignatureError
from convenio.core.note import (
    ED25519,
    Ed25519Signer,
    Ed25519Verifier,
    SignatureLine,
    check_key_name,
    ed25519_verify,
    format_vkey,
    key_id,
    parse_vkey,
)

ED25519_COSIGNATURE: Final = 0x04
ML_DSA_44_COSIGNATURE: Final = 0x06
ML_DSA_44_PUBLIC_BYTES: Final = 1312
ML_DSA_44_SIGNATURE_BYTES: Final = 2420
_LABEL = b"subtree/v1\n\x00"


def timestamp_of(line: SignatureLine) -> int:
    """When a cosignature says it was made, seconds UTC; believe it only after verifying.

    Raises:  MalformedError: cosign.timestamp.
    """
    timestamp = int.from_bytes(line.signature[:8], "big")
    if len(line.signature) <= 8 or timestamp > MAX_SIZE:
        raise MalformedError("cosign.timestamp")
    return timestamp


@dataclass(frozen=True, slots=True)
class CosignVerifier:
    """A trusted cosigner's key: verifies a note's line, or a checkpoint and gives the time."""

    kind: ClassVar[int]
    public_bytes: ClassVar[int]

    name: str
    public: bytes
    key_id: bytes

    @classmethod
    def of(cls, name: str, public: bytes) -> Self:
        if len(public) != cls.public_bytes:
            raise MalformedError("cosign.public_key")
        return cls(_short(name), public, key_id(name, cls.kind, public))

    def verify(self, text: bytes, signature: bytes) -> None:
        """As `note.Verifier`.  Raises:  SignatureError: cosign.not_checkpoint, or as below."""
        try:
            checkpoint = parse_checkpoint_text(text, allow_extensions=True)
        except MalformedError as error:
            raise SignatureError("cosign.not_checkpoint", key=self.name) from error
        self.verify_checkpoint(checkpoint, signature)

    def verify_checkpoint(self, checkpoint: Checkpoint, signature: bytes) -> int:
        """When this key cosigned `checkpoint`, seconds UTC. signature: what follows the key id.

        Raises:  SignatureError: cosign.timestamp · cosign.bad_signature.
        """
        timestamp = int.from_bytes(signature[:8], "big")
        if len(signature) <= 8 or timestamp > MAX_SIZE:
            raise SignatureError("cosign.timestamp", key=self.name)
        if not self._accepts(self.message(checkpoint, timestamp), signature[8:]):
            raise SignatureError("cosign.bad_signature", key=self.name)
        return timestamp

    def vkey(self) -> str:
        return format_vkey(self.name, self.kind, self.public)

    def message(self, checkpoint: Checkpoint, timestamp: int) -> bytes:
        """What this key signs to say that it saw `checkpoint` at `timestamp`."""
        raise NotImplementedError

    def _accepts(self, message: bytes, signature: bytes) -> bool:
        raise NotImplementedError


class Ed25519CosignVerifier(CosignVerifier):
    """A trusted 0x04 key. public: 32 bytes."""

    __slots__ = ()
    kind = ED25519_COSIGNATURE
    public_bytes = 32

    def message(self, checkpoint: Checkpoint, timestamp: int) -> bytes:
        return b"cosignature/v1\ntime %d\n" % timestamp + checkpoint.text()

    def _accepts(self, message: bytes, signature: bytes) -> bool:
        return ed25519_verify(self.public, message, signature)


class MlDsa44CosignVerifier(CosignVerifier):
    """A trusted 0x06 key. public: 1,312 bytes."""

    __slots__ = ()
    kind = ML_DSA_44_COSIGNATURE
    public_bytes = ML_DSA_44_PUBLIC_BYTES

    def message(self, checkpoint: Checkpoint, timestamp: int) -> bytes:
        """The whole tree as the subtree [0, size); extension lines are not in it."""
        who, origin = self.name.encode(), checkpoint.origin.encode()
        return b"".join(
            (
                _LABEL,
                bytes([len(who)]) + who,
                timestamp.to_bytes(8, "big"),
                bytes([len(origin)]) + origin,
                bytes(8),
                checkpoint.size.to_bytes(8, "big"),
                checkpoint.root,
            )
        )

    def _accepts(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != ML_DSA_44_SIGNATURE_BYTES:
            return False
        try:
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class _Cosigner:
    """A private key that says when it saw a checkpoint."""

    __slots__ = ("_sign", "_verifier", "key_id", "name")

    def __init__(self, verifier: CosignVerifier, sign: Callable[[bytes], bytes]) -> None:
        self._verifier, self._sign = verifier, sign
        self.name, self.key_id = verifier.name, verifier.key_id

    def cosign(self, checkpoint: Checkpoint, timestamp: int) -> SignatureLine:
        """The line that says this key saw `checkpoint` at `timestamp`, seconds UTC."""
        if not 0 <= timestamp <= MAX_SIZE:
            raise RuntimeError("a timestamp is 0 to 2**63-1 seconds")
        made = self._sign(self._verifier.message(checkpoint, timestamp))
        return SignatureLine(self.name, self.key_id, timestamp.to_bytes(8, "big") + made)

    def verifier(self) -> CosignVerifier:
        return self._verifier

    def vkey(self) -> str:
        return self._verifier.vkey()


class Ed25519Cosigner(_Cosigner):
    """A private 0x04 key. seed: 32 secret bytes, used under no other name or purpose."""

    __slots__ = ()

    def __init__(self, name: str, seed: bytes) -> None:
        signer = Ed25519Signer(name, seed)
        super().__init__(Ed25519CosignVerifier.of(name, signer.public), signer.sign_bytes)


class MlDsa44Cosigner(_Cosigner):
    """A private 0x06 key. seed: 32 secret bytes."""

    __slots__ = ()

    def __init__(self, name: str, seed: bytes) -> None:
        key = MLDSA44PrivateKey.from_seed_bytes(seed)
        public = key.public_key().public_bytes_raw()
        super().__init__(MlDsa44CosignVerifier.of(name, public), key.sign)


def verifier_of(vkey: str) -> Ed25519Verifier | CosignVerifier:
    """The verifier for a key written as a vkey, by its signature type.

    Raises:  MalformedError: note.vkey · note.key_name · note.public_key · cosign.public_key ·
             cosign.key_type, not 0x01, 0x04 or 0x06.
    """
    name, kind, public = parse_vkey(vkey)
    if kind == ED25519:
        return Ed25519Verifier.of(name, public)
    if kind == ED25519_COSIGNATURE:
        return Ed25519CosignVerifier.of(name, public)
    if kind == ML_DSA_44_COSIGNATURE:
        return MlDsa44CosignVerifier.of(name, public)
    raise MalformedError("cosign.key_type", type=kind)


def _short(name: str) -> str:
    if len(check_key_name(name).encode()) > MAX_ORIGIN_BYTES:
        raise MalformedError("note.key_name")
    return name
