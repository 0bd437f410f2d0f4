"""A content as a person reads it: text as it was written, JSON as a list of what it says.

Where JSON holds a text in both languages, the page's own is shown; the whole is always there too.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from convenio.node.control import Answer
from convenio.web import wording
from convenio.words import LANGUAGES, Words

Shown = dict[str, Any]
MAX_BYTES: Final = 256 * 1024  # of a text on a page; more is for saving
MAX_LINES: Final = 500
MAX_DEPTH: Final = 8


def shown(data: bytes, label: Answer, words: Words) -> Shown:
    """`text`, and for JSON also `tree`; empty for what is no text, or too long for a page."""
    is_json = label["media"] == "application/json"
    if len(data) > MAX_BYTES or not (is_json or label["media"].startswith("text/")):
        return {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {}
    return {"text": text, "lang": label["lang"], "tree": _tree(data, words) if is_json else []}


def _tree(data: bytes, words: Words) -> list[Shown]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return []
    room = [MAX_LINES]
    lines = _lines(value, words, MAX_DEPTH, room) if isinstance(value, dict) else []
    return lines if room[0] > 0 else []


def _lines(value: dict[str, Any], words: Words, depth: int, room: list[int]) -> list[Shown]:
    """One line a field. room: how many more lines the page has room for."""
    lines = []
    for key, item in value.items():
        room[0] -= 1
        if room[0] <= 0 or not depth:
            room[0] = 0
            return []
        line: Shown = {"key": wording.name_of(wording.FIELDS, key, words), "code": key}
        lines.append(line | _line(item, words, depth, room))
    return lines


def _line(item: Any, words: Words, depth: int, room: list[int]) -> Shown:
    if isinstance(item, dict) and item and item.keys() <= set(LANGUAGES):
        lang = words.lang if words.lang in item else next(iter(item))
        return {"text": _plain(item[lang]), "lang": lang}
    if isinstance(item, dict):
        return {"lines": _lines(item, words, depth - 1, room)}
    return {"text": _plain(item)}


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else orjson.dumps(item).decode()
