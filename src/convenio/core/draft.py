"""Drafts: headers checked in full before they reach the log, which then only dates and signs them.

The sequencer signs tens of thousands of records a second; everything a person or a machine can get
wrong is refused before, in the caller's own thread. What is left to fill in is `at` and `seen`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from convenio.core.errors import MalformedError
from convenio.core.note import Ed25519Signer, signed_text
from convenio.core.record import MAX_RECORD_BYTES, Header, PartyId, parse_header

Seen = dict[PartyId, tuple[int, str]]
_ROOM = 16 * 128 + 256  # what `seen` of 15 other members and a later `at` can still add


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked header without its `at` and `seen`. id: 16 bytes. header: with at 0, seen empty.

    start, middle, end: the canonical text around the values of `at` and `seen`, so that the line is
    put together and never printed again.
    """

    id: bytes
    header: Header
    start: bytes
    middle: bytes
    end: bytes

    def text(self, at: int, seen: bytes) -> bytes:
        """The text to sign. seen: as `seen_json` writes it."""
        return b"%b%d%b%b%b" % (self.start, at, self.middle, seen, self.end)

    def sign(self, at: int, seen: bytes, signers: Sequence[Ed25519Signer]) -> bytes:
        """The entry bytes.  Raises:  MalformedError: record.too_long."""
        entry = signed_text(self.text(at, seen), signers)
        if len(entry) > MAX_RECORD_BYTES:
            raise MalformedError("record.too_long", max_bytes=MAX_RECORD_BYTES)
        return entry


def draft(header: Header) -> Draft:
    """`header`, checked as a reader of the finished record will check it.

    Raises:  MalformedError: record.*, the field that is wrong · record.too_long.
    """
    bare = replace(header, at=0, seen={})
    text = bare.encode()
    parse_header(text)
    if len(text) + 200 * len(header.by) + _ROOM > MAX_RECORD_BYTES:
        raise MalformedError("record.too_long", max_bytes=MAX_RECORD_BYTES)
    at = text.index(_AT) + len(_AT)  # only `act` comes before it, a plain code
    seen = text.rindex(_SEEN) + len(_SEEN)  # behind it come `to`, `type`, `v`: no other `seen`
    parts = text[:at], text[at + len(_ZERO) : seen], text[seen + len(_NOTHING) :]
    return Draft(bytes.fromhex(header.id), bare, *parts)


def seen_json(seen: Seen) -> bytes:
    """`seen` as it stands in a header's text."""
    value = {party: [size, root] for party, (size, root) in seen.items()}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


_AT, _ZERO, _SEEN, _NOTHING = b'"at":', b"0", b',"seen":', b"{}"
