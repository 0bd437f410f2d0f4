"""A party that signs two histories of its log, told to one honest node.

After each: who was lied to holds a proof that convinces a stranger, folds no further than it had,
goes on receiving from the honest ones, and all that is the same after a restart.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import Commands
from tests.support.histories import (
    alarms_said,
    bare_tick,
    convicted,
    cut,
    evidence,
    forked,
    frozen,
    said,
    size,
    split_by_offer,
    wait,
)
from tests.support.liars import Liar, Story
from tests.support.lies import US, code_of, many
from tests.support.nodes import NOW, OFFICER, PATIENCE_S, Home, World

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import UnavailableError
from convenio.core.mirrorwire import AddCheckpoint, UploadHeader, make_package
from convenio.core.record import PartyId
from convenio.core.split import (
    SplitProof,
    equal_split,
    split_data,
)
from convenio.node.commands import dispatcher
from convenio.node.control import ControlServer
from convenio.node.local import KIND as LOCAL_KIND
from convenio.node.local import VERSION as LOCAL_VERSION
from convenio.node.local import Channel, LocalStore
from convenio.node.registry import Registry
from convenio.node.setup import LOCAL
from convenio.node.speaking import Attachment, Saying
from convenio.store.database import Database

# --- where folding stops ---


def test_folding_stops_at_the_cut_held_and_both_histories_bind(liar: Liar, honest: World) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 2, 3)
    assert code_of(lambda: liar.offer(false, 3)) == (422, "mirror.split_view")
    proof = convicted(liar)
    one, other = (parse_checkpoint(data) for data in (proof.smaller, proof.larger))
    assert {one.root, other.root} == {true.root(), false.root()}, "both are signed by their author"
    wait(liar, lambda: size(liar, "mx") == 2)
    for _ in range(2):
        assert cut(liar) == {"mx": 1, "us": 3}, "what was folded counts, and nothing more"
        assert size(liar, "mx") == 2
        index = liar.home.node.index.latest(liar.charter.ch, 10, automatic=False)
        assert [(row.party, row.index, row.type) for row in index if row.party == "us"] == [
            ("us", number, "statement.v1") for number in (2, 1, 0)
        ]
        honest["mx"].reopen()
    convicted(liar)


def parse_checkpoint(data: bytes) -> Checkpoint:
    request = AddCheckpoint.of(0, [], data)
    return request.checkpoint


def test_entries_held_and_not_folded_yet_stay_so_also_after_a_restart(
    liar: Liar, honest: World
) -> None:
    """They wait for a log of ours that is not so long; when it is, the channel is frozen."""
    beyond = liar.record(seen={liar.home.node.party: (3, "ab" * 32)})
    true = liar.story(liar.record(), beyond, liar.record())
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 1)
    split_by_offer(liar, true)
    before = cut(liar)
    assert before["us"] == 1
    for _ in range(2):
        honest["mx"].reopen()
        assert cut(liar) == before
        assert size(liar, "us") == 3, "stored, and served"


def test_what_came_into_the_cut_with_another_log_is_marked_too(third: Liar, honest: World) -> None:
    """Else a freeze that a crash cuts short would begin from less than was folded."""
    ca = honest["ca"]
    ca.unplug()
    third.feed(third.story(*many(third, 3)))
    wait(third, lambda: cut(third) == {"mx": 1, "ca": 0, "us": 3})
    ca.serve()
    wait(third, lambda: size(third, "mx", ca) == 1)
    assert cut(third, ca) == {"mx": 0, "ca": 0, "us": 0}, "mx has seen what ca has not"
    third.feed(third.story(*many_of(third, third.home)), to="ca")
    wait(third, lambda: cut(third, ca)["mx"] == 1)
    wait(third, lambda: ca.node.store.fold_mark(third.charter.origin("mx"))[0] == 1)


def many_of(liar: Liar, home: Home) -> list[bytes]:
    """The liar's entries as a node has them."""
    store = home.node.store
    return [s.entry for s in store.entries(liar.origin, 0, store.head(liar.origin).size)]


def test_a_freeze_that_a_crash_cut_short_is_made_good_at_the_start(
    liar: Liar, honest: World
) -> None:
    """The evidence was durable, the freeze was not: no more is folded than was before."""
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 1, 2)
    node = honest["mx"].node
    root, proof = true.root(2), true.offer(2, 3).proof
    whole = SplitProof(false.checkpoint(), true.checkpoint(), root, proof)
    node.store.put_evidence(liar.origin, "split", whole.encode(), NOW)
    assert not frozen(liar)
    honest["mx"].reopen()
    convicted(liar)
    assert cut(liar) == {"mx": 1, "us": 3}
    assert code_of(lambda: liar.offer(true, 3)) == (403, "channel.frozen")


# --- what is said of it, and is not so ---


