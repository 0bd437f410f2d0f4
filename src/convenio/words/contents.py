"""A JSON content as a person reads it: a list of what it says, its fields by name.

Where it holds a text in both languages the reader's own is taken; the whole is always there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from convenio.words.language import LANGUAGES, Words
from convenio.words.mark import N_
from convenio.words.names import name_of

MAX_LINES: Final = 500
MAX_DEPTH: Final = 8
FIELDS: Final = {
    "aim": N_("Aim"),
    "as_of": N_("As published on"),
    "date": N_("Date"),
    "indicator": N_("Indicator"),
    "kind": N_("Kind"),
    "name": N_("Name"),
    "number": N_("Number"),
    "period": N_("Period"),
    "source": N_("Source"),
    "text": N_("Text"),
    "title": N_("Title"),
    "unit": N_("Unit"),
    "url": N_("Address"),
    "value": N_("Value"),
    "year": N_("Year"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One field: a text, in `lang` if that is known, or further lines."""

    key: str
    text: str = ""
    lang: str = ""
    lines: tuple[Line, ...] = ()


def lines_of(data: bytes, words: Words) -> tuple[Line, ...]:
    """One line a field; none for what is no JSON object, or too long or deep to be read so."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ()
    room = [MAX_LINES]
    lines = _lines(value, words, MAX_DEPTH, room) if isinstance(value, dict) else ()
    return lines if room[0] > 0 else ()


def _lines(value: dict[str, Any], words: Words, depth: int, room: list[int]) -> tuple[Line, ...]:
    """room: how many more lines there is room for."""
    lines = []
    for key, item in value.items():
        room[0] -= 1
        if room[0] <= 0 or not depth:
            room[0] = 0
            return ()
        lines.append(_line(name_of(FIELDS, key, words), item, words, depth, room))
    return tuple(lines)


def _line(key: str, item: Any, words: Words, depth: int, room: list[int]) -> Line:
    if isinstance(item, dict) and item and item.keys() <= set(LANGUAGES):
        lang = words.lang if words.lang in item else next(iter(item))
        return Line(key, _plain(item[lang]), lang)
    if isinstance(item, dict):
        return Line(key, lines=_lines(item, words, depth - 1, room))
    return Line(key, _plain(item))


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else orjson.dumps(item).decode()
