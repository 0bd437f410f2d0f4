"""Everything that is wrong with a definition and its texts, at once, each with file and line.

Faults of shape come first: what is not in form cannot be judged further. A definition with
findings is not to be pinned, and `tools.instruments` makes no canonical file of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from convenio.core.canon import Json
from convenio.core.errors import MalformedError
from convenio.instruments.calendar import Calendar
from convenio.instruments.definition import (
    ENGINE,
    LANGUAGES,
    START_WORD,
    Definition,
    Field,
    Kind,
    Limit,
    Texts,
    wanted_texts,
)
from convenio.instruments.model import START, Finding, Instrument
from convenio.instruments.model import lint as lint_table
from convenio.instruments.reading import (
    Flaw,
    Path,
    read_calendar,
    read_definition,
    read_texts,
)
from convenio.instruments.source import Source, read_source

_LABEL: Final = re.compile(r"TLP:[A-Z+]+")
_BOOLEAN: Final = ("yes", "no")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A finding where it is to be mended. about: the words that its sentence names."""

    file: str
    line: int
    code: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Linted:
    """A definition with all it pins; of use only if there are no problems."""

    problems: tuple[Problem, ...]
    definition: Definition | None = None
    texts: tuple[Texts, ...] = ()
    calendar: Calendar | None = None


def lint_files(files: Mapping[str, bytes], kind: str) -> Linted:
    """Judge `kind`.yaml and what goes with it. files: by name, as far as they are there."""
    return _Linting(files, kind).run()


class _Linting:
    def __init__(self, files: Mapping[str, bytes], kind: str) -> None:
        self._files = files
        self._kind = kind
        self._problems: list[Problem] = []

    def run(self) -> Linted:
        source = self._source(f"{self._kind}.yaml")
        sources = {lang: self._source(f"{self._kind}.{lang}.yaml") for lang in LANGUAGES}
        texts = {lang: self._texts(lang, found) for lang, found in sources.items() if found}
        if source is None:
            return self._done()
        calendar = self._calendar(source)
        definition, flaws = read_definition(source.tree, texts.values(), calendar)
        self._note(source, flaws)
        if flaws:
            return self._done()
        self._note(source, _judge(definition, self._kind))
        for lang, words in texts.items():
            file = sources[lang]
            if file:
                self._note(file, _untold(definition, words))
        if len(texts) == len(LANGUAGES):
            self._compare(sources, texts)
        return self._done(definition, tuple(texts.values()), calendar)

    def _done(
        self,
        definition: Definition | None = None,
        texts: tuple[Texts, ...] = (),
        calendar: Calendar | None = None,
    ) -> Linted:
        return Linted(tuple(sorted(set(self._problems))), definition, texts, calendar)

    def _source(self, file: str) -> Source | None:
        if file not in self._files:
            self._problems.append(Problem(file, 1, "lint.no_file", (file,)))
            return None
        try:
            return read_source(file, self._files[file])
        except MalformedError as error:
            line = int(error.parameters["line"])
            self._problems.append(Problem(file, line, error.code))
            return None

    def _note(self, source: Source, flaws: list[Flaw]) -> None:
        self._problems += [
            Problem(source.file, source.line(flaw.path), flaw.code, flaw.about) for flaw in flaws
        ]

    def _texts(self, language: str, source: Source) -> Texts:
        texts, flaws = read_texts(source.tree)
        if texts.language != language:
            flaws.append(Flaw("lint.language", ("language",), (language,)))
        self._note(source, flaws)
        return texts

    def _calendar(self, source: Source) -> Calendar | None:
        name = source.tree.get("calendar")
        if not isinstance(name, str):
            return None
        found = self._source(f"{name}.calendar.yaml")
        if found is None:
            return None
        calendar, flaws = read_calendar(found.tree)
        if calendar.name != name:
            flaws.append(Flaw("lint.name", ("calendar",), (calendar.name, name)))
        self._note(found, flaws)
        return calendar

    def _compare(self, sources: Mapping[str, Source | None], texts: Mapping[str, Texts]) -> None:
        """What must be the same in every language: labels that are not translated, and helps."""
        first = _leaves(texts[LANGUAGES[0]].words)
        for lang in LANGUAGES[1:]:
            source, other = sources[lang], _leaves(texts[lang].words)
            if source is None:
                continue
            for path, text in first.items():
                if path[0] == "help" and path not in other:
                    self._note(source, [Flaw("lint.text_missing", path, (_dotted(path),))])
                elif path in other and _labels(text) != _labels(other[path]):
                    self._note(source, [Flaw("lint.label", path, (_dotted(path),))])
            extra = [path for path in other if path[0] == "help" and path not in first]
            self._note(source, [Flaw("lint.text_extra", path, (_dotted(path),)) for path in extra])


