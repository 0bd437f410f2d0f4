"""The closed cut, what was before what, receipts and alarms, in small cases."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import pytest
from tests.property.channel import Channel, Roots

from convenio.core.canon import Object
from convenio.core.errors import RefusedError
from convenio.core.fit import Rules
from convenio.core.fold import Fold
from convenio.core.merkle import leaf_hash
from convenio.core.place import Delivery, Place, Wait
from convenio.core.record import PROOF, RECEIVED, PartyId

MX, US, CA = PartyId("mx"), PartyId("us"), PartyId("ca")


class Logs:
    """Some logs, and a fold that gets what it is told to get."""

    def __init__(self, *parties: PartyId) -> None:
        self.channel = Channel(parties or (MX, US))
        self.roots = Roots(self.channel.parties)
        self.logs: dict[PartyId, list[bytes]] = {party: [] for party in self.channel.parties}
        self.fold = self.new_fold()

    def new_fold(self) -> Fold:
        return Fold(self.channel.rules, self.roots.at)

    def say(self, party: PartyId, at: int = 0, kind: str = "statement.v1", **fields: Any) -> Place:
        """Append an entry; `seen` maps parties to sizes and defaults to all there is."""
        sizes = fields.pop("seen", {p: len(log) for p, log in self.logs.items() if p != party})
        claims = {p: (s, self.roots.at(p, s).hex()) for p, s in sizes.items() if s}
        claims |= fields.pop("claims", {})
        number = len(self.logs[party])
        made = self.channel.header(party, number, at, claims, kind=kind, **fields)
        return self.put(party, self.channel.sign(made))

    def put(self, party: PartyId, entry: bytes) -> Place:
        self.logs[party].append(entry)
        self.roots.append(party, entry)
        return Place(party, len(self.logs[party]) - 1)

    def leaf(self, place: Place) -> bytes:
        return leaf_hash(self.logs[place.party][place.index])

    def feed(self, party: PartyId, size: int | None = None) -> None:
        for index, entry in enumerate(self.logs[party][:size]):
            self.fold.feed(party, index, entry)

    def all(self) -> Fold:
        for party in self.logs:
            self.feed(party)
        return self.fold


def test_an_entry_waits_until_what_it_has_seen_is_here() -> None:
    logs = Logs()
    logs.say(MX)
    logs.say(US)
    logs.feed(US)
    assert logs.fold.cut() == {MX: 0, US: 0}
    assert logs.fold.wait(US) == Wait(MX, 1)
    logs.feed(MX)
    assert logs.fold.cut() == {MX: 1, US: 1}
    assert logs.fold.wait(US) is None


def test_what_was_seen_must_itself_be_folded_not_only_held() -> None:
    logs = Logs(MX, US, CA)
    logs.say(MX)
    logs.say(US)
    logs.say(CA, seen={US: 1})
    logs.feed(CA)
    logs.feed(US)
    assert logs.fold.cut() == {MX: 0, US: 0, CA: 0}
    assert logs.fold.held(US) == 1
    logs.feed(MX)
    assert logs.fold.cut() == {MX: 1, US: 1, CA: 1}


def test_an_invented_claim_stops_its_author_alone() -> None:
    logs = Logs()
    logs.say(US, claims={MX: (9, "00" * 32)})
    logs.say(US, 1)
    logs.say(MX, 0, seen={})
    logs.say(MX, 1, seen={})
    assert logs.all().cut() == {MX: 2, US: 0}
    assert not logs.fold.alarms


def test_a_wrong_root_ends_its_log_and_raises_an_alarm() -> None:
    logs = Logs()
    logs.say(MX)
    logs.say(US, seen={})
    logs.say(US, 1, claims={MX: (1, "11" * 32)})
    logs.say(US, 2)
    logs.say(MX, 1, seen={US: 1})
    assert logs.all().cut() == {MX: 2, US: 1}
    (alarm,) = logs.fold.alarms
    assert (alarm.place, alarm.about, alarm.size) == (Place(US, 1), MX, 1)
    assert (alarm.claimed, alarm.held) == (b"\x11" * 32, logs.roots.at(MX, 1))


def test_the_alarm_comes_as_soon_as_the_size_is_held() -> None:
    """Even if the log it is about is itself held up."""
    logs = Logs(MX, US, CA)
    logs.say(CA)
    logs.say(MX)
    logs.say(US, claims={MX: (1, "11" * 32)}, seen={})
    logs.feed(US)
    logs.feed(MX)
    assert logs.fold.cut() == {MX: 0, US: 0, CA: 0}
    assert len(logs.fold.alarms) == 1


def test_an_unfit_entry_is_skipped_with_its_code_and_its_claims_bind_nobody() -> None:
    logs = Logs()
    logs.put(MX, b"junk")
    logs.say(MX)
    logs.put(MX, logs.logs[MX][-1])
    logs.say(US)
    assert logs.all().cut() == {MX: 3, US: 1}
    assert logs.fold.unfit(MX) == {0: "note.no_signature", 2: "fold.again"}
    assert logs.fold.find(logs.leaf(Place(MX, 1))) == Place(MX, 1)


def test_a_verdict_remembered_is_taken_over() -> None:
    logs = Logs()
    logs.say(MX)
    fold = logs.new_fold()
    assert fold.feed(MX, 0, logs.logs[MX][0], unfit="fold.signature") == []
    assert fold.unfit(MX) == {0: "fold.signature"}
    other = logs.new_fold()
    (folded,) = other.feed(MX, 0, logs.logs[MX][0], verified=True)
    assert folded.place == Place(MX, 0)


def test_an_entry_held_already_is_ignored_and_a_gap_is_our_own_fault() -> None:
    logs = Logs()
    logs.say(MX)
    logs.say(MX, 1)
    logs.feed(MX, 1)
    assert logs.fold.feed(MX, 0, b"anything") == []
    with pytest.raises(RuntimeError):
        logs.fold.feed(MX, 2, b"anything")


def test_a_log_cannot_unsee() -> None:
    """A later entry that claims to have seen less has still seen what the log saw before."""
    logs = Logs()
    first = logs.say(MX)
    logs.say(US)
    later = logs.say(US, 1, seen={})
    assert logs.all().before(first, later)
    assert logs.fold.past(later) == {MX: 1, US: 1}


def test_before_goes_through_third_parties() -> None:
    logs = Logs(MX, US, CA)
    first = logs.say(MX)
    logs.say(US)
    last = logs.say(CA, seen={US: 1})
    fold = logs.all()
    assert fold.before(first, last)
    assert not fold.before(last, first)
    assert fold.is_closed({MX: 1, US: 1, CA: 0})
    assert not fold.is_closed({MX: 0, US: 1, CA: 0})
    assert not fold.is_closed({MX: 1, US: 1, CA: 5})


def test_a_halted_fold_stays_at_its_cut() -> None:
    logs = Logs()
    logs.say(MX)
    logs.say(MX, 1)
    logs.feed(MX, 1)
    logs.fold.halt()
    logs.feed(MX)
    assert logs.fold.cut() == {MX: 1, US: 0}
    assert logs.fold.halted


def test_another_version_of_the_fold_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        Fold(Rules("", 2, (), frozenset()), lambda _p, _s: b"")
    assert caught.value.code == "fold.version"


# --- receipts ---


def received(logs: Logs, party: PartyId, at: int, **lists: list[Place]) -> Place:
    data: Object = {key: [logs.leaf(p).hex() for p in places] for key, places in lists.items()}
    return logs.say(party, at, RECEIVED, data=data)


def test_an_entry_is_received_by_the_first_that_has_it_in_its_past() -> None:
    logs = Logs()
    entry = logs.say(MX, 10)
    logs.say(US, 20, seen={})
    logs.say(US, 30)
    logs.say(US, 40)
    receipt = logs.all().receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.entry, receipt.proof) == (30, 1, None)
    assert logs.fold.receipt(entry, US, {MX: 1, US: 1}) is None, "in an earlier cut"


def test_what_lacks_is_received_when_it_is_had() -> None:
    logs = Logs()
    entry = logs.say(MX)
    received(logs, US, 20, lack=[entry])
    logs.say(US, 30)
    logs.all()
    assert logs.fold.delivery(entry, US) is Delivery.LACKING
    assert logs.fold.receipt(entry, US) is None
    assert logs.fold.lacking(US) == [entry]
    received(logs, US, 40, have=[entry])
    received(logs, US, 50, have=[entry])
    logs.all()
    assert logs.fold.delivery(entry, US) is Delivery.RECEIVED
    receipt = logs.fold.receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.entry) == (40, 2)
    assert logs.fold.delivery(entry, US, {MX: 1, US: 2}) is Delivery.LACKING
    assert logs.fold.delivery(entry, US, {MX: 1, US: 0}) is Delivery.UNSEEN


def test_a_lack_named_too_late_or_too_early_is_nothing() -> None:
    logs = Logs()
    entry = logs.say(MX)
    later = logs.say(MX, 1)
    received(logs, US, 20)
    received(logs, US, 30, lack=[entry])
    logs.all()
    assert logs.fold.delivery(entry, US) is Delivery.RECEIVED
    third = logs.say(MX, 2)
    logs.say(US, 40, RECEIVED, data={"lack": [logs.leaf(third).hex()]}, seen={MX: 2})
    logs.say(US, 50)
    logs.all()
    assert logs.fold.delivery(third, US) is Delivery.RECEIVED
    assert logs.fold.delivery(later, US) is Delivery.RECEIVED


def proof(logs: Logs, of: Place, size: int, at: int, by: PartyId | None) -> Object:
    return logs.channel.proof(of.party, logs.leaf(of), size, logs.roots.at(of.party, size), at, by)


def test_a_cosignature_that_the_sender_logged_gives_the_time() -> None:
    logs = Logs()
    entry = logs.say(MX, 10)
    logs.say(MX, 11, PROOF, data=proof(logs, entry, 1, 15, US))
    receipt = logs.all().receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.entry, receipt.proof) == (15, None, 1)
    assert logs.fold.delivery(entry, US) is Delivery.UNSEEN
    logs.say(US, 100)
    receipt = logs.all().receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.entry, receipt.proof) == (15, 0, 1)


def test_a_proof_after_the_receipt_comes_too_late() -> None:
    logs = Logs()
    entry = logs.say(MX, 10)
    logs.say(US, 100)
    logs.say(MX, 110, PROOF, data=proof(logs, entry, 1, 15, US))
    receipt = logs.all().receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.proof) == (100, None)


def test_a_proof_of_another_time_only_counts_if_it_is_earlier() -> None:
    logs = Logs()
    entry = logs.say(MX, 10)
    logs.say(MX, 11, PROOF, data=proof(logs, entry, 1, 500, US))
    logs.say(US, 100, seen={MX: 1})
    receipt = logs.all().receipt(entry, US)
    assert receipt is not None
    assert (receipt.at, receipt.proof) == (100, None)


@pytest.mark.parametrize(
    "change",
    [
        {"size": 2},
        {"size": 1000},
        {"root": "00" * 32},
        {"leaf": "00" * 32},
        {"name": "ca.localhost/mirror"},
        {"sig": "AAAA"},
        {"sig": "not base64"},
        {"sig": base64.b64encode(bytes(76)).decode()},
    ],
    ids=str,
)
def test_a_proof_that_does_not_hold_is_nothing(change: dict[str, Any]) -> None:
    logs = Logs()
    entry = logs.say(MX, 10)
    logs.say(MX, 11)
    logs.say(MX, 12, PROOF, data=proof(logs, entry, 1, 15, US) | change)
    assert logs.all().cut() == {MX: 3, US: 0}, "it is fit all the same"
    assert logs.fold.receipt(entry, US) is None


def test_a_proof_over_fewer_entries_than_that_is_nothing() -> None:
    logs = Logs()
    logs.say(MX, 10)
    entry = logs.say(MX, 11)
    logs.say(MX, 12, PROOF, data=proof(logs, entry, 1, 15, US))
    assert logs.all().receipt(entry, US) is None


def test_only_a_partners_cosignature_proves_and_only_for_that_partner() -> None:
    logs = Logs(MX, US, CA)
    entry = logs.say(MX, 10)
    logs.say(MX, 11, PROOF, data=proof(logs, entry, 1, 15, MX))
    logs.say(MX, 12, PROOF, data=proof(logs, entry, 1, 0, US))
    logs.say(MX, 13, PROOF, data=proof(logs, entry, 1, 16, None))
    fold = logs.all()
    assert fold.receipt(entry, US) is None, "not one's own, not without a time, not a witness's"
    assert fold.neutral_stamps(entry) == [16]
    assert fold.neutral_stamps(entry, {MX: 3, US: 0, CA: 0}) == []
    logs.say(MX, 14, PROOF, data=proof(logs, entry, 1, 17, CA))
    logs.all()
    assert fold.receipt(entry, US) is None
    assert fold.receipt(entry, CA) is not None


def test_a_proof_in_another_log_than_the_senders_is_nothing() -> None:
    logs = Logs(MX, US, CA)
    entry = logs.say(MX, 10)
    logs.say(CA, 11, PROOF, data=proof(logs, entry, 1, 15, US))
    assert logs.all().receipt(entry, US) is None


def test_settled_is_what_all_others_have_in_their_past() -> None:
    logs = Logs(MX, US, CA)
    entry = logs.say(MX)
    logs.say(US)
    fold = logs.all()
    assert fold.settled(entry, (MX, US))
    assert not fold.settled(entry, (MX, US, CA))
    assert not fold.settled(entry, (MX, US), {MX: 1, US: 0, CA: 0})


# --- what to say next ---


def test_only_what_says_more_than_received_is_to_be_answered() -> None:
    logs = Logs()
    entry = logs.say(MX)
    fold = logs.all()
    assert list(fold.new_to(US)) == [entry]
    assert fold.needs_answer(US)
    assert not fold.needs_answer(MX)
    answer = logs.say(US, 1, RECEIVED)
    logs.all()
    assert not fold.needs_answer(US)
    assert list(fold.new_to(MX)) == [answer]
    assert not fold.needs_answer(MX)


def test_who_is_held_back_owes_nothing() -> None:
    logs = Logs()
    logs.say(US, claims={MX: (9, "00" * 32)}, seen={})
    logs.say(MX, seen={})
    assert not logs.all().needs_answer(US)
    assert not logs.fold.is_folded(US)


def test_seen_is_all_that_is_folded_with_its_roots() -> None:
    logs = Logs(MX, US, CA)
    logs.say(MX)
    logs.say(US)
    logs.say(US, 1, claims={CA: (5, "00" * 32)})
    fold = logs.all()
    root = {party: logs.roots.at(party, 1).hex() for party in (MX, US)}
    assert fold.seen(CA) == {MX: (1, root[MX]), US: (1, root[US])}
    assert fold.seen(US) == {MX: (1, root[MX])}


def test_seen_without_an_entry_leaves_out_what_has_it_in_its_past() -> None:
    logs = Logs(MX, US, CA)
    logs.say(MX)
    second = logs.say(MX, 1, seen={})
    logs.say(US, seen={MX: 1})
    logs.say(US, 1, seen={MX: 2})
    fold = logs.all()
    assert {p: size for p, (size, _) in fold.seen(CA).items()} == {MX: 2, US: 2}
    assert {p: s for p, (s, _) in fold.seen(CA, without=[second]).items()} == {MX: 1, US: 1}


# --- many at a time ---


def test_many_at_a_time_fold_as_one_by_one() -> None:
    logs = Logs()
    for number in range(200):
        logs.say(US if number % 3 == 1 else MX, number)
    logs.put(MX, b"junk")
    logs.say(MX, 300)
    fold = logs.all()
    bulk = logs.new_fold()
    folded = bulk.feed_all(US, 0, logs.logs[US])
    assert folded == [], "they wait for the other log"
    folded += bulk.feed_all(MX, 0, logs.logs[MX][:100])
    folded += bulk.feed_all(MX, 50, logs.logs[MX][50:])
    assert bulk.cut() == fold.cut()
    assert bulk.unfit(MX) == fold.unfit(MX) == {133: "note.no_signature"}
    assert len(folded) == 201
    assert all(bulk.past(each.place) == fold.past(each.place) for each in folded)
    assert all(not bulk.before(b.place, a.place) for a, b in pairwise(folded))


def test_what_was_judged_before_is_taken_over_in_bulk() -> None:
    logs = Logs()
    for number in range(10):
        logs.say(MX, number)
    spoilt = [entry[:-10] + b"AAAAAAAA=\n" for entry in logs.logs[MX]]
    logs.fold.feed_all(MX, 0, spoilt[:5], verified=True, unfit={1: "fold.at", 2: "fold.at"})
    logs.fold.feed_all(MX, 5, spoilt[5:])
    codes = {1: "fold.at", 2: "fold.at", **dict.fromkeys(range(5, 10), "fold.signature")}
    assert logs.fold.unfit(MX) == codes
