"""The payload of an age file: chunks of 64 KiB, each sealed alone, the last one marked.

Memory is constant: one or two chunks. A reader is given a chunk only after it has proved itself,
and never the end of a payload that was cut short.
Source:  C2SP age.md 1.1.0, "Payload"; vectors C2SP/CCTV age (stream_*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from convenio.core.age.source import Piece, Source
from convenio.core.errors import UnverifiedError

CHUNK: Final = 64 * 1024
TAG: Final = 16
NONCE: Final = 16  # of the payload; a chunk's own nonce is its place, below


def seal_chunks(plaintext: Iterable[bytes], key: bytes) -> Iterator[bytes]:
    """The payload after its nonce: `plaintext` cut into chunks and sealed under `key`."""
    aead = ChaCha20Poly1305(key)
    for place, last, chunk in _cut(Source(plaintext), CHUNK):
        yield aead.encrypt(_nonce(place, last), chunk, None)


def open_chunks(payload: Source, key: bytes) -> Iterator[bytes]:
    """The plaintext of `payload`, chunk by chunk, read to the end of its source.

    Raises:  UnverifiedError: age.payload, a chunk was changed, moved, cut or added ·
             age.truncated, all is genuine so far but the last chunk is missing.
    """
    aead = ChaCha20Poly1305(key)
    for place, last, chunk in _cut(payload, CHUNK + TAG):
        opened = _open(aead, place, last, chunk)
        if opened is None:
            cut_short = last and _open(aead, place, False, chunk) is not None
            raise UnverifiedError("age.truncated" if cut_short or not chunk else "age.payload")
        if opened:
            yield opened
        elif place:
            raise UnverifiedError("age.payload")


def _cut(source: Source, size: int) -> Iterator[tuple[int, bool, Piece]]:
    """`source` in pieces of `size` bytes: place, whether it is the last, piece.

    Only the last is shorter; it is empty only if all is.
    """
    piece, place = source.read(size), 0
    while following := source.read(size):
        yield place, False, piece
        piece, place = following, place + 1
    yield place, True, piece


def _open(aead: ChaCha20Poly1305, place: int, last: bool, chunk: Piece) -> bytes | None:
    try:
        return aead.decrypt(_nonce(place, last), chunk, None)
    except InvalidTag:
        return None


def _nonce(place: int, last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes((last,))