# --- texts ---------------------------------------------------------------------------------------


def _leaves(value: Json, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    if isinstance(value, dict):
        return {at: text for key in value for at, text in _leaves(value[key], (*path, key)).items()}
    return {path: str(value)}


def _labels(text: str) -> list[str]:
    return sorted(_LABEL.findall(text))


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path)


def _untold(definition: Definition, texts: Texts) -> list[Flaw]:
    """What has no words, and words for what is not there. Help may be given to any field."""
    found, wanted = _leaves(texts.words), wanted_texts(definition)
    helps = {("help", field) for field in definition.fields}
    missing = [path for path in wanted if path not in found]
    extra = [path for path in found if path not in {*wanted, *helps}]
    return [
        *(Flaw("lint.text_missing", path, (_dotted(path),)) for path in missing),
        *(Flaw("lint.text_extra", path, (_dotted(path),)) for path in extra),
    ]


# --- the definition ------------------------------------------------------------------------------


def _judge(definition: Definition, kind: str) -> list[Flaw]:
    return [
        *_names(definition, kind),
        *_states(definition),
        *_acts(definition),
        *_forms(definition),
        *_fields(definition),
        *_clocks(definition),
        *_table(definition),
    ]


def _names(definition: Definition, kind: str) -> Iterator[Flaw]:
    if definition.name != kind:
        yield Flaw("lint.name", ("instrument",), (definition.name, kind))
    if definition.engine != ENGINE:
        yield Flaw("lint.engine", ("engine",), (str(definition.engine), str(ENGINE)))
    if definition.retention.basis not in definition.legal_basis:
        yield Flaw("lint.basis", ("retention", "basis"), (definition.retention.basis,))
    roles = (definition.opens, definition.answers, definition.copied)
    if len(set(roles)) != len(roles):
        yield Flaw("lint.roles", ("roles",), (definition.opens,))


def _states(definition: Definition) -> Iterator[Flaw]:
    declared, moves = definition.states, definition.moves
    if START_WORD in declared:
        yield Flaw("lint.state_start", ("states",), (START_WORD,))
    for number, move in enumerate(moves):
        named = {"in": move.state, "to": move.to}
        for key, state in named.items():
            if state not in declared and not (key == "in" and state == START):
                yield Flaw("lint.state_unknown", ("moves", number, key), (state,))
    reached = _closure({START}, {(move.state, move.to) for move in moves})
    to_end = _closure(set(definition.ends), {(move.to, move.state) for move in moves})
    for number, state in enumerate(declared):
        at: Path = ("states", number)
        if state not in reached:
            yield Flaw("lint.unreachable", at, (state,))
        left = any(move.state == state for move in moves)
        if state in definition.ends and left:
            yield Flaw("lint.end_left", at, (state,))
        elif state not in definition.ends and not left:
            yield Flaw("lint.dead_end", at, (state,))
        elif state not in to_end:
            yield Flaw("lint.no_way_out", at, (state,))
    for number, state in enumerate(definition.ends):
        if state not in declared:
            yield Flaw("lint.state_unknown", ("ends", number), (state,))


