"""What a partner's server may do to us: stall, drip, oversend, lie, redirect, replay.

Each of them ends within the limits, in an error of ours, and with nothing believed.
"""

from __future__ import annotations

import email.utils
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable

import pytest
from tests.support.partners import CH, EVE, MX, NOW, SHORT, US, lying_server, nonces, read_all

from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
    UnverifiedError,
)
from convenio.core.httpsig import content_digest, parse_request, sign_response
from convenio.core.note import Ed25519Signer
from convenio.peer.client import Partner, PartnerConfig
from convenio.peer.wire import Limits

Behaviour = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
PATIENCE_S = 20.0  # far above SHORT, far below anything that would hang
PLENTY = Limits()  # for what should end without any help of the clock
DRIP = threading.Event()  # never set: a pause that no one ends early


def ask(url: str, *, signed: bool = False, limits: Limits = SHORT) -> bytes | None:
    key = MX.verifier() if signed else None
    partner = Partner(PartnerConfig(url, "", key, limits), US, lambda: NOW, nonces)
    try:
        return partner.get_charter(CH)
    finally:
        partner.close()


def error_of(behave: Behaviour, *, signed: bool = False, limits: Limits = SHORT) -> ConvenioError:
    started = time.monotonic()
    with lying_server(behave) as url, pytest.raises(ConvenioError) as caught:
        ask(url, signed=signed, limits=limits)
    assert time.monotonic() - started < PATIENCE_S
    return caught.value


def fields_of(head: bytes) -> list[tuple[bytes, bytes]]:
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [(line.split(b": ")[0], line.split(b": ", 1)[1]) for line in lines]


def signature_of(head: bytes) -> bytes:
    signed = parse_request(fields_of(head))
    assert signed is not None
    return signed.signature


def answer(
    head: bytes,
    content: bytes = b"charter\n",
    *,
    status: int = 200,
    signer: Ed25519Signer = MX,
    signature: bytes = b"",
    more: str = "",
) -> bytes:
    """An honest answer to the request with this head."""
    asked = signature or signature_of(head)
    made = sign_response(status, content_digest(content), asked, signer, NOW)
    lines = [f"{name}: {value}" for name, value in made.fields().items()]
    text = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{more}"
    return text.encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + content


# --- time --------------------------------------------------------------------------------------


def stall(sock: socket.socket, _head: bytes) -> None:
    read_all(sock)


def stall_in_the_head(sock: socket.socket, _head: bytes) -> None:
    sock.sendall(OK + b"content-len")
    read_all(sock)


def stall_in_the_body(sock: socket.socket, _head: bytes) -> None:
    sock.sendall(OK + b"content-length: 10\r\n\r\n12345")
    read_all(sock)


def drip(first: bytes, drop: bytes) -> Behaviour:
    def behave(sock: socket.socket, _head: bytes) -> None:
        sock.sendall(first)
        while not DRIP.wait(0.02):
            sock.sendall(drop)

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(stall, id="says nothing"),
        pytest.param(stall_in_the_head, id="stops in the head"),
        pytest.param(stall_in_the_body, id="stops in the body"),
        pytest.param(drip(OK + b"x: ", b"y"), id="drips one endless header"),
        pytest.param(drip(OK, b"x: y\r\n"), id="drips headers"),
        pytest.param(drip(OK + b"content-length: 9999\r\n\r\n", b"x"), id="drips the body"),
        pytest.param(drip(CHUNKED, b"1\r\nx\r\n"), id="drips chunks"),
    ],
)
def test_a_partner_cannot_hold_us_longer_than_the_whole_exchange_may_take(
    behave: Behaviour,
) -> None:
    error = error_of(behave)
    assert isinstance(error, UnavailableError)
    assert error.code == "peer.timeout"


def test_a_partner_that_does_not_read_cannot_hold_us_either() -> None:
    pause = threading.Event()

    def behave(sock: socket.socket, _head: bytes) -> None:
        pause.wait(PATIENCE_S)

    started = time.monotonic()
    with lying_server(behave) as url:
        partner = Partner(PartnerConfig(url, "", None, SHORT), None, lambda: NOW, nonces)
        with pytest.raises(UnavailableError, match=r"peer\.timeout"):
            partner.add_entries(bytes(20_000_000), compress=False)
        pause.set()
    assert time.monotonic() - started < PATIENCE_S


# --- size --------------------------------------------------------------------------------------


