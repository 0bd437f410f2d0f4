"""From a tree to a definition, its texts or a calendar: every fault of shape at once, by its path.

The tree is either what people wrote, in which everything is text, or the canonical JSON that was
made of it, in which numbers are numbers. What a definition says is judged by the linter; here it
is only asked whether it says it in the right form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any, Final, TypeVar, cast

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.errors import MalformedError
from convenio.instruments.calendar import (
    MAX_DAYS,
    Calendar,
    Days,
    Place,
    Unit,
    day_of,
    instant_of,
)
from convenio.instruments.definition import (
    LANGUAGES,
    MAX_LINE_BYTES,
    START_WORD,
    TLP,
    Act,
    Basis,
    Definition,
    Field,
    Kind,
    Limit,
    Need,
    Retention,
    Sensitivity,
    Texts,
)
from convenio.instruments.model import START, Move

Path = tuple[str | int, ...]
T = TypeVar("T")
E = TypeVar("E", bound=Enum)

MAX_TEXT: Final = 20_000  # characters of a field, at most
MAX_MANY: Final = 500
MAX_MONTHS: Final = 1200
_LONG: Final = 2000  # characters of a text of ours
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,63}", re.ASCII)
_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,14}", re.ASCII)
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BY_UNIT: Final = {Unit.SECONDS: 86_400 * MAX_DAYS, Unit.HOURS: 24 * MAX_DAYS}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong in a tree: a stable code, where, and the words it is about."""

    code: str
    path: Path
    about: tuple[str, ...] = ()


