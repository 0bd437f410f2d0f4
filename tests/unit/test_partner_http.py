"""Two nodes over real sockets: what may be asked, by whom, and how it is answered."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator

import pytest
from tests.support.partners import (
    CH,
    EVE,
    LINE,
    TWINS,
    US,
    FakeNode,
    Running,
    blob_name,
    log_name,
    request_bytes,
    running,
)

from convenio.api import handlers
from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    ProofError,
    RefusedError,
    SignatureError,
    SplitViewError,
    UnavailableError,
)
from convenio.core.httpsig import keyid_of
from convenio.core.mirrorwire import MirrorInfo, Package, UploadHeader
from convenio.core.note import Note, SignatureLine
from convenio.peer.client import Conflict
from convenio.peer.limits import MAX_CHUNK_BYTES, MAX_ENTRIES_BYTES
from convenio.peer.service import BlobHeld, BlobRef, Elsewhere, LogRef, Progress, Stored

ORIGIN = "mx.localhost/c/1"
OWN = LogRef(log_name(ORIGIN), mirror=False)
MIRROR = LogRef(log_name(ORIGIN), mirror=True)


@pytest.fixture(scope="module")
def world() -> Iterator[Running]:
    with running(path="/convenio") as one:
        yield one


@pytest.fixture
def node(world: Running) -> FakeNode:
    """The node behind the server, empty before every test."""
    world.node.__dict__.update(FakeNode().__dict__)
    return world.node


def offer(old: int, size: int, origin: str = "us.localhost/c/1", end: bytes = b"good") -> bytes:
    """An add-checkpoint body; its proof and signature are only shapes."""
    proof = b"A" * 43 + b"=\n" if old else b""
    line = SignatureLine(origin, b"\0\0\0\1", b"signature" + end)
    note = Note(Checkpoint(origin, size, bytes(32)).text(), (line,))
    return b"old %d\n" % old + proof + b"\n" + note.encode()


def upload(entries: list[bytes], start: int = 0, end: int = 0, cut: int = 0) -> bytes:
    """An add-entries body of these entries, `cut` bytes short."""
    body = UploadHeader("us.localhost/c/1", start, end or start + len(entries)).encode()
    for at in range(0, len(entries), 256):
        body += Package(start + at, tuple(entries[at : at + 256]), (bytes(32),)).encode()
    return body[: len(body) - cut]


# --- reading -----------------------------------------------------------------------------------


def test_a_known_node_reads_logs_mirrors_tiles_bundles_and_charters(
    world: Running, node: FakeNode
) -> None:
    node.checkpoints = {OWN: b"own\n", MIRROR: b"mirror\n"}
    node.tiles = {
        (OWN, 0, 1234067, 256): b"t" * 8192,
        (MIRROR, 1, 0, 5): b"u" * 160,
        (OWN, "entries", 0, 2): b"\0\1a\0\1b",
    }
    node.charters = {CH: b"charter\n"}
    us = world.partner()
    assert us.get_checkpoint(ORIGIN) == b"own\n"
    assert us.get_checkpoint(ORIGIN, mirror=True) == b"mirror\n"
    assert us.get_tile(ORIGIN, 0, 1234067, 256) == b"t" * 8192
    assert us.get_tile(ORIGIN, 1, 0, 5, mirror=True) == b"u" * 160
    assert us.get_bundle(ORIGIN, 0, 2) == b"\0\1a\0\1b"
    assert us.get_charter(CH) == b"charter\n"
    assert us.get_checkpoint("other") is None
    assert us.get_tile(ORIGIN, 0, 0, 256) is None
    us.close()


def head_of(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = {line.split(b": ")[0].lower(): line.split(b": ", 1)[1] for line in lines}
    fields.pop(b"date", None)
    return first, fields, content


def test_what_is_public_needs_no_signature_and_may_be_cached(
    world: Running, node: FakeNode
) -> None:
    node.public = {OWN.name}
    node.checkpoints = {OWN: b"own\n"}
    node.tiles = {(OWN, 0, 0, 1): bytes(32)}
    path = f"/convenio/log/{OWN.name}"
    first, fields, content = head_of(world.raw(request_bytes("GET", f"{path}/checkpoint", {})))
    assert (first, content) == (b"HTTP/1.1 200 OK", b"own\n")
    assert fields[b"content-type"] == b"text/plain; charset=utf-8"
    assert fields[b"cache-control"] == b"no-cache"
    assert b"signature" not in fields
    _, fields, content = head_of(world.raw(request_bytes("GET", f"{path}/tile/0/000.p/1", {})))
    assert content == bytes(32)
    assert fields[b"content-type"] == b"application/octet-stream"
    assert fields[b"cache-control"] == b"public, max-age=31536000, immutable"
    _, fields, content = head_of(world.raw(request_bytes("HEAD", f"{path}/checkpoint", {})))
    assert (fields[b"content-length"], content) == (b"4", b"")
    assert world.partner(None).get_checkpoint(ORIGIN) == b"own\n"
    assert world.partner().get_checkpoint(ORIGIN) == b"own\n"


def test_what_is_signed_is_cached_nowhere(world: Running, node: FakeNode) -> None:
    node.tiles = {(OWN, 0, 0, 1): bytes(32)}
    answer = world.raw(world.signed("GET", f"/convenio/log/{OWN.name}/tile/0/000.p/1"))
    assert head_of(answer)[1][b"cache-control"] == b"no-store"


STRANGE = {
    "a private log": f"/log/{OWN.name}/checkpoint",
    "no log": f"/log/{'0' * 64}/checkpoint",
    "a private mirror": f"/mirror/{OWN.name}/checkpoint",
    "a private tile": f"/log/{OWN.name}/tile/0/000.p/1",
    "a private bundle": f"/log/{OWN.name}/tile/entries/000.p/1",
    "a private charter": f"/charter/{CH}",
    "a private blob": f"/blob/{CH}/{blob_name(b'x')}",
    "no blob": f"/blob/{CH}/{'0' * 64}",
    "a tile path that is none": f"/log/{OWN.name}/tile/0/0000",
    "a name that is no hash": "/log/xyz/checkpoint",
    "capitals in a hash": f"/log/{OWN.name.upper()}/checkpoint",
    "a path that does not exist": "/admin",
    "an escaped path": f"/%6cog/{OWN.name}/checkpoint",
    "a path that climbs": f"/log/../log/{OWN.name}/checkpoint",
    "a slash too many": f"/log/{OWN.name}/checkpoint/",
    "a query": f"/log/{OWN.name}/checkpoint?%00",
}


def unsignable(path: str) -> bool:
    return "%" in path or "/../" in path


@pytest.mark.parametrize("path", STRANGE.values(), ids=STRANGE.keys())
@pytest.mark.parametrize("who", ["nobody", "an unknown key", "a bad signature"])
def test_a_stranger_gets_one_and_the_same_404(
    world: Running, node: FakeNode, path: str, who: str
) -> None:
    node.checkpoints = {OWN: b"own\n", MIRROR: b"mirror\n"}
    node.charters = {CH: b"charter\n"}
    node.tiles = {(OWN, 0, 0, 1): bytes(32), (OWN, "entries", 0, 1): b"\0\1a"}
    node.hold(b"x")
    path = f"/convenio{path}"
    request = request_bytes("GET", path, {})
    if who != "nobody" and not unsignable(path):
        signer = EVE if who == "an unknown key" else US
        request = world.signed("GET", path, signer=signer)
        if who == "a bad signature":
            request = request.replace(b'nonce="00', b'nonce="ff')
    first, fields, content = head_of(world.raw(request))
    assert first == b"HTTP/1.1 404 Not Found"
    assert content == b"not found\n"
    assert fields == {
        b"content-type": b"text/plain; charset=utf-8",
        b"cache-control": b"no-store",
        b"content-length": b"10",
        b"connection": b"close",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mirror/add-checkpoint"),
        ("POST", "/mirror/add-entries"),
        ("PUT", f"/blob/{CH}/{blob_name(b'x')}?offset=0&size=1"),
        ("DELETE", f"/blob/{CH}/{blob_name(b'x')}"),
        ("POST", f"/log/{OWN.name}/checkpoint"),
        ("OPTIONS", "/mirror/add-entries"),
        ("HEAD", f"/blob/{CH}/{blob_name(b'x')}"),
    ],
)
def test_a_stranger_can_bring_nothing_and_learns_nothing(
    world: Running, node: FakeNode, method: str, path: str
) -> None:
    answer = world.raw(request_bytes(method, f"/convenio{path}", {}, b"x"))
    first, fields, content = head_of(answer)
    assert first == b"HTTP/1.1 404 Not Found"
    assert content in (b"not found\n", b"")
    assert fields[b"content-length"] == b"10"
    assert b"signature" not in fields
    assert [call for call in node.calls if call != CH] == []


def test_whose_keyid_meets_anothers_is_known_by_its_own_key(world: Running, node: FakeNode) -> None:
    """In whichever order the keys are tried; and who has neither is nobody."""
    known, other = (twin.verifier() for twin in TWINS)
    assert keyid_of(known) == keyid_of(other)
    node.checkpoints, node.members = {OWN: b"own\n"}, {known}
    for keys in ([known, other], [other, known]):
        node.twins = {keyid_of(known): keys}
        assert world.partner(TWINS[0]).get_checkpoint(ORIGIN) == b"own\n"
        assert world.partner(TWINS[1]).get_checkpoint(ORIGIN) is None
    node.twins = {keyid_of(known): [other]}
    with pytest.raises(UnavailableError, match=r"peer\.stranger"):  # a stranger gets the 404
        world.partner(TWINS[0]).get_checkpoint(ORIGIN)


def test_a_known_node_of_another_channel_is_told_no_more_than_that(
    world: Running, node: FakeNode
) -> None:
    """Its 404 is signed, and the same whether the log exists or not."""
    node.known[keyid_of(EVE)] = EVE.verifier()
    node.checkpoints = {OWN: b"own\n"}
    eve = world.partner(EVE)
    assert eve.get_checkpoint(ORIGIN) is None
    assert eve.get_checkpoint("us.localhost/c/404") is None
    with pytest.raises(RefusedError) as caught:
        eve.add_checkpoint(offer(0, 1))
    assert caught.value.parameters["status"] == 404


def test_anybody_may_ask_whether_the_node_is_well(world: Running, node: FakeNode) -> None:
    assert head_of(world.raw(request_bytes("GET", "/convenio/healthz", {})))[2] == b"ok\n"
    node.is_healthy = False
    answer = world.raw(request_bytes("GET", "/convenio/healthz", {}))
    assert answer.startswith(b"HTTP/1.1 503")


# --- feeding the mirror ------------------------------------------------------------------------


def test_a_checkpoint_is_taken_or_answered_with_the_size_that_is_here(
    world: Running, node: FakeNode
) -> None:
    us = world.partner()
    assert us.add_checkpoint(offer(0, 5)) is None
    assert us.add_checkpoint(offer(3, 8)) == Conflict(5)
    assert us.add_checkpoint(offer(5, 8)) is None
    assert node.pending == 8


def test_the_conflict_is_written_as_the_witness_protocol_says(
    world: Running, node: FakeNode
) -> None:
    node.pending = 7
    path = "/convenio/mirror/add-checkpoint"
    first, fields, content = head_of(world.raw(world.signed("POST", path, content=offer(0, 9))))
    assert (first, content) == (b"HTTP/1.1 409 Conflict", b"7\n")
    assert fields[b"content-type"] == b"text/x.tlog.size"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(offer(0, 1, "eve.localhost/c/1"), 404, "", id="unknown origin"),
        pytest.param(offer(0, 1, end=b"forged"), 403, "note.bad_signature", id="bad signature"),
        pytest.param(offer(9, 1), 400, "mirrorwire.old_size", id="old above the checkpoint's"),
        pytest.param(b"old 0\n", 400, "mirrorwire.add_checkpoint", id="not a request"),
    ],
)
def test_a_refused_checkpoint_has_the_status_of_the_witness_protocol(
    world: Running, node: FakeNode, body: bytes, status: int, reason: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        world.partner().add_checkpoint(body)
    assert caught.value.code == "peer.refused"
    assert caught.value.parameters == {"status": status, "reason": reason}


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (MalformedError("a.b"), RefusedError, 400),
        (SignatureError("a.b"), RefusedError, 403),
        (RefusedError("a.b"), RefusedError, 403),
        (ProofError("a.b"), RefusedError, 422),
        (SplitViewError("a.b"), RefusedError, 422),
        (RefusedError("quota.b"), UnavailableError, 429),
        (UnavailableError("a.b"), UnavailableError, 503),
        (ConflictError("a.b"), UnavailableError, 503),
    ],
    ids=lambda value: getattr(value, "__class__", type(value)).__name__,
)
def test_every_kind_of_error_has_its_status_and_sends_its_code(
    world: Running,
    node: FakeNode,
    error: ConvenioError,
    raised: type[ConvenioError],
    status: int,
) -> None:
    node.error = error
    with pytest.raises(raised) as caught:
        world.partner().get_charter(CH)
    assert caught.value.parameters == {"status": status, "reason": error.code}
    answer = world.raw(request_bytes("GET", f"/convenio/charter/{CH}", {}))
    strange = b"503" if isinstance(error, UnavailableError) else b"404"
    assert answer.split()[1] == strange


@pytest.mark.parametrize("compress", [True, False])
def test_entries_are_stored_and_answered_with_cosignatures(
    world: Running, node: FakeNode, compress: bool
) -> None:
    entries = [b"entry %d" % number for number in range(600)]
    answer = world.partner().add_entries(upload(entries), compress=compress)
    assert answer == Stored(LINE)
    assert node.entries == entries


def test_a_prefix_of_the_packages_is_progress(world: Running, node: FakeNode) -> None:
    entries = [b"e"] * 256
    answer = world.partner().add_entries(upload(entries, end=300))
    assert answer == Progress(MirrorInfo(300, 256))
    assert node.entries == entries


def test_packages_before_the_broken_one_count(world: Running, node: FakeNode) -> None:
    answer = world.partner().add_entries(upload([b"e"] * 300, cut=1))
    assert answer == Progress(MirrorInfo(300, 256))


def test_an_upload_that_does_not_fit_is_told_where_the_mirror_is(
    world: Running, node: FakeNode
) -> None:
    node.pending = 4
    assert world.partner().add_entries(upload([b"e"], start=9)) == Elsewhere(MirrorInfo(4, 0))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0", id="a header cut off"),
        pytest.param(upload([b"e"] * 2, cut=1), id="the only package cut off"),
        pytest.param(b"\0\0" + bytes(20), id="an empty origin"),
    ],
)
def test_an_upload_of_not_one_package_is_malformed(
    world: Running, node: FakeNode, body: bytes
) -> None:
    with pytest.raises(RefusedError) as caught:
        world.partner().add_entries(body)
    assert caught.value.parameters == {"status": 400, "reason": "http.entries"}


def test_an_empty_upload_refreshes_the_cosignature(world: Running, node: FakeNode) -> None:
    node.entries = [b"e"] * 3
    assert world.partner().add_entries(upload([], start=3)) == Stored(LINE)


def test_mirror_info_is_written_as_the_mirror_protocol_says(world: Running, node: FakeNode) -> None:
    path, body = "/convenio/mirror/add-entries", upload([b"e"] * 256, end=300)
    first, fields, content = head_of(world.raw(world.signed("POST", path, content=body)))
    assert (first, content) == (b"HTTP/1.1 202 Accepted", b"300\n256\n\n")
    assert fields[b"content-type"] == b"text/x.tlog.mirror-info"
    assert fields[b"accept-encoding"] == b"gzip"


def test_unpacking_stops_at_the_limit_however_small_the_packed_body_is() -> None:
    bomb = gzip.compress(bytes(256 * 1024 * 1024), 1)
    assert len(bomb) < 2_000_000
    total = longest = 0
    for chunk in handlers._unpacked(bomb, "gzip"):
        total, longest = total + len(chunk), max(longest, len(chunk))
    assert MAX_ENTRIES_BYTES <= total <= MAX_ENTRIES_BYTES + longest
    assert longest <= 256 * 1024


def test_a_bomb_of_entries_stores_what_fits_and_says_how_far_it_came(
    world: Running, node: FakeNode
) -> None:
    """4,096 entries of 16 KiB zeros: 64 MiB from a body of some 70 kB."""
    entries = [bytes(16 * 1024)] * 4096
    packed = gzip.compress(upload(entries), 6)
    path = "/convenio/mirror/add-entries"
    answer = world.raw(world.signed("POST", path, content=packed, encoding="gzip"))
    assert answer.startswith(b"HTTP/1.1 202")
    assert len(node.entries) == 5 * 256  # 20 MiB; the sixth package would pass 24 MiB
    assert len(packed) < 400_000


# --- blobs -------------------------------------------------------------------------------------


def test_a_blob_travels_in_chunks_and_resumes_where_it_broke_off(
    world: Running, node: FakeNode
) -> None:
    content = bytes(range(256)) * 10_000
    c, total = blob_name(content), len(content)
    us = world.partner()
    assert us.blob_held(CH, c) == BlobHeld(0, None)
    assert us.put_blob_chunk(CH, c, 0, total, content[:MAX_CHUNK_BYTES]) == BlobHeld(
        MAX_CHUNK_BYTES, None
    )
    assert us.put_blob_chunk(CH, c, 5, total, b"x") == Conflict(MAX_CHUNK_BYTES)
    assert us.blob_held(CH, c) == BlobHeld(MAX_CHUNK_BYTES, None)
    assert us.get_blob_range(CH, c, 0, 10) is None
    for at in range(MAX_CHUNK_BYTES, total, MAX_CHUNK_BYTES):
        us.put_blob_chunk(CH, c, at, total, content[at : at + MAX_CHUNK_BYTES])
    assert us.blob_held(CH, c) == BlobHeld(total, total)
    parts = [
        us.get_blob_range(CH, c, at, at + MAX_CHUNK_BYTES) or b""
        for at in range(0, total, MAX_CHUNK_BYTES)
    ]
    assert b"".join(parts) == content
    assert node.blobs[BlobRef(CH, c)] == content


@pytest.mark.parametrize(
    ("query", "content", "reason"),
    [
        ("", b"x", "http.target"),
        ("offset=0", b"x", "http.target"),
        ("size=1&offset=0", b"x", "http.target"),
        ("offset=00&size=1", b"x", "http.target"),
        ("offset=-1&size=1", b"x", "http.target"),
        ("offset=0&size=0", b"x", "http.chunk"),
        ("offset=1&size=1", b"x", "http.chunk"),
        ("offset=0&size=1", b"", "http.chunk"),
    ],
)
def test_a_chunk_that_does_not_fit_its_blob_is_malformed(
    world: Running, node: FakeNode, query: str, content: bytes, reason: str
) -> None:
    path = f"/convenio/blob/{CH}/{'0' * 64}" + (f"?{query}" if query else "")
    first, _, said = head_of(world.raw(world.signed("PUT", path, content=content)))
    assert first == b"HTTP/1.1 400 Bad Request"
    assert said.decode() == f"{reason}\n"


@pytest.mark.parametrize(
    ("asked", "status", "shown", "content"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", b"234"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=7-99", 206, "bytes 7-9/10", b"789"),
        ("bytes=10-11", 416, "bytes */10", b""),
        ("bytes=5-4", 416, "bytes */10", b""),
        ("bytes=-3", 200, "", b"0123456789"),
        ("bytes=0-1,3-4", 200, "", b"0123456789"),
        ("lines=1-2", 200, "", b"0123456789"),
        ("", 200, "", b"0123456789"),
    ],
)
def test_a_public_blob_is_read_whole_or_in_one_range(  # noqa: PLR0917
    world: Running, node: FakeNode, asked: str, status: int, shown: str, content: bytes
) -> None:
    node.public = {CH}
    c = node.hold(b"0123456789")
    fields = {"range": asked} if asked else {}
    answer = world.raw(request_bytes("GET", f"/convenio/blob/{CH}/{c}", fields))
    first, got, said = head_of(answer)
    assert int(first.split()[1]) == status
    assert got.get(b"content-range", b"").decode() == shown
    assert said == content
    assert got[b"cache-control"] == b"no-store"


def test_a_large_blob_is_sent_whole_and_a_large_range_is_cut(
    world: Running, node: FakeNode
) -> None:
    content = bytes(range(251)) * 20_000
    node.public, c = {CH}, node.hold(content)
    path = f"/convenio/blob/{CH}/{c}"
    _, fields, said = head_of(world.raw(request_bytes("GET", path, {})))
    assert said == content
    assert fields[b"content-length"] == str(len(content)).encode()
    _, fields, said = head_of(world.raw(request_bytes("GET", path, {"range": "bytes=1-"})))
    assert said == content[1 : MAX_CHUNK_BYTES + 1]
    _, fields, said = head_of(world.raw(world.signed("GET", path)))
    assert said == content
    assert b"signature" in fields
    _, fields, said = head_of(world.raw(request_bytes("HEAD", path, {})))
    assert (fields[b"upload-length"], said) == (str(len(content)).encode(), b"")


# --- the server itself -------------------------------------------------------------------------


def test_connections_are_kept_and_many_threads_may_ask_at_once(
    world: Running, node: FakeNode
) -> None:
    node.checkpoints = {OWN: b"own\n"}
    us = world.partner()
    wrong: list[object] = []

    def ask() -> None:
        wrong.extend(answer for _ in range(20) if (answer := us.get_checkpoint(ORIGIN)) != b"own\n")

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(us._wire._idle) <= 4
    us.close()
    assert us.get_checkpoint(ORIGIN) == b"own\n"
    us.close()


def test_a_client_goes_on_when_the_node_comes_back() -> None:
    """Its kept connection is dead by then, and that is found out before it is used."""
    with running() as first:
        node, us = first.node, first.partner()
        node.checkpoints = {OWN: b"own\n"}
        assert us.get_checkpoint(ORIGIN) == b"own\n"
        first.server.stop()
        assert not first.server.alive
        with pytest.raises(UnavailableError, match=r"peer\.connect"):
            us.get_checkpoint(ORIGIN)
        with running(node, port=first.server.port):
            assert us.get_checkpoint(ORIGIN) == b"own\n"
        with running(node, port=first.server.port):
            assert us.get_checkpoint(ORIGIN) == b"own\n"


def test_a_bug_in_the_service_is_a_500_and_the_next_request_is_served(
    world: Running, node: FakeNode
) -> None:
    node.error = RuntimeError("a bug")
    with pytest.raises(UnavailableError, match=r"peer\.status") as caught:
        world.partner().get_charter(CH)
    assert caught.value.parameters["status"] == 500
    node.error = None
    assert world.partner().get_charter(CH) is None


def test_limits_are_the_callers_to_keep(world: Running) -> None:
    us = world.partner()
    with pytest.raises(RuntimeError):
        us.add_entries(bytes(MAX_ENTRIES_BYTES + 1))
    with pytest.raises(RuntimeError):
        us.put_blob_chunk(CH, CH, 0, 1, b"")
    with pytest.raises(RuntimeError):
        us.get_blob_range(CH, CH, 0, MAX_CHUNK_BYTES + 1)
