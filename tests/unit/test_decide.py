"""The one decision: who may see, open, send, export, govern. What no rule allows is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.parties import charter, party

from convenio.core.decide import Act, Person, Question, Role, decide, require
from convenio.core.errors import RefusedError
from convenio.core.record import Address, BodyRef, Header, PartyId

MEMBERS = charter("mx", "us")
PUBLIC = charter("mx", "us", access="public", nonce="f" * 32)
MX, US = party("mx").card, party("us").card
LIAISON = {card.party: card.roster.desk("liaison").id for card in (MX, US)}
LEGAL = {card.party: card.roster.desk("legal").id for card in (MX, US)}


def address(of: str, desk: dict[PartyId, str]) -> Address:
    return Address(f"{of}:{desk[PartyId(of)]}")


SEALED = BodyRef(
    "sealed",
    "aa" * 32,
    10,
    k="bb" * 32,
    to=tuple(sorted((address("mx", LIAISON), address("us", LIAISON)))),
)
OPEN = BodyRef("open", "cc" * 32, 10)
HEADER = Header(
    id="01" * 16,
    ch=MEMBERS.ch,
    gen=1,
    type="statement.v1",
    sender=PartyId("us"),
    to=(address("mx", LIAISON),),
    by=(f"us.localhost/k/{LIAISON[PartyId('us')]}",),
    at=0,
    bodies=(SEALED, OPEN),
)
OURS = replace(
    HEADER,
    sender=PartyId("mx"),
    to=(address("us", LIAISON),),
    by=(f"mx.localhost/k/{LIAISON[PartyId('mx')]}",),
)
IN_PUBLIC = replace(HEADER, ch=PUBLIC.ch)


def person(*roles: Role, desk: dict[PartyId, str] = LIAISON, of: str = "mx") -> Person:
    desks = frozenset((desk[PartyId(of)],)) if of in ("mx", "us") else frozenset(("00000000",))
    return Person("ana", PartyId(of), desks, frozenset(roles))


# Written out as people would say it, and not taken from the code.
MAY = {
    Role.CLERK: {Act.SEE, Act.OPEN},
    Role.OFFICER: {Act.SEE, Act.OPEN, Act.SEND},
    Role.APPROVER: {Act.SEE, Act.OPEN, Act.SEND},
    Role.RELEASER: {Act.SEE, Act.OPEN, Act.SEND, Act.EXPORT},
    Role.AUDITOR: {Act.SEE, Act.AUDIT},
    Role.KEEPER: {Act.GOVERN, Act.AUDIT},
}
ANYBODY = {Act.TEND, Act.ENTER}  # but who is disabled
OF_NO_CHANNEL = {Act.GOVERN, Act.AUDIT, *ANYBODY}


def question(act: Act, who: Person | None) -> Question:
    header = OURS if act is Act.SEND else HEADER
    return Question(act, who, MEMBERS, header, 0)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("role", Role)
def test_a_member_named_in_the_record_may_do_what_the_role_says_and_no_more(
    role: Role, act: Act
) -> None:
    rule = decide(question(act, person(role)))
    assert rule == ("" if act in MAY[role] | ANYBODY else "decide.role")


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("role", Role)
def test_a_person_who_is_switched_off_may_do_nothing(role: Role, act: Act) -> None:
    gone = replace(person(role), active=False)
    assert decide(question(act, gone)) == "decide.disabled"


@pytest.mark.parametrize("act", Act)
def test_a_person_without_a_role_may_do_nothing_that_needs_one(act: Act) -> None:
    assert decide(question(act, person())) == ("" if act in ANYBODY else "decide.role")


@pytest.mark.parametrize("act", Act)
def test_a_stranger_may_do_nothing_in_a_members_channel(act: Act) -> None:
    assert decide(question(act, None)) == ("" if act in ANYBODY else "decide.stranger")


@pytest.mark.parametrize("act", sorted(set(Act) - OF_NO_CHANNEL))
@pytest.mark.parametrize("role", Role)
def test_whoever_is_of_no_member_party_may_do_nothing_in_the_channel(role: Role, act: Act) -> None:
    assert decide(question(act, person(role, of="ca"))) in ("decide.not_a_member", "decide.role")


def test_roles_add_up() -> None:
    both = person(Role.AUDITOR, Role.CLERK)
    assert decide(question(Act.SEE, both)) == decide(question(Act.OPEN, both)) == ""


# --- opening and exporting ---


@pytest.mark.parametrize("act", [Act.OPEN, Act.EXPORT])
@pytest.mark.parametrize(
    ("who", "part", "rule"),
    [
        pytest.param(person(Role.RELEASER), 0, "", id="a named desk may have its sealed body"),
        pytest.param(person(Role.RELEASER), 1, "", id="and the open one"),
        pytest.param(
            person(Role.RELEASER, desk=LEGAL),
            0,
            "decide.not_a_recipient",
            id="another desk may not have the sealed body",
        ),
        pytest.param(
            person(Role.RELEASER, desk=LEGAL), 1, "", id="another desk may have the open body"
        ),
        pytest.param(
            replace(person(Role.RELEASER), desks=frozenset()),
            0,
            "decide.not_a_recipient",
            id="who sits nowhere may not",
        ),
        pytest.param(person(Role.RELEASER, of="us"), 0, "", id="the sender's own desk may"),
        pytest.param(
            replace(person(Role.RELEASER), party=PartyId("us")),
            0,
            "decide.not_a_recipient",
            id="the same desk number at another party may not",
        ),
        pytest.param(person(Role.RELEASER), 2, "decide.no_such_body", id="there is no third body"),
        pytest.param(person(Role.RELEASER), -1, "decide.no_such_body", id="nor one before"),
        pytest.param(person(Role.RELEASER), None, "decide.no_such_body", id="one must be named"),
    ],
)
def test_bodies_are_for_whom_they_are_sealed_to(
    act: Act, who: Person, part: int | None, rule: str
) -> None:
    assert decide(Question(act, who, MEMBERS, HEADER, part)) == rule


@pytest.mark.parametrize("act", [Act.OPEN, Act.EXPORT, Act.SEND])
def test_without_a_record_nothing_but_seeing_is_allowed(act: Act) -> None:
    assert decide(Question(act, person(*Role), MEMBERS)) != ""
    assert decide(Question(Act.SEE, person(*Role), MEMBERS)) == ""


@pytest.mark.parametrize("act", [Act.SEE, Act.OPEN, Act.EXPORT, Act.SEND])
def test_a_record_of_another_channel_is_not_judged_by_this_charter(act: Act) -> None:
    stray = replace(OURS if act is Act.SEND else HEADER, ch="ee" * 32)
    assert decide(Question(act, person(*Role), MEMBERS, stray, 1)) != ""


# --- public channels ---


@pytest.mark.parametrize("who", [None, person(Role.CLERK, of="ca"), person(), person(Role.KEEPER)])
def test_in_public_everybody_sees_headers_and_open_bodies(who: Person | None) -> None:
    assert decide(Question(Act.SEE, who, PUBLIC)) == ""
    assert decide(Question(Act.SEE, who, PUBLIC, IN_PUBLIC)) == ""
    assert decide(Question(Act.OPEN, who, PUBLIC, IN_PUBLIC, 1)) == ""


@pytest.mark.parametrize("act", [Act.EXPORT, Act.SEND, Act.GOVERN])
def test_in_public_a_stranger_may_do_nothing_else(act: Act) -> None:
    assert decide(Question(act, None, PUBLIC, IN_PUBLIC, 1)) == "decide.stranger"


@pytest.mark.parametrize("part", [0, 2, -1, None])
def test_in_public_a_stranger_opens_nothing_that_is_sealed_or_not_there(part: int | None) -> None:
    assert decide(Question(Act.OPEN, None, PUBLIC, IN_PUBLIC, part)) == "decide.stranger"


def test_what_was_said_among_members_is_not_public_because_somebody_repeats_it_in_public() -> None:
    assert decide(Question(Act.OPEN, None, PUBLIC, HEADER, 1)) == "decide.stranger"
    assert decide(Question(Act.SEE, None, PUBLIC, HEADER)) == "decide.stranger"


# --- sending ---


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        pytest.param(OURS, "", id="from one's own desk to a member's"),
        pytest.param(
            replace(OURS, by=(f"mx.localhost/k/{LEGAL[PartyId('mx')]}",)),
            "decide.not_your_desk",
            id="from another desk",
        ),
        pytest.param(
            replace(OURS, by=(*OURS.by, f"mx.localhost/k/{LEGAL[PartyId('mx')]}")),
            "decide.not_your_desk",
            id="also in the name of another desk",
        ),
        pytest.param(replace(OURS, by=()), "decide.not_your_desk", id="from nobody"),
        pytest.param(
            replace(OURS, by=(f"us.localhost/k/{LIAISON[PartyId('mx')]}",)),
            "decide.not_your_desk",
            id="under another party's domain",
        ),
        pytest.param(
            replace(OURS, sender=PartyId("us")), "decide.not_your_desk", id="as another party"
        ),
        pytest.param(
            replace(OURS, to=(Address("us:00000000"),)),
            "decide.unknown_recipient",
            id="to a desk that does not exist",
        ),
        pytest.param(
            replace(OURS, to=(Address("ca:00000000"),)),
            "decide.unknown_recipient",
            id="to a party that is no member",
        ),
        pytest.param(
            replace(OURS, bodies=(replace(SEALED, to=(Address("us:00000000"),)),)),
            "decide.unknown_recipient",
            id="with a body sealed to a desk that does not exist",
        ),
    ],
)
def test_an_officer_may_send(header: Header, rule: str) -> None:
    assert decide(Question(Act.SEND, person(Role.OFFICER), MEMBERS, header)) == rule


def test_in_public_only_members_send() -> None:
    said = replace(OURS, ch=PUBLIC.ch)
    assert decide(Question(Act.SEND, person(Role.OFFICER), PUBLIC, said)) == ""
    assert decide(Question(Act.SEND, person(Role.CLERK), PUBLIC, said)) == "decide.role"
    officer = person(Role.OFFICER, of="ca")
    assert decide(Question(Act.SEND, officer, PUBLIC, said)) == "decide.not_a_member"


# --- governing ---


def test_a_keeper_governs_without_being_in_any_channel_and_reads_nothing() -> None:
    keeper = person(Role.KEEPER)
    assert decide(Question(Act.GOVERN, keeper)) == ""
    for act in (Act.SEE, Act.OPEN, Act.EXPORT, Act.SEND):
        assert decide(question(act, keeper)) == "decide.role"


@pytest.mark.parametrize("act", sorted(set(Act) - OF_NO_CHANNEL))
def test_without_a_channel_nobody_reads_or_sends(act: Act) -> None:
    assert decide(Question(act, person(*Role))) == "decide.not_a_member"


def test_require_raises_the_rule_that_said_no() -> None:
    require(question(Act.OPEN, person(Role.CLERK)))
    with pytest.raises(RefusedError) as caught:
        require(question(Act.SEND, person(Role.CLERK)))
    assert caught.value.code == "decide.role"
