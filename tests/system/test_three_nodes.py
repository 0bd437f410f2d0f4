"""Three real nodes in one channel: what holds for two must hold for n.

`mx`, `us` and `gt` are whole nodes that speak real HTTP on loopback. The clock is ours.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.nodes import NOW, OFFICER, Home, World, world

from convenio.core.age import HybridIdentity, Identity
from convenio.core.bundle import policy_for
from convenio.core.errors import ConvenioError
from convenio.core.fit import Rules
from convenio.core.fold import Fold
from convenio.core.merkle import Leaves, leaf_hash, tree_root
from convenio.core.policy import Policy
from convenio.core.proof import parse_proof, verify_proof
from convenio.core.record import PROOF, Header, PartyId, parse_record
from convenio.core.seal import open_body
from convenio.instruments.builtin import BUILTIN, REQUEST
from convenio.instruments.cases import Case, Casebook
from convenio.node.commands import dispatcher
from convenio.node.records import State
from convenio.node.sequencer import Accepted
from convenio.node.verify import Check, Grade, Outcome, Report, verify
from convenio.node.wiring import system_random
from convenio.peer.client import Partner, PartnerConfig

PARTIES = ("gt", "mx", "us")
DAY_S = 86_400
PINNED = {REQUEST.name: REQUEST.hash}
ALL = ("gt:liaison", "mx:liaison", "us:liaison")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, PARTIES, instruments=PINNED) as made:
        yield made


def others(party: str) -> tuple[str, ...]:
    return tuple(desk for desk in ALL if not desk.startswith(party))


def ask(home: Home, *to: str, **more: object) -> Accepted:
    """A request with a clock, to the desks of the parties named."""
    desks = [f"{party}:liaison" for party in to]
    return home.say("Who?", desks, act="ask", inst=REQUEST.hash, type="request.v1", **more)


def answer(home: Home, opening: Accepted) -> Accepted:
    case = opening.leaf.hex()
    return home.say("He.", others(home.party), act="answer", case=case, type="request.v1")


def case(home: Home, opening: Accepted) -> Case:
    found = home.node.folding.case(home.channel.ch, opening.leaf)
    assert found is not None
    return found


def state_bytes(home: Home) -> bytes:
    """All cases as this node has folded them."""
    return home.node.folding._channels[home.channel.ch].book.state_bytes()


def headers(home: Home) -> list[Header]:
    entries = home.node.store.entries(home.origin(), 0, home.size())
    return [parse_record(stored.entry).header for stored in entries]


def proofs(home: Home) -> list[str]:
    """Whose cosignatures this node has logged."""
    return [str(header.data["name"]) for header in headers(home) if header.type == PROOF]


def states(home: Home, said: Accepted) -> dict[str, State]:
    return {d.party: d.state for d in home.node.records.delivery(home.found(said))}


def two_go_on(three: World, said: Accepted, by: str, heard: str) -> None:
    """Until a record has come to another while the third is silent."""
    home, other = three[by], three[heard]
    three.until(lambda: states(home, said)[heard] is State.RECEIVED)
    three.until(lambda: other.size(by) == home.size(by))


# --- to two of three ---


@contextlib.contextmanager
def asking(asker: Home, asked: Home) -> Iterator[Partner]:
    """What `asker` may ask of another's node over HTTP, with its own node key."""
    config = PartnerConfig(f"http://127.0.0.1:{asked.port}", key=asked.node.card.node_verifier())
    signer = asker.node.keys.node_signer()
    partner = Partner(config, signer, lambda: int(asker.clock()), system_random)
    try:
        yield partner
    finally:
        partner.close()


def test_a_member_that_is_no_recipient_holds_the_record_and_cannot_get_the_body(
    three: World,
) -> None:
    gt, mx, us = three.homes
    said = mx.say("for us alone", ("us:liaison",))
    three.settle()
    (body,) = mx.found(said).header.bodies
    assert gt.node.records.find(said.leaf.hex()).entry == mx.found(said).entry
    with pytest.raises(ConvenioError) as refused:
        gt.read("mx/0")
    assert refused.value.code == "decide.not_a_recipient"
    for holder in (mx, us):
        with asking(gt, holder) as partner:
            assert partner.get_blob_range(mx.channel.ch, body.c, 0, body.n) is None
            held = partner.blob_held(mx.channel.ch, body.c)
            assert held is not None
            assert (held.offset, held.size) == (0, None), "not even that it is there"


def test_the_keys_of_another_party_open_nothing_even_with_the_bytes_at_hand(three: World) -> None:
    gt, mx, us = three.homes
    header = mx.found(mx.say("for us alone", ("us:liaison",))).header
    three.settle()
    with asking(us, mx) as partner:
        blob = partner.get_blob_range(mx.channel.ch, header.bodies[0].c, 0, header.bodies[0].n)
    assert blob is not None
    for home in (mx, us):
        assert open_body(blob, identities(home), header, 0).data == b"for us alone"
    with pytest.raises(ConvenioError) as refused:
        open_body(blob, identities(gt), header, 0)
    assert refused.value.code == "age.no_identity"


