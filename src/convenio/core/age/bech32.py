"""Bech32 without a length limit, as age writes its keys. What is accepted prints back as it was.

Source:  BIP 173; C2SP age.md, "Conventions".
"""

from __future__ import annotations

import re
from typing import Final

from convenio.core.errors import MalformedError

_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES: Final = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_TEXT = re.compile(rf"([!-~]+)1([{_LETTERS}]+)", re.ASCII)
_CHECKSUM: Final = 6


def encode(prefix: str, data: bytes) -> str:
    """`data` in lower-case Bech32 after the lower-case `prefix`."""
    words = _regroup(data, 8, 5)
    checked = _spread(prefix) + words + [0] * _CHECKSUM
    rest = _polymod(checked) ^ 1
    words += [rest >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    return prefix + "1" + "".join(_LETTERS[word] for word in words)


def decode(text: str, prefix: str, length: int, code: str) -> bytes:
    """The `length` bytes that lower-case `text` writes after `prefix`.

    Raises:  MalformedError: `code`: another prefix, length, alphabet, case, checksum or padding.
    """
    found = _TEXT.fullmatch(text)
    if not found or found[1] != prefix:
        raise MalformedError(code)
    words = [_VALUES[letter] for letter in found[2]]
    data = bytes(_regroup(words[:-_CHECKSUM], 5, 8))[:length]
    if len(data) != length or encode(prefix, data) != text:
        raise MalformedError(code)
    return data


def _regroup(values: bytes | list[int], width: int, new_width: int) -> list[int]:
    """The same bits in groups of `new_width`, the last one filled up with zeros."""
    bits, held, out = 0, 0, []
    for value in values:
        held = held << width | value
        bits += width
        while bits >= new_width:
            bits -= new_width
            out.append(held >> bits)
            held &= (1 << bits) - 1
    if bits:
        out.append(held << (new_width - bits))
    return out


def _spread(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: list[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                state ^= generator
    return state
