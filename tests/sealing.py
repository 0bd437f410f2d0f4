"""Shared by the tests of sealed files: fixed randomness, keys, and what we read but never write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from convenio.core.age import HybridIdentity, Rng, X25519Identity
from convenio.core.age.header import Stanza, derive, to_base64
from convenio.core.record import Address, BodyRef, Header, PartyId
from convenio.core.seal import Label


def fixed(name: str) -> Rng:
    """Randomness that is the same in every run, and other for every name and every call."""
    calls = iter(range(2**32))
    return lambda size: hashlib.shake_256(f"{name} {next(calls)}".encode()).digest(size)


MX: Final = Address("mx:0a0a0a0a")
US: Final = Address("us:7f3a91c2")
READER: Final = HybridIdentity.generate(fixed("reader"))
SENDER: Final = HybridIdentity.generate(fixed("sender"))
STRANGER: Final = HybridIdentity.generate(fixed("stranger"))
DESKS: Final = {US: READER.recipient(), MX: SENDER.recipient()}

LABEL: Final = Label("1d" * 16, "c4" * 32, "notice.v1", 0, "text/plain", "carta ñ.txt", "es")


def header_of(*bodies: BodyRef) -> Header:
    """The header of the record that LABEL is about."""
    return Header(
        id=LABEL.id,
        ch=LABEL.ch,
        gen=1,
        type=LABEL.type,
        sender=PartyId("mx"),
        to=(US,),
        by=("mx.localhost/k/0a0a0a0a",),
        at=1_633_651_200,
        bodies=bodies,
    )


class X25519Writer:
    """A classical recipient. It lives in the tests because we write to hybrid keys only."""

    def __init__(self, identity: X25519Identity) -> None:
        secret = X25519PrivateKey.from_private_bytes(identity.seed)
        self.raw = secret.public_key().public_bytes_raw()

    def wrap(self, file_key: bytes, rng: Rng) -> Stanza:
        ephemeral = X25519PrivateKey.from_private_bytes(rng(32))
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.raw))
        key = derive(shared, share + self.raw, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        return Stanza(("X25519", to_base64(share).decode()), body)


def split(data: bytes, *sizes: int) -> Iterator[bytes]:
    """`data` in pieces of these sizes, then the rest."""
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def taken_until_error(pieces: Iterable[bytes]) -> tuple[bytes, Exception | None]:
    """What came out before it ended, and what it raised, if anything."""
    taken = bytearray()
    try:
        for piece in pieces:
            taken += piece
    except Exception as error:
        return bytes(taken), error
    return bytes(taken), None
