"""Drafts: headers checked in full before they reach the log, which then only dates and signs them.

The sequencer signs tens of thousands of records a second; everything a person or a machine can get
wrong is refused before, in the caller's own thread. What is left to fill in is `at` and `seen`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from convenio.core.canon import Json, Object
from convenio.core.errors import MalformedError
from convenio.core.note import Signer, sign_note
from convenio.core.record import MAX_RECORD_BYTES, Header, PartyId, parse_header

Seen = dict[PartyId, tuple[int, str]]
_ROOM = 16 * 128 + 256  # what `seen` of 15 other members and a later `at` can still add


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked header without its `at` and `seen`. id: 16 bytes. header: with at 0, seen empty."""

    id: bytes
    header: Header
    value: Object

    def sign(self, at: int, seen: Json, signers: Sequence[Signer]) -> bytes:
        """The entry bytes. seen: as JSON, {party: [size, root hex]}, made by `seen_json`."""
        value = {**self.value, "at": at, "seen": seen}
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n"
        entry = sign_note(text, *signers).encode()
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
    return Draft(bytes.fromhex(header.id), bare, orjson.loads(text))


def seen_json(seen: Seen) -> Json:
    """`seen` as it stands in a header."""
    return {party: [size, root] for party, (size, root) in seen.items()}
