"""Charters between nodes: what a keeper may take, and that nothing taken can stop the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import (
    CHANNEL,
    KEEPER,
    NOW,
    OFFICER,
    Clock,
    Home,
    World,
    agree,
    confirm,
    make_home,
    world,
)
from tests.support.parties import party
from tests.support.partners import TWINS, free_port

from convenio.core.card import Card, Roots, Text, parse_card, root_key_name, sign_card
from convenio.core.errors import ConvenioError
from convenio.core.httpsig import keyid_of
from convenio.core.note import Ed25519Signer
from convenio.core.record import PartyId
from convenio.core.trust import Charter, fingerprint, parse_charter, propose_charter
from convenio.node.channels import Channels
from convenio.node.setup import ROOTS
from convenio.node.speaking import Saying


@pytest.fixture
def unsigned(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, confirmed=False) as made:
        yield made


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For tests that change nothing, as each of them shows."""
    with world(tmp_path_factory.mktemp("agreed")) as made:
        yield made


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


def propose(home: Home, *cards: bytes, **more: Any) -> Any:
    terms: dict[str, Any] = {
        "name": "second",
        "title": Text("Second", "Segundo"),
        "cards": cards,
        "access": "members",
        "purpose": "cooperation",
        "roots": home.roots(),
        **more,
    }
    return home.node.channels.propose(KEEPER, **terms)


def accept(home: Home, data: bytes, roots: list[Any] | None = None) -> Any:
    return home.node.channels.accept(KEEPER, data, home.roots() if roots is None else roots)


def names(home: Home) -> list[str]:
    return [channel.name for channel in home.node.local.channels()]


def works(made: World) -> None:
    """The first channel carries a record to the other side and a receipt back."""
    said = made["mx"].say(b"still here")
    made.settle()
    assert made["us"].read(f"mx/{said.index}") == b"still here"


# --- the way of a charter ---


def test_a_charter_is_proposed_accepted_brought_home_and_confirmed(unsigned: World) -> None:
    mx, us = unsigned.homes
    first = propose(mx, us.card())
    assert first.missing() == ("us",)
    assert code_of(lambda: mx.node.channels.confirm(KEEPER, "second", "0" * 60)) == (
        "trust.charter_quorum"
    )
    second = accept(us, first.note.encode())
    assert second.missing() == ()
    assert accept(mx, second.note.encode(), []).missing() == ()
    for home in (mx, us):
        assert not home.node.local.channel("second").in_force
        confirm(home, "second")
        assert home.node.local.channel("second").in_force
        acts = [(act.person, act.act) for act in home.node.local.acts()]
        assert (KEEPER, "channel.confirm") in acts


def test_accepting_twice_changes_nothing(unsigned: World) -> None:
    mx, us = unsigned.homes
    signed = accept(us, propose(mx, us.card()).note.encode())
    again = accept(us, signed.note.encode())
    assert again == signed
    assert accept(us, propose_charter(signed.charter, *mx.roots()).note.encode()) == signed


def test_signatures_gathered_apart_come_together(tmp_path: Path) -> None:
    with world(tmp_path, ("ca", "mx", "us"), confirmed=False) as made:
        ca, mx, us = made.homes
        first = propose(ca, mx.card(), us.card())
        from_mx = accept(mx, first.note.encode())
        from_us = accept(us, first.note.encode())
        assert (from_mx.missing(), from_us.missing()) == (("us",), ("mx",))
        assert accept(ca, from_mx.note.encode(), []).missing() == ("us",)
        assert accept(ca, from_us.note.encode(), []).missing() == ()


