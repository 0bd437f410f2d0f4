"""What verification found, in words for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from convenio.web import wording
from convenio.words import N_, Words
from convenio.words.errors import HAPPENED

if TYPE_CHECKING:
    from convenio.core.trust import Text
    from convenio.node.verify import Finding, Report
    from convenio.node.verify.report import DeskFact, HeldFact, LogFact, Statement

Shown = dict[str, object]
MAX_STATEMENTS: Final = 50
MAX_FINDINGS: Final = 200
_VERDICTS: Final = {
    "vouched": (
        N_("It holds"),
        N_("Everything in what you gave was checked, under keys that you trust."),
    ),
    "consistent": (
        N_("Consistent, but nobody vouches for the keys"),
        N_(
            "Nothing in it contradicts itself. Whoever made the file could have made the keys too: "
            "give the fingerprint you know from one of the parties, and check again."
        ),
    ),
    "failed": (
        N_("It does not hold"),
        N_("Do not rely on it. What fails is listed below."),
    ),
}
# The same sentences as on the command line.
_CHECKS: Final = {
    "trust": N_("the charter or policy is the one you trust"),
    "charter": N_("enough root keys of every member signed the charter"),
    "card": N_("enough of its own root keys signed the card"),
    "record": N_("the record is of this channel and signed by its desk"),
    "log": N_("both keys of the log signed the checkpoint"),
    "cosignature": N_("the partner's node countersigned the checkpoint"),
    "inclusion": N_("the record is in the log, at its place"),
    "readme": N_("the leaflet is undamaged; nobody signs it"),
    "policy": N_("the policy beside it is the one the charter gives"),
    "body": N_("the sealed content is the one the record names"),
    "disclosed": N_("the content in plain is the one the record commits to"),
    "entries": N_("every entry is there, and together they give the root that was signed"),
    "tiles": N_("every piece of the tree is what the entries give"),
    "seen": N_("what records say they saw is what the other log has"),
    "split": N_("one party signed two histories"),
    "unfit": N_("an entry breaks a rule and changes nothing"),
    "uncosigned": N_("nothing here shows that this member holds it"),
    "unknown_key": N_("a signature is by nobody we know"),
    "body_absent": N_("the content itself was not given, only the proof of it"),
    "no_keys": N_("no charter or policy is here, so no signature was checked"),
    "no_charter": N_("no charter is here, so no author was checked"),
    "beyond": N_("records claim to have seen more of a log than is here"),
}


def shown(report: Report, file: str, words: Words) -> Shown:
    """The verdict, what was said, and each check; what fails comes first."""
    heading, advice = _VERDICTS[str(report.grade)]
    order = ("fails", "holds", "noted")
    findings = sorted(report.findings, key=lambda each: order.index(str(each.outcome)))
    channel = report.channel
    names = {p: _in(t, words) for p, t in channel.members.items()} if channel else {}
    return {
        "file": file[-100:],
        "grade": str(report.grade),
        "heading": words.text(heading),
        "advice": words.text(advice),
        "channel": _in(channel.title, words) if channel else "",
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


def _in(text: Text, words: Words) -> str:
    return text.es if words.lang == "es" else text.en


def _statement(said: Statement, names: dict[str, str], words: Words) -> Shown:
    return {
        "place": said.place,
        "leaf": said.leaf,
        "type": wording.name_of(wording.TYPES, said.type, words),
        "at": said.at,
        "sender": _in(said.sender_name, words) if said.sender_name else said.sender,
        "by": [_desk(each, names, words) for each in said.by],
        "to": [_desk(each, names, words) for each in said.to],
        "held": [_held(each, names) for each in said.cosigned],
    }


def _desk(desk: DeskFact, names: dict[str, str], words: Words) -> str:
    party = names.get(desk.party, desk.party)
    return f"{_in(desk.name, words)} ({party})" if desk.name else desk.address


def _held(held: HeldFact, names: dict[str, str]) -> Shown:
    return {"party": names.get(held.party, held.party), "at": held.at}


def _log(log: LogFact, names: dict[str, str]) -> Shown:
    held = [_held(each, names) for each in log.cosigned]
    party = names.get(log.party, log.party)
    return {"party": party, "origin": log.origin, "size": log.size, "held": held}


def _finding(finding: Finding, words: Words) -> Shown:
    reason = HAPPENED.get(finding.reason, "")
    return {
        "outcome": str(finding.outcome),
        "subject": finding.subject,
        "what": wording.name_of(_CHECKS, str(finding.check), words),
        "reason": words.text(reason, **finding.parameters) if reason else "",
        "code": finding.reason,
    }
