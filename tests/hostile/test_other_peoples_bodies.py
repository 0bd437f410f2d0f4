"""A member of a channel who is after the bodies of another: to read, to tell, to spoil, to litter.

Three real nodes. `us` has valid keys and asks mx, over real HTTP, for what gt has brought there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.nodes import OFFICER, Home, World, world
from tests.support.partners import read_all, request_bytes

from convenio.core.card import author_key_name
from convenio.core.draft import Seen, draft
from convenio.core.errors import ConvenioError, RefusedError, UnavailableError
from convenio.core.httpsig import Target, content_digest, sign_request
from convenio.core.record import BodyRef, Header, PartyId, parse_record
from convenio.node.commands.reading import record_json
from convenio.node.records import State
from convenio.node.registry import Log
from convenio.node.sequencer import Accepted
from convenio.node.sweeping import Sweeping
from convenio.node.viewing import read_open
from convenio.peer.client import Conflict, Partner, PartnerConfig
from convenio.peer.service import BlobHeld
from convenio.peer.wire import Limits
from convenio.store.api import LogStore, Stored

DAY_S = 86_400
SMALL_BYTES = 4_000  # a body longer than this is taken only once an entry cites it
FRESH = ("date", "signature", "signature-input")  # what differs between any two answers


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, ("gt", "mx", "us"), limits={"small_body_bytes": SMALL_BYTES}) as made:
        yield made
        made.settle()
        assert [home.findings() for home in made.homes] == [[], [], []]


@contextlib.contextmanager
def node_of(home: Home, other: Home) -> Iterator[Partner]:
    """What asks `other`, signed by the node key of `home`."""
    card = other.node.card
    config = PartnerConfig(card.roster.url, "", card.node_verifier(), Limits(silence_s=10))
    made = Partner(config, home.node.keys.node_signer(), lambda: int(home.clock()), os.urandom)
    try:
        yield made
    finally:
        made.close()


def cite(home: Home, *bodies: BodyRef, seen: Seen | None = None) -> Accepted:
    """A record of this party that names these bodies, whatever they are and whoever made them."""
    (desk,) = (each.id for each in home.node.keys.desks if each.alias == "liaison")
    header = Header(
        id=os.urandom(16).hex(),
        ch=home.channel.ch,
        gen=1,
        type="statement.v1",
        sender=PartyId(home.party),
        to=tuple(sorted({address for body in bodies for address in body.to})),
        by=(author_key_name(home.node.card.domain, desk),),
        at=0,
        bodies=bodies,
    )
    log = home.node.registry.own_log(home.channel.ch)
    return home.node.sequencer.submit(log, draft(header), (desk,), seen).result()


def sealed(home: Home, c: str, n: int, *to: str) -> BodyRef:
    return BodyRef("sealed", c, n, "cd" * 32, to=tuple(sorted(map(home.channel.address, to))))


def blob_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def body_of(home: Home, said: Accepted) -> BodyRef:
    return home.found(said).header.bodies[0]


def folded(made: World, holder: Home, author: Home, said: Accepted) -> None:
    """It is in the cut and in the index, from which the answers about bodies come."""
    size = holder.node.index.size
    made.until(lambda: size(holder.channel.ch, author.party) > said.index)


# --- reading ---


@pytest.mark.parametrize("form", ["sealed to the liar", "open"])
@pytest.mark.parametrize("author", ["gt", "mx"])
def test_to_cite_what_somebody_else_has_brought_gives_nobody_anything(
    three: World, author: str, form: str
) -> None:
    gt, mx, us = three.homes
    victim = three[author]
    said = victim.say(b"not for us", to=("gt:liaison", "mx:liaison"))
    three.settle()
    wanted = body_of(victim, said)
    forms = {
        "open": BodyRef("open", wanted.c, wanted.n),
        "sealed to the liar": sealed(us, wanted.c, wanted.n, "us:liaison", "mx:liaison"),
    }
    stolen = cite(us, forms[form])
    three.until(lambda: us.states(stolen)[1] == State.LACKING)
    with node_of(us, mx) as asking:
        assert asking.get_blob_range(mx.channel.ch, wanted.c, 0, wanted.n) is None
        assert asking.blob_held(mx.channel.ch, wanted.c) == BlobHeld(0, None)
    with node_of(gt, mx) as asking:
        whole = asking.get_blob_range(mx.channel.ch, wanted.c, 0, wanted.n)
        assert whole is not None
        assert blob_of(whole) == wanted.c, "whom its author named can have it as before"
    the_liars_record_is_empty_here(mx, f"us/{stolen.index}")


def the_liars_record_is_empty_here(mx: Home, place: str) -> None:
    """To our own people, too, a record has only what its own author brought."""
    found, out = mx.node.records.find(place, mx.channel.name), io.BytesIO()
    assert [body["here"] for body in record_json(mx.node, found)["bodies"]] == [False]
    person = mx.node.local.person(OFFICER)
    opens: list[Callable[[], object]] = [
        lambda: mx.node.speaking.open(OFFICER, found, 0, out, "a test"),
        lambda: read_open(mx.node.blobs, person, found, 0, out),
    ]
    for each in opens:
        with pytest.raises(ConvenioError) as caught:
            each()
        assert caught.value.code in ("blob.absent", "open.sealed")
    assert out.getvalue() == b""


def test_a_stranger_is_not_given_what_a_member_calls_open(tmp_path: Path) -> None:
    """In a public channel anybody reads open bodies; a sealed one is not made open by a third."""
    with world(tmp_path, ("gt", "mx", "us"), access="public", purpose="test") as made:
        gt, mx, us = made.homes
        wanted = body_of(gt, gt.say(b"sealed", to=("mx:liaison",)))
        shown = body_of(gt, gt.say(b"for all", to=(), open_body=True))
        folded(made, mx, us, cite(us, BodyRef("open", wanted.c, wanted.n)))
        made.until(lambda: mx.node.index.size(mx.channel.ch, "gt") >= 2)
        path = f"/blob/{mx.channel.ch}"
        for method in ("GET", "HEAD"):
            nothing = said_to(mx, request_bytes(method, f"{path}/{'0' * 64}", {}))
            assert said_to(mx, request_bytes(method, f"{path}/{wanted.c}", {})) == nothing
        status, _, content = said_to(mx, request_bytes("GET", f"{path}/{shown.c}", {}))
        assert (status, blob_of(content)) == ("HTTP/1.1 200 OK", shown.c)


def test_whom_its_author_named_reads_it_though_he_brings_it_too(three: World) -> None:
    """What one brings and what one may read are two things: neither is taken for the other."""
    gt, mx, us = three.homes
    mine = os.urandom(SMALL_BYTES + 1_000)
    given = gt.say(os.urandom(SMALL_BYTES + 1_000), to=("mx:liaison", "us:liaison"))
    three.settle()
    wanted = body_of(gt, given)
    again = cite(us, sealed(us, wanted.c, wanted.n, "mx:liaison"))
    folded(three, mx, us, again)
    ch = mx.channel.ch
    with node_of(us, mx) as asking:
        assert asking.blob_held(ch, wanted.c) == BlobHeld(0, wanted.n)
        asking.put_blob_chunk(ch, wanted.c, 0, wanted.n, mine[:100])
        assert asking.blob_held(ch, wanted.c) == BlobHeld(100, wanted.n)
        whole = asking.get_blob_range(ch, wanted.c, 0, wanted.n)
        assert whole is not None
        assert blob_of(whole) == wanted.c


# --- telling whether it is here ---


Answer = tuple[str, list[tuple[str, str]], bytes]
Probe = tuple[str, str, bytes, str]  # method, query, content, range


def said_to(mx: Home, request: bytes) -> Answer:
    """Status, fields and content of what the node says to these bytes; less what is never alike."""
    with socket.create_connection(("127.0.0.1", mx.port), 10) as sock:
        sock.sendall(request)
        head, _, content = read_all(sock).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    return status, sorted(field for field in fields if field[0] not in FRESH), content


def ask(liar: Home, mx: Home, c: str, probe: Probe) -> Answer:
    method, query, content, span = probe
    path = f"/blob/{mx.channel.ch}/{c}"
    target = Target(method, f"127.0.0.1:{mx.port}", path, query)
    signed = sign_request(
        target,
        content_digest(content),
        "identity",
        liar.node.keys.node_signer(),
        created=int(liar.clock()),
        nonce=os.urandom(16),
    )
    fields = signed.fields() | ({"range": span} if span else {})
    whole = path + (f"?{query}" if query else "")
    return said_to(mx, request_bytes(method, whole, fields, content))


def probes(n: int, right: bytes) -> list[Probe]:
    """Everything a member can ask about a blob of `n` bytes."""
    look = [("HEAD", "", b"", ""), ("GET", "", b"", ""), ("GET", "", b"", "bytes=0-9")]
    return [
        *look,
        ("GET", "", b"", f"bytes={n}-"),
        ("PUT", f"offset=0&size={n}", b"?" * n, ""),
        ("PUT", f"offset=5&size={n}", b"?", ""),
        ("PUT", f"offset={n - 1}&size={n}", b"?", ""),
        ("PUT", f"offset=0&size={n + 1}", b"?", ""),
        ("PUT", f"offset=0&size={SMALL_BYTES + 1}", b"?", ""),
        ("PUT", f"offset=0&size={1 << 62}", b"?", ""),
        *look,
        ("PUT", f"offset=1&size={n}", b"?", ""),
        *look,
        ("PUT", f"offset=0&size={n}", right, ""),
        ("PUT", f"offset=0&size={n}", b"?", ""),
        *look,
    ]


@pytest.mark.parametrize("cited", ["by its author", "by the asker too", "by nobody"])
def test_no_answer_tells_whether_what_another_brought_is_here(three: World, cited: str) -> None:
    _, mx, us = three.homes
    held, gone = brought(three, announced=cited != "by nobody")
    if cited == "by the asker too":
        for body in (held, gone):
            named = sealed(us, blob_of(body), len(body), "us:liaison", "mx:liaison")
            folded(three, mx, us, cite(us, named))
    shelf = mx.shelf("gt")
    assert (shelf.has(blob_of(held)), shelf.has(blob_of(gone))) == (True, False)
    answers = [
        [alike(ask(us, mx, blob_of(body), probe), body) for probe in probes(len(body), body)]
        for body in (held, gone)
    ]
    for probe, one, other in zip(probes(len(held), b""), *answers, strict=True):
        assert one == other, probe
    statuses = {one[0].split()[1] for one in answers[0]}
    assert {"200", "204", "403", "404", "409", "422"} <= statuses, "the probes do get somewhere"
    assert not shelf.has(blob_of(gone)), "nor did what the liar brought fill the gap"
    shelf.put(blob_of(gone), gone)


def alike(answer: Answer, body: bytes) -> Answer:
    """The answer, with what the liar has brought itself and may have back put as `ours`."""
    status, fields, content = answer
    if content and content in body:
        fields = [field for field in fields if field[0] != "content-digest"]
        content = b"ours, from %d" % body.index(content)
    return status, fields, content


def brought(made: World, *, announced: bool) -> tuple[bytes, bytes]:
    """Two bodies of one length that gt has brought to mx; one of them is not here any more."""
    gt, mx, _ = made.homes
    if announced:
        refs = [body_of(gt, gt.say(b"words %d" % n, to=("mx:liaison",))) for n in range(2)]
        made.settle()
        bodies = []
        for ref in refs:
            with gt.shelf().open(ref.c) as file:
                bodies.append(file.read())
    else:
        bodies = [os.urandom(500), os.urandom(500)]
        with node_of(gt, mx) as asking:
            for body in bodies:
                asking.put_blob_chunk(mx.channel.ch, blob_of(body), 0, len(body), body)
    assert mx.shelf("gt").delete(blob_of(bodies[1]))
    return bodies[0], bodies[1]


# --- spoiling ---


def test_a_large_upload_survives_whoever_would_spoil_it(three: World) -> None:
    gt, mx, us = three.homes
    content = os.urandom(10_000)
    c, n, ch = blob_of(content), len(content), mx.channel.ch
    for home in (gt, us):
        folded(three, mx, home, cite(home, sealed(home, c, n, "mx:liaison")))
    with node_of(gt, mx) as honest, node_of(us, mx) as spoiler:
        assert honest.put_blob_chunk(ch, c, 0, n, content[:4_000]) == BlobHeld(4_000, None)
        assert spoiler.put_blob_chunk(ch, c, 4_000, n, b"?") == Conflict(0), "not where gt stands"
        with pytest.raises(RefusedError) as caught:
            spoiler.put_blob_chunk(ch, c, 0, n, b"?" * n)
        assert caught.value.parameters["reason"] == "blob.hash_differs"
        assert spoiler.put_blob_chunk(ch, c, 0, n, b"?" * 9_999) == BlobHeld(9_999, None)
        assert honest.blob_held(ch, c) == BlobHeld(4_000, None)
        assert honest.put_blob_chunk(ch, c, 4_000, n, content[4_000:]) == BlobHeld(n, n)
        assert spoiler.blob_held(ch, c) == BlobHeld(9_999, None)
        with pytest.raises(RefusedError):
            spoiler.put_blob_chunk(ch, c, 9_999, n, b"?")
    with mx.shelf("gt").open(c) as file:
        assert file.read() == content
    assert not mx.shelf("us").has(c)
    three.until(lambda: mx.node.folding.lacking(mx_log(mx, "gt"), mx.node.party) == [])


def mx_log(mx: Home, party: str) -> Log:
    return next(log for log in mx.node.registry.logs(mx.channel.ch) if log.party == party)


def test_another_s_citation_makes_no_room_for_a_large_body(three: World) -> None:
    gt, mx, us = three.homes
    content = os.urandom(SMALL_BYTES + 1)
    c, n = blob_of(content), len(content)
    folded(three, mx, gt, cite(gt, sealed(gt, c, n, "mx:liaison")))
    with node_of(us, mx) as asking, pytest.raises(RefusedError) as caught:
        asking.put_blob_chunk(mx.channel.ch, c, 0, n, content)
    assert caught.value.parameters["reason"] == "blob.not_cited"
    with node_of(gt, mx) as asking:
        asking.put_blob_chunk(mx.channel.ch, c, 0, n, content)


# --- littering ---


def litter(home: Home, mx: Home, content: bytes = b"") -> str:
    """A small body that its bringer does not speak of."""
    content = content or os.urandom(300)
    with node_of(home, mx) as asking:
        asking.put_blob_chunk(mx.channel.ch, blob_of(content), 0, len(content), content)
    return blob_of(content)


def wait_and_sweep(made: World, days: float) -> None:
    made.clock.now += days * DAY_S
    for home in made.homes:
        home.node.tick()


def test_what_no_entry_cites_is_gone_after_a_week_and_nothing_else_is(three: World) -> None:
    gt, mx, us = three.homes
    said = gt.say(b"cited", to=("mx:liaison",))
    three.settle()
    junk, ours = litter(us, mx), os.urandom(300)
    mx.shelf().put(blob_of(ours), ours)  # its record may be on its way
    wait_and_sweep(three, 0)
    wait_and_sweep(three, 6.9)
    assert mx.shelf("us").has(junk)
    late = litter(us, mx)
    wait_and_sweep(three, 1)
    assert list(mx.shelf("us").names()) == [late]
    assert mx.shelf("gt").has(body_of(gt, said).c)
    assert mx.shelf().has(blob_of(ours))
    wait_and_sweep(three, 7)
    assert list(mx.shelf("us").names()) == []
    assert mx.read("gt/0") == b"cited"


def test_what_only_another_party_cites_is_litter_all_the_same(three: World) -> None:
    gt, mx, us = three.homes
    junk = litter(us, mx)
    folded(three, mx, gt, cite(gt, sealed(gt, junk, 300, "mx:liaison")))
    wait_and_sweep(three, 8)
    assert not mx.shelf("us").has(junk)


def test_a_body_whose_entry_waits_for_another_log_is_kept(tmp_path: Path) -> None:
    with world(tmp_path, ("gt", "mx", "us")) as made:
        _, mx, us = made.homes
        kept, junk = litter(us, mx), litter(us, mx)
        never = {PartyId("gt"): (99, "ab" * 32)}
        cite(us, sealed(us, kept, 300, "mx:liaison"), seen=never)
        made.until(lambda: mx.size("us") == 1 and bool(mx.node.folding.waits(mx.channel.ch)))
        wait_and_sweep(made, 8)
        assert list(mx.shelf("us").names()) == [kept]
        assert not mx.shelf("us").has(junk)


def test_what_waits_is_not_read_while_the_fold_waits_for_us(tmp_path: Path) -> None:
    """A log can be made to wait for ever and grow by a quota a day; all channels fold meanwhile."""
    with world(tmp_path, ("gt", "mx", "us")) as made:
        _, mx, us = made.homes
        junk = [litter(us, mx) for _ in range(3)]
        cite(us, seen={PartyId("gt"): (99, "ab" * 32)})
        made.until(lambda: mx.size("us") == 1 and bool(mx.node.folding.waits(mx.channel.ch)))
        made.clock.now += 8 * DAY_S
        node, held = mx.node, threading.Lock()
        store = ReadWhile(node.store, held)
        Sweeping(
            node.registry,
            cast(LogStore, store),
            node.blobs,
            node.index,
            held,
            node.clock,
            node.limits,
        ).sweep()
        assert not any(mx.shelf("us").has(c) for c in junk)
        assert store.read > 0
        assert store.read_while == 0


class ReadWhile:
    """A store that counts the entries read, and those read while a lock is held."""

    def __init__(self, store: LogStore, lock: threading.Lock) -> None:
        self._store, self._lock = store, lock
        self.read = self.read_while = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def entries(self, origin: str, start: int, end: int) -> Iterator[Stored]:
        for stored in self._store.entries(origin, start, end):
            self.read += 1
            self.read_while += self._lock.locked()
            yield stored


def test_a_frozen_channel_is_neither_swept_nor_littered(tmp_path: Path) -> None:
    with world(tmp_path, ("gt", "mx", "us")) as made:
        _, mx, us = made.homes
        junk, late = litter(us, mx), os.urandom(300)
        folded(made, mx, us, cite(us, sealed(us, blob_of(late), 300, "mx:liaison")))
        mx.freeze()
        wait_and_sweep(made, 30)
        assert mx.shelf("us").has(junk)
        with pytest.raises(RefusedError) as caught:
            litter(us, mx)
        assert caught.value.parameters["reason"] == "blob.not_cited"
        assert mx.shelf("us").has(litter(us, mx, late)), "what was spoken of before may still come"


def test_a_disk_that_cannot_be_read_stops_the_sweep_and_not_the_node(three: World) -> None:
    _, mx, us = three.homes
    junk = litter(us, mx)
    bad = mx.path / "blobs" / mx.channel.ch / "us" / ("00" if junk[:2] == "ff" else "ff")
    bad.write_bytes(b"no folder")
    wait_and_sweep(three, 8)
    assert (mx.shelf("us").has(junk), mx.node.healthy()) == (True, True)
    bad.unlink()
    wait_and_sweep(three, 0)
    assert not mx.shelf("us").has(junk), "tried again at the next tick, not the next day"


class Door:
    """Lets no checkpoint of anybody in until it is opened: bodies come, entries do not."""

    def __init__(self, home: Home) -> None:
        self._partnering, self._add = home.node.partnering, home.node.partnering.add_checkpoint
        self._partnering.add_checkpoint = self  # type: ignore[method-assign, assignment]

    def __call__(self, who: object, request: object) -> object:
        raise UnavailableError("store.locked")

    def open(self) -> None:
        self._partnering.add_checkpoint = self._add  # type: ignore[method-assign]


def test_a_body_swept_before_its_entry_came_is_lacked_and_sent_again(three: World) -> None:
    _, mx, us = three.homes
    door = Door(mx)
    said = us.say(b"late news", to=("mx:liaison",))
    c = body_of(us, said).c
    three.until(lambda: mx.shelf("us").has(c))
    wait_and_sweep(three, 8)
    assert not mx.shelf("us").has(c)
    door.open()
    three.until(lambda: us.states(said)[1] == State.RECEIVED)
    assert mx.read(f"us/{said.index}") == b"late news"
    own = mx.node.store.entries(mx.origin(), 0, mx.size())
    lacked = [entry for entry in own if "lack" in parse_record(entry.entry).header.data]
    assert len(lacked) == 1


def test_an_entry_that_comes_while_we_sweep_keeps_its_body(three: World) -> None:
    """Whatever was found uncited is asked for again when nothing new can be taken in."""
    _, mx, us = three.homes
    door = Door(mx)
    said = us.say(b"just in time", to=("mx:liaison",))
    three.until(lambda: mx.shelf("us").has(body_of(us, said).c))

    class ComesFirst(AbstractContextManager[None]):
        """As if the entry had been taken in right before we could."""

        def __enter__(self) -> None:
            door.open()
            three.until(lambda: us.states(said)[1] == State.RECEIVED)

        def __exit__(self, *_raised: object) -> None:
            return None

    node = mx.node
    three.clock.now += 8 * DAY_S
    sweeping = Sweeping(
        node.registry, node.store, node.blobs, node.index, ComesFirst(), node.clock, node.limits
    )
    sweeping.sweep()
    assert us.states(said)[1] == State.RECEIVED
    assert mx.read(f"us/{said.index}") == b"just in time"


def test_an_entry_is_not_looked_at_while_we_sweep(three: World) -> None:
    """Else it could be called received by a look at the body that we are just deleting."""
    _, mx, us = three.homes
    with mx.node.folding.taking_in:
        said = us.say(b"at the same time", to=("mx:liaison",))
        three.until(lambda: mx.cut()["us"] > said.index)
        assert mx.shelf("us").delete(body_of(us, said).c)
    three.until(lambda: us.states(said)[1] == State.RECEIVED)
    assert mx.read(f"us/{said.index}") == b"at the same time"
