"""Drafts: headers checked in full before they reach the log, which then only dates and signs them.

The sequencer signs tens of thousands of records a second; everything a person or a machine can get
wrong is refused before, in the caller's own thread. What is left to fill in is `at` and `seen`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from convenio.core.errors import MalformedError
from convenio.core.note import Signer, signed_text
from convenio.core.record import MAX_RECORD_BYTES, Header, PartyId, parse_header

Seen = dict[PartyId, tuple[int, str]]
_ROOM = 16 * 128 + 256  # what `seen` of 15 other members and a later `at` can still add


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked header without its `at` and `seen`. id: 16 bytes. header: with at 0, seen empty.

    parts: the canonical text before the value of `at`, between it and that of `seen`, and behind.
    So the line is put together, and never printed again.
    """

    id: bytes
    header: Header
    parts: tuple[bytes, bytes, bytes]

    def text(self, at: int, seen: bytes) -> bytes:
        """The text to sign. seen: as `seen_json` writes it."""
        before, between, behind = self.parts
        return b"%b%d%b%b%b" % (before, at, between, seen, behind)

    def sign(self, at: int, seen: bytes, signers: Sequence[Signer]) -> bytes:
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
    made = Draft(bytes.fromhex(header.id), bare, _parts(text))
    if made.text(0, b"{}") != text:
        raise RuntimeError("the text was not taken apart where it should be")
    return made


def _parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """In front of `at` only `act` can stand, a code; behind `seen` only `to`, `type` and `v`."""
    at = text.index(_AT) + len(_AT)
    seen = text.rindex(_SEEN) + len(_SEEN)
    return text[:at], text[at + len(b"0") : seen], text[seen + len(b"{}") :]


def seen_json(seen: Seen) -> bytes:
    """`seen` as it stands in a header's text."""
    value = {party: [size, root] for party, (size, root) in seen.items()}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


_AT, _SEEN = b'"at":', b',"seen":'