def test_only_a_keeper_touches_charters(unsigned: World) -> None:
    mx, us = unsigned.homes
    signed = propose(mx, us.card()).note.encode()
    channels = us.node.channels
    assert code_of(lambda: channels.accept(OFFICER, signed, us.roots())) == "decide.role"
    assert code_of(lambda: channels.confirm(OFFICER, CHANNEL, "x")) == "decide.role"
    assert code_of(lambda: channels.route(OFFICER, CHANNEL, "mx", "http://127.0.0.1:1")) == (
        "decide.role"
    )
    assert code_of(lambda: channels.accept("nobody", signed, us.roots())) == "people.unknown"


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ("right", ""),
        ("dashes", ""),
        ("hash", ""),
        ("other", "channel.fingerprint"),
        ("short", "trust.fingerprint"),
        ("", "trust.fingerprint"),
    ],
)
def test_only_the_right_fingerprint_confirms(unsigned: World, typed: str, refused: str) -> None:
    """What has not its digits is mistyped; only what has them is an alarm."""
    mx = unsigned["mx"]
    ch = unsigned.charter.charter.ch
    said = {"right": fingerprint(ch), "dashes": fingerprint(ch).replace(" ", "-"), "hash": ch}
    said["other"] = fingerprint("00" * 32)
    said["short"] = fingerprint(ch)[:-1]
    if not refused:
        assert mx.node.channels.confirm(KEEPER, CHANNEL, said[typed]).in_force
    else:
        code = code_of(lambda: mx.node.channels.confirm(KEEPER, CHANNEL, said.get(typed, "")))
        assert code == refused
        assert not mx.node.local.channel(CHANNEL).in_force


# --- what is not taken ---


def signed_by(home: Home, charter: Charter) -> bytes:
    return propose_charter(charter, *home.roots()).note.encode()


def second(made: World, **terms: Any) -> Charter:
    terms = {"name": "second", "nonce": "ab" * 16, **terms}
    return replace(made.charter.charter, **terms)


def refused(made: World, data: bytes, code: str, roots: list[Any] | None = None) -> None:
    """Refused, not kept, and the node goes on."""
    us = made["us"]
    assert code_of(lambda: accept(us, data, roots)) == code
    assert names(us) == [CHANNEL]
    us.node.refresh()
    works(made)


def test_a_charter_without_us_is_refused(agreed: World) -> None:
    mx = agreed["mx"]
    stranger = party("ca").card
    charter = second(agreed, parties=(mx.node.card, stranger))
    refused(agreed, signed_by(mx, charter), "channel.not_ours")


def test_a_charter_with_other_keys_for_us_is_refused(agreed: World) -> None:
    mx, us = agreed.homes
    other = replace(us.node.card, roster=replace(us.node.card.roster, url="http://127.0.0.1:9"))
    charter = second(agreed, parties=(mx.node.card, other))
    refused(agreed, signed_by(mx, charter), "channel.other_card")


def test_a_second_channel_with_the_nonce_of_the_first_is_refused(agreed: World) -> None:
    """Its logs would have the origins of the first: one log could be shown for the other."""
    mx = agreed["mx"]
    charter = second(agreed, nonce=agreed.charter.charter.nonce)
    refused(agreed, signed_by(mx, charter), "channel.nonce_taken")


def test_a_charter_for_a_later_program_is_refused(agreed: World) -> None:
    refused(agreed, signed_by(agreed["mx"], second(agreed, fold=2)), "fold.version")


def test_a_charter_of_a_name_we_know_is_refused(agreed: World) -> None:
    charter = second(agreed, name=CHANNEL)
    refused(agreed, signed_by(agreed["mx"], charter), "channel.name_taken")


def test_too_few_or_foreign_roots_sign_nothing(agreed: World) -> None:
    mx, us = agreed.homes
    data = signed_by(mx, second(agreed))
    refused(agreed, data, "channel.roots", us.roots()[:1])
    assert code_of(lambda: accept(us, data, mx.roots())) == "channel.foreign_root"
    assert code_of(lambda: accept(us, data, [us.roots()[0]] * 2)) == "channel.roots"
    assert names(us) == [CHANNEL]


@pytest.mark.parametrize("data", [b"", b"hello\n", b"{}\n\n", b"\xff" * 100])
def test_what_is_no_charter_is_refused(agreed: World, data: bytes) -> None:
    assert code_of(lambda: accept(agreed["us"], data)).startswith(("note.", "canon."))
    assert names(agreed["us"]) == [CHANNEL]


def test_a_card_that_is_not_signed_by_its_party_is_refused(agreed: World) -> None:
    mx, us = agreed.homes
    forged = us.card().replace(b'"url":"http://127.0.0.1', b'"url":"http://127.0.0.2')
    assert code_of(lambda: propose(mx, forged)) == "note.bad_signature"
    assert names(mx) == [CHANNEL]