@dataclass
class _Reader:
    """Looks at values one by one and notes what does not fit; goes on with something harmless."""

    typed: bool
    flaws: list[Flaw] = field(default_factory=list)
    missing: set[Path] = field(default_factory=set)

    def flaw(self, code: str, path: Path, *about: str) -> None:
        if path in self.missing:  # said once is enough
            return
        self.flaws.append(Flaw(code, path, about or (str(path[-1] if path else ""),)))

    def keys(self, value: Json, path: Path, needed: str, optional: str = "") -> dict[str, Json]:
        """A mapping with these keys and no other; {} if it is none."""
        if not isinstance(value, dict):
            self.flaw("lint.not_mapping", path)
            return {}
        known = [*needed.split(), *optional.split()]
        for key in value.keys() - set(known):
            self.flaw("lint.key_unknown", (*path, key), key)
        for key in needed.split():
            if key not in value:
                self.flaw("lint.key_missing", path, key)
                self.missing.add((*path, key))
        return {key: value[key] for key in known if key in value}

    def table(self, value: Json, path: Path, row: Callable[[Json, Path], T | None]) -> dict[str, T]:
        """A mapping from words of the author's choice to rows."""
        if not isinstance(value, dict):
            self.flaw("lint.not_mapping", path)
            return {}
        rows = {self.word(key, (*path, key)): row(value[key], (*path, key)) for key in value}
        return {key: item for key, item in rows.items() if item is not None}

    def items(self, value: Json, path: Path, item: Callable[[Json, Path], T]) -> tuple[T, ...]:
        if not isinstance(value, list):
            self.flaw("lint.not_list", path)
            return ()
        return tuple(item(each, (*path, number)) for number, each in enumerate(value))

    def words(self, value: Json, path: Path) -> tuple[str, ...]:
        """Some words, none of them twice."""
        found = self.items(value, path, self.word)
        if len(set(found)) != len(found):
            self.flaw("lint.twice", path)
        return found

    def word(self, value: Json, path: Path) -> str:
        if isinstance(value, str) and _WORD.fullmatch(value):
            return value
        self.flaw("lint.not_word", path, str(value)[:64])
        return ""

    def text(self, value: Json, path: Path) -> str:
        if isinstance(value, str) and 0 < len(value) <= _LONG:
            return value
        self.flaw("lint.not_text", path)
        return ""

    def date(self, value: Json, path: Path) -> str:
        if isinstance(value, str) and day_of(value) is not None:
            return value
        self.flaw("lint.not_date", path)
        return "1970-01-01"

    def number(self, value: Json, path: Path, least: int, most: int) -> int:
        """A whole number within bounds: a number in JSON, digits in what people wrote."""
        number = least - 1
        if self.typed and type(value) is int:
            number = value
        elif not self.typed and isinstance(value, str) and _NUMBER.fullmatch(value):
            number = int(value)
        if least <= number <= most:
            return number
        self.flaw("lint.not_number", path, str(path[-1]), str(least), str(most))
        return least

    def flag(self, value: Json, path: Path) -> bool:
        if self.typed and type(value) is bool:
            return value
        if not self.typed and value in ("yes", "no"):
            return value == "yes"
        self.flaw("lint.not_flag", path)
        return False

    def choice(self, value: Json, path: Path, choices: Sequence[str]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        self.flaw("lint.not_choice", path, str(value)[:64], ", ".join(choices))
        return choices[0]

    def member(self, value: Json, path: Path, kind: type[E]) -> E:
        return kind(self.choice(value, path, [str(each.value) for each in kind]))


# --- a definition --------------------------------------------------------------------------------

_NEEDED: Final = (
    "instrument version engine purpose legal_basis roles states ends acts moves race clocks"
    " retention"
)


def read_definition(
    tree: Mapping[str, Any], texts: Iterable[Texts] = (), calendar: Calendar | None = None
) -> tuple[Definition, list[Flaw]]:
    """The definition that people wrote, with the texts and calendar that it is to pin.

    It is of use only if there are no flaws.
    """
    reader = _Reader(typed=False)
    value = reader.keys(dict(tree), (), _NEEDED, "codes fields forms calendar")
    name = reader.word(value.get("calendar", "none"), ("calendar",))
    pins = {each.language: each.hash for each in texts}
    pinned = calendar.hash if calendar else ""
    return _definition(reader, value, pins, (name if "calendar" in value else "", pinned))


def parse_definition(line: bytes) -> Definition:
    """The definition whose canonical line this is.

    Raises:  MalformedError: instrument.definition · canon.*.
    """
    reader = _Reader(typed=True)
    tree = canon.loads(line.removesuffix(b"\n"), MAX_LINE_BYTES)
    value = reader.keys(tree, (), f"kind v texts {_NEEDED}", "codes fields forms calendar")
    pins = reader.keys(value.get("texts", {}), ("texts",), " ".join(LANGUAGES))
    hashes = {language: _hash(reader, item, ("texts", language)) for language, item in pins.items()}
    calendar = ("", "")
    if "calendar" in value:
        named = reader.keys(value["calendar"], ("calendar",), "name hash")
        calendar = (
            reader.word(named.get("name", ""), ("calendar", "name")),
            _hash(reader, named.get("hash", ""), ("calendar", "hash")),
        )
    definition, flaws = _definition(reader, value, hashes, calendar)
    if flaws or definition.encode() != line:
        raise MalformedError("instrument.definition")
    return definition


def _hash(reader: _Reader, value: Json, path: Path) -> str:
    if isinstance(value, str) and _HEX64.fullmatch(value):
        return value
    reader.flaw("lint.not_text", path)
    return ""


def _definition(
    reader: _Reader, value: dict[str, Json], texts: Mapping[str, str], calendar: tuple[str, str]
) -> tuple[Definition, list[Flaw]]:
    def given(key: str, instead: Json) -> Json:
        return value.get(key, instead)

    roles = reader.keys(given("roles", {}), ("roles",), "opens answers", "copied")
    role = {key: reader.word(item, ("roles", key)) for key, item in roles.items()}
    definition = Definition(
        name=reader.word(given("instrument", ""), ("instrument",)),
        version=reader.number(given("version", ""), ("version",), 1, 10_000),
        engine=reader.number(given("engine", ""), ("engine",), 1, 10_000),
        purpose=reader.word(given("purpose", ""), ("purpose",)),
        legal_basis=reader.table(given("legal_basis", {}), ("legal_basis",), _basis(reader)),
        opens=role.get("opens", ""),
        answers=role.get("answers", ""),
        copied=role.get("copied", ""),
        states=reader.words(given("states", []), ("states",)),
        ends=reader.words(given("ends", []), ("ends",)),
        codes=reader.table(given("codes", {}), ("codes",), reader.words),
        fields=reader.table(given("fields", {}), ("fields",), _field(reader)),
        forms=reader.table(given("forms", {}), ("forms",), _form(reader)),
        acts=reader.table(given("acts", {}), ("acts",), _act(reader)),
        moves=reader.items(given("moves", []), ("moves",), _move(reader)),
        race=reader.words(given("race", []), ("race",)),
        clocks=reader.table(given("clocks", {}), ("clocks",), _limit(reader)),
        retention=_retention(reader, given("retention", {})),
        calendar=calendar[0],
        calendar_hash=calendar[1],
        texts=dict(texts),
    )
    return definition, reader.flaws


Row = Callable[[Json, Path], T]


def _basis(reader: _Reader) -> Row[Basis]:
    def row(value: Json, path: Path) -> Basis:
        found = reader.keys(value, path, "article version valid_on source")
        article, version, source = (
            reader.text(found.get(key, " "), (*path, key))
            for key in ("article", "version", "source")
        )
        valid_on = reader.date(found.get("valid_on", "1970-01-01"), (*path, "valid_on"))
        return Basis(article, version, valid_on, source)

    return row


def _field(reader: _Reader) -> Row[Field]:
    def row(value: Json, path: Path) -> Field:
        found = reader.keys(value, path, "type sensitivity", "unit least most codes many")
        kind = reader.member(found.get("type", "text"), (*path, "type"), Kind)
        bounds = _BOUNDS.get(kind, ())
        for key in ("unit", "least", "most", "codes"):
            if (key in found) != (key in bounds):
                code = "lint.field_unasked" if key in found else f"lint.field_{key}"
                reader.flaw(code, path, str(path[-1]), key)
        end = MAX_TEXT if kind is Kind.TEXT else canon.MAX_INTEGER // 10
        start = 1 if kind is Kind.TEXT else -end

        def word(key: str) -> str:
            return reader.word(found[key], (*path, key)) if key in found else ""

        def number(key: str, least: int, most: int) -> int:
            return reader.number(found[key], (*path, key), least, most) if key in found else 0

        grade = found.get("sensitivity", "ordinary")
        return Field(
            kind=kind,
            sensitivity=reader.member(grade, (*path, "sensitivity"), Sensitivity),
            unit=word("unit"),
            least=number("least", -end, end),
            most=number("most", start, end),
            codes=word("codes"),
            many=number("many", 1, MAX_MANY),
        )

    return row


_BOUNDS: Final = {
    Kind.TEXT: ("most",),
    Kind.INTEGER: ("unit", "least", "most"),
    Kind.CODE: ("codes",),
}


def _form(reader: _Reader) -> Row[dict[str, Need]]:
    """Its fields in their order: as people wrote them, and in JSON, which has none, as pairs."""

    def pair(value: Json, path: Path) -> tuple[str, Need]:
        if isinstance(value, list) and len(value) == 2:
            return reader.word(value[0], (*path, 0)), _need(reader)(value[1], (*path, 1))
        reader.flaw("lint.not_list", path)
        return "", Need()

    def row(value: Json, path: Path) -> dict[str, Need]:
        if reader.typed:
            return dict(reader.items(value, path, pair))
        return reader.table(value, path, _need(reader))

    return row


def _need(reader: _Reader) -> Row[Need]:
    def row(value: Json, path: Path) -> Need:
        if not isinstance(value, dict):
            return Need(always=reader.choice(value, path, ("optional", "needed")) == "needed")
        found = reader.keys(value, path, "when", "is is_not")
        if ("is" in found) == ("is_not" in found):
            reader.flaw("lint.when", path)
            return Need()
        key = "is" if "is" in found else "is_not"
        when = reader.word(found.get("when", "none"), (*path, "when"))
        return Need(False, when, key == "is", reader.words(found[key], (*path, key)))

    return row


def _act(reader: _Reader) -> Row[Act]:
    def row(value: Json, path: Path) -> Act:
        found = reader.keys(value, path, "approvals caveat", "forms")
        return Act(
            forms=reader.words(found["forms"], (*path, "forms")) if "forms" in found else (),
            approvals=reader.number(found.get("approvals", ""), (*path, "approvals"), 0, 3),
            caveat=reader.choice(found.get("caveat", TLP[0]), (*path, "caveat"), TLP),
        )

    return row


def _move(reader: _Reader) -> Row[Move]:
    def row(value: Json, path: Path) -> Move:
        found = reader.keys(value, path, "in role act to", "after")
        words = {key: reader.word(item, (*path, key)) for key, item in found.items()}
        state = words.get("in", "")
        return Move(
            START if state == START_WORD else state,
            words.get("role", ""),
            words.get("act", ""),
            words.get("to", ""),
            words.get("after", ""),
        )

    return row


def _limit(reader: _Reader) -> Row[Limit]:
    def row(value: Json, path: Path) -> Limit:
        found = reader.keys(
            value, path, "starts debtor fulfilled runs_in unit least usual most", "then pauses"
        )
        if "then" not in found:
            reader.flaw("lint.clock_consequence", path)
        unit = reader.member(found.get("unit", "hours"), (*path, "unit"), Unit)
        end = _BY_UNIT.get(unit, MAX_DAYS)
        least, usual, most = (
            reader.number(found.get(key, ""), (*path, key), 1, end)
            for key in ("least", "usual", "most")
        )
        return Limit(
            starts=reader.word(found.get("starts", "none"), (*path, "starts")),
            debtor=reader.word(found.get("debtor", "none"), (*path, "debtor")),
            fulfilled=reader.words(found.get("fulfilled", []), (*path, "fulfilled")),
            runs_in=reader.words(found.get("runs_in", []), (*path, "runs_in")),
            unit=unit,
            least=least,
            usual=usual,
            most=most,
            then=reader.word(found.get("then", "none"), (*path, "then")),
            pauses=reader.flag(found["pauses"], (*path, "pauses")) if "pauses" in found else False,
        )

    return row


def _retention(reader: _Reader, value: Json) -> Retention:
    found = reader.keys(value, ("retention",), "months basis")
    return Retention(
        months=reader.number(found.get("months", ""), ("retention", "months"), 1, MAX_MONTHS),
        basis=reader.word(found.get("basis", "none"), ("retention", "basis")),
    )


# --- texts ---------------------------------------------------------------------------------------


def read_texts(tree: Mapping[str, Any]) -> tuple[Texts, list[Flaw]]:
    """The texts that people wrote: `language`, and the words as they stand."""
    reader = _Reader(typed=False)
    language = reader.choice(tree.get("language", ""), ("language",), LANGUAGES)
    words = {key: item for key, item in tree.items() if key != "language"}
    _look_at_words(reader, words, ())
    return Texts(language, cast(Object, words)), reader.flaws


def _look_at_words(reader: _Reader, value: Json, path: Path) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _look_at_words(reader, item, (*path, key))
    else:
        reader.text(value, path)


def parse_texts(line: bytes) -> Texts:
    """The texts whose canonical line this is.

    Raises:  MalformedError: instrument.texts · canon.*.
    """
    tree = canon.loads(line.removesuffix(b"\n"), MAX_LINE_BYTES)
    words = tree.get("words")
    if isinstance(words, dict):
        texts, flaws = read_texts({**words, "language": tree.get("language")})
        if not flaws and texts.encode() == line:
            return texts
    raise MalformedError("instrument.texts")


# --- a calendar ----------------------------------------------------------------------------------


def read_calendar(tree: Mapping[str, Any]) -> tuple[Calendar, list[Flaw]]:
    """The calendar that people wrote."""
    reader = _Reader(typed=False)
    value = reader.keys(dict(tree), (), "calendar covers places")
    covers = reader.keys(value.get("covers", {}), ("covers",), "first last")
    first, last = (
        reader.date(covers.get(key, "1970-01-01"), ("covers", key)) for key in ("first", "last")
    )
    calendar = Calendar(
        name=reader.word(value.get("calendar", ""), ("calendar",)),
        covers=(first, last),
        places=reader.table(value.get("places", {}), ("places",), _place(reader)),
    )
    return calendar, reader.flaws


def _place(reader: _Reader) -> Row[Place]:
    def row(value: Json, path: Path) -> Place:
        found = reader.keys(value, path, "zone source offsets holidays")
        zone, source = (
            reader.text(found.get(key, " "), (*path, key)) for key in ("zone", "source")
        )
        offsets = reader.items(found.get("offsets", []), (*path, "offsets"), _offset(reader))
        dates = reader.items(found.get("holidays", []), (*path, "holidays"), reader.date)
        days = [cast(int, day_of(date)) for date in dates]
        for key, values in (("offsets", [since for since, _ in offsets]), ("holidays", days)):
            if not values or any(one >= other for one, other in pairwise(values)):
                reader.flaw("lint.not_rising", (*path, key))
        return Place(zone, source, Days(offsets or ((0, 0),), frozenset(days)))

    return row


def _offset(reader: _Reader) -> Row[tuple[int, int]]:
    def row(value: Json, path: Path) -> tuple[int, int]:
        found = reader.keys(value, path, "since minutes")
        since = found.get("since")
        at = instant_of(since) if isinstance(since, str) else None
        if at is None:
            reader.flaw("lint.not_date", (*path, "since"))
        minutes = reader.number(found.get("minutes", ""), (*path, "minutes"), -1560, 1560)
        return at or 0, minutes

    return row


def parse_calendar(line: bytes) -> Calendar:
    """The calendar whose canonical line this is.

    Raises:  MalformedError: instrument.calendar · canon.*.
    """
    tree = canon.loads(line.removesuffix(b"\n"), MAX_LINE_BYTES)
    written = _as_written(tree)
    if written is not None:
        calendar, flaws = read_calendar(written)
        if not flaws and calendar.encode() == line:
            return calendar
    raise MalformedError("instrument.calendar")


def _as_written(tree: Object) -> dict[str, Any] | None:
    """The tree that people would write for this canonical one, None if it has another shape."""
    covers, places = tree.get("covers"), tree.get("places")
    if not isinstance(covers, list) or len(covers) != 2 or not isinstance(places, dict):
        return None
    return {
        "calendar": tree.get("name", ""),
        "covers": {"first": covers[0], "last": covers[1]},
        "places": {party: _place_as_written(place) for party, place in places.items()},
    }


def _place_as_written(place: Json) -> Any:
    if not isinstance(place, dict) or not isinstance(offsets := place.get("offsets"), list):
        return place
    pairs = [each if isinstance(each, list) and len(each) == 2 else ["", ""] for each in offsets]
    written = [{"since": since, "minutes": str(minutes)} for since, minutes in pairs]
    return {**place, "offsets": written}
