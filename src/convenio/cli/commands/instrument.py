"""`convenio instrument`: kinds of cooperation, as charters pin them and as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from convenio.cli import exits
from convenio.cli.command import Group, examples
from convenio.cli.command import command as declare
from convenio.cli.shell import Answer, Shell, pass_shell
from convenio.core.errors import MalformedError
from convenio.instruments.definition import LANGUAGES, Definition, Limit
from convenio.instruments.model import Move, interleavings
from convenio.node.definitions import FOLDER, KINDS, Shipped, shipped
from convenio.store.durable import os_errors
from convenio.words import N_
from convenio.words.instruments import finding_of

if TYPE_CHECKING:  # brings a YAML parser along, which only `lint` needs
    from convenio.instruments.lint import Linted

MAX_FILE_BYTES: Final = 1 << 17  # more than the linter takes
_SUFFIX: Final = ".yaml"


@click.group(
    "instrument",
    cls=Group,
    help=N_(
        "Instruments: kinds of cooperation as data, with their fields, roles, states, moves and "
        "clocks. Both parties pin the same hash in the charter."
    ),
    epilog=examples("convenio instrument show firearm_trace"),
)
def command() -> None:
    pass


# --- list ----------------------------------------------------------------------------------------


@declare(
    "list",
    help=N_("The instruments that come with this program, with the hashes to be pinned."),
    example="convenio instrument list",
)
@pass_shell
def list_(shell: Shell) -> None:
    answer = {"instruments": [_row(shipped(kind)) for kind in KINDS]}
    shell.answer(answer, lambda: _render_list(shell, answer))


def _row(kind: Shipped) -> Answer:
    definition = kind.definition
    return {
        "instrument": definition.name,
        "version": definition.version,
        "engine": definition.engine,
        "hash": definition.hash,
        "title": {lang: kind.texts[lang].of("title") for lang in LANGUAGES},
    }


def _render_list(shell: Shell, answer: Answer) -> None:
    for each in answer["instruments"]:  # not a table: it would break a hash that is to be copied
        version = shell.text("version {n}", n=each["version"])
        shell.line(f"{each['instrument']}: {each['title'][shell.words.lang]}, {version}")
        shell.line(f"  {each['hash']}")


# --- show ----------------------------------------------------------------------------------------


@declare(
    "show",
    help=N_("One instrument in words: who may do what when, what it asks for, what runs when."),
    example=[
        "convenio instrument show firearm_trace",
        "convenio instrument show firearm_trace --json",
    ],
)
@click.argument("kind", metavar=N_("KIND"), type=click.Choice(KINDS))
@pass_shell
def show(shell: Shell, kind: str) -> None:
    found = shipped(kind)
    value = {
        **_row(found),
        "definition": found.definition.encode().decode(),
        "texts": {lang: found.texts[lang].words for lang in LANGUAGES},
    }
    shell.answer(value, lambda: _Page(shell, found).render())


class _Page:
    """An instrument as a person reads it."""

    def __init__(self, shell: Shell, kind: Shipped) -> None:
        self._shell = shell
        self._definition = kind.definition
        self._texts = kind.texts[shell.words.lang]

    def render(self) -> None:
        definition, text, line = self._definition, self._shell.text, self._shell.line
        line(f"{self._texts.of('title')} [{definition.name}, {definition.version}]")
        line(self._texts.of("summary"))
        line(definition.hash)
        line()
        line(text("Purpose: {purpose}", purpose=self._texts.of("purpose")))
        line(text("Legal basis:"))
        for code, basis in definition.legal_basis.items():
            line(f"  {self._texts.of('legal_basis', code)}: {basis.article}")
            line(f"    {basis.version}; {text('as valid on {day}', day=basis.valid_on)}")
        line(text("Kept: {retention}", retention=self._texts.of("retention")))
        line()
        line(text("Moves:"))
        for move in definition.moves:
            line(f"  {self._move(move)}")
        line()
        line(text("Clocks:"))
        for name, limit in definition.clocks.items():
            line(f"  {self._texts.of('clocks', name)}: {self._limit(limit)}")
            line(f"    {self._texts.of('consequences', name)}")
        line()
        line(text("Fields:"))
        for name in definition.acts:
            self._act(name)

    def _move(self, move: Move) -> str:
        state = self._texts.of("states", move.state) if move.state else self._shell.text("(start)")
        after = ""
        if move.after:
            clock = self._texts.of("clocks", move.after)
            after = self._shell.text(" (once the clock has run out: {clock})", clock=clock)
        act, to = self._texts.of("acts", move.act), self._texts.of("states", move.to)
        return f"{state} | {self._texts.of('roles', move.role)}: {act}{after} → {to}"

    def _limit(self, limit: Limit) -> str:
        return str(_UNITS[limit.unit.value](self._shell, limit.usual))

    def _act(self, name: str) -> None:
        act = self._definition.acts[name]
        marks = [act.caveat]
        if act.approvals:
            plural = self._shell.words.plural
            marks.append(plural("{n} approval", "{n} approvals", act.approvals))
        self._shell.line(f"  {self._texts.of('acts', name)} [{', '.join(marks)}]")
        for field, need in self._definition.needs(name).items():
            asked = self._shell.text("needed") if need.always else self._shell.text("may be given")
            if need.field:
                asked = self._condition(need.field, need.codes, holds=need.holds)
            self._shell.line(f"    {self._texts.of('fields', field)} ({asked})")

    def _condition(self, field: str, codes: tuple[str, ...], *, holds: bool) -> str:
        asked = self._definition.fields[field]
        yes_no = {"yes": self._shell.text("yes"), "no": self._shell.text("no")}
        shown = [
            self._texts.of("codes", asked.codes, code) if asked.codes else yes_no[code]
            for code in codes
        ]
        named = {"field": self._texts.of("fields", field), "codes": ", ".join(shown)}
        if holds:
            return self._shell.text("needed if {field} is: {codes}", **named)
        return self._shell.text("needed unless {field} is: {codes}", **named)


_UNITS: Final[dict[str, Any]] = {
    "seconds": lambda shell, n: shell.words.plural("{n} second", "{n} seconds", n),
    "hours": lambda shell, n: shell.words.plural("{n} hour", "{n} hours", n),
    "calendar_days": lambda shell, n: shell.words.plural(
        "{n} calendar day", "{n} calendar days", n
    ),
    "business_days": lambda shell, n: shell.words.plural(
        "{n} business day", "{n} business days", n
    ),
}


# --- lint ----------------------------------------------------------------------------------------


@declare(
    "lint",
    help=N_(
        "Judge a definition and its texts: everything that is wrong, with file and line, and what "
        "comes of any two moves made at the same time. Exit code 6 if something is wrong."
    ),
    example=[
        "convenio instrument lint firearm_trace",
        "convenio instrument lint drafts/my_kind.yaml",
    ],
)
@click.argument("given", metavar=N_("KIND|FILE"))
@pass_shell
def lint(shell: Shell, given: str) -> int:
    from convenio.instruments.lint import lint_files  # noqa: PLC0415 - brings a YAML parser along

    path = _path(given)
    linted = lint_files(_files(path), path.name.removesuffix(_SUFFIX))
    races = _races(linted.definition) if linted.definition and not linted.problems else []
    answer = {
        "problems": [
            {"file": p.file, "line": p.line, "code": p.code, "about": list(p.about)}
            for p in linted.problems
        ],
        "hash": linted.definition.hash if linted.definition and not linted.problems else "",
        "interleavings": races,
    }
    shell.answer(answer, lambda: _render_lint(shell, linted, races))
    return exits.MALFORMED if linted.problems else exits.HOLDS


def _path(given: str) -> Path:
    """The file that is named, or that of a kind that comes with the program."""
    return FOLDER / f"{given}{_SUFFIX}" if given in KINDS else Path(given)


def _files(path: Path) -> dict[str, bytes]:
    """The definition, its texts and the calendars beside it, by name.

    Raises:  MalformedError: instrument.not_yaml · UnavailableError: file.io.
    """
    if not path.name.endswith(_SUFFIX):
        raise MalformedError("instrument.not_yaml", file=str(path))
    with os_errors(path):
        path.stat()
    stem = path.name.removesuffix(_SUFFIX)
    wanted = [path, *(path.with_name(f"{stem}.{lang}{_SUFFIX}") for lang in LANGUAGES)]
    shipped_ = {each.name: each for each in FOLDER.glob(f"*.calendar{_SUFFIX}")}
    beside = {each.name: each for each in path.parent.glob(f"*.calendar{_SUFFIX}")}
    found = [each for each in wanted if each.exists()]
    return {each.name: _read(each) for each in [*found, *(shipped_ | beside).values()]}


def _read(path: Path) -> bytes:
    with os_errors(path), path.open("rb") as file:
        return file.read(MAX_FILE_BYTES)


def _races(definition: Definition) -> list[str]:
    from convenio.instruments.lint import bare_table  # noqa: PLC0415 - as above

    return [str(each) for each in interleavings(bare_table(definition))]


def _render_lint(shell: Shell, linted: Linted, races: list[str]) -> None:
    for problem in linted.problems:
        said = finding_of(problem.code, problem.about, shell.words)
        shell.line(f"{problem.file}:{problem.line}: {said} [{problem.code}]")
    if linted.problems or linted.definition is None:
        n = len(linted.problems)
        shell.line(
            shell.words.plural(
                "{n} finding. It must not be pinned.", "{n} findings. It must not be pinned.", n
            )
        )
        return
    shell.line(shell.text("Two moves made at the same time, in either order of the walk:"))
    for race in races:
        shell.line(f"  {race}")
    shell.line(shell.text("Nothing is wrong. Its hash:"))
    shell.line(f"  {linted.definition.hash}")


for each in (list_, show, lint):
    command.add_command(each)
