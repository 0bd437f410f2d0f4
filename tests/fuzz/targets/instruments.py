"""Definitions of instruments, as people write them and as they are pinned; fields of bodies."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from tests.fuzz.targets.table import BOM, Broken, Target, each
from tests.support.instruments import DEFINITION, TEXTS

from convenio.core import canon
from convenio.core.canon import Object
from convenio.instruments.calendar import Calendar
from convenio.instruments.definition import Definition, Texts
from convenio.instruments.fields import parse_fields
from convenio.instruments.lint import Linted, lint_files
from convenio.instruments.reading import parse_calendar, parse_definition, parse_texts
from convenio.instruments.source import Source, read_source
from convenio.node.definitions import FOLDER

CALENDAR: Final = b"""\
calendar: place
covers: {first: 2021-01-01, last: 2021-12-31}
places:
  mx:
    zone: somewhere
    source: a law
    offsets: [{since: 2021-01-01T00:00:00Z, minutes: -360}]
    holidays: [2021-05-01, 2021-09-16]
"""


def files(definition: bytes, calendar: bytes = CALENDAR) -> dict[str, bytes]:
    return {
        "small.yaml": definition,
        "small.en.yaml": TEXTS,
        "small.es.yaml": TEXTS.replace(b"language: en", b"language: es"),
        "place.calendar.yaml": calendar,
    }


def with_calendar() -> bytes:
    return DEFINITION.replace(b"engine: 1\n", b"engine: 1\ncalendar: place\n")


@lru_cache
def made() -> Linted:
    linted = lint_files(files(with_calendar()), "small")
    assert linted.problems == ()
    return linted


def definition() -> Definition:
    found = made().definition
    assert found
    return found


def calendar() -> Calendar:
    found = made().calendar
    assert found
    return found


def written(data: bytes) -> Source:
    return read_source("x.yaml", data)


def judged(data: bytes) -> Linted:
    """Bytes as each of the files: the linter finds, and never breaks."""
    lint_files({**files(with_calendar()), "small.es.yaml": data}, "small")
    lint_files(files(with_calendar(), data), "small")
    return lint_files(files(data), "small")


def filled(data: bytes) -> Object:
    return parse_fields(definition(), "reply", data)


def broken_sources() -> Broken:
    return {
        "source.alias": (b"a: &x b\n", b"a: *x\n"),
        "source.character": (BOM + b"a: b\n", b"a:\tb\n", b'a: "\\u202e"\n', b'a: "\\ud800"\n'),
        "source.depth": (b"a: [[[[[[[b]]]]]]]\n", b"a: {a: {a: {a: {a: {a: {a: b}}}}}}\n"),
        "source.document": (b"---\na: b\n", b"a: b\n---\n", b"%YAML 1.1\n---\na: b\n"),
        "source.empty": (b"", b"a:\n", b"a: ''\n", b"a: []\n"),
        "source.encoding": (b"a: \xff\n",),
        "source.key": (b"A: b\n", b"<<: b\n", b"? [a]\n: b\n"),
        "source.size": (b"a: " + b"x" * (1 << 16),),
        "source.syntax": (
            *(b"- a\n", b'a: "\\UFFFFFFFF"\n', b"%YAML " + b"9" * 5000 + b".1\n", DEFINITION[:-2]),
        ),
        "source.tag": (b"a: !!int 1\n", b"a: ! b\n", b"!!map {a: b}\n"),
        "source.twice": (b"a: b\na: c\n",),
    }  # fmt: skip


def cut_or_longer(good: bytes) -> Broken:
    return {
        "canon.not_json": (b"", good[:-2], good[: len(good) // 2], good + b"x", BOM + good),
        "canon.not_canonical": (b" " + good, good + b"\n", good[:-1] + b" \n"),
    }


def broken_texts() -> Broken:
    good = made().texts[0].encode()
    return {
        **cut_or_longer(good),
        "instrument.texts": (
            *(b"{}\n", b'{"words":{"a":1}}\n', b'{"words":[]}\n', good[:-1]),
            *each(good, b'"language":"en"', b'"language":"fr"', b'"language":1', b'"tongue":"en"'),
            *each(good, b'"v":1', b'"v":2'),
        ),
    }


def broken_definitions() -> Broken:
    good = definition().encode()
    return {
        **cut_or_longer(good),
        "instrument.definition": (
            *each(good, b'"months":12', b'"months":"12"', b'"months":0', b'"weeks":12'),
            *each(good, b'"kind":"definition"', b'"kind":"texts"'),
            *each(good, b'"unit":"hours"', b'"unit":"years"'),
        ),
    }


def broken_calendars() -> Broken:
    good = calendar().encode()
    return {
        **cut_or_longer(good),
        "instrument.calendar": (
            *each(good, b"2021-05-01", b"2021-02-30", b"2021-10-01"),
            *each(good, b"-360", b'"-360"', b"3600"),
            *each(good, b'"kind":"calendar"', b'"kind":"texts"'),
            *(b"{}\n", b'{"covers":[],"places":{}}\n'),
        ),
    }


def broken_fields() -> Broken:
    return {
        "instrument.fields": (
            *(b"{}", b'{"grade":"ugly"}', b'{"grade":"bad"}', b'{"grade":true}', b'{"grade":1}'),
            *(
                b'{"grade":["good"]}',
                b'{"grade":"good","pieces":10}',
                b'{"colour":1,"grade":"good"}',
            ),
            b'{"grade":"good","pieces":true}',
        ),
        "canon.profile": (b'{"grade":null}', b"[]"),
        "canon.not_json": (b"", b'{"grade":"good"', b'{"grade":"good"}x'),
    }


TARGETS: Final = (
    Target(
        "instrument source",
        ("instruments.source.read_source",),
        lambda: [DEFINITION, TEXTS, CALENDAR, b"a: >\n  b\n  c\nd: |\n  e\n"],
        written,
        share=3,
        broken=broken_sources,
    ),
    Target(
        "instrument linted",
        (
            *("instruments.reading.read_definition", "instruments.reading.read_texts"),
            "instruments.reading.read_calendar",
        ),
        lambda: [DEFINITION, with_calendar(), TEXTS, CALENDAR],
        judged,
        share=20,
    ),
    Target(
        "instrument definition",
        ("instruments.reading.parse_definition",),
        lambda: [definition().encode(), (FOLDER / "firearm_trace.json").read_bytes()],
        parse_definition,
        Definition.encode,
        share=2,
        broken=broken_definitions,
    ),
    Target(
        "instrument texts",
        ("instruments.reading.parse_texts",),
        lambda: [texts.encode() for texts in made().texts],
        parse_texts,
        Texts.encode,
        broken=broken_texts,
    ),
    Target(
        "instrument calendar",
        ("instruments.reading.parse_calendar",),
        lambda: [calendar().encode(), (FOLDER / "mx_us.calendar.json").read_bytes()],
        parse_calendar,
        Calendar.encode,
        broken=broken_calendars,
    ),
    Target(
        "instrument fields",
        ("instruments.fields.parse_fields",),
        lambda: [b'{"grade":"good"}', b'{"grade":"bad","pieces":3,"reason":"torn"}'],
        filled,
        canon.dumps,
        broken=broken_fields,
    ),
)
