"""Links and sessions: once, not for long, and only for whom they were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from convenio.core.decide import Person, Role
from convenio.core.errors import RefusedError
from convenio.core.record import PartyId
from convenio.node.local import LocalStore
from convenio.node.signin import LINK_S, MAX_KEPT, SESSION_S, SignIns

MX = PartyId("mx")


@dataclass
class Desk:
    """A node's sign-ins with a clock that is told."""

    local: LocalStore
    now: float = 1_633_651_200

    def __post_init__(self) -> None:
        self._made = 0
        self.signins = SignIns(self.local, lambda: self.now, self._random)

    def _random(self, size: int) -> bytes:
        self._made += 1
        return hashlib.shake_256(str(self._made).encode()).digest(size)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    local = LocalStore.create(tmp_path / "local.db", "mx")
    for name, role in (("keeper", Role.KEEPER), ("ana", Role.OFFICER), ("beto", Role.OFFICER)):
        local.add_person(Person(name, MX, frozenset(), frozenset({role})), 0, "keeper")
    yield Desk(local)
    local.close()


def refused(code: str, ask: object, *args: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ask(*args)  # type: ignore[operator]
    assert caught.value.code == code


def test_a_link_is_good_once(desk: Desk) -> None:
    link = desk.signins.link("ana", "ana")
    assert link.until == desk.now + LINK_S
    assert desk.signins.whose(link.secret) == "ana"
    session = desk.signins.enter(link.secret)
    assert desk.signins.person(session.secret).id == "ana"
    refused("signin.link", desk.signins.enter, link.secret)
    refused("signin.link", desk.signins.whose, link.secret)


def test_a_link_is_no_session_and_a_session_no_link(desk: Desk) -> None:
    link = desk.signins.link("ana", "ana")
    refused("signin.ended", desk.signins.person, link.secret)
    session = desk.signins.enter(link.secret)
    refused("signin.link", desk.signins.enter, session.secret)


def test_a_link_ends_after_a_quarter_of_an_hour(desk: Desk) -> None:
    link = desk.signins.link("ana", "ana")
    desk.now += LINK_S - 1
    assert desk.signins.whose(link.secret) == "ana"
    desk.now += 1
    refused("signin.link", desk.signins.enter, link.secret)


def test_a_session_ends_after_a_working_day_or_when_its_holder_leaves(desk: Desk) -> None:
    one, other = (desk.signins.enter(desk.signins.link("ana", "ana").secret) for _ in range(2))
    desk.signins.leave(one.secret)
    desk.signins.leave("never given")
    refused("signin.ended", desk.signins.person, one.secret)
    assert desk.signins.person(other.secret).id == "ana"
    desk.now += SESSION_S
    refused("signin.ended", desk.signins.person, other.secret)


def test_only_a_keeper_makes_links_for_others(desk: Desk) -> None:
    assert desk.signins.link("keeper", "beto").person == "beto"
    refused("decide.role", desk.signins.link, "ana", "beto")
    refused("people.unknown", desk.signins.link, "keeper", "nobody")
    refused("people.unknown", desk.signins.link, "nobody", "ana")


def test_who_is_switched_off_is_out_at_once(desk: Desk) -> None:
    session = desk.signins.enter(desk.signins.link("ana", "ana").secret)
    link = desk.signins.link("ana", "ana")
    desk.local.change_person(replace(desk.local.person("ana"), active=False))
    refused("signin.ended", desk.signins.person, session.secret)
    refused("decide.disabled", desk.signins.enter, link.secret)
    refused("decide.disabled", desk.signins.link, "ana", "ana")
    refused("decide.disabled", desk.signins.link, "keeper", "ana")


@pytest.mark.parametrize("secret", ["", "0", "0" * 64, "A" * 64, "é" * 64, "0" * 10_000])
def test_a_guess_opens_nothing(desk: Desk, secret: str) -> None:
    desk.signins.link("ana", "ana")
    refused("signin.link", desk.signins.enter, secret)
    refused("signin.ended", desk.signins.person, secret)


def test_links_and_entries_are_on_record_and_their_secrets_nowhere(
    desk: Desk, tmp_path: Path
) -> None:
    link = desk.signins.link("keeper", "ana")
    session = desk.signins.enter(link.secret)
    acts = [(act.person, act.act, act.subject) for act in desk.local.acts()]
    assert acts == [("ana", "web.enter", "ana"), ("keeper", "web.link", "ana")]
    kept = repr(vars(desk.signins)) + "".join(map(repr, desk.local.acts()))
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (link.secret, session.secret):
        assert secret not in kept
        assert secret.encode() not in disk


def test_however_many_are_made_only_so_many_are_kept(desk: Desk) -> None:
    first = desk.signins.link("ana", "ana")
    for _ in range(MAX_KEPT):
        last = desk.signins.link("ana", "ana")
    refused("signin.link", desk.signins.enter, first.secret)
    assert desk.signins.whose(last.secret) == "ana"
