"""What a command is given: plain values and open files, read strictly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

from convenio.core.decide import Act, Person, Question, require
from convenio.core.encoding import parse_hex
from convenio.core.errors import MalformedError
from convenio.core.merkle import HASH
from convenio.node.control import Answer, Progress
from convenio.node.records import Found
from convenio.node.wiring import Node

Args = dict[str, Any]
Run = Callable[[Node, Args, list[int], Progress], Answer]
Door = Callable[[Node, Args], None]
MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Command:
    """One command. run is called only after door, which asks `core.decide` (see `doors`).

    lasts: it may take minutes, so it is counted apart and never keeps the short ones waiting.
    """

    door: Door
    run: Run
    lasts: bool = False


def text_of(args: Args, key: str, default: str | None = None) -> str:
    value = args.get(key, default)
    if not isinstance(value, str) or len(value) > 10_000:
        raise MalformedError("command.argument", argument=key)
    return value


def texts_of(args: Args, key: str) -> list[str]:
    value = args.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedError("command.argument", argument=key)
    return value


def object_of(value: object, key: str) -> dict[str, Any]:
    """`value`, if it is an object; key: of the argument it comes from."""
    if not isinstance(value, dict):
        raise MalformedError("command.argument", argument=key)
    return value


def leaf_of(args: Args, key: str) -> bytes:
    """A whole leaf hash, 64 hex digits."""
    try:
        return parse_hex(text_of(args, key), HASH, "")
    except MalformedError as error:
        raise MalformedError("command.argument", argument=key) from error


def number_of(args: Args, key: str, default: int, most: int) -> int:
    value = args.get(key, default)
    if type(value) is not int or not 0 <= value <= most:
        raise MalformedError("command.argument", argument=key)
    return value


def flag_of(args: Args, key: str) -> bool:
    """True or false, and no if nothing is said; nothing else that would pass for a yes."""
    value = args.get(key, False)
    if type(value) is not bool:
        raise MalformedError("command.argument", argument=key)
    return value


@contextmanager
def opened(files: list[int], place: int, mode: str) -> Iterator[BinaryIO]:
    if place >= len(files):
        raise MalformedError("command.argument", argument="file")
    with os.fdopen(os.dup(files[place]), mode) as file:
        yield cast(BinaryIO, file)


def person_of(node: Node, args: Args) -> Person:
    return node.local.person(text_of(args, "as"))


def viewer_of(node: Node, args: Args) -> Person | None:
    """Who looks; None if nobody is named."""
    return None if args.get("as") is None else person_of(node, args)


def found_record(node: Node, args: Args, act: Act = Act.SEE) -> Found:
    """The record meant, if this person may do `act` with its header."""
    person = viewer_of(node, args)
    found = node.records.find(text_of(args, "record"), text_of(args, "channel", ""))
    require(Question(act, person, found.log.charter, found.header))
    return found