def flood(first: bytes, drop: bytes) -> Behaviour:
    def behave(sock: socket.socket, _head: bytes) -> None:
        sock.sendall(first)
        for _ in itertools.repeat(None, 2_000):
            sock.sendall(drop)
        raise AssertionError("all of the flood was read")

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(
            flood(OK + b"content-length: 999999999\r\n\r\n", bytes(65_536)), id="announced"
        ),
        pytest.param(
            flood(
                OK + b"transfer-encoding: chunked\r\n\r\n", b"8000\r\n" + bytes(32_768) + b"\r\n"
            ),
            id="in chunks",
        ),
        pytest.param(flood(OK + b"\r\n", bytes(65_536)), id="with no length at all"),
        pytest.param(flood(OK + b"x: ", b"y" * 65_536), id="in one header"),
        pytest.param(flood(OK, b"x: y\r\n" * 10_000), id="in many headers"),
        pytest.param(
            flood(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2_000), id="in interim answers"
        ),
    ],
)
def test_a_partner_cannot_make_us_read_more_than_we_asked_for(behave: Behaviour) -> None:
    error = error_of(behave, limits=PLENTY)  # it is the size that ends it, not the time
    assert isinstance(error, MalformedError)
    assert error.code in ("peer.too_long", "peer.http")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(OK + b"content-length: 9\r\n\r\nshort", "peer.closed", id="too short"),
        pytest.param(OK + b"\r\ncut off?", "peer.closed", id="no length and then the end"),
        pytest.param(b"", "peer.closed", id="nothing at all"),
        pytest.param(
            OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nxy", "peer.http", id="two lengths"
        ),
        pytest.param(OK + b"content-length: -1\r\n\r\n", "peer.http", id="a negative length"),
        pytest.param(OK + b"a\0b: c\r\n\r\n", "peer.http", id="a broken header"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "peer.http", id="another protocol"),
        pytest.param(CHUNKED + b"zz\r\n", "peer.http", id="a broken chunk"),
        pytest.param(b"HTTP/1.1 101 X\r\n\r\n", "peer.http", id="a switch of protocol"),
    ],
)
def test_what_is_not_a_whole_http_answer_is_an_error_of_ours(said: bytes, code: str) -> None:
    def behave(sock: socket.socket, _head: bytes) -> None:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)

    assert error_of(behave).code == code


def test_bytes_behind_an_answer_are_not_taken_for_the_next_one() -> None:
    """Two answers to one request: the connection is given up, and the second is never read."""
    asked: list[bytes] = []

    def behave(sock: socket.socket, head: bytes) -> None:
        asked.append(head)
        sock.sendall(answer(head) + answer(head, b"smuggled\n"))
        read_all(sock)

    with lying_server(behave) as url:
        config = PartnerConfig(url, "", MX.verifier(), SHORT)
        partner = Partner(config, US, lambda: NOW, nonces)
        assert [partner.get_charter(CH) for _ in range(3)] == [b"charter\n"] * 3
        assert len(asked) == 3
        partner.close()


# --- lies --------------------------------------------------------------------------------------


def saying(make: Callable[[bytes], bytes]) -> Behaviour:
    def behave(sock: socket.socket, head: bytes) -> None:
        sock.sendall(make(head))
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)

    return behave


def twice(name: bytes) -> Callable[[bytes], bytes]:
    def make(head: bytes) -> bytes:
        said = answer(head)
        line = re.search(rb"\r\n(" + name + rb": .*?\r\n)", said)
        assert line
        return said.replace(line[1], line[1] * 2, 1)

    return make


