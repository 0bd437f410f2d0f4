"""What verification found, in words: the same on the command line, on pages and in the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from convenio.words.errors import HAPPENED
from convenio.words.mark import N_

if TYPE_CHECKING:
    from convenio.core.card import Text
    from convenio.node.verify import Finding, Report
    from convenio.words.language import Words

# By grade: the verdict, and what it means for whoever reads it.
VERDICTS: Final = {
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
    "undecided": (
        N_("Cannot be decided with what was given"),
        N_(
            "Nothing found so far speaks against it, but what would prove it is not among what "
            "you gave. What is missing is said below. Until then do not rely on it."
        ),
    ),
    "failed": (
        N_("It does not hold"),
        N_("Do not rely on it. What fails is listed below."),
    ),
}
OUTCOMES: Final = {
    "holds": N_("holds"),
    "fails": N_("fails"),
    "missing": N_("missing"),
    "noted": N_("note"),
}
# In this order people read them: what is wrong, what is missing, what else to know, what is right.
ORDER: Final = ("fails", "missing", "noted", "holds")
CHECKS: Final = {
    "trust": N_("the charter or policy is the one you trust"),
    "charter": N_("enough root keys of every member signed the charter"),
    "card": N_("enough of its own root keys signed the card"),
    "record": N_("the record is of this channel and signed by its desk"),
    "log": N_("both keys of the log signed the checkpoint"),
    "quorum": N_("those whom the trust file asks for signed the checkpoint"),
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
# By the reason for which something is missing: what to ask for.
NEEDED: Final = {
    "verify.no_authors": N_(
        "Ask one of the parties for the charter of the channel, and trust it in place of the trust "
        "file."
    ),
    "verify.no_charter": N_(
        "Ask one of the parties for the charter of the channel, and give it as well."
    ),
    "verify.no_keys": N_(
        "Ask one of the parties for the charter of the channel, and give it as well."
    ),
    "verify.no_record": N_(
        "Ask whoever gave you the receipt for the file “.record” that belongs to it, and give "
        "both. A bundle holds both."
    ),
}
_TRUSTED: Final = {
    "charter": N_("charter"),
    "fingerprint": N_("fingerprint"),
    "policy": N_("trust file"),
}


def in_language(text: Text, words: Words) -> str:
    """What a charter says in both languages, in the reader's."""
    return text.es if words.lang == "es" else text.en


def verdict(grade: str, words: Words) -> tuple[str, str]:
    """The verdict and what it means."""
    heading, meaning = VERDICTS[grade]
    return words.text(heading), words.text(meaning)


def needed(report: Report) -> list[tuple[str, str]]:
    """What to ask for where no verdict could be given: reason and sentence, each once."""
    reasons = dict.fromkeys(
        each.reason for each in report.findings if each.outcome == "missing" and each.reason
    )
    asked = {NEEDED[reason]: reason for reason in reasons if reason in NEEDED}
    return [(reason, sentence) for sentence, reason in asked.items()]


def subject(finding: Finding, words: Words) -> str:
    """What was checked: a file, a record or a log as it is called; of trust, what is trusted."""
    if finding.check == "trust" and finding.subject in _TRUSTED:
        return words.text(_TRUSTED[finding.subject])
    return finding.subject


def reason(finding: Finding, words: Words) -> str:
    """Why it fails or is missing; '' where there is no sentence for it."""
    said = HAPPENED.get(finding.reason, "")
    return words.text(said, **{**finding.parameters, "code": finding.reason}) if said else ""
