"""The one decision: may this person see, open, send or export this? Default: no.

Asked at every door: command line, local socket, pages, partner HTTP, export. Now: member of the
channel and named recipient, else no. Instruments, handling marks and four eyes widen it later;
no other module decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from convenio.core.card import author_key_name
from convenio.core.errors import RefusedError
from convenio.core.record import Address, BodyRef, Header, PartyId
from convenio.core.trust import Charter


class Act(StrEnum):
    """What a person asks to do."""

    SEE = "see"  # the header, the receipt
    OPEN = "open"  # a body
    SEND = "send"  # sign a record for a desk
    EXPORT = "export"  # take a body out with its proof, for a third person
    GOVERN = "govern"  # channels, people, keys of this node
    AUDIT = "audit"  # who works here and who did what
    TEND = "tend"  # how the machine fares: names, counts and codes, never a header or a content
    ENTER = "enter"  # come to the pages' door: whose node it is, signing in and out


class Role(StrEnum):
    """The six roles. What each may do in a case is the instruments' matter."""

    CLERK = "clerk"
    OFFICER = "officer"
    APPROVER = "approver"
    RELEASER = "releaser"
    AUDITOR = "auditor"
    KEEPER = "keeper"


_MAY: Final = {
    Role.CLERK: {Act.SEE, Act.OPEN},
    Role.OFFICER: {Act.SEE, Act.OPEN, Act.SEND},
    Role.APPROVER: {Act.SEE, Act.OPEN, Act.SEND},
    Role.RELEASER: {Act.SEE, Act.OPEN, Act.SEND, Act.EXPORT},
    Role.AUDITOR: {Act.SEE, Act.AUDIT},
    Role.KEEPER: {Act.GOVERN, Act.AUDIT},
}
# What needs no role, and nobody's name: TEND is asked only by what the operating system lets in,
# the user who owns the node's directory; ENTER only by the pages. Who is disabled may do neither.
_FOR_ALL: Final = frozenset((Act.TEND, Act.ENTER))
_OF_NO_CHANNEL: Final = frozenset((Act.GOVERN, Act.AUDIT, *_FOR_ALL))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at this node. desks: opaque ids of this party's desks they sit at."""

    id: str
    party: PartyId
    desks: frozenset[str]
    roles: frozenset[Role]
    active: bool = True

    def addresses(self) -> frozenset[Address]:
        return frozenset(Address(f"{self.party}:{desk}") for desk in self.desks)


@dataclass(frozen=True, slots=True)
class Question:
    """May `person` (None: a stranger) do `act` in this channel, to this record, to this body?"""

    act: Act
    person: Person | None
    charter: Charter | None = None
    header: Header | None = None
    part: int | None = None


def decide(question: Question) -> str:
    """The empty string for yes; for no, the stable code of the rule that said it."""
    charter, person = question.charter, question.person
    if charter is not None and charter.public and _is_reading_in_the_open(question, charter):
        return ""
    if person is None:
        return "" if question.act in _FOR_ALL else "decide.stranger"
    if rule := _standing(person, question.act):
        return rule
    if question.act in _OF_NO_CHANNEL:
        return ""
    if charter is None or person.party not in charter.members():
        return "decide.not_a_member"
    return _about_record(person, charter, question)


def _standing(person: Person, act: Act) -> str:
    if not person.active:
        return "decide.disabled"
    may = act in _FOR_ALL or any(act in _MAY[role] for role in person.roles)
    return "" if may else "decide.role"


def _about_record(person: Person, charter: Charter, question: Question) -> str:
    header, act = question.header, question.act
    if header is None:  # whether there is a channel to look at; everything else is about a record
        return "" if act is Act.SEE else "decide.no_record"
    if header.ch != charter.ch:
        return "decide.no_record"
    if act is Act.SEND:
        return _may_send(person, header, charter)
    return "" if act is Act.SEE else _may_open(person, header, question.part)


def require(question: Question) -> None:
    """Nothing, if the answer is yes.  Raises:  RefusedError: decide.*, the rule that said no."""
    if rule := decide(question):
        raise RefusedError(rule)


def _is_reading_in_the_open(question: Question, charter: Charter) -> bool:
    header = question.header
    if header is not None and header.ch != charter.ch:
        return False
    if question.act is Act.SEE:
        return True
    if question.act is not Act.OPEN or header is None:
        return False
    body = _body(header, question.part)
    return body is not None and body.form == "open"


def _may_send(person: Person, header: Header, charter: Charter) -> str:
    """Only for desks the person sits at, only to desks of members."""
    own = {author_key_name(charter.member(person.party).domain, desk) for desk in person.desks}
    if header.sender != person.party or not header.by or not set(header.by) <= own:
        return "decide.not_your_desk"
    for address in {*header.to, *(a for body in header.bodies for a in body.to)}:
        try:
            charter.desk_of(address)
        except RefusedError:
            return "decide.unknown_recipient"
    return ""


def _may_open(person: Person, header: Header, part: int | None) -> str:
    body = _body(header, part)
    if body is None:
        return "decide.no_such_body"
    if body.form == "open" or person.addresses() & set(body.to):
        return ""
    return "decide.not_a_recipient"


def _body(header: Header, part: int | None) -> BodyRef | None:
    if part is None or not 0 <= part < len(header.bodies):
        return None
    return header.bodies[part]
