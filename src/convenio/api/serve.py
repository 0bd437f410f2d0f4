"""The partner-facing server: uvicorn on its own thread, with a deadline on every connection.

uvicorn waits for ever for a head that drips, for a body that stalls and for a reader that does
not read. Here a connection always has a moment at which it is cut, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import h11
from starlette.applications import Starlette
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from convenio.core.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """What a connection may take. All times in seconds.

    head_s: from the first moment to a complete request head. read_s, write_s: from there to the
    end of the answer, for GET and HEAD, and for what carries a body. idle_s: between requests.
    max_connections: above it requests get 503, far above it connections are cut.
    """

    head_s: float = 10.0
    read_s: float = 60.0
    write_s: float = 300.0
    idle_s: int = 30
    max_connections: int = 128
    max_head_bytes: int = 32 * 1024
    stop_s: int = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate chain and private key, PEM files. password: of the key, if it has one."""

    certificate: Path
    key: Path
    password: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class PartnerServer:
    """A running server. `port` is the actual one. `stop` returns when the thread has ended."""

    port: int
    _server: _Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Takes no more connections, lets what runs end for `stop_s`, then cuts it."""
        self._server.should_exit = True
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()


def serve_partner(
    app: Starlette,
    host: str,
    port: int,
    *,
    tls: Tls | None = None,
    limits: ServeLimits | None = None,
) -> PartnerServer:
    """The server, listening, once this returns. port: 0 takes a free one.

    Raises:  UnavailableError: serve.address, it cannot be listened on · serve.tls, certificate or
             key cannot be used · serve.failed.
    """
    limits = limits or ServeLimits()
    config = _config(app, tls, limits)
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UnavailableError("serve.tls") from error
    try:
        listener = _listen(host, port)
    except (OSError, OverflowError) as error:
        raise UnavailableError("serve.address", host=host, port=port) from error
    server = _Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="partner-http", daemon=True
    )
    actual = listener.getsockname()[1]
    thread.start()
    while not server.ready.wait(0.05):
        if not thread.is_alive():
            listener.close()
            raise UnavailableError("serve.failed")
    return PartnerServer(actual, server, thread)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is given; it costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def _config(app: Starlette, tls: Tls | None, limits: ServeLimits) -> Config:
    def context(_config: Config, _default: object) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        if tls is not None:
            made.load_cert_chain(tls.certificate, tls.key, tls.password)
        return made

    return Config(
        app,
        http=_bounded(limits),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.max_connections,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=limits.stop_s,
        h11_max_incomplete_event_size=limits.max_head_bytes,
        ssl_context_factory=context if tls is not None else None,
    )


class _Server(Server):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn stops waiting for what still runs after `stop_s`, and leaves it open.

        A connection taken as the door was shut is in the list only a few rounds of the loop later.
        """
        await super().shutdown(sockets)
        await _rounds()
        for connection in [*self.server_state.connections]:
            connection.transport.abort()
        while self.server_state.connections:
            await asyncio.sleep(0)  # until each has heard that it is lost
        await _rounds()


async def _rounds() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def _bounded(limits: ServeLimits) -> type[H11Protocol]:
    """The protocol class with these limits; uvicorn makes its own instances."""

    class Bounded(H11Protocol):
        """Three phases, each with one deadline: head, request to answer, idle.

        The deadline of the idle phase only matters when uvicorn's own end of it cannot finish,
        because the other side does not read what is left to send.
        """

        _cut: asyncio.TimerHandle | None = None
        _idle = False
        _running: RequestResponseCycle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > 2 * limits.max_connections:
                transport.abort()
                return
            self._cut_in(limits.head_s)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._cut is not None:
                self._cut.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._idle:
                self._idle = False
                self._cut_in(limits.head_s)
            super().data_received(data)
            self._note_request()

        def on_response_complete(self) -> None:
            self._idle = True
            unread = self.conn.their_state is h11.SEND_BODY
            self._cut_in(limits.head_s if unread else limits.idle_s + limits.head_s)
            super().on_response_complete()
            self._note_request()

        def _note_request(self) -> None:
            if self.cycle is not None and self.cycle is not self._running:
                self._running = self.cycle
                self._idle = False
                reads = self.scope["method"] in ("GET", "HEAD")
                self._cut_in(limits.read_s if reads else limits.write_s)

        def _cut_in(self, seconds: float) -> None:
            if self._cut is not None:
                self._cut.cancel()
            self._cut = self.loop.call_later(seconds, self.transport.abort)

    return Bounded
