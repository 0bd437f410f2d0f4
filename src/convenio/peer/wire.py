"""One HTTP/1.1 exchange with a partner that may lie, stall or never stop talking.

Every socket operation is given what is left of the exchange's total time, and every byte that
arrives counts against its cap, headers and interim responses included. There are no redirects,
proxies, cookies, decoders or retries, and no foreign exception leaves. h11 parses and a plain
socket carries: with a ready-made client neither the time of a dripping header nor the bytes
before the body can be bounded from outside.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import h11

from convenio.core.errors import (
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
)
from convenio.core.httpsig import BaseUrl

MAX_HEAD_BYTES: Final = 32 * 1024
_CHUNK: Final = 256 * 1024
_MAX_IDLE: Final = 4
_MAX_INTERIM: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a partner is waited for. All in seconds.

    connect_s: for each address, also for the TLS handshake. silence_s: without one byte moving.
    read_s, write_s: a whole exchange, without and with a body of ours. idle_s: how long an
    unused connection is kept; less than servers keep theirs.
    """

    connect_s: float = 5.0
    silence_s: float = 30.0
    read_s: float = 60.0
    write_s: float = 300.0
    idle_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response. fields: in wire order, names in lower case."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    content: bytes

    def field(self, name: bytes) -> bytes | None:
        """The value of a header field that is there exactly once."""
        values = [value for key, value in self.fields if key == name]
        return values[0] if len(values) == 1 else None


