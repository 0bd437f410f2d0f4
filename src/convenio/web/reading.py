"""A content as a person reads it: text as it was written, JSON as a list of what it says."""

from __future__ import annotations

from typing import Any, Final

from convenio.node.control import Answer
from convenio.words import Words
from convenio.words.contents import lines_of

Shown = dict[str, Any]
MAX_BYTES: Final = 256 * 1024  # of a text on a page; more is for saving


def shown(data: bytes, label: Answer, words: Words) -> Shown:
    """`text`, and for JSON also `tree`; empty for what is no text, or too long for a page."""
    is_json = label["media"] == "application/json"
    if len(data) > MAX_BYTES or not (is_json or label["media"].startswith("text/")):
        return {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {}
    return {"text": text, "lang": label["lang"], "tree": lines_of(data, words) if is_json else ()}
