"""What verification found, for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from convenio.words import Words
from convenio.words.names import TYPES, name_of
from convenio.words.verdicts import CHECKS, ORDER, OUTCOMES, in_language, reason, subject, verdict

if TYPE_CHECKING:
    from convenio.node.verify import Finding, Report
    from convenio.node.verify.report import DeskFact, HeldFact, LogFact, Statement

Shown = dict[str, object]
MAX_STATEMENTS: Final = 50
MAX_FINDINGS: Final = 200


def shown(report: Report, file: str, words: Words) -> Shown:
    """The verdict, what was said, and each check; what fails comes first."""
    heading, advice = verdict(report.grade, words)
    findings = sorted(report.findings, key=lambda each: ORDER.index(each.outcome))
    channel = report.channel
    names = {p: in_language(t, words) for p, t in channel.members.items()} if channel else {}
    return {
        "file": file[-100:],
        "grade": str(report.grade),
        "heading": heading,
        "advice": advice,
        "channel": in_language(channel.title, words) if channel else "",
        "fingerprint": channel.fingerprint if channel else "",
        "compare": report.trust == "none",
        "statements": [
            _statement(each, names, words) for each in report.statements[:MAX_STATEMENTS]
        ],
        "more_statements": max(0, len(report.statements) - MAX_STATEMENTS),
        "logs": [_log(each, names) for each in report.logs],
        "findings": [_finding(each, words) for each in findings[:MAX_FINDINGS]],
        "more_findings": max(0, len(findings) - MAX_FINDINGS),
    }


def _statement(said: Statement, names: dict[str, str], words: Words) -> Shown:
    return {
        "place": said.place,
        "leaf": said.leaf,
        "type": name_of(TYPES, said.type, words),
        "at": said.at,
        "sender": in_language(said.sender_name, words) if said.sender_name else said.sender,
        "by": [_desk(each, names, words) for each in said.by],
        "to": [_desk(each, names, words) for each in said.to],
        "held": [_held(each, names) for each in said.cosigned],
    }


def _desk(desk: DeskFact, names: dict[str, str], words: Words) -> str:
    party = names.get(desk.party, desk.party)
    return f"{in_language(desk.name, words)} ({party})" if desk.name else desk.address


def _held(held: HeldFact, names: dict[str, str]) -> Shown:
    return {"party": names.get(held.party, held.party), "at": held.at}


def _log(log: LogFact, names: dict[str, str]) -> Shown:
    held = [_held(each, names) for each in log.cosigned]
    party = names.get(log.party, log.party)
    return {"party": party, "origin": log.origin, "size": log.size, "held": held}


def _finding(finding: Finding, words: Words) -> Shown:
    return {
        "outcome": str(finding.outcome),
        "result": words.text(OUTCOMES[finding.outcome]),
        "subject": subject(finding, words),
        "what": words.text(CHECKS[finding.check]),
        "reason": reason(finding, words),
        "code": finding.reason,
    }
