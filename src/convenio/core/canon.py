"""Canonical JSON: one spelling for each value, so that a hash of the text is a hash of the meaning.

The profile (docs/spec/record.md): an object on one line, keys `[a-z0-9_]` in byte order, no spaces,
integers within +-(2**53-1), no floats, no null. Under this profile the output equals RFC 8785.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from convenio.core.errors import MalformedError

Json = bool | int | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]

MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 8
_KEY = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)


def dumps(value: Object) -> bytes:
    """The canonical line of `value`, without a final newline.

    Raises:  MalformedError: canon.profile, a value outside the profile.
    """
    _check(value, MAX_DEPTH)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # a lone surrogate has no spelling
        raise MalformedError("canon.profile") from error


def loads(line: bytes, max_bytes: int) -> Object:
    """The object that `line` writes, if it is canonical: printing it gives `line` again.

    Raises:  MalformedError: canon.too_long · canon.not_json · canon.not_canonical · canon.profile.
    """
    value = _loads(line, max_bytes, orjson.OPT_SORT_KEYS)
    _check(value, MAX_DEPTH)
    return value


def loads_unprofiled(line: bytes, max_bytes: int) -> Object:
    """The object of a canonical `line` with its newline, for one who then checks every member.

    Until each is held against a type or `check_profile`, there may be floats, null, odd keys and
    large integers inside. max_bytes: without the newline.
    """
    return _loads(line, max_bytes + 1, orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _loads(line: bytes, max_bytes: int, option: int) -> Object:
    if len(line) > max_bytes:
        raise MalformedError("canon.too_long", max_bytes=max_bytes)
    try:
        value = orjson.loads(line)
        printed = orjson.dumps(value, option=option)
    except orjson.JSONDecodeError as error:
        raise MalformedError("canon.not_json") from error
    except orjson.JSONEncodeError as error:  # deeper than orjson prints
        raise MalformedError("canon.profile") from error
    if not isinstance(value, dict):
        raise MalformedError("canon.profile")
    if printed != line:
        raise MalformedError("canon.not_canonical")
    return value


def check_profile(value: Json, depth: int) -> None:
    """Refuse `value` unless it is within the profile and nests at most `depth` levels."""
    _check(value, depth)


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool:
        return
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
            raise MalformedError("canon.profile")
        return
    if depth == 0:
        raise MalformedError("canon.profile")
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not _KEY.fullmatch(key):
                raise MalformedError("canon.profile")
            _check(item, depth - 1)
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _check(item, depth - 1)
    else:
        raise MalformedError("canon.profile")
