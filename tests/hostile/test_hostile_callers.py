"""What callers may do to our partner-facing server, and that it stays up for the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from tests.support.partners import (
    CH,
    EVE,
    NOW,
    US,
    FakeNode,
    Running,
    nonces,
    read_all,
    request_bytes,
    running,
)

from convenio.api.serve import ServeLimits
from convenio.core.errors import UnavailableError
from convenio.core.httpsig import (
    MAX_LIFE_S,
    MAX_SKEW_S,
    Target,
    content_digest,
    keyid_of,
    sign_request,
)
from convenio.core.mirrorwire import MAX_ADD_CHECKPOINT_BYTES, Package, UploadHeader
from convenio.peer.limits import MAX_CHUNK_BYTES, MAX_ENTRIES_BYTES
from convenio.peer.wire import Limits

TIGHT = ServeLimits(head_s=0.3, read_s=0.6, write_s=0.6, idle_s=1, stop_s=1)
PATIENCE_S = 10.0
BLOB = f"/blob/{CH}/{'0' * 64}?offset=0&size=1"
CHARTER = f"/charter/{CH}"


@pytest.fixture(scope="module")
def world() -> Iterator[Running]:
    with running() as one:
        one.node.charters = {CH: b"charter\n"}
        yield one


def status(answer: bytes) -> int:
    return int(answer.split()[1])


# --- signatures --------------------------------------------------------------------------------


def test_a_replayed_request_is_a_strangers(world: Running) -> None:
    request = world.signed("GET", CHARTER)
    assert status(world.raw(request)) == 200
    assert status(world.raw(request)) == 404


def test_a_replay_with_another_body_is_a_strangers(world: Running) -> None:
    request = world.signed("PUT", BLOB, content=b"x")
    assert status(world.raw(request[:-1] + b"y")) == 400
    assert status(world.raw(request)) == 404
    assert not any(world.node.blobs.values())


@pytest.mark.parametrize(
    ("created", "good"),
    [
        (NOW + MAX_SKEW_S, True),
        (NOW + MAX_SKEW_S + 1, False),
        (NOW - MAX_LIFE_S - MAX_SKEW_S, True),
        (NOW - MAX_LIFE_S - MAX_SKEW_S - 1, False),
    ],
)
def test_a_clock_may_be_wrong_by_so_much(world: Running, created: int, good: bool) -> None:
    answer = world.raw(world.signed("GET", CHARTER, created=created))
    assert status(answer) == (200 if good else 404)


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_partner_with_a_wrong_clock_is_told_so(world: Running, ahead_s: int) -> None:
    """By the Date of our 404. The server's own Date is the machine's; only the sign is checked."""
    now = int(time.clock_gettime(time.CLOCK_REALTIME))
    with pytest.raises(UnavailableError, match=r"peer\.stranger") as caught:
        world.partner(clock=lambda: now + ahead_s).get_charter(CH)
    skew_s = caught.value.parameters["skew_s"]
    assert isinstance(skew_s, int)
    assert abs(skew_s + ahead_s) < 60


@pytest.mark.parametrize("authority", ["127.0.0.1", "us.localhost:8001", "127.0.0.1:1"])
def test_a_request_signed_for_another_node_is_refused_whatever_its_host_says(
    world: Running, authority: str
) -> None:
    for host in (authority, world.authority):
        request = world.signed("GET", CHARTER, authority=authority, host=host)
        assert status(world.raw(request)) == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example/path?", "127.0.0.1:1", "a b", "[::1]"]
)
def test_the_host_header_decides_nothing(world: Running, host: str) -> None:
    """Frameworks make paths of it; here it is not looked at, as long as it is HTTP at all."""
    signed = world.raw(world.signed("GET", CHARTER, host=host))
    strange = world.raw(request_bytes("GET", CHARTER, {}, host=host))
    assert (status(signed), status(strange)) in ((200, 404), (400, 400))


@pytest.mark.parametrize(
    "name", ["signature", "signature-input", "content-digest", "content-encoding"]
)
def test_a_signed_header_twice_is_a_strangers_request(world: Running, name: str) -> None:
    head, _, _ = world.signed("GET", CHARTER).partition(b"\r\n\r\n")
    line = next(line for line in head.split(b"\r\n") if line.startswith(name.encode() + b":"))
    assert status(world.raw(head + b"\r\n" + line + b"\r\n\r\n")) == 404


@pytest.mark.parametrize(
    "target",
    [
        f"http://evil{CHARTER}",
        f"//evil{CHARTER}",
        f"{CHARTER}#x",
        f"{CHARTER}?a=b;c",
        f"/charter/../charter/{CH}",
        f"/%63harter/{CH}",
        "*",
    ],
)
def test_a_target_that_is_not_the_signed_one_is_not_served(world: Running, target: str) -> None:
    request = world.signed("GET", CHARTER)
    changed = request.replace(CHARTER.encode(), target.encode(), 1)
    assert status(world.raw(changed)) in (400, 404)


def test_the_signature_of_one_who_is_unknown_is_not_answered_with_one(world: Running) -> None:
    assert b"signature" not in world.raw(world.signed("GET", CHARTER, signer=EVE)).lower()


def test_a_partner_that_floods_is_slowed_and_the_others_are_not() -> None:
    node = FakeNode(known={keyid_of(key): key.verifier() for key in (US, EVE)})
    node.members.add(EVE.verifier())
    node.charters = {CH: b"charter\n"}
    with running(node, max_nonces=3) as world:
        us, eve = world.partner(), world.partner(EVE)
        for _ in range(3):
            assert us.get_charter(CH) == b"charter\n"
        with pytest.raises(UnavailableError, match=r"peer\.status") as caught:
            us.get_charter(CH)
        assert caught.value.parameters["status"] == 429
        assert eve.get_charter(CH) == b"charter\n"


# --- size --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "cap"),
    [
        ("PUT", BLOB, MAX_CHUNK_BYTES),
        ("POST", "/mirror/add-checkpoint", MAX_ADD_CHECKPOINT_BYTES),
        ("POST", "/mirror/add-entries", MAX_ENTRIES_BYTES),
        ("GET", CHARTER, 0),
    ],
)
def test_a_body_above_its_cap_is_refused_unread_when_announced_and_cut_when_not(
    world: Running, method: str, path: str, cap: int
) -> None:
    bare, _, query = path.partition("?")
    for announced in (True, False):
        made = sign_request(
            Target(method, world.authority, bare, query),
            content_digest(b""),
            "identity",
            US,
            created=NOW,
            nonce=nonces(16),
        )
        length = {"content-length": str(cap + 1)} if announced else {"transfer-encoding": "chunked"}
        request = request_bytes(method, path, made.fields() | length)
        if not announced:
            size = min(cap + 1, 65_536)
            chunk = b"%x\r\n" % size + bytes(size) + b"\r\n"
            request += chunk * (cap // size + 1)
        answer = world.raw(request)
        assert status(answer) == 413
        assert answer.endswith(b"http.too_long\n")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        "a long path",
        "many headers",
        "TLS on a plain port",
        "another version",
        "two framings",
        "two lengths",
        "HTTP/2",
    ],
)
def test_what_is_not_http_is_cut_off_and_the_server_goes_on(head: bytes) -> None:
    with running(limits=TIGHT) as world:
        answer = world.raw(head)
        assert answer == b"" or status(answer) in (400, 404)
        assert world.partner().get_charter(CH) is None


def test_one_partners_slow_upload_does_not_hold_up_anothers(world: Running) -> None:
    node = world.node
    node.known[keyid_of(EVE)] = EVE.verifier()
    node.members.add(EVE.verifier())
    body = UploadHeader("us.localhost/c/1", 0, 1).encode() + Package(0, (b"e",), ()).encode()
    request = world.signed("POST", "/mirror/add-entries", content=body, signer=EVE)
    with socket.create_connection(("127.0.0.1", world.server.port), 10) as sock:
        sock.sendall(request[:-1])
        world.partner().add_entries(body)
        sock.sendall(request[-1:])
        assert status(read_all(sock)) == 200


# --- time --------------------------------------------------------------------------------------


def held_for(world: Running, first: bytes, drop: bytes = b"") -> tuple[float, bytes]:
    """How long the server lets this caller live, and what it said."""
    started, said = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", world.server.port), 10) as sock:
        try:
            sock.sendall(first)
            sock.settimeout(0.02)
            while time.monotonic() - started < PATIENCE_S:
                try:
                    if not (got := sock.recv(65_536)):
                        break
                    said += got
                except TimeoutError:
                    sock.sendall(drop)
        except ConnectionError:
            pass
    return time.monotonic() - started, said


@pytest.mark.parametrize("drop", [b"", b"x"], ids=["stalls", "drips"])
@pytest.mark.parametrize("where", ["nothing", "the request line", "a header", "the body"])
def test_a_slow_caller_is_cut_off(where: str, drop: bytes) -> None:
    with running(limits=TIGHT) as world:
        request = world.signed("PUT", BLOB, content=b"x" * 100)
        first = {
            "nothing": b"",
            "the request line": b"GET /charter/",
            "a header": request[:60],
            "the body": request[:-99],
        }[where]
        if where == "nothing" and drop:
            first = b"G"
        spent, _ = held_for(world, first, drop)
        assert spent < PATIENCE_S
        assert world.partner().get_charter(CH) is None


def test_a_stranger_who_keeps_sending_after_the_answer_is_cut_off() -> None:
    with running(limits=TIGHT) as world:
        head = b"POST /mirror/add-entries HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n"
        spent, said = held_for(world, head, bytes(1000))
        assert status(said) == 404
        assert spent < PATIENCE_S


def test_an_idle_connection_is_closed() -> None:
    with running(limits=TIGHT) as world:
        request = world.signed("GET", CHARTER).replace(b"connection: close\r\n", b"")
        spent, said = held_for(world, request)
        assert status(said) == 404
        assert TIGHT.idle_s * 0.9 < spent < PATIENCE_S


def test_a_second_request_may_drip_no_more_than_the_first() -> None:
    with running(limits=replace(TIGHT, idle_s=60)) as world:
        request = world.signed("GET", CHARTER).replace(b"connection: close\r\n", b"")
        spent, said = held_for(world, request, b"x")
        assert status(said) == 404
        assert spent < PATIENCE_S


def test_a_caller_that_does_not_read_its_answer_is_cut_off() -> None:
    node = FakeNode(public={CH})
    c = node.hold(bytes(16_000_000))
    with running(node, limits=TIGHT) as world, ExitStack() as stack:
        lazy = []
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", world.server.port))
            sock.sendall(request_bytes("GET", f"/blob/{CH}/{c}", {}))
            lazy.append(sock)
        assert count_reaches(world, 4)
        assert count_reaches(world, 0)
        for sock in lazy:
            sock.settimeout(PATIENCE_S)
            assert len(read_all(sock)) < 16_000_000


def connections(world: Running) -> int:
    return len(world.server._server.server_state.connections)


def count_reaches(world: Running, number: int) -> bool:
    """Whether the server comes to have so many connections before our patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := connections(world) == number) is False and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return found


