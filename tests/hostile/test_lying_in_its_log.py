"""A partner with valid keys that logs what breaks a rule, and claims to have seen what never was.

After each lie: the node runs, all it holds checks, nothing false is believed, and a channel with an
honest partner works as before.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.liars import Liar, Story, blob_of
from tests.support.lies import US, cut, frozen, held, many, objections, ours, say, state, wait
from tests.support.nodes import NOW, OFFICER, World

from convenio.core.errors import ConvenioError
from convenio.core.merkle import leaf_hash
from convenio.core.note import Ed25519Signer, Note, sign_note
from convenio.core.place import Delivery, Place
from convenio.core.record import BodyRef, PartyId, parse_record
from convenio.node.records import State
from convenio.peer.service import Stored
from convenio.store.api import LogStore
from convenio.store.api import Stored as StoredEntry


def junk(liar: Liar) -> dict[str, bytes]:
    eve = Ed25519Signer(f"{liar.domain}/k/00000000", b"e" * 32)
    proper = liar.record()
    record = parse_record(proper)
    other_ch = "ee" * 32
    (line,) = record.note.lines
    unsigned = replace(line, signature=line.signature[::-1])
    return {
        "note_no_signature": b"hello",
        "note_too_long": b"x" * 20_000,
        "fold_ch": liar.record(ch=other_ch),
        "fold_from": liar.record(sender=PartyId("mx")),
        "fold_gen": liar.record(gen=2),
        "fold_seen": liar.record(seen={US: (1, "ab" * 32)}),
        "fold_author": sign_note(replace(record.header, by=(eve.name,)).encode(), eve).encode(),
        "fold_signature": Note(record.note.text, (unsigned,)).encode(),
        "record_unknown_field": sign_note(
            record.note.text.replace(b'"v":1', b'"v":1,"w":1'),
            liar.keys.author(record.header.by[0][-8:]),
        ).encode(),
    }


JUNK = (
    "note_no_signature", "note_too_long", "fold_ch", "fold_from", "fold_gen", "fold_seen",
    "fold_author", "fold_signature", "record_unknown_field",
)  # fmt: skip


def test_junk_is_stored_cosigned_skipped_and_objected_to_once_each(liar: Liar) -> None:
    bad = junk(liar)
    good = [liar.record() for _ in range(len(bad) + 1)]
    mixed = [good[0]]
    for entry, after in zip(bad.values(), good[1:], strict=True):
        mixed += [entry, after]
    story = liar.story(*mixed, *bad.values())  # and all of it once more
    assert isinstance(liar.feed(story), Stored)
    wait(liar, lambda: cut(liar) == len(story))
    wait(liar, lambda: len(objections(liar)) >= len(bad))
    unfit = liar.home.node.folding.unfit(liar.charter.ch, US)
    assert sorted(unfit) == [n for n, entry in enumerate(story.entries) if entry not in good]
    said = dict(objections(liar))
    assert len(objections(liar)) == len(bad), "once each, however often it is repeated"
    codes = {leaf_hash(entry).hex(): code for code, entry in bad.items()}
    assert {leaf: code for leaf, code in said.items() if code != codes[leaf]} in (
        {},
        {leaf_hash(bad["note_too_long"]).hex(): "record_too_long"},
    )
    rows = liar.home.node.index.latest(liar.charter.ch, 500, automatic=True)
    assert sum(row.party == "us" for row in rows) == len(good), "junk changes no state"
    feed_again(liar, story)


def test_what_is_objected_to_is_in_the_past_of_the_objection(liar: Liar) -> None:
    """First what was received, then what breaks a rule: an objection cites what its author saw."""
    bad = junk(liar)["fold_ch"]
    story = liar.story(liar.record(), bad, liar.record())
    liar.feed(story)
    wait(liar, lambda: len(objections(liar)) == 1)
    wait(liar, lambda: "received.v1" in [header.type for header in ours(liar)])
    assert [header.type for header in ours(liar)] == ["received.v1", "objection.v1"]
    received, objection = ours(liar)
    assert objection.data["leaf"] == leaf_hash(bad).hex()
    assert received.seen[US][0] == objection.seen[US][0] == len(story)


def test_junk_alone_is_objected_to_with_the_junk_in_the_past(liar: Liar) -> None:
    story = liar.story(junk(liar)["fold_ch"])
    liar.feed(story)
    wait(liar, lambda: len(objections(liar)) == 1)
    assert [header.seen[US][0] for header in ours(liar)] == [len(story)]


def feed_again(liar: Liar, story: Story) -> None:
    """After a restart of the folding nothing is objected to again."""
    before = objections(liar)
    liar.home.reopen()
    longer = story.tell(liar.record())
    liar.feed(longer, len(story))
    wait(liar, lambda: cut(liar) == len(longer))
    wait(liar, lambda: ours(liar)[-1].type == "received.v1")
    assert objections(liar) == before


def test_thousands_of_junk_entries_bring_a_bounded_number_of_objections(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convenio.node.answering.MAX_OBJECTIONS", 20)
    story = liar.story(*(b"junk %d" % n for n in range(700)))
    liar.feed(story)
    wait(liar, lambda: cut(liar) == 700 and len(objections(liar)) == 20)
    longer = story.tell(*(b"more %d" % n for n in range(100)))
    liar.feed(longer, 700)
    wait(liar, lambda: cut(liar) == 800)
    assert len(objections(liar)) == 20


def test_a_record_replayed_from_another_channel_changes_nothing(honest: World, liar: Liar) -> None:
    """Also not if it was ours: its text names the channel it was said in."""
    mx = honest["mx"]
    (stored, *_) = mx.node.store.entries(mx.origin("ca"), 0, 1)
    (own, *_) = mx.node.store.entries(mx.origin(), 0, 1)
    liar.feed(liar.story(stored.entry, own.entry, liar.record()))
    wait(liar, lambda: cut(liar) == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {0: "fold.ch", 1: "fold.ch"}


def test_a_record_repeated_in_the_same_log_counts_once(liar: Liar) -> None:
    once = liar.record()
    liar.feed(liar.story(once, once, once))
    wait(liar, lambda: cut(liar) == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {1: "fold.again", 2: "fold.again"}
    assert len(objections(liar)) <= 1


def test_a_record_from_the_future_is_taken_and_one_dated_back_is_not(liar: Liar) -> None:
    future = liar.record(at=2**53 - 1)
    liar.feed(liar.story(liar.record(at=NOW), future, liar.record(at=NOW + 1)))
    wait(liar, lambda: cut(liar) == 3 and bool(ours(liar)))
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {2: "fold.at"}
    assert ours(liar)[-1].at < NOW + 86_400, "their clock is not ours"


def test_a_body_for_us_that_never_comes_blocks_nothing(liar: Liar) -> None:
    to = (liar.charter.address("mx:liaison"),)
    ghost = BodyRef("sealed", "ab" * 32, 100, k="cd" * 32, to=to)
    liar.feed(liar.story(liar.record(bodies=(ghost,)), liar.record()))
    folding, party = liar.home.node.folding, liar.home.node.party

    def delivered(index: int) -> Delivery:
        return folding.delivery(liar.charter.ch, Place(US, index), party)

    wait(liar, lambda: delivered(0) is Delivery.LACKING)
    assert delivered(1) is Delivery.RECEIVED


class Counting:
    """A store that counts how often a single entry of a log is read again."""

    def __init__(self, store: LogStore, origin: str) -> None:
        self._store, self._origin, self.again = store, origin, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def entries(self, origin: str, start: int, end: int) -> Iterator[StoredEntry]:
        self.again += origin == self._origin and end == start + 1
        return self._store.entries(origin, start, end)


def test_bodies_that_never_come_are_looked_for_once_each_however_many(liar: Liar) -> None:
    """Each receipt names a hundred. To look for all that are left before each of them would let a
    partner keep the fold of every channel busy for days with one day's quota."""
    folding, count = liar.home.node.folding, 1200
    to = (liar.charter.address("mx:liaison"),)
    ghosts = [
        BodyRef("sealed", os.urandom(32).hex(), 100, k="cd" * 32, to=to) for _ in range(count)
    ]
    answering = liar.home.node.answering
    store = Counting(answering._store, liar.origin)
    answering._store = cast(LogStore, store)
    with folding.taking_in:  # so that all are there before the first is answered
        liar.feed(liar.story(*(liar.record(bodies=(ghost,), to=to) for ghost in ghosts)))
        wait(liar, lambda: cut(liar) > 0)
    wait(liar, lambda: len(folding.lacking(liar.log, liar.home.node.party)) == count)
    assert store.again <= 2 * count