def _closure(begun: set[str], steps: set[tuple[str, str]]) -> set[str]:
    reached: set[str] = set()
    while begun - reached:
        reached |= begun
        begun = {to for state, to in steps if state in reached}
    return reached


def _acts(definition: Definition) -> Iterator[Flaw]:
    used = {move.act for move in definition.moves}
    for number, move in enumerate(definition.moves):
        if move.act not in definition.acts:
            yield Flaw("lint.act_unknown", ("moves", number, "act"), (move.act,))
        yield from _nobody(definition, number)
    for name, act in definition.acts.items():
        if name not in used:
            yield Flaw("lint.act_unused", ("acts", name), (name,))
        seen: set[str] = set()
        for number, form in enumerate(act.forms):
            at: Path = ("acts", name, "forms", number)
            if form not in definition.forms:
                yield Flaw("lint.form_unknown", at, (form,))
            both = seen & definition.forms.get(form, {}).keys()
            if both:
                yield Flaw("lint.field_twice", at, (name, min(both)))
            seen |= definition.forms.get(form, {}).keys()


def _nobody(definition: Definition, number: int) -> Iterator[Flaw]:
    """A move that nobody may ever make: by a role that never acts, or after a clock that cannot
    have run out in its state."""
    move = definition.moves[number]
    at: Path = ("moves", number)
    about = (move.state or START_WORD, move.role, move.act)
    if move.role not in (definition.opens, definition.answers):
        yield Flaw("lint.move_role", (*at, "role"), about)
    limit = definition.clocks.get(move.after)
    if not move.after:
        return
    if limit is None:
        yield Flaw("lint.move_after", (*at, "after"), (*about, move.after))
    elif move.state not in limit.runs_in:
        yield Flaw("lint.move_never", (*at, "after"), (*about, move.after))
    elif move.role == limit.debtor:
        yield Flaw("lint.move_debtor", (*at, "role"), (*about, move.after))
    elif move.state in _stale(definition, limit):
        yield Flaw("lint.move_stale", (*at, "after"), (*about, move.after))


def _stale(definition: Definition, limit: Limit) -> set[str]:
    """The states of a clock that a case can come to without starting it: it may have run out long
    ago, for a debt that was met."""
    steps = {(m.state, m.to) for m in definition.moves if m.act != limit.starts}
    entered = {to for state, to in steps if state not in limit.runs_in and to in limit.runs_in}
    return _closure(entered, {step for step in steps if set(step) <= set(limit.runs_in)})


def _forms(definition: Definition) -> Iterator[Flaw]:
    used = {form for act in definition.acts.values() for form in act.forms}
    for name, form in definition.forms.items():
        if name not in used:
            yield Flaw("lint.form_unused", ("forms", name), (name,))
        for field, need in form.items():
            at: Path = ("forms", name, field)
            if field not in definition.fields:
                yield Flaw("lint.field_unknown", at, (name, field))
            if need.field:
                yield from _when(definition, name, field)


def _when(definition: Definition, form: str, field: str) -> Iterator[Flaw]:
    """A condition names another field of every act that has this form, and codes of its list."""
    need = definition.forms[form][field]
    at: Path = ("forms", form, field, "when")
    asked = definition.fields.get(need.field)
    acts = [name for name, act in definition.acts.items() if form in act.forms]
    known = [name for name in acts if _has_field(definition, name, need.field)]
    if asked is None or known != acts or need.field == field:
        yield Flaw("lint.when_field", at, (field, need.field))
    elif (codes := _answers(definition, asked)) is None:
        yield Flaw("lint.when_kind", at, (field, need.field))
    else:
        wrong = [code for code in need.codes if code not in codes]
        yield from (Flaw("lint.when_code", at, (field, code)) for code in wrong)


