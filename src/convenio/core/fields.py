"""Fields: what root keys sign, a note of one line of canonical JSON, read strictly.

Every reader takes a code and refuses with it; nothing is read leniently, nothing left over.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Final, cast

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError
from convenio.core.note import Note, Verifier, keyring

MAX_TRUST_BYTES: Final = 512 * 1024
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def open_line(note: Note, kind: str, fields: Sequence[str]) -> Object:
    if note.text.count(b"\n") != 1:
        raise MalformedError("trust.one_line")
    value = canon.loads(note.text[:-1], MAX_TRUST_BYTES)
    if value.get("kind") != kind or type(value.get("v")) is not int or value["v"] != 1:
        raise MalformedError("trust.kind", expected=kind)
    return fields_of(value, fields)


def count_signed(note: Note, roots: Iterable[Verifier]) -> int:
    """How many of `roots` have signed; a line of theirs that fails rejects the whole note."""
    known = keyring(*roots)
    found = {}
    for line in note.lines:
        key = (line.name, line.key_id)
        if key in known and key not in found:
            known[key].verify(note.text, line.signature)
            found[key] = True
    return len(found)


def fields_of(value: Json, names: Sequence[str]) -> Object:
    if type(value) is not dict or value.keys() != set(names):
        raise MalformedError("trust.fields")
    return value


def string_of(value: Json, rule: re.Pattern[str], code: str) -> str:
    if type(value) is not str or not rule.fullmatch(value):
        raise MalformedError(code)
    return value


def integer_of(value: Json, low: int, code: str, high: int = canon.MAX_INTEGER) -> int:
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(code)
    return value


def one_of(value: Json, allowed: Sequence[str], code: str) -> str:
    if value not in allowed:
        raise MalformedError(code)
    return cast(str, value)


def items_of(value: Json, low: int, high: int, code: str) -> list[Json]:
    if type(value) is not list or not low <= len(value) <= high:
        raise MalformedError(code)
    return value


def key_bytes(value: Json, length: int, code: str = "trust.key") -> bytes:
    if type(value) is not str or not value.isascii():
        raise MalformedError(code)
    raw = parse_base64(value.encode(), code)
    if len(raw) != length:
        raise MalformedError(code)
    return raw


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