def test_after_all_that_the_node_starts_again(agreed: World) -> None:
    agreed["us"].reopen()
    works(agreed)


# --- a partner that cannot be reached as its card says ---


def moved_card(home: Home, url: str) -> Card:
    """The party's own card with another address, signed by its own roots."""
    card = replace(home.node.card, roster=replace(home.node.card.roster, url=url))
    return parse_card(sign_card(card, *home.roots()))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        pytest.param("http://partner.example", "peer.plain_http", id="in the open over a network"),
        pytest.param("https://127.0.0.1:1", "peer.connect", id="where nobody listens"),
    ],
)
def test_an_address_that_cannot_be_called_stops_that_feed_alone(
    tmp_path: Path, url: str, error: str
) -> None:
    """A partner whose card is so must not keep our node from starting, nor other channels."""
    with world(tmp_path) as made:
        mx = made["mx"]
        odd = party("ca")
        stranger = replace(odd.card, roster=replace(odd.card.roster, url=url))
        charter = second(made, parties=(mx.node.card, stranger))
        whole = propose_charter(charter, *mx.roots(), *odd.roots)
        accept(mx, whole.note.encode(), [])
        confirm(mx, "second")
        mx.node.speaking.say(OFFICER, Saying("second", "statement.v1", "", ()))

        def failed() -> bool:
            return any(f.party == "ca" and f.error == error for f in mx.node.feeds())

        made.until(failed, f"no {error}")
        works(made)
        mx.reopen()
        works(made)
        made.until(failed, f"no {error} after the restart")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "us.localhost",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://a b",
        "http://[",
        "ñ",
    ],
)
def test_a_route_that_is_no_url_is_refused(agreed: World, url: str) -> None:
    channels = agreed["mx"].node.channels
    assert code_of(lambda: channels.route(KEEPER, CHANNEL, "us", url)) == "http.url"


def test_a_route_to_no_member_or_of_no_channel_is_refused(agreed: World) -> None:
    route = agreed["mx"].node.channels.route
    url = "http://127.0.0.1:1"
    assert code_of(lambda: route(KEEPER, CHANNEL, "ca", url)) == "trust.not_a_member"
    assert code_of(lambda: route(KEEPER, "nowhere", "us", url)) == "channel.unknown"


def test_refused_routes_leave_the_old_way_open(agreed: World) -> None:
    agreed["mx"].reopen()
    works(agreed)