def _has_field(definition: Definition, act: str, field: str) -> bool:
    return any(field in definition.forms.get(form, {}) for form in definition.acts[act].forms)


def _answers(definition: Definition, field: Field) -> tuple[str, ...] | None:
    """The codes a condition on `field` can name, None if it can have no condition."""
    if field.many:
        return None
    if field.kind is Kind.CODE:
        return definition.codes.get(field.codes, ())
    return _BOOLEAN if field.kind is Kind.BOOLEAN else None


def _fields(definition: Definition) -> Iterator[Flaw]:
    used = {field for form in definition.forms.values() for field in form}
    lists = {field.codes for field in definition.fields.values() if field.codes}
    for name, field in definition.fields.items():
        at: Path = ("fields", name)
        if name not in used:
            yield Flaw("lint.field_unused", at, (name,))
        if field.codes and field.codes not in definition.codes:
            yield Flaw("lint.codes_unknown", (*at, "codes"), (name, field.codes))
        if field.least > field.most:
            yield Flaw("lint.field_range", at, (name,))
    for name in definition.codes:
        if name not in lists:
            yield Flaw("lint.codes_unused", ("codes", name), (name,))


def _clocks(definition: Definition) -> Iterator[Flaw]:
    for name, limit in definition.clocks.items():
        at: Path = ("clocks", name)
        if limit.unit.in_days and not definition.calendar:
            yield Flaw("lint.clock_calendar", at, (name,))
        opened = [move for move in definition.moves if move.after == name]
        if not any(move.act == limit.then for move in opened):
            yield Flaw("lint.clock_then", (*at, "then"), (name, limit.then))
        yield from _escapes(definition, name)


def _escapes(definition: Definition, name: str) -> Iterator[Flaw]:
    """A debtor's act that ends its debt without meeting it: who is late could vanish by it."""
    limit = definition.clocks[name]
    for number, move in enumerate(definition.moves):
        leaves = move.state in limit.runs_in and move.to not in limit.runs_in
        if leaves and move.role == limit.debtor and move.act not in limit.fulfilled:
            yield Flaw("lint.clock_escape", ("moves", number), (name, move.state, move.act))


# --- the table that the fold runs ----------------------------------------------------------------

# What is said above with more exactness, or has a form of its own.
_SAID: Final = {"lint.unreachable", "lint.word", "lint.move_role", "lint.move_after", "lint.roles"}


def _table(definition: Definition) -> Iterator[Flaw]:
    instrument = bare_table(definition)
    for finding in lint_table(instrument):
        if finding.code not in _SAID:
            yield Flaw(finding.code, _path_of(definition, finding), _about(finding))


def bare_table(definition: Definition) -> Instrument:
    """The table without its pins: they are no matter of the linter's."""
    clocks = tuple(definition.clock(name) for name in definition.clocks)
    return Instrument(
        definition.name,
        definition.opens,
        definition.answers,
        definition.moves,
        definition.race,
        clocks,
    )


def _about(finding: Finding) -> tuple[str, ...]:
    return tuple(word or START_WORD for word in finding.about)


def _path_of(definition: Definition, finding: Finding) -> Path:
    """Where in the source a finding about the table is."""
    if finding.code.startswith("lint.clock"):
        return ("clocks", finding.about[0])
    if finding.code.startswith("lint.race_"):
        return ("race",)
    if finding.code == "lint.race":
        state, _, _, role, act = finding.about
        wanted: tuple[str, ...] = (state, role, act)
    elif finding.code == "lint.move_twice":
        return _second(definition)
    else:
        wanted = finding.about
    for number, move in enumerate(definition.moves):
        if (move.state, move.role, move.act) == wanted:
            return ("moves", number)
    return ("moves",)


def _second(definition: Definition) -> Path:
    seen = set()
    for number, move in enumerate(definition.moves):
        if (move.state, move.role, move.act) in seen:
            return ("moves", number)
        seen.add((move.state, move.role, move.act))
    return ("moves",)