@pytest.mark.parametrize("fault", ["nothing", "another log", "itself", "a stranger"])
def test_a_false_alarm_breaks_a_rule_and_freezes_nothing(liar: Liar, fault: str) -> None:
    honest = Story(liar, many(liar, 3))
    log, _ = liar.charter.log_verifiers(US)
    same = SplitProof(honest.checkpoint(), honest.checkpoint(), honest.root(), ())
    data: Any = split_data("us", same, log)
    if fault == "another log":  # a true proof, of the liar's own log, said of ours
        lie = forked(liar, honest, 2, 3)
        true = SplitProof(honest.checkpoint(), lie.checkpoint(), lie.root(), ())
        data = {**split_data("us", true, log), "of": "mx"}
    elif fault == "itself":
        data = {"of": "us", "proof": base64.b64encode(b"no proof").decode()}
    elif fault == "a stranger":
        data = {**data, "of": "fr"}
    said_so = liar.record(desk="node", type="split.v1", data=data)
    liar.feed(liar.story(liar.record(), said_so, liar.record()))
    wait(liar, lambda: cut(liar)["us"] == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {1: "fold.split"}
    assert not frozen(liar)
    wait(liar, lambda: "objection.v1" in [h.type for h in said(liar, "mx")])
    (objection,) = [h for h in said(liar, "mx") if h.type == "objection.v1"]
    assert objection.data["code"] == "fold_split"


def test_a_party_that_proves_it_of_itself_is_believed(liar: Liar) -> None:
    """Who logs the proof matters little: it is made of the accused's own signatures."""
    one = liar.story(*many(liar, 2))
    two_ = forked(liar, one, 1, 2)
    log, _ = liar.charter.log_verifiers(US)
    proof = SplitProof(one.checkpoint(), two_.checkpoint(), two_.root(), ())
    alarm = liar.record(desk="node", type="split.v1", data=split_data("us", proof, log))
    liar.feed(one.tell(liar.record(), alarm, liar.record()))
    wait(liar, lambda: frozen(liar))
    convicted(liar)
    assert cut(liar)["us"] == 3, "what came before it is folded, and nothing from it on"


def test_nobody_types_an_alarm(liar: Liar) -> None:
    saying = Saying(liar.name, "split.v1", "", ())
    act = lambda: liar.home.node.speaking.say(OFFICER, saying)  # noqa: E731
    assert code_of(act)[1] == "say.automatic"


# --- what runs while the proof is found ---


def test_an_upload_that_was_running_is_not_cosigned(liar: Liar) -> None:
    """It began before the proof came another way, and its owner can make it last."""
    true = liar.story(*many(liar, 3))
    assert liar.offer(true) is None
    mirror, log = liar.home.node.mirror, liar.log
    header = UploadHeader(liar.origin, 0, 3)
    target = mirror.begin(log, header)
    mirror.take(log, make_package(0, true.entries, 3, true.leaves()), target)
    false = forked(liar, true, 2, 3)
    proof = equal_split(true.checkpoint(), false.checkpoint(), false.root())
    mirror.histories.accuse(log, proof)
    assert code_of(lambda: mirror.finish(log, header, target))[1] == "mirror.split_view"
    assert liar.home.node.store.cosignatures(liar.origin) == []


class Halting(LocalStore):
    """The local data; one thread, having read the channels, goes on only when it is let."""

    halted: threading.Thread | None = None
    read, go = threading.Event(), threading.Event()

    def channels(self) -> list[Channel]:
        found = super().channels()
        if threading.current_thread() is self.halted:
            self.read.set()
            assert self.go.wait(PATIENCE_S)
        return found


def test_who_read_the_channels_before_a_freeze_does_not_undo_it(liar: Liar, honest: World) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 3)
    database = Database.open(honest["mx"].path / LOCAL, LOCAL_VERSION, kind=LOCAL_KIND)
    local = Halting(database, "mx")
    with contextlib.closing(local):
        registry = Registry(local, honest["mx"].node.store, PartyId("mx"))
        local.halted = slow = threading.Thread(target=registry.refresh)
        slow.start()
        assert local.read.wait(PATIENCE_S)
        split_by_offer(liar, true)
        late = threading.Thread(target=registry.refresh)
        late.start()
        late.join(0.2)  # as long as who came first is not done, or at once
        local.go.set()
        slow.join()
        late.join()
        found = registry.log(liar.origin)
    assert found is not None
    assert (found.split, bool(found.channel.frozen_at)) == (True, True)


