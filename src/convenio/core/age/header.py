"""The header of an age file: who can open it, under a MAC made with the file key.

Whatever is accepted encodes back byte for byte. The header says nothing of who wrote it.
Source:  C2SP age.md 1.1.0, "Header"; vectors C2SP/CCTV age (stanza_*, hmac_*, version_*).
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Final

from convenio.core.age.source import Source
from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError, UnverifiedError

VERSION_LINE: Final = b"age-encryption.org/v1\n"
FILE_KEY: Final = 16
MAX_STANZAS: Final = 64
MAX_HEADER_BYTES: Final = 128 * 1024  # 64 hybrid stanzas are 100 KiB

_COLUMNS: Final = 64
_MAC_BYTES: Final = 32
_STANZA = re.compile(rb"-> ([!-~]+(?: [!-~]+)*)\n((?:[A-Za-z0-9+/]{64}\n)*)([A-Za-z0-9+/]{0,63})\n")
_END = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One way to the file key: `args` says which, `body` holds the key wrapped."""

    args: tuple[str, ...]
    body: bytes

    def encode(self) -> bytes:
        """The lines of this stanza, the last one shorter than 64 columns."""
        text = to_base64(self.body)
        lines = [text[i : i + _COLUMNS] for i in range(0, len(text) + 1, _COLUMNS)]
        return f"-> {' '.join(self.args)}\n".encode("ascii") + b"\n".join(lines) + b"\n"


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header. `mac` is not checked before `check_mac`."""

    stanzas: tuple[Stanza, ...]
    mac: bytes

    def encode(self) -> bytes:
        """The bytes of this header, ending where the payload begins."""
        return _covered(self.stanzas) + b" " + to_base64(self.mac) + b"\n"

    def check_mac(self, file_key: bytes) -> None:
        """Nothing, if `file_key` made this header.

        Raises:  UnverifiedError: age.header_mac.
        """
        if not hmac.compare_digest(self.mac, _mac(self.stanzas, file_key)):
            raise UnverifiedError("age.header_mac")


def make_header(stanzas: tuple[Stanza, ...], file_key: bytes) -> Header:
    """The header of these stanzas, with its MAC."""
    return Header(stanzas, _mac(stanzas, file_key))


def read_header(source: Source) -> Header:
    """The header at the start of `source`, which then stands at the payload.

    Raises:  MalformedError: age.version · age.header · age.header_too_long · age.stanzas.
    """
    text = bytearray(source.read_line(len(VERSION_LINE), "age.version"))
    if text != VERSION_LINE:
        raise MalformedError("age.version")
    line = b""
    while not line.startswith(b"---"):
        line = source.read_line(MAX_HEADER_BYTES - len(text), "age.header_too_long")
        if not line:
            raise MalformedError("age.header")
        text += line
    return parse_header(bytes(text))


def parse_header(text: bytes) -> Header:
    """The header that `text`, all of it, writes.

    Raises:  MalformedError: age.version · age.header · age.stanzas, too many.
    """
    if not text.startswith(VERSION_LINE):
        raise MalformedError("age.version")
    at = len(VERSION_LINE)
    stanzas: list[Stanza] = []
    while found := _STANZA.match(text, at):
        if len(stanzas) == MAX_STANZAS:
            raise MalformedError("age.stanzas", max=MAX_STANZAS)
        body = from_base64(found[2].replace(b"\n", b"") + found[3], "age.header")
        stanzas.append(Stanza(tuple(found[1].decode("ascii").split(" ")), body))
        at = found.end()
    end = _END.fullmatch(text, at)
    if not end or not stanzas:
        raise MalformedError("age.header")
    return Header(tuple(stanzas), from_base64(end[1], "age.header"))


def to_base64(raw: bytes) -> bytes:
    """`raw` in base64 without padding."""
    return base64.b64encode(raw).rstrip(b"=")


def from_base64(text: bytes, code: str) -> bytes:
    """The bytes that unpadded, canonical base64 `text` writes."""
    if b"=" in text:
        raise MalformedError(code)
    return parse_base64(text + b"=" * (-len(text) % 4), code)


def derive(ikm: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA-256 (RFC 5869)."""
    return hmac.digest(hmac.digest(salt, ikm, "sha256"), info + b"\x01", "sha256")


def _mac(stanzas: tuple[Stanza, ...], file_key: bytes) -> bytes:
    return hmac.digest(derive(file_key, b"", b"header"), _covered(stanzas), "sha256")


def _covered(stanzas: tuple[Stanza, ...]) -> bytes:
    return VERSION_LINE + b"".join(stanza.encode() for stanza in stanzas) + b"---"