@pytest.mark.parametrize(
    ("make", "kind", "code"),
    [
        pytest.param(
            lambda _: OK + b"content-length: 1\r\n\r\nx",
            SignatureError,
            "peer.unsigned",
            id="unsigned",
        ),
        pytest.param(
            lambda head: answer(head, signer=EVE), SignatureError, "http.wrong_key", id="other key"
        ),
        pytest.param(
            lambda head: answer(head, signature=bytes(64)),
            SignatureError,
            "http.bad_signature",
            id="an answer to another request",
        ),
        pytest.param(
            lambda head: answer(head).replace(b"charter\n", b"Charter\n"),
            UnverifiedError,
            "peer.digest",
            id="another body",
        ),
        pytest.param(
            lambda head: answer(head).replace(b" 200 ", b" 203 "),
            SignatureError,
            "http.bad_signature",
            id="another status",
        ),
        pytest.param(
            lambda head: answer(head, status=404).replace(b" 404 ", b" 200 "),
            SignatureError,
            "http.bad_signature",
            id="a refusal turned into an answer",
        ),
        pytest.param(twice(b"signature"), MalformedError, "http.field", id="signature twice"),
        pytest.param(twice(b"signature-input"), MalformedError, "http.field", id="input twice"),
        pytest.param(twice(b"content-digest"), MalformedError, "http.field", id="digest twice"),
        pytest.param(
            lambda head: answer(head, status=302, more="location: http://127.0.0.1:1/\r\n"),
            MalformedError,
            "peer.redirect",
            id="a signed redirect",
        ),
        pytest.param(
            lambda _: b"HTTP/1.1 302 X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
            SignatureError,
            "peer.unsigned",
            id="an unsigned redirect",
        ),
        pytest.param(
            lambda head: answer(head, status=206), MalformedError, "peer.content", id="part of it"
        ),
        pytest.param(
            lambda _: b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n",
            UnavailableError,
            "peer.status",
            id="overloaded, unsigned",
        ),
        pytest.param(
            lambda head: answer(head, status=429), UnavailableError, "peer.status", id="too often"
        ),
        pytest.param(
            lambda head: answer(head, b"no prose please\n", status=403),
            RefusedError,
            "peer.refused",
            id="refused, with prose that is not passed on",
        ),
    ],
)
def test_no_lie_is_believed(
    make: Callable[[bytes], bytes], kind: type[ConvenioError], code: str
) -> None:
    error = error_of(saying(make), signed=True, limits=PLENTY)
    assert type(error) is kind
    assert error.code == code
    assert error.parameters.get("reason", "") == ""


def test_a_redirect_is_not_followed() -> None:
    reached: list[bytes] = []
    with lying_server(lambda _, head: reached.append(head)) as elsewhere:
        said = f"HTTP/1.1 307 X\r\nlocation: {elsewhere}/x\r\ncontent-length: 0\r\n\r\n".encode()
        error = error_of(saying(lambda _: said))
    assert error.code == "peer.redirect"
    assert reached == []


def test_a_replayed_answer_is_refused() -> None:
    """The very bytes that were right a moment ago answer no other request."""
    kept: list[bytes] = []

    def behave(sock: socket.socket, head: bytes) -> None:
        kept.append(answer(head, more="connection: close\r\n"))
        sock.sendall(kept[0])

    with lying_server(behave) as url:
        assert ask(url, signed=True) == b"charter\n"
        with pytest.raises(SignatureError, match=r"http\.bad_signature"):
            ask(url, signed=True)


@pytest.mark.parametrize(("ahead_s", "shown"), [(0, None), (50, None), (3600, 3600), (-900, -900)])
def test_a_partner_that_does_not_know_us_hints_at_its_clock(
    ahead_s: int, shown: int | None
) -> None:
    date = email.utils.formatdate(NOW + ahead_s, usegmt=True)
    said = f"HTTP/1.1 404 X\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n".encode()
    error = error_of(saying(lambda _: said), signed=True)
    assert isinstance(error, UnavailableError)
    assert error.code == "peer.stranger"
    assert error.parameters.get("skew_s") == shown


@pytest.mark.parametrize("date", ["", "date: yesterday\r\n", "date: Mon, 99 Foo 0\r\n"])
def test_a_senseless_date_is_no_hint(date: str) -> None:
    said = f"HTTP/1.1 404 X\r\n{date}content-length: 0\r\n\r\n".encode()
    assert error_of(saying(lambda _: said), signed=True).parameters == {}


# --- where it is refused to talk at all ---------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://mx.example",
        "http://192.0.2.1:8000",
        "http://localhost.mx.example",
        "http://[2001:db8::1]",
    ],
)
def test_without_tls_only_this_machine_is_spoken_to(url: str) -> None:
    with pytest.raises(RefusedError, match=r"peer\.plain_http"):
        Partner(PartnerConfig(url), None, lambda: NOW, nonces)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[bytes] = []
    with lying_server(lambda _, head: reached.append(head)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        with lying_server(lambda sock, head: sock.sendall(answer(head))) as url:
            assert ask(url, signed=True) == b"charter\n"
    assert reached == []


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=r"peer\.connect"):
        ask(url)
