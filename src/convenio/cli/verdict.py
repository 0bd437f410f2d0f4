"""What verification found, in words."""

from __future__ import annotations

from typing import Final

from convenio.cli.shell import Shell
from convenio.cli.showing import short
from convenio.core.trust import Text
from convenio.node.verify import Check, Finding, Grade, Outcome, Report
from convenio.node.verify.report import BodyFact, DeskFact, LogFact, Statement
from convenio.words import N_
from convenio.words.errors import HAPPENED

_CHECKS: Final = {
    Check.TRUST: N_("the charter or policy is the one you trust"),
    Check.CHARTER: N_("enough root keys of every member signed the charter"),
    Check.CARD: N_("enough of its own root keys signed the card"),
    Check.RECORD: N_("the record is of this channel and signed by its desk"),
    Check.LOG: N_("both keys of the log signed the checkpoint"),
    Check.COSIGNATURE: N_("the partner's node countersigned the checkpoint"),
    Check.INCLUSION: N_("the record is in the log, at its place"),
    Check.README: N_("the leaflet is undamaged; nobody signs it"),
    Check.POLICY: N_("the policy beside it is the one the charter gives"),
    Check.BODY: N_("the sealed content is the one the record names"),
    Check.DISCLOSED: N_("the content in plain is the one the record commits to"),
    Check.ENTRIES: N_("every entry is there, and together they give the root that was signed"),
    Check.TILES: N_("every piece of the tree is what the entries give"),
    Check.SEEN: N_("what records say they saw is what the other log has"),
    Check.SPLIT: N_("one party signed two histories"),
    Check.UNFIT: N_("an entry breaks a rule and changes nothing"),
    Check.UNCOSIGNED: N_("nothing here shows that this member holds it"),
    Check.UNKNOWN_KEY: N_("a signature is by nobody we know"),
    Check.BODY_ABSENT: N_("the content itself was not given, only the proof of it"),
    Check.NO_KEYS: N_("no charter or policy is here, so no signature was checked"),
    Check.NO_CHARTER: N_("no charter is here, so no author was checked"),
    Check.BEYOND: N_("records claim to have seen more of a log than is here"),
}


def render(shell: Shell, report: Report) -> None:
    """The verdict first, then what was said and held, then what fails or should be known."""
    shell.line(_verdict(shell, report))
    if report.channel is not None:
        title = _in(shell, report.channel.title)
        shell.line(shell.text("Channel: {title} ({name})", title=title, name=report.channel.name))
        if report.trust == "none":
            digits = report.channel.fingerprint
            shell.line(shell.text("Fingerprint to compare: {digits}", digits=digits))
    for statement in report.statements:
        _statement(shell, statement)
    for log in report.logs:
        _log(shell, log)
    _findings(shell, report)


def _verdict(shell: Shell, report: Report) -> str:
    if report.grade is Grade.VOUCHED:
        return shell.text(
            "HOLDS. Everything in what you gave was checked, under keys that you trust."
        )
    if report.grade is Grade.CONSISTENT:
        return shell.text(
            "CONSISTENT, BUT NOBODY VOUCHES FOR THE KEYS. Give the fingerprint you know with "
            "--trust."
        )
    return shell.text("DOES NOT HOLD. Do not rely on it.")


def _in(shell: Shell, text: Text) -> str:
    return text.es if shell.words.lang == "es" else text.en


def _statement(shell: Shell, said: Statement) -> None:
    sender = _in(shell, said.sender_name) if said.sender_name else said.sender
    to = ", ".join(_desk(shell, desk) for desk in said.to)
    shell.line()
    shell.line(f"{said.place}  {said.type} {said.act}".rstrip() + f"  {short(said.leaf)}")
    by = ", ".join(_desk(shell, desk) for desk in said.by)
    at = shell.words.time(said.at)
    shell.line(
        "  "
        + shell.text(
            "said by {sender} ({desk}), by its own clock {at}", sender=sender, desk=by, at=at
        )
    )
    shell.line("  " + shell.text("to {to}", to=to or shell.text("the whole channel")))
    for held in said.cosigned:
        at = shell.words.time(held.at)
        shell.line(
            "  "
            + shell.text(
                "held by {party} since {at} at the latest: it countersigned",
                party=held.party.upper(),
                at=at,
            )
        )
    for body in said.bodies:
        shell.line("  " + _body(shell, body))


def _desk(shell: Shell, desk: DeskFact) -> str:
    return f"{desk.party.upper()}: {_in(shell, desk.name)}" if desk.name else desk.address


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
    shell.line(f"{log.party.upper()}  {log.origin}  {count}")
    shell.line("  " + shell.text("root {root}", root=log.root))
    if log.first_at:
        first, last = shell.words.time(log.first_at), shell.words.time(log.last_at)
        shell.line("  " + shell.text("said between {first} and {last}", first=first, last=last))
    for held in log.cosigned:
        at = shell.words.time(held.at)
        shell.line(
            "  "
            + shell.text(
                "held by {party} since {at} at the latest: it countersigned",
                party=held.party.upper(),
                at=at,
            )
        )


def _findings(shell: Shell, report: Report) -> None:
    shell.line()
    for finding in report.failed:
        shell.line(shell.text("FAILS: {what}", what=_finding(shell, finding)))
    for finding in report.findings:
        if finding.outcome is Outcome.NOTED:
            shell.line(shell.text("Note: {what}", what=_finding(shell, finding)))
    held = sum(each.outcome is Outcome.HOLDS for each in report.findings)
    shell.line(shell.words.plural("{n} check holds", "{n} checks hold", held))


def _finding(shell: Shell, finding: Finding) -> str:
    what = f"{finding.subject}: {shell.text(_CHECKS[finding.check])}"
    if not finding.reason:
        return what
    reason = HAPPENED.get(finding.reason)
    said = f" – {shell.text(reason, **finding.parameters)}" if reason else ""
    return f"{what}{said} [{finding.reason}]"