class Deadline:
    """A moment by which everything has to be done."""

    __slots__ = ("_end", "_silence_s")

    def __init__(self, total_s: float, silence_s: float) -> None:
        self._end = time.monotonic() + total_s
        self._silence_s = silence_s

    def arm(self, sock: socket.socket) -> None:
        """Gives the next operation on `sock` what is left.  Raises: TimeoutError."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(min(left, self._silence_s))


@dataclass(slots=True)
class _Link:
    sock: socket.socket
    state: h11.Connection
    used_at: float

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()


class Wire:
    """Connections to one partner, kept for reuse. Safe from any thread.

    tls_pin: SHA-256 of the DER certificate; empty trusts the system's authorities instead.
    Raises:  RefusedError: peer.plain_http, unless the host is this machine.
    """

    def __init__(self, base: BaseUrl, tls_pin: bytes, limits: Limits) -> None:
        if base.scheme == "http" and not _names_this_machine(base.host):
            raise RefusedError("peer.plain_http", host=base.host)
        self._base = base
        self._pin = tls_pin
        self._limits = limits
        self._tls = _tls_context(tls_pin) if base.scheme == "https" else None
        self._idle: list[_Link] = []
        self._lock = threading.Lock()

    def exchange(
        self, method: str, target: str, fields: Mapping[str, str], content: bytes, max_bytes: int
    ) -> Answer:
        """The partner's whole response, at most `max_bytes` of content. Never retried here.

        Raises:  UnavailableError: peer.resolve · peer.connect · peer.timeout · peer.closed;
                 MalformedError: peer.http · peer.too_long; SignatureError: peer.tls_pin;
                 RefusedError: peer.plain_http.
        """
        total_s = self._limits.write_s if content else self._limits.read_s
        deadline = Deadline(total_s, self._limits.silence_s)
        link = self._take() or self._connect()
        reusable = False
        try:
            _send(link, deadline, self._request(method, target, fields, content), content)
            answer, reusable = _receive(link, deadline, max_bytes)
        except h11.RemoteProtocolError as error:
            raise MalformedError("peer.http") from error
        except TimeoutError as error:
            raise UnavailableError("peer.timeout") from error
        except OSError as error:
            raise UnavailableError("peer.closed") from error
        finally:
            self._give_back(link, reusable)
        return answer

    def close(self) -> None:
        """Closes the idle connections; those in use close when they are given back too many."""
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()

    def _request(
        self, method: str, target: str, fields: Mapping[str, str], content: bytes
    ) -> h11.Request:
        headers = [("host", self._base.authority), *fields.items()]
        if content or method in ("POST", "PUT"):
            headers.append(("content-length", str(len(content))))
        return h11.Request(method=method, target=target, headers=headers)

    def _take(self) -> _Link | None:
        oldest = time.monotonic() - self._limits.idle_s
        while True:
            with self._lock:
                link = self._idle.pop() if self._idle else None
            if link is None or (link.used_at > oldest and _is_quiet(link.sock)):
                return link
            link.close()

    def _give_back(self, link: _Link, reusable: bool) -> None:
        if reusable:
            link.state.start_next_cycle()
            link.used_at = time.monotonic()
            with self._lock:
                if len(self._idle) < _MAX_IDLE:
                    self._idle.append(link)
                    return
        link.close()

    def _connect(self) -> _Link:
        host = self._base.host.strip("[]")
        try:
            sock = self._dial(host)
        except (socket.gaierror, UnicodeError) as error:
            raise UnavailableError("peer.resolve", host=host) from error
        except OSError as error:
            raise UnavailableError("peer.connect", host=host) from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._secure(sock, host)
        except OSError as error:
            sock.close()
            raise UnavailableError("peer.connect", host=host) from error
        except BaseException:
            sock.close()
            raise
        state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        return _Link(sock, state, 0.0)

    def _dial(self, host: str) -> socket.socket:
        """A name below `localhost` is this machine (RFC 6761), also where no resolver knows it."""
        name = "localhost" if host.endswith(".localhost") else host
        return socket.create_connection((name, self._base.port), self._limits.connect_s)

    def _secure(self, sock: socket.socket, host: str) -> socket.socket:
        if self._tls is None:
            if not ipaddress.ip_address(sock.getpeername()[0]).is_loopback:
                raise RefusedError("peer.plain_http", host=host)
            return sock
        secured = self._tls.wrap_socket(sock, server_hostname=host)
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").digest()
        if self._pin and shown != self._pin:
            secured.close()
            raise SignatureError("peer.tls_pin", shown=shown.hex())
        return secured


def _names_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _tls_context(pin: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if pin:  # The pin names one certificate; who issued it and for which name says nothing more.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_quiet(sock: socket.socket) -> bool:
    """Whether an idle connection is still open, with nothing unasked for in it."""
    try:
        sock.settimeout(0)
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # below TLS: the kernel's view
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _send(link: _Link, deadline: Deadline, request: h11.Request, content: bytes) -> None:
    head = link.state.send(request) or b""
    body = link.state.send(h11.Data(data=content)) or b"" if content else b""
    link.state.send(h11.EndOfMessage())
    try:
        for part in (head + body,) if len(body) < _CHUNK else (head, body):
            _send_all(link.sock, deadline, memoryview(part))
    except TimeoutError:
        raise
    except OSError:
        # A partner may refuse before it has read everything; its answer may be waiting.
        return


def _send_all(sock: socket.socket, deadline: Deadline, view: memoryview) -> None:
    while view:
        deadline.arm(sock)
        view = view[sock.send(view[:_CHUNK]) :]


def _receive(link: _Link, deadline: Deadline, max_bytes: int) -> tuple[Answer, bool]:
    state, arrived, interim, content = link.state, 0, 0, bytearray()
    response: h11.Response | None = None
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            deadline.arm(link.sock)
            data = link.sock.recv(_CHUNK)
            if not data:  # also where HTTP/1.0 ends a body so: it may as well be cut off
                raise ConnectionResetError
            arrived += len(data)
            if arrived > max_bytes + MAX_HEAD_BYTES:
                raise MalformedError("peer.too_long", max_bytes=max_bytes)
            state.receive_data(data)
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > max_bytes:
                raise MalformedError("peer.too_long", max_bytes=max_bytes)
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            break
        elif isinstance(event, h11.InformationalResponse) and interim < _MAX_INTERIM:
            interim += 1
        else:
            raise MalformedError("peer.http")
    clean = state.our_state is h11.DONE and state.their_state is h11.DONE
    fields = tuple((bytes(name), bytes(value)) for name, value in response.headers)
    answer = Answer(response.status_code, fields, bytes(content))
    return answer, clean and not state.trailing_data[0]
