"""Strict readers for the small encodings inside our formats.

Python's own readers are lenient: `int("1_000")`, `int(" 42 ")` and base64 with stray bytes all
succeed. Whatever these functions accept prints back byte for byte; else `MalformedError`.
"""

from __future__ import annotations

import binascii
import re

from convenio.core.errors import MalformedError

_DECIMAL = re.compile(rb"(?:0|[1-9][0-9]{0,18})", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
MAX_SIZE = 2**63 - 1


def parse_decimal(text: bytes, code: str) -> int:
    """The number `text` writes: ASCII digits, no sign, no leading zero, at most 2**63-1."""
    if not _DECIMAL.fullmatch(text) or (number := int(text)) > MAX_SIZE:
        raise MalformedError(code)
    return number


def parse_base64(text: bytes, code: str) -> bytes:
    """The bytes `text` writes in padded, canonical standard base64 (RFC 4648 section 4)."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise MalformedError(code) from error
    if binascii.b2a_base64(raw, newline=False) != text:
        raise MalformedError(code)
    return raw


def parse_hex(text: str, length: int, code: str) -> bytes:
    """The `length` bytes that lower-case hex `text` writes."""
    if len(text) != 2 * length or not _HEX.fullmatch(text):
        raise MalformedError(code)
    return bytes.fromhex(text)
