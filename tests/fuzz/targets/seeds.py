"""Good things that several rooms break: records, a log and its checkpoint, keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from tests.logs import AT, AUTHOR, LOG, MIRROR_ED, MIRROR_PQ, ORIGIN, proof_of, record, signed
from tests.logs import checkpoint_of as checkpoint_over
from tests.support.parties import charter, party

from convenio.core.card import sign_card
from convenio.core.note import Note
from convenio.core.split import SplitProof
from convenio.core.trust import propose_charter

VKEYS: Final = [LOG.verifier().vkey(), MIRROR_PQ.vkey()]
LOG_VKEY: Final = VKEYS[0].encode()
MIRROR_VKEY: Final = MIRROR_ED.vkey().encode()
DASH: Final = "— ".encode()


@lru_cache
def some(count: int = 3) -> tuple[bytes, ...]:
    return tuple(record(number) for number in range(count))


@lru_cache
def checkpoint() -> bytes:
    return signed(checkpoint_over(some()))


@lru_cache
def proofs() -> tuple[bytes, ...]:
    return (proof_of(1, some(), b"extra").encode(), proof_of(0, some()).encode())


@lru_cache
def splits() -> tuple[bytes, ...]:
    other = signed(checkpoint_over(some(2)))
    return (SplitProof(other, checkpoint(), bytes(32), (bytes(32),) * 2).encode(),)


@lru_cache
def charters() -> tuple[bytes, ...]:
    made = propose_charter(charter(), *party("mx").roots[:2]).note
    lines = [root.sign(made.text) for root in party("us").roots[:2]]
    return (Note(made.text, (*made.lines, *lines)).encode(),)


@lru_cache
def cards() -> tuple[bytes, ...]:
    return tuple(sign_card(party(name).card, *party(name).roots[:2]) for name in ("mx", "us"))


def vkey(name: str, kind: int, public: bytes) -> bytes:
    """A vkey that fits together, whatever it says."""
    ident = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).hexdigest()[:8]
    return f"{name}+{ident}+{base64.b64encode(bytes([kind]) + public).decode()}".encode()


def lines(found: Iterable[tuple[str, str]]) -> bytes:
    return "\n".join(f"{key}: {value}" for key, value in found).encode()


__all__ = [
    "AT",
    "AUTHOR",
    "DASH",
    "LOG",
    "LOG_VKEY",
    "MIRROR_VKEY",
    "ORIGIN",
    "VKEYS",
    "cards",
    "charters",
    "checkpoint",
    "checkpoint_over",
    "lines",
    "proofs",
    "some",
    "splits",
    "vkey",
]
