"""The doors: what is asked of `core.decide` before a command runs.

Every command names one; the dispatcher asks it first. A service behind a command asks more where
more is known by then, the record about to be signed for one. A door raises what `require` raises,
or what is wrong with the arguments it must read to ask.
"""

from __future__ import annotations

from convenio.core.decide import Act, Question, require
from convenio.core.errors import RefusedError
from convenio.node.commands.args import (
    Args,
    found_record,
    person_of,
    text_of,
    viewer_of,
)
from convenio.node.viewing import require_look
from convenio.node.wiring import Node


def tends(node: Node, args: Args) -> None:
    """Whoever is at the machine, or an active person: names, counts and codes only."""
    require(Question(Act.TEND, viewer_of(node, args)))


def governs(node: Node, args: Args) -> None:
    """A keeper."""
    require(Question(Act.GOVERN, person_of(node, args)))


def audits(node: Node, args: Args) -> None:
    """A keeper or an auditor."""
    require(Question(Act.AUDIT, person_of(node, args)))


def sees_channel(node: Node, args: Args) -> None:
    """Who may see the headers of the channel named: its readers."""
    charter = node.registry.channel(text_of(args, "channel")).signed.charter
    require(Question(Act.SEE, viewer_of(node, args), charter))


def looks_at_channel(node: Node, args: Args) -> None:
    """Who may see the charter of the channel named: its readers and keepers."""
    require_look(viewer_of(node, args), node.local.channel(text_of(args, "channel")))


def sees_record(node: Node, args: Args) -> None:
    """Who may see the header of the record named."""
    found_record(node, args)


def enters(node: Node, args: Args) -> None:
    """Anybody but who is disabled; what is shown is asked for each thing shown."""
    require(Question(Act.ENTER, viewer_of(node, args)))


def named(node: Node, args: Args) -> None:
    """An active person, by name."""
    require(Question(Act.ENTER, person_of(node, args)))


def holds_link(node: Node, args: Args) -> None:
    """For whom the sign-in link was made, if they may still come in."""
    person = node.local.person(node.signins.whose(text_of(args, "secret")))
    require(Question(Act.ENTER, person))


def holds_session(node: Node, args: Args) -> None:
    """Whose session it is, or a stranger without one, or with one that has ended."""
    try:
        person = node.signins.person(text_of(args, "session", ""))
    except RefusedError:
        person = None
    require(Question(Act.ENTER, person))