def identities(home: Home) -> list[Identity]:
    """Every desk's secret of a party."""
    return [HybridIdentity.parse(desk.seal) for desk in home.node.keys.desks]


def test_a_record_to_two_of_three_desks_is_read_by_both_and_received_by_all(three: World) -> None:
    gt, mx, us = three.homes
    said = mx.say("to both", others("mx"))
    three.settle()
    assert (gt.read("mx/0"), us.read("mx/0"), mx.read("mx/0")) == (b"to both",) * 3
    assert states(mx, said) == {"gt": State.RECEIVED, "us": State.RECEIVED}


def test_each_of_the_others_gives_its_own_receipt_and_none_stands_for_another(
    three: World,
) -> None:
    _, mx, _ = three.homes
    said = mx.found(mx.say("to both", others("mx")))
    three.settle()
    for party in (PartyId("gt"), PartyId("us")):
        proof = parse_proof(mx.node.receipts.receipt(said, party))
        assert list(verify_proof(proof, said.leaf, believing(mx, party)).cosigned_at) == [
            f"{party}-mirror"
        ]
    args = {"as": OFFICER, "record": said.leaf.hex()}
    with pytest.raises(ConvenioError) as refused:
        dispatcher(mx.node)("receipt", args, [], lambda _done, _all: None)
    assert refused.value.code == "receipt.which_party"


def believing(home: Home, *parties: PartyId) -> Policy:
    """The policy under which receipts of `parties` for this node's log count."""
    return policy_for(home.channel, home.party, parties)


# --- one is away ---


def test_two_go_on_for_long_while_the_third_is_silent_and_then_it_has_everything(
    three: World,
) -> None:
    gt, mx, us = three.homes
    gt.close()
    for day in range(30):
        three.clock.now = NOW + day * DAY_S
        said = mx.say(f"day {day}", others("mx"))
        two_go_on(three, said, "mx", "us")
        two_go_on(three, us.say(f"heard {day}", others("us")), "us", "mx")
    assert states(mx, said) == {"gt": State.ACCEPTED, "us": State.RECEIVED}
    feeds = {feed.party: feed for feed in mx.node.feeds()}
    assert feeds[PartyId("gt")].failures
    assert not feeds[PartyId("us")].error
    gt.open()
    three.settle()
    assert states(mx, said) == {"gt": State.RECEIVED, "us": State.RECEIVED}
    assert gt.read("mx/0") == b"day 0"
    assert gt.cut() == mx.cut() == us.cut()
    assert [finding for home in three.homes for finding in home.findings()] == []


def test_a_case_between_two_is_settled_without_the_third(three: World) -> None:
    gt, mx, us = three.homes
    gt.close()
    opening = ask(us, "mx")
    two_go_on(three, opening, "us", "mx")
    two_go_on(three, answer(mx, opening), "mx", "us")
    for home in (mx, us):
        three.until(lambda home=home: all(case(home, opening).settled))  # type: ignore[misc]
        (debt,) = case(home, opening).debts
        assert (debt.status.value, debt.final) == ("in_time", True)
    gt.open()
    three.settle()
    assert state_bytes(gt) == state_bytes(mx) == state_bytes(us)


# --- a debtor that takes everything and says nothing ---


def fall_silent(home: Home) -> None:
    """It takes and cosigns what it gets; nothing it says reaches anybody."""
    home.close()
    home.open(feeding=False)


def taken(three: World, home: Home, said: Accepted, *by: str) -> None:
    """Until the mirrors of `by` have cosigned a record, and no more is said of it."""
    three.until(lambda: all(states(home, said)[party] is not State.ACCEPTED for party in by))


def wait_for_proof(three: World, home: Home, count: int) -> None:
    three.clock.now += DAY_S
    home.node.tick()
    three.until(lambda: len(proofs(home)) == count)


def test_a_debtor_that_is_cosigned_late_is_proved_too(three: World) -> None:
    """One of two debtors was away when the proof against the other was logged."""
    gt, mx, us = three.homes
    gt.close()
    fall_silent(us)
    opening = ask(mx, "gt", "us", due_in=DAY_S)
    taken(three, mx, opening, "us")
    wait_for_proof(three, mx, 1)
    gt.open(feeding=False)
    taken(three, mx, opening, "gt")
    wait_for_proof(three, mx, 2)
    assert proofs(mx) == ["us.localhost/mirror", "gt.localhost/mirror"]
    three.until(lambda: all(debt.due for debt in case(mx, opening).debts))


def test_no_proof_is_logged_about_one_who_owes_nothing_or_has_received(three: World) -> None:
    gt, mx, us = three.homes
    fall_silent(gt)
    opening = ask(mx, "us", due_in=DAY_S)
    two_go_on(three, opening, "mx", "us")
    taken(three, mx, opening, "gt")
    three.clock.now += DAY_S
    said = ask(us, "mx", due_in=DAY_S)
    two_go_on(three, said, "us", "mx")
    mx.node.tick()
    two_go_on(three, mx.say("more", ("us:liaison",)), "mx", "us")
    assert proofs(mx) == []


