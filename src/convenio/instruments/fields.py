"""Whether the fields of a body fit their act: asked before signing, and again by the receiver.

Default: no. A field that the act's forms do not name is refused, as is a value of another type, a
text that is too long or holds what cannot be seen, a code that is not in its list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.errors import RefusedError
from convenio.instruments.calendar import day_of, instant_of
from convenio.instruments.definition import Definition, Field, Kind, Need

MAX_FIELDS_BYTES: Final = 1 << 18
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Line breaks are text; other controls, and what turns text around, are not.
_UNSEEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with a field: a stable code and its name; number: which of several values."""

    code: str
    field: str
    number: int = 0


def check_fields(
    definition: Definition, act: str, fields: Mapping[str, Json]
) -> list[FieldProblem]:
    """Everything that keeps `fields` from being the body of `act`; nothing if they are one.

    Raises:  RefusedError: instrument.act, the definition has no such act.
    """
    if act not in definition.acts:
        raise RefusedError("instrument.act", act=act)
    needs = definition.needs(act)
    return [
        *(FieldProblem("field.unknown", str(name)[:64]) for name in fields if name not in needs),
        *_missing(needs, fields),
        *(
            problem
            for name in needs
            if name in fields
            for problem in _values(definition, name, fields[name])
        ),
    ]


def parse_fields(definition: Definition, act: str, content: bytes) -> Object:
    """The fields that a body holds: one canonical line, and nothing in it that does not fit.

    Raises:  MalformedError: canon.* · RefusedError: instrument.act · instrument.fields, with the
             first problem's code and field.
    """
    fields = canon.loads(content, MAX_FIELDS_BYTES)
    problems = check_fields(definition, act, fields)
    if problems:
        raise RefusedError("instrument.fields", why=problems[0].code, field=problems[0].field)
    return fields


def _missing(needs: Mapping[str, Need], fields: Mapping[str, Json]) -> Iterator[FieldProblem]:
    for name, need in needs.items():
        if name in fields:
            continue
        if need.always or _asked(need, fields):
            yield FieldProblem("field.missing", name)


def _asked(need: Need, fields: Mapping[str, Json]) -> bool:
    """Whether a condition asks for the field. On a field that is not there, it does not."""
    if not need.field or need.field not in fields:
        return False
    value = fields[need.field]
    word = {True: "yes", False: "no"}[value] if type(value) is bool else value
    return (word in need.codes) is need.holds


def _values(definition: Definition, name: str, value: Json) -> Iterator[FieldProblem]:
    field = definition.fields[name]
    if not field.many:
        code = _fault(definition, field, value)
        if code:
            yield FieldProblem(code, name)
    elif not isinstance(value, list) or not value:
        yield FieldProblem("field.list", name)
    elif len(value) > field.many:
        yield FieldProblem("field.many", name)
    elif any(item in value[:number] for number, item in enumerate(value)):
        yield FieldProblem("field.twice", name)
    else:
        for number, item in enumerate(value):
            code = _fault(definition, field, item)
            if code:
                yield FieldProblem(code, name, number)


def _fault(definition: Definition, field: Field, value: Json) -> str:
    """The code of what is wrong with one value, empty if nothing is."""
    return _FAULTS[field.kind](definition, field, value)


Fault = Callable[[Definition, Field, Json], str]


def _text(_: Definition, field: Field, value: Json) -> str:
    if not isinstance(value, str) or not value.strip():
        return "field.text"
    if len(value) > field.most:
        return "field.too_long"
    seen = not _UNSEEN.search(value) and not any("\ud800" <= c <= "\udfff" for c in value)
    return "" if seen else "field.character"


def _integer(_: Definition, field: Field, value: Json) -> str:
    if type(value) is not int:
        return "field.integer"
    return "" if field.least <= value <= field.most else "field.range"


def _code(definition: Definition, field: Field, value: Json) -> str:
    known = isinstance(value, str) and value in definition.codes[field.codes]
    return "" if known else "field.code"


_FAULTS: Final[dict[Kind, Fault]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.CODE: _code,
    Kind.BOOLEAN: lambda _, __, value: "" if type(value) is bool else "field.boolean",
    Kind.DATE: lambda _, __, value: (
        "" if isinstance(value, str) and day_of(value) is not None else "field.date"
    ),
    Kind.INSTANT: lambda _, __, value: (
        "" if isinstance(value, str) and instant_of(value) is not None else "field.instant"
    ),
    Kind.RECORD: lambda _, __, value: (
        "" if isinstance(value, str) and _HEX64.fullmatch(value) else "field.record"
    ),
}
