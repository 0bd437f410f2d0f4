"""The linter: every fault at once, each where it is, in words of both languages."""
# ruff: noqa: E501 - one change to a line

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from tests.conftest import ROOT
from tests.support.instruments import DEFINITION, TEXTS
from tools.instruments import canonical_files

from convenio.core.canon import Json
from convenio.core.errors import MalformedError
from convenio.instruments.definition import LANGUAGES
from convenio.instruments.lint import bare_table, lint_files
from convenio.instruments.model import interleavings, lint
from convenio.instruments.reading import parse_calendar, parse_definition, parse_texts
from convenio.node.definitions import FOLDER, KINDS, known_instruments, shipped
from convenio.words import Words
from convenio.words.errors import HAPPENED
from convenio.words.instruments import FIELD, LINT, finding_of


def files(**changed: bytes) -> dict[str, bytes]:
    spanish = TEXTS.replace(b"language: en", b"language: es")
    return {
        "small.yaml": changed.get("definition", DEFINITION),
        "small.en.yaml": changed.get("en", TEXTS),
        "small.es.yaml": changed.get("es", spanish),
    }


def found(old: str, new: str, which: str = "definition") -> list[tuple[str, int, str]]:
    """What the linter finds after one change; the change must be one."""
    before = {"definition": DEFINITION, "en": TEXTS}.get(
        which, TEXTS.replace(b"language: en", b"language: es")
    )
    assert before.count(old.encode()) == 1, old
    linted = lint_files(files(**{which: before.replace(old.encode(), new.encode())}), "small")
    return [(p.file, p.line, p.code) for p in linted.problems]


def line_of(text: str) -> int:
    return DEFINITION[: DEFINITION.index(text.encode())].count(b"\n") + 1