def test_a_stop_does_not_wait_for_those_who_dawdle() -> None:
    with running(limits=ServeLimits(stop_s=1)) as world:
        with socket.create_connection(("127.0.0.1", world.server.port)) as sock:
            sock.sendall(world.signed("PUT", BLOB, content=b"x" * 100)[:-50])
            started = time.monotonic()
            world.server.stop()
            assert time.monotonic() - started < PATIENCE_S
        assert not world.server.alive


def test_a_stop_cuts_those_who_do_not_read() -> None:
    node = FakeNode(public={CH})
    c = node.hold(bytes(16_000_000))
    with running(node, limits=ServeLimits(stop_s=1)) as world, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", world.server.port))
        sock.sendall(request_bytes("GET", f"/blob/{CH}/{c}", {}))
        assert count_reaches(world, 1)
        world.server.stop()
        assert connections(world) == 0


def test_answers_leave_without_waiting_for_an_acknowledgement() -> None:
    """Nagle's delay would cost 40 ms an answer, and nobody would notice why."""
    with running() as world, socket.create_connection(("127.0.0.1", world.server.port)):
        assert count_reaches(world, 1)
        (connection,) = world.server._server.server_state.connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- number ------------------------------------------------------------------------------------


def test_more_connections_than_allowed_are_turned_away_and_the_server_recovers() -> None:
    limits = ServeLimits(head_s=1, max_connections=8)
    with running(limits=limits) as world, ExitStack() as stack:
        for _ in range(24):
            stack.enter_context(socket.create_connection(("127.0.0.1", world.server.port)))
        patient = world.partner(limits=Limits(silence_s=2))
        with pytest.raises(UnavailableError):
            patient.get_charter(CH)
        assert connections(world) <= 2 * limits.max_connections + 1
        assert count_reaches(world, 0)
        assert patient.get_charter(CH) is None
