"""Saying: once, in order, durable when it is answered; the same again is known, another refused."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.support.nodes import CHANNEL, KEEPER, NOW, OFFICER, Home, World, confirm, world

from convenio.core.draft import draft
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.record import parse_record
from convenio.node.records import State
from convenio.node.speaking import Attachment, Saying
from convenio.store.api import Stored

SAME = "ab" * 16


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[World]:
    """Two nodes that agree on a channel; nobody serves, so nothing leaves."""
    with world(tmp_path, serving=False) as made:
        yield made


@pytest.fixture
def mx(alone: World) -> Home:
    return alone["mx"]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A node for tests after which nothing is different: in it nothing was ever said."""
    with world(tmp_path_factory.mktemp("still"), serving=False) as made:
        yield made["mx"]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The same, with one record."""
    with world(tmp_path_factory.mktemp("spoken"), serving=False) as made:
        made["mx"].say(b"the same words", id=SAME)
        yield made["mx"]


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


def log_of(home: Home) -> list[Stored]:
    return list(home.node.store.entries(home.origin(), 0, home.size()))


def blobs_of(home: Home) -> set[str]:
    return set(home.shelf().names())


# --- the same id ---


@pytest.mark.parametrize("form", ["bare", "open", "sealed"])
def test_the_same_said_again_under_its_id_is_known_and_said_once(mx: Home, form: str) -> None:
    def say() -> object:
        if form == "bare":
            return mx.say(id=SAME, bodies=())
        return mx.say(b"the same words", id=SAME, open_body=form == "open")

    first = say()
    blobs = blobs_of(mx)
    assert say() == replace(first, known=True)  # type: ignore[type-var]
    assert mx.size() == 1
    assert blobs_of(mx) == blobs, "what was sealed in vain is not kept"


def test_the_same_said_again_after_a_restart_is_known(mx: Home) -> None:
    first = mx.say(b"the same words", id=SAME)
    mx.reopen()
    assert mx.say(b"the same words", id=SAME) == replace(first, known=True)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"text": b"other words...", "id": SAME}, id="other words"),
        pytest.param({"text": b"the same words and more", "id": SAME}, id="more words"),
        pytest.param({"text": b"the same", "id": SAME}, id="fewer words"),
        pytest.param({"text": b"the same words", "open_body": True, "id": SAME}, id="openly"),
        pytest.param({"text": b"", "bodies": (), "id": SAME}, id="no body"),
        pytest.param({"type": "notice.v1", "id": SAME}, id="another type"),
        pytest.param({"to": ("us:node",), "id": SAME}, id="to another desk"),
        pytest.param({"due_in": 60, "id": SAME}, id="with a deadline"),
        pytest.param({"data": {"a": 1}, "id": SAME}, id="with data"),
    ],
)
def test_another_thing_under_a_taken_id_is_refused_and_changes_nothing(
    spoken: Home, other: dict[str, object]
) -> None:
    mx = spoken
    before, blobs = log_of(mx), blobs_of(mx)
    more = {"text": b"the same words", **other}
    text = more.pop("text")
    assert code_of(lambda: mx.say(text, **more)) == "record.id_taken"  # type: ignore[arg-type]
    assert (log_of(mx), blobs_of(mx)) == (before, blobs)


def test_another_label_of_the_same_words_is_another_thing(mx: Home) -> None:
    def say(media: str, name: str) -> None:
        mx.say(id=SAME, bodies=(Attachment(io.BytesIO(b"words"), 5, media, name),))

    say("text/plain", "a.txt")
    say("text/plain", "a.txt")
    assert code_of(lambda: say("text/plain", "b.txt")) == "record.id_taken"
    assert code_of(lambda: say("text/html", "a.txt")) == "record.id_taken"


def test_an_id_is_unique_in_a_channel_and_free_in_another(mx: Home) -> None:
    mx.say(b"x", id=SAME)
    assert code_of(lambda: mx.say(b"y", id=SAME)) == "record.id_taken"


def test_many_who_say_the_same_at_once_have_said_it_once(mx: Home) -> None:
    start = threading.Barrier(16)

    def say() -> object:
        start.wait(10)
        return mx.say(b"the same words", id=SAME)

    with ThreadPoolExecutor(16) as pool:
        accepted = [each.result(20) for each in [pool.submit(say) for _ in range(16)]]
    assert mx.size() == 1
    assert sum(not each.known for each in accepted) == 1  # type: ignore[attr-defined]
    assert len(blobs_of(mx)) == 1


def test_many_who_say_different_things_under_one_id_leave_one_of_them(mx: Home) -> None:
    start = threading.Barrier(8)

    def say(number: int) -> str:
        start.wait(10)
        try:
            mx.say(b"words %d" % number, id=SAME)
        except ConvenioError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(8) as pool:
        codes = [each.result(20) for each in [pool.submit(say, n) for n in range(8)]]
    assert sorted(codes) == ["", *["record.id_taken"] * 7]
    assert mx.size() == 1
    assert len(blobs_of(mx)) == 1


# --- many at once ---


def test_what_many_threads_say_lands_once_each_in_one_order(mx: Home) -> None:
    threads, each = 12, 25

    def say(thread: int) -> list[int]:
        return [mx.say(bodies=(), id=f"{thread:016x}{number:016x}").index for number in range(each)]

    with ThreadPoolExecutor(threads) as pool:
        indexes = [job.result(30) for job in [pool.submit(say, n) for n in range(threads)]]
    assert sorted(itertools.chain(*indexes)) == list(range(threads * each))
    assert all(found == sorted(found) for found in indexes), "one speaker's words keep their order"
    headers = [parse_record(stored.entry).header for stored in log_of(mx)]
    assert len({header.id for header in headers}) == threads * each
    times = [header.at for header in headers]
    assert times == sorted(times)
    assert mx.findings() == []


def test_many_at_once_share_commits(mx: Home) -> None:
    """Ten or more records to a commit under load, by the checkpoints the store was given."""
    commits, append = [], mx.node.store.append

    def counted(origin: str, size: int, entries: object, sign: object) -> object:
        commits.append(len(entries))  # type: ignore[arg-type]
        return append(origin, size, entries, sign)  # type: ignore[arg-type]

    mx.node.store.append = counted  # type: ignore[method-assign, assignment]
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: mx.say(bodies=()), range(400)))
    assert sum(commits) == 400
    assert len(commits) < 200
    assert max(commits) <= mx.node.limits.group_entries


def test_one_that_spoils_a_group_does_not_spoil_the_others(mx: Home) -> None:
    mx.say(bodies=(), id=SAME)
    start = threading.Barrier(20)

    def say(number: int) -> str:
        start.wait(10)
        try:
            mx.say(bodies=(), due_in=number + 1, id=SAME if number % 5 == 0 else "")
        except ConvenioError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(say, range(20)))
    assert codes == ["record.id_taken" if n % 5 == 0 else "" for n in range(20)]
    assert mx.size() == 17


# --- the clock ---


def test_a_small_step_back_repeats_the_last_time(mx: Home) -> None:
    for now in (NOW, NOW - 1, NOW - 2, NOW + 5.9):
        mx.clock.now = now
        mx.say(bodies=())
    assert [parse_record(s.entry).header.at for s in log_of(mx)] == [NOW, NOW, NOW, NOW + 5]


@pytest.mark.parametrize("restart", [False, True])
def test_a_large_step_back_says_nothing_until_the_clock_has_caught_up(
    mx: Home, restart: bool
) -> None:
    mx.say(bodies=())
    mx.clock.now = NOW - 3600
    if restart:
        mx.reopen()
    blobs = blobs_of(mx)
    with pytest.raises(UnavailableError) as caught:
        mx.say(b"words")
    assert (caught.value.code, caught.value.parameters) == ("clock.backwards", {"behind_s": 3600})
    assert mx.size() == 1
    assert blobs_of(mx) == blobs
    mx.clock.now = NOW + 1
    mx.say(b"words")
    assert mx.size() == 2
    assert mx.node.healthy()


# --- what is refused before it reaches the log ---


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "an unknown channel": ({"channel": "nowhere"}, "channel.unknown"),
    "an unknown type": ({"type": "gossip.v1"}, "say.type"),
    "a type that is no type": ({"type": "Gossip"}, "say.type"),
    "what only the node says": ({"type": "received.v1"}, "say.automatic"),
    "an unknown desk": ({"to": ("us:nobody",)}, "trust.unknown_desk"),
    "a party that is no member": ({"to": ("ca:liaison",)}, "trust.not_a_member"),
    "an address without a party": ({"to": ("liaison",)}, "trust.not_a_member"),
    "no recipient for a sealed body": ({"to": ()}, "say.no_recipient"),
    "an id that is no id": ({"id": "xyz"}, "record.id"),
    "an id in capitals": ({"id": "AB" * 16}, "record.id"),
    "a case that is no hash": ({"case": "12"}, "record.case"),
    "an act in words": ({"act": "Give notice"}, "record.act"),
    "an unknown caveat": ({"cav": "secret"}, "record.cav"),
    "a deadline beyond ten years": ({"due_in": 2**31}, "record.due_in"),
    "free text in the data": ({"data": {"a": "José"}}, "record.data"),
    "a fraction in the data": ({"data": {"a": 1.5}}, "canon.profile"),
    "data that fill a record": ({"data": {"a": "x" * 8000, "b": "x" * 8000}}, "record.too_long"),
    "another party's desk": ({"desk": "nobody"}, "trust.unknown_desk"),
    "a desk where one does not sit": ({"desk": "node"}, "decide.not_your_desk"),
}


@pytest.mark.parametrize(("more", "code"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_said_or_kept_with(still: Home, more: dict[str, object], code: str) -> None:
    mx = still
    to = more.get("to", ("us:liaison",))
    assert code_of(lambda: mx.say(b"words", **{**more, "to": to})) == code  # type: ignore[arg-type]
    assert mx.size() == 0
    assert blobs_of(mx) == set()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (Attachment(io.BytesIO(b"four"), 5), "seal.length"),
        (Attachment(io.BytesIO(b"four"), 3), "seal.length"),
        (Attachment(io.BytesIO(b""), 1), "seal.length"),
        (Attachment(io.BytesIO(b"x"), 1, media="words"), "seal.inner"),
        (Attachment(io.BytesIO(b"x"), 1, name="../../etc/passwd"), "seal.inner"),
        (Attachment(io.BytesIO(b"x"), 1, lang="español"), "seal.inner"),
        (Attachment(io.BytesIO(b"x"), 1 << 40), "blob.too_large"),
    ],
)
def test_a_body_that_is_not_as_announced_is_refused_and_nothing_kept(
    still: Home, body: Attachment, code: str
) -> None:
    mx = still
    assert code_of(lambda: mx.say(bodies=(body,))) == code
    good = Attachment(io.BytesIO(b"good"), 4)
    body.file.seek(0)
    assert code_of(lambda: mx.say(bodies=(good, body))) == code
    assert (mx.size(), blobs_of(mx)) == (0, set())
    assert list((mx.path / "scratch").iterdir()) == []


def test_the_auditor_and_the_keeper_say_nothing(mx: Home) -> None:
    mx.node.people.add(KEEPER, "rosa", ["auditor"], ["liaison"], NOW)
    said = Saying(CHANNEL, "statement.v1", "", ("us:liaison",), desk="liaison")
    for name in ("rosa", KEEPER):
        assert code_of(partial(mx.node.speaking.say, name, said)) == "decide.role"
    assert code_of(lambda: mx.node.speaking.say("nobody", said)) == "people.unknown"
    mx.node.people.disable(KEEPER, OFFICER, NOW)
    assert code_of(lambda: mx.say(b"x")) == "decide.disabled"
    assert mx.size() == 0


def test_an_unconfirmed_channel_takes_no_words(tmp_path: Path) -> None:
    with world(tmp_path, confirmed=False, serving=False) as made:
        mx = made["mx"]
        assert code_of(lambda: mx.say(b"words")) == "channel.unconfirmed"
        assert code_of(lambda: mx.node.channels.confirm(KEEPER, CHANNEL, "0" * 60)) == (
            "channel.fingerprint"
        )
        assert blobs_of(mx) == set()
        confirm(mx)
        mx.say(b"words")


def test_a_frozen_channel_takes_no_words_and_shows_the_old_ones(mx: Home) -> None:
    said = mx.say(b"words")
    mx.node.local.freeze(mx.channel.ch, NOW)
    mx.node.refresh()
    assert code_of(lambda: mx.say(b"words")) == "channel.frozen"
    assert mx.states(said) == [State.ACCEPTED]
    assert mx.read("mx/0") == b"words"


def test_after_the_end_nobody_waits_for_ever(mx: Home) -> None:
    """A command may still be on its way when the node stops."""
    sequencer, log = mx.node.sequencer, mx.node.registry.own_log(mx.channel.ch)
    said = mx.say(bodies=())
    header = parse_record(log_of(mx)[said.index].entry).header
    mx.node.folding.stop()
    sequencer.stop()
    late = sequencer.submit(log, draft(replace(header, id="cd" * 16)), (header.by[0][-8:],))
    with pytest.raises(UnavailableError) as caught:
        late.result(10)
    assert caught.value.code == "node.stopping"