def test_a_clock_of_usual_length_is_proved_as_one_that_was_asked_for(three: World) -> None:
    _, mx, us = three.homes
    fall_silent(us)
    opening = ask(mx, "us")
    taken(three, mx, opening, "us")
    wait_for_proof(three, mx, 1)
    three.until(lambda: case(mx, opening).debts[0].due is not None)


def test_a_restart_proves_nothing_twice(three: World) -> None:
    _, mx, us = three.homes
    fall_silent(us)
    opening = ask(mx, "us", due_in=DAY_S)
    taken(three, mx, opening, "us")
    wait_for_proof(three, mx, 1)
    mx.reopen()
    said = mx.say("more", ("gt:liaison",))
    three.until(lambda: states(mx, said)["gt"] is State.RECEIVED)
    assert proofs(mx) == ["us.localhost/mirror"]


# --- any order of delivery ---


def speak(three: World, number: int) -> None:
    """Each says something that the others have not heard when they speak."""
    for home in three.homes:
        home.say_bare(number + 1) if home.party == "mx" else home.say("x", others(home.party))
    ask(three["us"], "mx", "gt", due_in=DAY_S)
    ask(three["mx"], "us", due_in=DAY_S)


def test_whoever_comes_back_first_all_three_fold_the_same(three: World) -> None:
    openings: list[Accepted] = []
    for number, order in enumerate(itertools.permutations(three.homes)):
        for home in three.homes:
            home.unplug()
        speak(three, number)
        openings.append(ask(three["gt"], "us", "mx", due_in=DAY_S))
        if number:
            for home in three.homes[1:]:
                answer(home, openings[number - 1])
        three.clock.now += 60
        for home in order:
            home.serve()
            home.node.outbox.wake(three.charter.charter.ch)
        three.settle()
        assert len({state_bytes(home) for home in three.homes}) == 1
    for home in three.homes:
        home.reopen()
    three.settle()
    assert len({state_bytes(home) for home in three.homes}) == 1
    logs = {p: entries(three["mx"], p) for p in PARTIES}
    for order_of_logs in itertools.permutations(PARTIES):
        assert folded_anew(three["mx"], logs, order_of_logs) == state_bytes(three["us"])


def entries(home: Home, party: str) -> list[bytes]:
    stored = home.node.store.entries(home.origin(party), 0, home.size(party))
    return [each.entry for each in stored]


def folded_anew(home: Home, logs: dict[str, list[bytes]], order: Sequence[str]) -> bytes:
    """The state of one who gets these logs from nobody he knows, one after another."""
    leaves = {p: Leaves(leaf_hash(entry) for entry in log) for p, log in logs.items()}
    fold = Fold(Rules.of(home.channel), lambda party, size: tree_root(size, leaves[party]))
    book = Casebook(fold, BUILTIN)
    for party in order:
        for index, entry in enumerate(logs[party]):
            for item in fold.feed(PartyId(party), index, entry):
                book.take(item)
    return book.state_bytes()


# --- offline ---


def bundled(home: Home, said: Accepted) -> bytes:
    out = io.BytesIO()
    home.node.bundles.bundle(OFFICER, [home.found(said)], out)
    return out.getvalue()


def report_on(three: World, folder: Path, data: bytes) -> Report:
    path = folder / "given.zip"
    path.write_bytes(data)
    return verify(path, trust=three.charter.note.encode(), now=int(three.clock()))


def uncosigned(report: Report) -> list[str]:
    noted = [f for f in report.findings if f.check is Check.UNCOSIGNED]
    assert all(each.outcome is Outcome.NOTED for each in noted)
    return [str(each.parameters["party"]) for each in noted]


def test_a_bundle_with_one_receipt_lacking_verifies_and_says_which(
    three: World, tmp_path: Path
) -> None:
    gt, mx, _ = three.homes
    gt.close()
    said = mx.say("to both", others("mx"))
    two_go_on(three, said, "mx", "us")
    report = report_on(three, tmp_path, bundled(mx, said))
    assert report.grade is Grade.VOUCHED
    assert uncosigned(report) == ["gt"]
    assert [held.party for held in report.statements[0].cosigned] == ["us"]
    gt.open()
    three.settle()
    report = report_on(three, tmp_path, bundled(mx, said))
    assert (report.grade, uncosigned(report)) == (Grade.VOUCHED, [])


def test_what_its_addressee_never_took_is_proved_by_the_third(three: World, tmp_path: Path) -> None:
    _, mx, us = three.homes
    us.close()
    said = mx.say("for us alone", ("us:liaison",))
    two_go_on(three, said, "mx", "gt")
    report = report_on(three, tmp_path, bundled(mx, said))
    assert report.grade is Grade.VOUCHED
    assert uncosigned(report) == ["us"]
    assert [held.party for held in report.statements[0].cosigned] == ["gt"]