def test_a_good_definition_has_no_findings() -> None:
    linted = lint_files(files(), "small")
    assert linted.problems == ()
    assert linted.definition is not None
    assert lint(linted.definition.instrument()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_with_the_program_has_no_findings(kind: str) -> None:
    written = {path.name: path.read_bytes() for path in FOLDER.glob("*.yaml")}
    assert lint_files(written, kind).problems == ()
    assert lint(shipped(kind).instrument) == []


@pytest.mark.parametrize(
    ("code", "at", "old", "new"),
    [
        ("lint.unreachable", "states:", "[open, late, done]", "[open, late, done, lost]"),
        ("lint.dead_end", "states:", "[open, late, done]", "[open, late, done, lost]"),
        ("lint.end_left", "states:", "ends: [done]", "ends: [done, late]"),
        ("lint.no_way_out", "states:", "asked, act: reply, to: done}\n  - {in: late, role: asker, act: drop, to: done}", "asked, act: reply, to: late}\n  - {in: late, role: asker, act: drop, to: late}"),
        ("lint.state_unknown", "  - {in: late, role: asker", "act: drop, to: done", "act: drop, to: gone"),
        ("lint.state_unknown", "ends:", "ends: [done]", "ends: [done, gone]"),
        ("lint.state_start", "states:", "states: [open", "states: [start, open"),
        ("lint.act_unknown", "  - {in: late, role: asker", "act: drop, to", "act: dance, to"),
        ("lint.act_unused", "  drop:", "  drop: {", "  dance: {approvals: 0, caveat: TLP:RED}\n  drop: {"),
        ("lint.move_role", "  - {in: late, role: asker", "late, role: asker", "late, role: nobody"),
        ("lint.move_after", "  - {in: open, role: asker", "after: answer", "after: nothing"),
        ("lint.move_never", "  - {in: open, role: asker", "runs_in: [open, late]", "runs_in: [late]"),
        ("lint.move_debtor", "  - {in: late, role: asked", "asked, act: reply, to: done}\n  - {in: late, role: asker", "asked, act: reply, to: done, after: answer}\n  - {in: late, role: asker"),
        ("lint.move_twice", "  - {in: late, role: asker", "race:", "  - {in: late, role: asker, act: drop, to: done}\nrace:"),
        ("lint.state_unknown", "  - {in: late, role: asker", "act: drop, to: done", "act: drop, to: start"),
        ("lint.opening", "  - {in: start", "start, role: asker", "start, role: asked"),
        ("lint.race", "  - {in: open, role: asker", "race: [reply, complain, drop]", "race: [drop, reply]"),
        ("lint.race_act", "race:", "race: [reply", "race: [dance, reply"),
        ("lint.twice", "race:", "race: [reply", "race: [drop, reply"),
        ("lint.clock_consequence", "  answer:", "    then: complain\n", ""),
        ("lint.clock_then", "    then:", "then: complain", "then: drop"),
        ("lint.clock_calendar", "  answer:", "unit: hours", "unit: calendar_days"),
        ("lint.clock_length", "  answer:", "usual: 8", "usual: 25"),
        ("lint.clock_roles", "  answer:", "debtor: asked", "debtor: nobody"),
        ("lint.clock_start", "  answer:", "starts: ask", "starts: reply"),
        ("lint.clock_state", "  answer:", "runs_in: [open, late]", "runs_in: [open, late, gone]"),
        ("lint.clock_act", "  answer:", "fulfilled: [reply]", "fulfilled: [drop]"),
        ("lint.clock_escape", "  - {in: late, role: asked", "fulfilled: [reply]", "fulfilled: [drop]"),
        ("lint.form_unknown", "  reply: {forms", "forms: [reply]", "forms: [reply, other]"),
        ("lint.form_unused", "  reply:\n    grade", "forms: [reply], ", ""),
        ("lint.field_unknown", "    pieces: optional", "pieces: optional", "weight: optional"),
        ("lint.field_unused", "  pieces: {type", "    pieces: optional\n", ""),
        ("lint.field_twice", "  reply: {forms", "forms: [reply]", "forms: [reply, again]"),
        ("lint.field_unit", "  pieces: {type", "unit: boxes, ", ""),
        ("lint.field_least", "  pieces: {type", "least: 0, ", ""),
        ("lint.field_most", "  reason: {type", "most: 100, ", ""),
        ("lint.field_codes", "  grade: {type", "codes: grade, ", ""),
        ("lint.field_unasked", "  reason: {type", "most: 100", "most: 100, unit: boxes"),
        ("lint.field_range", "  pieces: {type", "least: 0", "least: 10"),
        ("lint.codes_unknown", "  grade: {type", "codes: grade, ", "codes: marks, "),
        ("lint.codes_unused", "  grade: [good", "  grade: [good", "  marks: [x]\n  grade: [good"),
        ("lint.when", "    reason: {when", "is: [bad]", "is: [bad], is_not: [good]"),
        ("lint.when_field", "    reason: {when", "when: grade", "when: colour"),
        ("lint.when_kind", "    reason: {when", "when: grade", "when: pieces"),
        ("lint.when_code", "    reason: {when", "is: [bad]", "is: [ugly]"),
        ("lint.basis", "retention:", "basis: law", "basis: custom"),
        ("lint.key_missing", "instrument:", "retention: {months: 12, basis: law}\n", ""),
        ("lint.key_missing", "retention:", "{months: 12, basis: law}", "{basis: law}"),
        ("lint.key_unknown", "version: 1", "version: 1\n", "version: 1\ncode: x\n"),
        ("lint.engine", "engine:", "engine: 1", "engine: 2"),
        ("lint.name", "instrument:", "instrument: small", "instrument: large"),
        ("lint.roles", "roles:", "answers: asked", "answers: asker"),
        ("lint.not_number", "version: 1", "version: 1\n", "version: 01\n"),
        ("lint.not_number", "    least: 1", "least: 1\n", "least: 1_0\n"),
        ("lint.not_date", "    valid_on:", "2021-10-08", "2021-02-30"),
        ("lint.not_choice", "  grade: {type", "type: code", "type: float"),
        ("lint.not_choice", "  drop:", "drop: {approvals: 0, caveat: TLP:GREEN}", "drop: {approvals: 0, caveat: TLP:WHITE}"),
        ("lint.not_list", "race:", "race: [reply, complain, drop]", "race: reply"),
        ("lint.not_mapping", "retention:", "{months: 12, basis: law}", "long"),
        ("lint.not_word", "purpose:", "purpose: cooperation", "purpose: Co-operation"),
        ("source.twice", "engine:", "version: 1\n", "version: 1\nversion: 1\n"),
    ],
)  # fmt: skip
def test_the_linter_finds(code: str, at: str, old: str, new: str) -> None:
    if "again" in new:
        old, new = old + ", approvals: 1", new + ", approvals: 1"
        definition = DEFINITION.replace(old.encode(), new.encode())
        definition = definition.replace(b"acts:\n", b"  again:\n    grade: needed\nacts:\n")
        problems = [
            (p.file, p.line, p.code)
            for p in lint_files(files(definition=definition), "small").problems
        ]
    else:
        problems = found(old, new)
    assert code in [each for _, _, each in problems], problems
    lines = [line for file, line, each in problems if (file, each) == ("small.yaml", code)]
    added = new.count("\n") - old.count("\n")
    assert any(line_of(at) <= line <= line_of(at) + max(added, 0) + 3 for line in lines), lines


@pytest.mark.parametrize(
    ("code", "line", "which", "old", "new"),
    [
        ("lint.text_missing", 8, "es", ", late: late", ""),
        ("lint.text_missing", 12, "en", ", bad: bad", ""),
        ("lint.text_missing", 1, "es", "consequences: {answer: It may be dropped. TLP:GREEN}\n", ""),
        ("lint.text_extra", 8, "en", "open: open", "open: open, lost: lost"),
        ("lint.text_extra", 15, "es", "help: {grade", "help: {pieces: x, grade"),
        ("lint.text_missing", 1, "es", "help: {grade: How good}\n", ""),
        ("lint.label", 14, "es", "TLP:GREEN", "TLP:VERDE"),
        ("lint.language", 1, "es", "language: es", "language: en"),
    ],
)  # fmt: skip
def test_the_linter_finds_in_texts(code: str, line: int, which: str, old: str, new: str) -> None:
    problems = found(old, new, which)
    file = f"small.{which}.yaml"
    assert any(p[0] == file and p[2] == code and abs(p[1] - line) <= 1 for p in problems), problems


def test_a_clock_of_an_earlier_round_opens_no_door() -> None:
    """Once answered and taken up again, the case is open, and the old deadline is past."""
    again = DEFINITION.replace(b"[open, late, done]", b"[open, late, talk, done]").replace(
        b"  - {in: open, role: asked, act: reply, to: done}\n",
        b"  - {in: open, role: asked, act: reply, to: talk}\n"
        b"  - {in: talk, role: asker, act: drop, to: open}\n"
        b"  - {in: talk, role: asked, act: reply, to: done}\n",
    )
    problems = lint_files(files(definition=again), "small").problems
    assert ("small.yaml", "lint.move_stale") in {(p.file, p.code) for p in problems}
    (stale,) = [p for p in problems if p.code == "lint.move_stale"]
    assert stale.about == ("open", "asker", "complain", "answer")
    begun = again.replace(b"act: drop, to: open", b"act: ask, to: open")
    codes = {p.code for p in lint_files(files(definition=begun), "small").problems}
    assert "lint.move_stale" not in codes


def test_everything_is_found_at_once() -> None:
    broken = DEFINITION.replace(b"[open, late, done]", b"[open, late, done, lost]")
    broken = broken.replace(b"then: complain", b"then: drop").replace(b"is: [bad]", b"is: [ugly]")
    codes = {p.code for p in lint_files(files(definition=broken), "small").problems}
    assert {"lint.unreachable", "lint.clock_then", "lint.when_code", "lint.text_missing"} <= codes


def test_a_missing_file_is_a_finding() -> None:
    given = files()
    del given["small.es.yaml"]
    assert [(p.file, p.code) for p in lint_files(given, "small").problems] == [
        ("small.es.yaml", "lint.no_file")
    ]
    assert [p.code for p in lint_files({}, "small").problems] == ["lint.no_file"] * 3


def test_a_calendar_is_read_and_judged_with_it() -> None:
    definition = DEFINITION.replace(b"unit: hours", b"unit: calendar_days").replace(
        b"engine: 1\n", b"engine: 1\ncalendar: place\n"
    )
    given = files(definition=definition)
    assert [p.code for p in lint_files(given, "small").problems] == ["lint.no_file"]
    calendar = b"""\
calendar: place
covers: {first: 2021-01-01, last: 2021-12-31}
places:
  mx:
    zone: somewhere
    source: a law
    offsets: [{since: 2021-01-01T00:00:00Z, minutes: -360}]
    holidays: [2021-05-01, 2021-09-16]
"""
    good = lint_files({**given, "place.calendar.yaml": calendar}, "small")
    assert good.problems == ()
    assert good.definition is not None
    assert good.calendar is not None
    assert good.definition.calendar_hash == good.calendar.hash
    turned = calendar.replace(b"2021-05-01, 2021-09-16", b"2021-09-16, 2021-05-01")
    problems = lint_files({**given, "place.calendar.yaml": turned}, "small").problems
    assert [(p.file, p.line, p.code) for p in problems] == [
        ("place.calendar.yaml", 8, "lint.not_rising")
    ]


# --- words ---


def codes_said() -> set[str]:
    """Every code that the linter and the field checks can give, as their source says."""
    said = set()
    for name in ("lint", "reading", "model", "fields"):
        path = ROOT / "src/convenio/instruments" / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said |= set(re.findall(r"^(?:lint|field)\.[a-z_]+$", node.value))
    return (said | {f"lint.field_{key}" for key in ("unit", "least", "most", "codes")}) - {
        "lint.clock",
        "lint.race_",
        "lint.word",
        "lint.field_",
    }


def test_every_finding_has_a_sentence_and_every_sentence_a_finding() -> None:
    assert codes_said() - LINT.keys() - FIELD.keys() == set()
    assert (LINT.keys() | FIELD.keys()) - codes_said() == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sentence_names_what_it_is_about(lang: str) -> None:
    words = Words(lang)
    for code, sentence in {**LINT, **FIELD}.items():
        said = finding_of(code, ["one", "two", "three", "four", "five"], words)
        assert "…" not in said, code
        assert said.count("{") == 0, code
        assert said[-1] == ".", code
        assert ("{a}" not in sentence) or "one" in said, code
    for code, sentence in HAPPENED.items():
        assert not (code.startswith("source.") and "{" in sentence), code
    assert finding_of("source.tag", [], words) == words.text(HAPPENED["source.tag"])
    assert finding_of("lint.unheard_of", [], words) == "lint.unheard_of"


# --- what is made of them ---


def test_the_canonical_files_are_made_of_what_people_wrote() -> None:
    made = canonical_files()
    kept = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert kept == made, "run `./run words`"


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    else:
        yield path, str(value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_spanish_text_is_just_the_english_one(kind: str) -> None:
    texts = shipped(kind).texts
    spanish = dict(leaves(texts["es"].words))
    same = [path for path, text in leaves(texts["en"].words) if spanish[path] == text]
    assert same == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_citation_is_the_same_in_every_language(kind: str) -> None:
    """Articles and versions are shown as they are: nothing in them is to be translated."""
    for basis in shipped(kind).definition.legal_basis.values():
        for word in re.findall(r"[a-z]{3,}", f"{basis.article} {basis.version}"):
            assert word in "joint statement declaración conjunta ley de seguridad nacional"


@pytest.mark.parametrize("kind", KINDS)
def test_one_hash_covers_every_word(kind: str) -> None:
    found = shipped(kind)
    line = found.definition.encode()
    for lang in LANGUAGES:
        assert found.texts[lang].hash.encode() in line
    assert found.calendar is not None
    assert found.calendar.hash.encode() in line
    assert found.instrument.hash == found.definition.hash
    assert parse_definition(line) == found.definition


def test_what_is_not_in_its_one_form_is_not_read() -> None:
    found = shipped("firearm_trace")
    line, calendar = found.definition.encode(), found.calendar
    assert calendar is not None
    turned = line.replace(b'"months":60', b'"months":"60"')
    other = line.replace(b'"kind":"definition"', b'"kind":"texts"')
    for broken in (turned, other, line + b"\n", b" " + line, line[:-2], b'{"kind":"definition"}\n'):
        with pytest.raises(MalformedError):
            parse_definition(broken)
    for broken in (calendar.encode().replace(b"[[", b"[[9,"), b"{}\n", b'{"places":[]}\n'):
        with pytest.raises(MalformedError):
            parse_calendar(broken)
    for broken in (found.texts["en"].encode()[:-1], b'{"words":{"a":1}}\n', b"{}\n"):
        with pytest.raises(MalformedError):
            parse_texts(broken)


def test_no_two_instruments_have_one_hash() -> None:
    hashes = [each.hash for each in known_instruments()]
    assert len(set(hashes)) == len(hashes) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_of_moves_that_does_not_commute_is_ranked(kind: str) -> None:
    definition = shipped(kind).definition
    shown = list(interleavings(bare_table(definition)))
    assert shown
    for each in shown:
        ranked = {each.first[1], each.second[1]} <= set(definition.race)
        assert each.commutes or ranked
