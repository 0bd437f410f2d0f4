"""What people write, read strictly: a small part of YAML in which everything is text.

Mappings, lists and texts, nothing else: no anchors, tags, directives or second document, no key
twice, nothing empty, and no value that becomes a number or a truth value by how it looks. Whoever
reads further knows the line of everything. Only the linter needs this; a node reads canonical JSON.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import yaml

from convenio.core.errors import MalformedError

Tree = str | list["Tree"] | dict[str, "Tree"]
Path = tuple[str | int, ...]

MAX_SOURCE_BYTES: Final = 1 << 16
MAX_SOURCE_DEPTH: Final = 6
_KEY: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
# Controls, and what turns text around or cannot be seen.
_UNSEEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's tree of texts. lines: of each value, by the keys and places that lead to it."""

    file: str
    tree: dict[str, Tree]
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """Where `path` is written; if it is not, where the nearest thing around it is."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read_source(file: str, data: bytes) -> Source:
    """The tree that `data` writes. file: a name for people, kept in every refusal.

    Raises:  MalformedError, each with `file` and `line`: source.size · source.encoding ·
             source.character · source.syntax · source.alias · source.tag · source.document ·
             source.depth · source.key · source.twice · source.empty.
    """
    return _Reading(file, _text(file, data)).source()


def _text(file: str, data: bytes) -> str:
    def refuse(code: str, before: str) -> NoReturn:
        raise MalformedError(code, file=file, line=before.count("\n") + 1)

    if len(data) > MAX_SOURCE_BYTES:
        raise MalformedError("source.size", file=file, line=1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedError("source.encoding", file=file, line=line) from error
    if found := _UNSEEN.search(text):
        refuse("source.character", text[: found.start()])
    for number, written in enumerate(text.split("\n"), 1):
        if not unicodedata.is_normalized("NFC", written):
            raise MalformedError("source.character", file=file, line=number)
    return text


class _Reading:
    """One pass over the events of a YAML parser, which knows no more than the grammar."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._events = self._guarded(yaml.parse(text, Loader=yaml.SafeLoader))
        self._line = 1
        self._lines: dict[Path, int] = {}

    def source(self) -> Source:
        next(self._events)  # the stream begins
        if not isinstance(start := next(self._events), yaml.DocumentStartEvent):
            self._refuse("source.empty")
        if start.explicit:
            self._refuse("source.document")
        first = next(self._events)
        if not isinstance(first, yaml.MappingStartEvent):
            self._refuse("source.syntax")
        tree = self._mapping(first, ())
        if next(self._events).explicit or not isinstance(next(self._events), yaml.StreamEndEvent):
            self._refuse("source.document")
        return Source(self._file, tree, self._lines)

    def _guarded(self, events: Iterator[Any]) -> Iterator[Any]:
        """The events, with our line kept and the parser's own errors as ours."""
        while True:
            try:
                event = next(events)
            except StopIteration:
                return
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                self._line = mark.line + 1 if mark else self._line
                raise self._error("source.syntax") from error
            # A code point that is none, a number of 5,000 digits in a directive.
            except (yaml.YAMLError, ValueError, OverflowError) as error:
                raise self._error("source.syntax") from error
            self._line = event.start_mark.line + 1
            if getattr(event, "anchor", None) is not None:
                self._refuse("source.alias")
            if getattr(event, "tag", None) is not None:
                self._refuse("source.tag")
            yield event

    def _value(self, event: Any, path: Path) -> Tree:
        self._lines[path] = self._line
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if len(path) >= MAX_SOURCE_DEPTH:
            self._refuse("source.depth")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path)
        return self._list(path)

    def _mapping(self, event: Any, path: Path) -> dict[str, Tree]:
        self._lines[path] = event.start_mark.line + 1
        tree: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or not _KEY.fullmatch(event.value):
                self._refuse("source.key")
            key = event.value
            if key in tree:
                self._refuse("source.twice")
            line = self._line
            tree[key] = self._value(next(self._events), (*path, key))
            self._lines[*path, key] = line
        if not tree:
            self._refuse("source.empty")
        return tree

    def _list(self, path: Path) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        if not items:
            self._refuse("source.empty")
        return items

    def _scalar(self, event: Any) -> str:
        text = str(event.value).strip()
        if not text:
            self._refuse("source.empty")
        # An escape can spell what the file itself may not hold.
        if _UNSEEN.search(text) or not unicodedata.is_normalized("NFC", text):
            self._refuse("source.character")
        if any("\ud800" <= each <= "\udfff" for each in text):
            self._refuse("source.character")
        return text

    def _refuse(self, code: str) -> NoReturn:
        raise self._error(code)

    def _error(self, code: str) -> MalformedError:
        return MalformedError(code, file=self._file, line=self._line)
