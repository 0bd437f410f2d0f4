"""Words for what only pages show: states, times, sizes."""

from __future__ import annotations

from typing import Any, Final

from convenio.core.errors import RefusedError
from convenio.words import N_, Words
from convenio.words.errors import sentences
from convenio.words.language import moment_of

STATES: Final = {
    "accepted": N_("not yet countersigned"),
    "cosigned": N_("countersigned"),
    "lacking": N_("countersigned, content missing"),
    "received": N_("received"),
    "broken": N_("receipt broken"),
}
FORMS: Final = {"open": N_("plain to the channel"), "sealed": N_("sealed")}


def caveat(code: str) -> str:
    """A handling mark as its own standard writes it, in every language: TLP:AMBER+STRICT."""
    return f"TLP:{code.upper().replace('_', '+')}" if code else ""


def rule(words: Words, code: str) -> str:
    """What the rule says that forbade something."""
    return words.text(sentences(RefusedError(code))[0], code=code)


def age(words: Words, seconds: int) -> str:
    """A span in its largest unit, rounded down; nothing is in the future here."""
    seconds = max(seconds, 0)
    if seconds < 60:
        return words.plural("{n} second ago", "{n} seconds ago", seconds)
    if seconds < 3600:
        return words.plural("{n} minute ago", "{n} minutes ago", seconds // 60)
    if seconds < 48 * 3600:
        return words.plural("{n} hour ago", "{n} hours ago", seconds // 3600)
    return words.plural("{n} day ago", "{n} days ago", seconds // 86_400)


def size(words: Words, count: int) -> str:
    """Bytes as people read them."""
    if count < 1024:
        return words.plural("{n} byte", "{n} bytes", count)
    for unit, divisor in (("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)):
        if count < divisor << 10 or unit == "GiB":
            break
    return f"{count / divisor:,.1f} {unit}"


def machine_time(at: int) -> str:
    return moment_of(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def delivery(words: Words, party: str, state: dict[str, Any]) -> str:
    """How far a record has come with one member, in one or two sentences.

    Says who countersigned and when, in the countersigner's own time.
    """
    if state["state"] == "broken":
        return words.text(
            "The receipt of {party} does not hold. Do not rely on it; call {party} by voice.",
            party=party,
        )
    said = []
    if state["cosigned_at"]:
        at = words.time(state["cosigned_at"])
        said.append(words.text("{party} countersigned this on {at}.", party=party, at=at))
    elif state["state"] != "received":
        said.append(words.text("{party} has not countersigned this yet.", party=party))
    if state["state"] == "lacking":
        said.append(words.text("Its log says that a content has not arrived there."))
    if state["state"] == "received":
        at = words.time(state["received_at"])
        said.append(words.text("Its own log says since {at} that all of it arrived.", at=at))
    return " ".join(said)
