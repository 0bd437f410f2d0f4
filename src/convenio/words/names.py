"""Words for the codes that records and nodes use: types, acts, roles, who may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from convenio.words.language import Words
from convenio.words.mark import N_

TYPES: Final = {
    "action.v1": N_("Action"),
    "disclosure.v1": N_("Disclosure"),
    "figure.v1": N_("Figure"),
    "notice.v1": N_("Notice"),
    "objection.v1": N_("Objection"),
    "proof.v1": N_("Proof of delivery"),
    "received.v1": N_("Confirmation of receipt"),
    "request.v1": N_("Request"),
    "split.v1": N_("Alarm: two histories"),
    "statement.v1": N_("Statement"),
}
ACTS: Final = {
    "ask": N_("question"),
    "acknowledge": N_("acknowledgement"),
    "answer": N_("answer"),
    "refuse": N_("refusal"),
    "withdraw": N_("withdrawal"),
    "lapse": N_("lapse"),
}
ROLES: Final = {
    "clerk": N_("clerk"),
    "officer": N_("officer"),
    "approver": N_("approver"),
    "releaser": N_("releaser"),
    "auditor": N_("auditor"),
    "keeper": N_("keeper"),
}
ACCESS: Final = {"public": N_("open to everybody"), "members": N_("members only")}
PURPOSES: Final = {"cooperation": N_("cooperation"), "humanitarian": N_("humanitarian")}


def name_of(names: Mapping[str, str], key: str, words: Words) -> str:
    """The words for a code; a code from a newer version is shown as it is."""
    return words.text(names[key]) if key in names else key


def kind_of(type_: str, act: str, words: Words) -> str:
    """What a record is, with what it does in its case: Request (question)."""
    name = name_of(TYPES, type_, words)
    return f"{name} ({name_of(ACTS, act, words)})" if act else name