def test_a_body_that_is_something_else_inside_opens_to_nobody(liar: Liar) -> None:
    """The bytes are those named, but no age file: kept as received, and opening says so."""
    content = os.urandom(500)
    to = (liar.charter.address("mx:liaison"),)
    ref = BodyRef("sealed", blob_of(content), 500, k="cd" * 32, to=to)
    liar.partner.put_blob_chunk(liar.charter.ch, blob_of(content), 0, 500, content)
    liar.feed(liar.story(liar.record(bodies=(ref,), to=to)))
    wait(liar, lambda: cut(liar) == 1)
    node = liar.home.node
    out = io.BytesIO()
    with pytest.raises(ConvenioError) as caught:
        node.speaking.open(OFFICER, node.records.find("us/0", liar.name), 0, out, "test")
    assert caught.value.code.startswith(("age.", "seal."))
    assert out.getvalue() == b""


# --- what it says it has seen ---


def test_a_claim_to_have_seen_what_never_was_stops_its_author_alone(liar: Liar) -> None:
    said = say(liar)
    invented = liar.record(seen={liar.home.node.party: (99, "ab" * 32)})
    liar.feed(liar.story(liar.record(), invented, liar.record()))
    wait(liar, lambda: held(liar) == 3)
    wait(liar, lambda: cut(liar) == 1)
    waits = liar.home.node.folding.waits(liar.charter.ch)
    assert waits[US].size == 99
    assert state(liar, said) is not State.RECEIVED
    again = say(liar)
    wait(liar, lambda: state(liar, again) == State.COSIGNED)


