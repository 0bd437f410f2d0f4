"""What verification found, for a terminal."""

from __future__ import annotations

from typing import Final

from convenio.cli.shell import Shell
from convenio.cli.showing import short
from convenio.node.verify import Finding, Grade, Outcome, Report
from convenio.node.verify.report import BodyFact, DeskFact, HeldFact, LogFact, Statement
from convenio.words import N_
from convenio.words.names import kind_of
from convenio.words.verdicts import CHECKS, in_language, needed, reason, subject, verdict

# By what is missing: how it is given here.
_HOW: Final = {
    "verify.no_authors": N_(
        "Give it with --trust FILE. A party writes it with “convenio channel show DIR CHANNEL -o "
        "FILE”."
    ),
    "verify.no_charter": N_(
        "Add it with --charter FILE. A party writes it with “convenio channel show DIR CHANNEL -o "
        "FILE”."
    ),
    "verify.no_keys": N_(
        "Add it with --charter FILE. A party writes it with “convenio channel show DIR CHANNEL -o "
        "FILE”."
    ),
    "verify.no_record": N_("Put it beside the receipt, or name it with --record FILE."),
}


def render(shell: Shell, report: Report) -> None:
    """The verdict first, then what was said and held, then what fails or should be known."""
    _verdict(shell, report)
    if report.channel is not None:
        title, name = in_language(report.channel.title, shell.words), report.channel.name
        called = f"{title} ({name})" if title != name else name
        shell.line(shell.text("Channel: {channel}", channel=called))
        if report.trust == "none":
            digits = report.channel.fingerprint
            shell.line(shell.text("Fingerprint to compare: {digits}", digits=digits))
    for statement in report.statements:
        _statement(shell, statement)
    for log in report.logs:
        _log(shell, log)
    if report.findings:
        _findings(shell, report)
    for part in report.parts:
        shell.line()
        render(shell, part)


def _verdict(shell: Shell, report: Report) -> None:
    heading, meaning = verdict(report.grade, shell.words)
    if report.parts:
        count = shell.words.plural("{n} channel", "{n} channels", len(report.parts))
        shell.line(shell.text("ALL TOGETHER, {count}: {verdict}.", count=count, verdict=heading))
        return
    shell.line(f"{heading.upper()}. {meaning}")
    if report.grade is Grade.CONSISTENT:
        shell.line(shell.text("Give the fingerprint with --trust."))
    elif report.grade is Grade.UNDECIDED:
        for missing, sentence in needed(report):
            shell.line(f"{shell.text(sentence)} {shell.text(_HOW[missing])}")


def _statement(shell: Shell, said: Statement) -> None:
    sender = in_language(said.sender_name, shell.words) if said.sender_name else said.sender
    to = ", ".join(_desk(shell, desk) for desk in said.to)
    shell.line()
    shell.line(f"{said.place}  {kind_of(said.type, said.act, shell.words)}  {short(said.leaf)}")
    by = ", ".join(_desk(shell, desk) for desk in said.by)
    at = shell.words.time(said.at)
    shown = {"sender": sender, "desk": by, "at": at}
    if said.sender_name:
        line = shell.text("said by {sender} ({desk}), by its own clock {at}", **shown)
    else:  # no charter says whose desk that is, so nobody's signature was checked
        line = shell.text("names {sender} ({desk}) as its author, and {at}; not checked", **shown)
    shell.line(f"  {line}")
    shell.line("  " + shell.text("to {to}", to=to or shell.text("the whole channel")))
    for held in said.cosigned:
        _held(shell, held)
    for body in said.bodies:
        shell.line("  " + _body(shell, body))


def _held(shell: Shell, held: HeldFact) -> None:
    shell.line(
        "  "
        + shell.text(
            "held by {party} since {at} at the latest: it countersigned",
            party=held.party.upper(),
            at=shell.words.time(held.at),
        )
    )


def _desk(shell: Shell, desk: DeskFact) -> str:
    name = in_language(desk.name, shell.words) if desk.name else ""
    return f"{desk.party.upper()}: {name}" if name else desk.address


def _body(shell: Shell, body: BodyFact) -> str:
    size = f"{body.size:,}"
    if body.shown == "disclosed":
        return shell.text("content {part}: in plain, in {file}", part=body.part, file=body.file)
    if body.shown == "open":
        return shell.text("content {part}: open, {size} bytes", part=body.part, size=size)
    if body.shown == "sealed":
        return shell.text("content {part}: sealed, {size} bytes", part=body.part, size=size)
    return shell.text("content {part}: not given, {size} bytes", part=body.part, size=size)


def _log(shell: Shell, log: LogFact) -> None:
    shell.line()
    count = shell.words.plural("{n} record", "{n} records", log.size)
    shell.line("  ".join(filter(None, (log.party.upper(), log.origin, count))))
    shell.line("  " + shell.text("root {root}", root=log.root))
    if log.first_at:
        first, last = shell.words.time(log.first_at), shell.words.time(log.last_at)
        shell.line("  " + shell.text("said between {first} and {last}", first=first, last=last))
    for held in log.cosigned:
        _held(shell, held)


def _findings(shell: Shell, report: Report) -> None:
    """What fails, what is missing, what should be known; then how much holds, and, where no
    verdict could be given, what that is."""
    shell.line()
    for finding in report.failed:
        shell.line(shell.text("FAILS: {what}", what=_finding(shell, finding)))
    for finding in _of(report, Outcome.MISSING):
        shell.line(shell.text("MISSING: {what}", what=_lacking(shell, finding)))
    for finding in _of(report, Outcome.NOTED):
        shell.line(shell.text("Note: {what}", what=_finding(shell, finding)))
    held = _of(report, Outcome.HOLDS)
    if report.grade is Grade.UNDECIDED:
        for finding in held:
            shell.line(shell.text("Holds so far: {what}", what=_finding(shell, finding)))
    shell.line(shell.words.plural("{n} check holds", "{n} checks hold", len(held)))


def _of(report: Report, outcome: Outcome) -> list[Finding]:
    return [finding for finding in report.findings if finding.outcome is outcome]


def _lacking(shell: Shell, finding: Finding) -> str:
    return f"{reason(finding, shell.words)} [{finding.reason}]"


def _finding(shell: Shell, finding: Finding) -> str:
    what = f"{subject(finding, shell.words)}: {shell.text(CHECKS[finding.check])}"
    said = reason(finding, shell.words)
    because = f" – {said}" if said else ""
    return f"{what}{because} [{finding.reason}]" if finding.reason else what