def test_a_partner_that_has_moved_is_reached_by_a_route(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        mx.say(b"one")
        made.settle()
        us.close()
        us.port = free_port()  # its card still says the old one
        us.open()
        said = mx.say(b"two")
        made.until(lambda: any(f.error == "peer.connect" for f in mx.node.feeds()), "no error")
        mx.node.channels.route(KEEPER, CHANNEL, "us", f"http://127.0.0.1:{us.port}")
        made.settle()
        assert us.read(f"mx/{said.index}") == b"two"
        mx.reopen()
        works(made)


def test_a_route_to_somebody_else_delivers_nothing(tmp_path: Path) -> None:
    """Who answers there must have the member's key: here it is our own node, with ours."""
    with world(tmp_path) as made:
        mx, us = made.homes
        mx.node.channels.route(KEEPER, CHANNEL, "us", f"http://127.0.0.1:{mx.port}")
        mx.say(b"one")
        made.until(lambda: any(f.failures for f in mx.node.feeds()), "no failure")
        assert us.size("mx") == 0
        assert all(f.cosigned == 0 for f in mx.node.feeds())


def test_one_channel_confirmed_leaves_the_feeds_of_others_running(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        mx.say(b"one")
        made.settle()
        (before,) = mx.node.feeds()
        signed = accept(us, propose(mx, us.card()).note.encode())
        accept(mx, signed.note.encode(), [])
        confirm(mx, "second")
        after = mx.node.feeds()
        assert len(after) == 2
        assert any(state is before for state in after)


# --- odds and ends ---


def test_root_keys_may_be_carried_away(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx = made["mx"]
        for path in (mx.path / ROOTS).iterdir():
            path.unlink()
        (mx.path / ROOTS).rmdir()
        mx.reopen()
        works(made)


def test_a_node_in_no_channel_starts_and_stops(tmp_path: Path) -> None:
    home = make_home(tmp_path, "mx", Clock())
    home.open()
    assert (home.node.feeds(), home.node.registry.logs()) == ([], [])
    assert code_of(lambda: home.node.registry.channel("x")) == "channel.unknown"
    home.close()


def test_charters_are_kept_as_they_came(unsigned: World) -> None:
    for home in unsigned.homes:
        kept = home.node.local.channel(CHANNEL).signed
        assert parse_charter(kept.note.encode()) == kept
        assert kept.charter.at == NOW


def test_agreeing_again_on_new_terms_is_another_channel(unsigned: World) -> None:
    again = agree(unsigned.homes, name="again", title=Text("Again", "Otra vez"))
    assert again.charter.ch != unsigned.charter.charter.ch
    assert names(unsigned["mx"]) == ["again", CHANNEL]


def test_a_route_can_be_taken_back_once(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        channels = mx.node.channels
        assert code_of(lambda: channels.unroute(KEEPER, CHANNEL, "us")) == "channel.no_route"
        channels.route(KEEPER, CHANNEL, "us", f"http://127.0.0.1:{free_port()}")
        said = mx.say(b"one")
        made.until(lambda: any(f.error == "peer.connect" for f in mx.node.feeds()), "no error")
        assert code_of(lambda: channels.unroute(OFFICER, CHANNEL, "us")) == "decide.role"
        channels.unroute(KEEPER, CHANNEL, "us")
        made.settle()
        assert us.read(f"mx/{said.index}") == b"one"
        assert mx.node.local.routes() == {}
        assert code_of(lambda: channels.unroute(KEEPER, CHANNEL, "us")) == "channel.no_route"
        done = [(act.act, act.subject) for act in mx.node.local.acts(2)]
        assert done == [("channel.unroute", "us"), ("channel.route", "us")]


# --- root keys of a party that is known already ---


def of_a_stranger(made: World, **changes: Any) -> Charter:
    """A second charter in which somebody with root keys of their own stands for mx."""
    mx, us = (home.node.card for home in made.homes)
    keys = tuple(signer.public for signer in strange_roots(mx.domain))
    return second(made, parties=(replace(mx, roots=Roots(1, keys), **changes), us))


def strange_roots(domain: str) -> list[Ed25519Signer]:
    return [Ed25519Signer(root_key_name(domain, 1), b"s" * 32)]


def signed_by_stranger(charter: Charter) -> bytes:
    roots = strange_roots(charter.parties[0].domain)
    return propose_charter(charter, *roots).note.encode()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="under its name and domain"),
        pytest.param({"party": PartyId("xm")}, id="under its domain"),
        pytest.param({"domain": "other.localhost"}, id="under its name"),
    ],
)
def test_other_root_keys_of_a_known_party_need_a_person_who_has_heard_of_them(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with world(tmp_path) as made:
        us = made["us"]
        charter = of_a_stranger(made, **changes)
        data, named = signed_by_stranger(charter), charter.parties[0].party
        refused(made, data, "channel.other_roots")
        other = [each for each in ("us", "ca") if each != named]
        channels = us.node.channels
        assert (
            code_of(lambda: channels.accept(KEEPER, data, us.roots(), other))
            == "channel.other_roots"
        )
        channels.accept(KEEPER, data, us.roots(), [named])
        assert names(us) == [CHANNEL, "second"]
        assert us.node.local.acts(1)[0].reason == f"other roots: {named}"
        channels.accept(KEEPER, data, [])
        works(made)


def test_other_root_keys_are_looked_for_when_a_charter_is_proposed_too(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        us = made["us"]
        charter = of_a_stranger(made)
        stranger = charter.parties[0]
        card = sign_card(stranger, *strange_roots(stranger.domain))
        assert code_of(lambda: propose(us, card)) == "channel.other_roots"
        assert names(us) == [CHANNEL]
        assert propose(us, card, other_roots=["mx"]).missing() == ("mx",)


def test_other_root_keys_are_looked_for_when_a_charter_is_confirmed_too(
    unsigned: World,
) -> None:
    """Two charters came, with two sets of root keys for one party, before either was confirmed."""
    us = unsigned["us"]
    accept(us, propose(unsigned["mx"], us.card()).note.encode())
    charter = replace(of_a_stranger(unsigned), name="third", nonce="ef" * 16)
    roots = [*us.roots(), *strange_roots(charter.parties[0].domain)]
    accept(us, propose_charter(charter, *roots).note.encode())
    confirm(us, CHANNEL)
    channels, digits = us.node.channels, fingerprint(charter.ch)
    for told in ([], ["us"]):
        assert code_of(lambda told=told: channels.confirm(KEEPER, "third", digits, told)) == (  # type: ignore[misc]
            "channel.other_roots"
        )
    assert not us.node.local.channel("third").confirmed_at
    assert channels.confirm(KEEPER, "third", digits, ["mx"]).confirmed_at
    assert us.node.local.acts(1)[0].reason == "other roots: mx"
    confirm(us, CHANNEL)  # again, as it was


@pytest.mark.parametrize("whose", ["own", "twice"])
def test_a_card_of_our_own_or_twice_is_refused_before_root_keys_are_asked_for(
    agreed: World, whose: str
) -> None:
    mx, us = agreed.homes
    given, code = {
        "own": ([us.card(), mx.card()], "channel.own_card"),
        "twice": ([us.card(), us.card()], "channel.card_twice"),
    }[whose]
    assert code_of(lambda: propose(mx, *given, roots=[])) == code
    assert code_of(lambda: propose(mx, us.card(), roots=[])) == "channel.roots"


def test_a_name_that_is_taken_is_refused_before_root_keys_are_asked_for(agreed: World) -> None:
    mx, us = agreed.homes
    assert code_of(lambda: propose(mx, us.card(), name=CHANNEL, roots=[])) == "channel.name_taken"
    charter = signed_by(us, second(agreed, name=CHANNEL))
    assert code_of(lambda: accept(mx, charter, [])) == "channel.name_taken"


def test_the_same_root_keys_and_those_of_unconfirmed_channels_say_nothing(
    unsigned: World,
) -> None:
    mx, us = unsigned.homes
    accept(us, signed_by(mx, second(unsigned)))
    strange = replace(of_a_stranger(unsigned), name="third", nonce="cd" * 16)
    accept(us, signed_by_stranger(strange))
    assert names(us) == [CHANNEL, "second", "third"]


# --- keyids that meet ---


def test_parties_whose_keyids_meet_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        chs = []
        for n, twin in enumerate(TWINS):
            roster = replace(us.node.card.roster, node=twin.public)
            card = replace(us.node.card, roster=roster)
            charter = second(
                made, name=f"twin-{n}", nonce=f"{n:032x}", parties=(mx.node.card, card)
            )
            accept(mx, propose_charter(charter, *us.roots()).note.encode())
            chs.append(charter.ch)
        one, other = (twin.verifier() for twin in TWINS)
        assert keyid_of(one) == keyid_of(other)
        node = mx.node.partnering
        assert set(node.node_keys(keyid_of(one))) == {one, other}
        assert node.node_keys("us.localhost/node+00000000") == []
        for who, ch, shown in (
            (one, 0, True),
            (other, 1, True),
            (one, 1, False),
            (other, 0, False),
        ):
            assert (node.charter(who, chs[ch]) is not None) is shown
        works(made)


def test_a_party_that_has_new_root_keys_itself_need_not_tell_itself(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        node = mx.node
        roots = strange_roots(node.card.domain)
        card = replace(node.card, roots=Roots(1, (roots[0].public,)))
        channels = Channels(node.local, card, mx.clock, lambda size: b"r" * size, node.refresh)
        signed = channels.propose(
            KEEPER,
            name="renewed",
            title=Text("Renewed", "Renovado"),
            cards=[us.card()],
            access="members",
            purpose="cooperation",
            roots=roots,
        )
        assert signed.missing() == ("us",)