@pytest.mark.parametrize(
    "state", [(1, 10**6, "ab" * 32), (1, 0, "ab" * 32), (1, 2**53 - 1, "ab" * 32)], ids=str
)
def test_false_states_of_cases_are_an_alarm_and_stop_nothing(
    liar: Liar, state: tuple[int, int, str]
) -> None:
    false = liar.record(type="received.v1", data={"state": list(state)})
    liar.feed(liar.story(false, *many(liar, 3), false))
    wait(liar, lambda: cut(liar) >= 4)
    wait(liar, lambda: liar.home.node.folding.differ(liar.charter.ch) == [US])
    assert not frozen(liar)


def test_another_version_of_the_fold_is_not_compared(liar: Liar) -> None:
    other = liar.record(type="received.v1", data={"state": [2, 0, "ab" * 32]})
    liar.feed(liar.story(other, liar.record()))
    wait(liar, lambda: cut(liar) == 2)
    assert liar.home.node.folding.differ(liar.charter.ch) == []


def test_a_claim_of_a_wrong_root_is_an_alarm_and_stops_its_author_alone(liar: Liar) -> None:
    said = say(liar)
    wrong = liar.record(seen={liar.home.node.party: (1, "ab" * 32)})
    liar.feed(liar.story(liar.record(), wrong, liar.record()))
    wait(liar, lambda: bool(liar.home.node.folding.alarms(liar.charter.ch)))
    (alarm,) = liar.home.node.folding.alarms(liar.charter.ch)
    assert (alarm.place, alarm.about, alarm.size) == (Place(US, 1), liar.home.node.party, 1)
    assert cut(liar) == 1
    assert state(liar, said) is not State.RECEIVED
    assert not frozen(liar), "one word against another is no proof"


def test_a_log_that_waits_for_ever_is_not_held_in_memory(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convenio.node.folding.MAX_WAITING", 600)
    invented = liar.record(seen={liar.home.node.party: (99, "ab" * 32)})
    story = liar.story(invented, *many(liar, 1500))
    liar.feed(story)
    wait(liar, lambda: held(liar) == 1501)
    liar.home.node.folding.wake()
    say(liar)
    folding = liar.home.node.folding
    wait(liar, lambda: folding._channels[liar.charter.ch].fold.held(US) >= 600)
    assert folding._channels[liar.charter.ch].fold.held(US) <= 600 + 512


def test_a_receipt_for_what_it_lacks_and_a_lack_of_what_is_not_is_its_own_affair(
    liar: Liar,
) -> None:
    """`lack` and `have` of leaves that never were, or of its own: nothing changes."""
    said = say(liar)
    own = liar.record()
    odd = liar.record(
        desk="node",
        type="received.v1",
        data={"lack": ["ab" * 32, leaf_hash(own).hex()], "have": ["cd" * 32]},
    )
    liar.feed(liar.story(own, odd))
    wait(liar, lambda: cut(liar) == 2)
    assert (
        liar.home.node.folding.lacking(liar.home.node.registry.own_log(liar.charter.ch), US) == []
    )
    wait(liar, lambda: state(liar, said) == State.COSIGNED)
