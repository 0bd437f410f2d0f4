"""What verification found, for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from convenio.core.errors import Parameter
from convenio.words import Words
from convenio.words.names import TYPES, name_of
from convenio.words.verdicts import (
    CHECKS,
    ORDER,
    OUTCOMES,
    in_language,
    needed,
    reason,
    subject,
    verdict,
)

if TYPE_CHECKING:
    from convenio.node.verify import Finding, Report
    from convenio.node.verify.report import DeskFact, HeldFact, LogFact, Statement

Shown = dict[str, object]
GIVEN: Final = "given"  # what the file to be checked is called while it lies here
MAX_STATEMENTS: Final = 50
MAX_FINDINGS: Final = 200


def shown(report: Report, files: Mapping[str, str], words: Words) -> Shown:
    """The verdict, what was said, and each check; what fails comes first.

    files: what was sent, as it lies here -> as its sender calls it.
    """
    heading, advice = verdict(report.grade, words)
    findings = sorted(report.findings, key=lambda each: ORDER.index(each.outcome))
    channel = report.channel
    names = {p: in_language(t, words) for p, t in channel.members.items()} if channel else {}
    return {
        "file": files[GIVEN],
        "grade": str(report.grade),
        "heading": heading,
        "advice": advice,
        "needed": [words.text(sentence) for _, sentence in needed(report)],
        "channel": in_language(channel.title, words) if channel else "",
        "fingerprint": channel.fingerprint if channel else "",
        "compare": report.trust == "none",
        "statements": [
            _statement(each, names, files, words) for each in report.statements[:MAX_STATEMENTS]
        ],
        "more_statements": max(0, len(report.statements) - MAX_STATEMENTS),
        "logs": [_log(each, names) for each in report.logs],
        "findings": [_finding(each, files, words) for each in findings[:MAX_FINDINGS]],
        "more_findings": max(0, len(findings) - MAX_FINDINGS),
    }


def as_called(text: str, files: Mapping[str, str]) -> str:
    """`text`, or if it is where a file that was sent lies here, what its sender calls it."""
    return files.get(PurePath(text).name, text)


def called_by_name(
    parameters: Mapping[str, Parameter], files: Mapping[str, str]
) -> dict[str, Parameter]:
    """What a sentence is filled with, the files in it called as their sender calls them."""
    return {
        name: as_called(value, files) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _statement(
    said: Statement, names: dict[str, str], files: Mapping[str, str], words: Words
) -> Shown:
    return {
        "place": as_called(said.place, files),
        "leaf": said.leaf,
        "type": name_of(TYPES, said.type, words),
        "at": said.at,
        "checked": said.sender_name is not None,
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


def _finding(met: Finding, files: Mapping[str, str], words: Words) -> Shown:
    finding = replace(met, parameters=called_by_name(met.parameters, files))
    return {
        "outcome": str(finding.outcome),
        "result": words.text(OUTCOMES[finding.outcome]),
        "subject": as_called(subject(finding, words), files),
        "what": words.text(CHECKS[finding.check]),
        "reason": reason(finding, words),
        "code": finding.reason,
    }