def test_what_is_lacked_when_a_channel_freezes_is_sent_once_more_and_no_more(
    liar: Liar, honest: World
) -> None:
    """Nobody can take a `lack` back there: it would be sent again and again for ever."""
    node, calls = honest["mx"].node, liar.service.calls
    body = Attachment(io.BytesIO(b"body"), 4)
    said = node.speaking.say(
        OFFICER, Saying(liar.name, "statement.v1", "", ("us:liaison",), (body,))
    )
    wait(liar, lambda: fed(liar) == 1)
    seen = {PartyId("mx"): (1, node.store.head(liar.our_origin).root.hex())}
    lack = {"lack": [said.leaf.hex()]}
    story = liar.story(liar.record(desk="node", type="received.v1", seen=seen, data=lack))
    before = calls.count("blob-write")
    liar.feed(story)
    wait(liar, lambda: calls.count("blob-write") > before)
    split_by_offer(liar, story)
    for _ in range(2):
        bare_tick(liar.home)
        wait(liar, lambda: fed(liar) == size(liar, "mx") and "split.v1" in types_of_ours(liar))
    node.outbox.wake(liar.charter.ch)
    feed = next(f for key, (_, f) in node.outbox._feeds.items() if key[0] == liar.charter.ch)
    wait(liar, lambda: feed._sent_frozen)
    written = calls.count("blob-write")
    assert [feed.round() for _ in range(3)] == [False] * 3
    assert calls.count("blob-write") == written


def fed(liar: Liar) -> int:
    feeds = liar.home.node.feeds()
    return next(feed.cosigned for feed in feeds if feed.ch == liar.charter.ch)


def types_of_ours(liar: Liar) -> list[str]:
    return [header.type for header in said(liar, "mx")]


def test_a_freeze_that_the_disk_refuses_is_made_good_at_the_next_tick(liar: Liar) -> None:
    """The evidence is durable; until the freeze is too, nothing more of that log is taken."""
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 2, 3)
    local = liar.home.node.local
    write = local.freeze

    def full(ch: str, at: int, cut: object) -> None:
        raise UnavailableError("store.disk_full")

    local.freeze = full  # type: ignore[method-assign]
    assert code_of(lambda: liar.offer(false, 3)) == (503, "store.disk_full")
    assert (len(evidence(liar)), frozen(liar)) == (1, False)
    assert code_of(lambda: liar.offer(true, 3)) == (422, "mirror.split_view")
    local.freeze = write  # type: ignore[method-assign]
    liar.home.node.tick()
    convicted(liar)
    assert cut(liar)["us"] == 3
    assert code_of(lambda: liar.offer(true, 3)) == (403, "channel.frozen")


def test_nobody_keeps_our_node_from_telling_by_using_its_id_first(liar: Liar) -> None:
    """The id of the alarm is made of what every clerk knows, and ids are theirs to choose."""
    ident = hashlib.sha256(f"convenio/split/1\0{liar.charter.ch}\0us".encode()).digest()[:16]
    node = liar.home.node
    node.speaking.say(OFFICER, Saying(liar.name, "statement.v1", ident.hex(), ()))
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 3)
    split_by_offer(liar, true)
    wait(liar, lambda: len(alarms_said(liar, "mx")) == 1)
    for _ in range(2):
        bare_tick(liar.home)
        liar.home.reopen()
    assert len(alarms_said(liar, "mx")) == 1


# --- what people read ---


def test_people_are_told_who_it_was_in_both_languages(
    third: Liar, honest: World, tmp_path: Path
) -> None:
    true = third.story(*many(third, 3))
    third.feed(true)
    wait(third, lambda: cut(third)["us"] == 3)
    split_by_offer(third, true)
    wait(third, lambda: bool(alarms_said(third, "ca")))
    home = honest["mx"]
    wait(third, lambda: len(home.node.index.latest(third.charter.ch, 9, automatic=False)) == 5)
    commands, control = Commands(tmp_path), ControlServer(home.path, dispatcher(home.node))
    log = ("log", home.path, "--as", OFFICER, "--channel", third.name)
    told = {
        ("status", home.path): (
            "because two histories are signed by us. What comes now is kept",
            "porque hay dos historias firmadas por us. Lo que llega ahora se guarda",
        ),
        ("channel", "show", home.path, third.name): (
            "Frozen: two histories are signed by us",
            "Suspendido: hay dos historias firmadas por us",
        ),
        ("doctor", home.path): (
            f"The channel {third.name} is frozen: two histories are signed by us.",
            f"El canal {third.name} está suspendido: hay dos historias firmadas por us.",
        ),
        log: (
            "ALARM: proof that us has signed two histories",
            "ALARMA: prueba de que us firmó dos historias",
        ),
    }
    with contextlib.closing(control):
        for words, sentences in told.items():
            for lang, sentence in zip(("en", "es"), sentences, strict=True):
                ran = commands.run(*map(str, words), lang=lang)
                assert sentence in " ".join(ran.out.split()), (ran.out, ran.err)
        place = f"mx/{size(third, 'mx') - 1}"
        ran = commands.run(*map(str, log[:1]), str(home.path), place, *log[2:])
        assert ran.code == 0, ran.err
        assert "ALARM: proof that us" in ran.out
