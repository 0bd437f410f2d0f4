"""Two nodes' keys, a node in memory behind the real server, and ways to misuse both ends."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import PartnerServer, ServeLimits, Tls, serve_partner
from convenio.core.errors import ConflictError, SignatureError
from convenio.core.httpsig import Target, content_digest, keyid_of, sign_request
from convenio.core.mirrorwire import AddCheckpoint, MirrorInfo, Package, UploadHeader
from convenio.core.note import Ed25519Signer, Ed25519Verifier
from convenio.peer.client import Partner, PartnerConfig
from convenio.peer.service import (
    BlobHeld,
    BlobRef,
    Chunk,
    Elsewhere,
    LogRef,
    Progress,
    Stored,
    Who,
)
from convenio.peer.wire import Limits

NOW = 1_800_000_000
MX = Ed25519Signer("mx.localhost/node", b"m" * 32)
US = Ed25519Signer("us.localhost/node", b"u" * 32)
EVE = Ed25519Signer("eve.localhost/node", b"e" * 32)
CH = "c" * 64
LINE = "— mx.localhost/mirror ".encode() + b"AAAAAAAAAAAA\n"
SHORT = Limits(connect_s=2, silence_s=0.3, read_s=0.6, write_s=1.2)


def log_name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def blob_name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class FakeNode:
    """The promises of PartnerService kept in dictionaries. MX is the node, US the known caller."""

    known: dict[str, Ed25519Verifier] = field(default_factory=lambda: {keyid_of(US): US.verifier()})
    members: set[Ed25519Verifier] = field(default_factory=lambda: {US.verifier()})
    checkpoints: dict[LogRef, bytes] = field(default_factory=dict)
    tiles: dict[tuple[LogRef, int | str, int, int], bytes] = field(default_factory=dict)
    charters: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[BlobRef, bytearray] = field(default_factory=dict)
    totals: dict[BlobRef, int] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    origin: str = "us.localhost/c/1"
    pending: int = 0
    entries: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    calls: list[str] = field(default_factory=list)
    is_healthy: bool = True

    def _may(self, who: Who, name: str) -> bool:
        self.calls.append(name)
        if self.error is not None:
            raise self.error
        return who in self.members or name in self.public

    def node_key(self, keyid: str) -> Ed25519Verifier | None:
        return self.known.get(keyid)

    def healthy(self) -> bool:
        return self.is_healthy

    def checkpoint(self, who: Who, log: LogRef) -> bytes | None:
        return self.checkpoints.get(log) if self._may(who, log.name) else None

    def tile(self, who: Who, log: LogRef, level: int, index: int, width: int) -> bytes | None:
        return self.tiles.get((log, level, index, width)) if self._may(who, log.name) else None

    def bundle(self, who: Who, log: LogRef, index: int, width: int) -> bytes | None:
        found = self.tiles.get((log, "entries", index, width))
        return found if self._may(who, log.name) else None

    def charter(self, who: Who, ch: str) -> bytes | None:
        return self.charters.get(ch) if self._may(who, ch) else None

    def add_checkpoint(self, who: Ed25519Verifier, request: AddCheckpoint) -> bytes | None:
        if not self._may(who, "add-checkpoint") or request.checkpoint.origin != self.origin:
            return None
        if request.note.lines[0].signature.endswith(b"forged"):
            raise SignatureError("note.bad_signature")
        if request.old != self.pending:
            raise ConflictError("mirror.moved", size=self.pending)
        self.pending = request.checkpoint.size
        return b""

    def add_entries(
        self, who: Ed25519Verifier, header: UploadHeader, packages: Iterator[Package]
    ) -> Stored | Progress | Elsewhere | None:
        if not self._may(who, "add-entries") or header.origin != self.origin:
            return None
        if header.start > len(self.entries):
            return Elsewhere(MirrorInfo(self.pending, len(self.entries)))
        for package in packages:
            self.entries[package.start :] = package.entries
        if len(self.entries) < header.end:
            return Progress(MirrorInfo(header.end, len(self.entries)))
        return Stored(LINE)

    def blob_held(self, who: Who, blob: BlobRef) -> BlobHeld | None:
        if not self._may(who, blob.ch):
            return None
        held, total = len(self.blobs.get(blob, b"")), self.totals.get(blob, -1)
        if held == total:
            return BlobHeld(held if who in self.members else 0, held)
        return BlobHeld(held, None) if who in self.members else None

    def blob_read(self, who: Who, blob: BlobRef, start: int, size: int) -> bytes | None:
        return bytes(self.blobs[blob][start : start + size]) if self._may(who, blob.ch) else None

    def blob_write(self, who: Ed25519Verifier, blob: BlobRef, chunk: Chunk) -> int | None:
        if not self._may(who, blob.ch):
            return None
        held = self.blobs.setdefault(blob, bytearray())
        if chunk.offset != len(held):
            raise ConflictError("blob.offset", offset=len(held))
        held += chunk.content
        self.totals[blob] = chunk.total
        return len(held)

    def hold(self, content: bytes) -> str:
        """Puts a complete blob; gives its name."""
        blob = BlobRef(CH, blob_name(content))
        self.blobs[blob], self.totals[blob] = bytearray(content), len(content)
        return blob.c


_NEXT = itertools.count()


def nonces(size: int) -> bytes:
    """Bytes that never repeat."""
    return next(_NEXT).to_bytes(size, "big")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """A fake node behind the real server. url is also the configured one."""

    node: FakeNode
    url: str
    server: PartnerServer
    partners: list[Partner] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return self.url.split("/")[2]

    def partner(
        self,
        signer: Ed25519Signer | None = US,
        *,
        url: str = "",
        key: Ed25519Verifier | None = MX.verifier(),  # noqa: B008
        clock: Callable[[], int] = lambda: NOW,
        rng: Callable[[int], bytes] = nonces,
        tls: str = "",
        limits: Limits | None = None,
    ) -> Partner:
        config = PartnerConfig(
            url or self.url, tls, key if signer else None, limits or Limits(silence_s=10)
        )
        self.partners.append(Partner(config, signer, clock, rng))
        return self.partners[-1]

    def raw(self, request: bytes) -> bytes:
        """Everything the server says to these bytes until it closes."""
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(request)
            return read_all(sock)

    def signed(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        encoding: str = "identity",
        signer: Ed25519Signer = US,
        nonce: bytes = b"",
        created: int = NOW,
        authority: str = "",
        life_s: int = 60,
        host: str = "",
    ) -> bytes:
        """The bytes of a signed request that asks to close the connection."""
        bare, _, query = path.partition("?")
        target = Target(method, authority or self.authority, bare, query)
        digest = content_digest(content)
        made = sign_request(
            target,
            digest,
            encoding,
            signer,
            created=created,
            nonce=nonce or nonces(16),
            life_s=life_s,
        )
        return request_bytes(method, path, made.fields(), content, host or self.authority)


def request_bytes(
    method: str, path: str, fields: dict[str, str], content: bytes = b"", host: str = "x"
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if content:
        lines.append(f"content-length: {len(content)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def read_all(sock: socket.socket) -> bytes:
    """What arrives until the other side closes or cuts."""
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65_536):
            got += chunk
    return bytes(got)


@contextlib.contextmanager
def running(
    node: FakeNode | None = None,
    *,
    path: str = "",
    tls: Tls | None = None,
    limits: ServeLimits | None = None,
    max_nonces: int = 20_000,
    port: int = 0,
) -> Iterator[Running]:
    """The real server, on a free port unless told, its clock standing at NOW."""
    node, port = node or FakeNode(), port or free_port()
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"
    config = PartnerApiConfig(url, MX, lambda: NOW, threads=4, max_nonces=max_nonces)
    server = serve_partner(partner_app(node, config), "127.0.0.1", port, tls=tls, limits=limits)
    one = Running(node, url, server)
    try:
        yield one
    finally:
        for partner in one.partners:
            partner.close()
        server.stop()


@contextlib.contextmanager
def lying_server(behave: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """A server that reads one request head and then does what it likes; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def handle(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head and (chunk := sock.recv(65_536)):
                head += chunk
            behave(sock, head)

    def accept() -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = listener.accept()
                threads.append(threading.Thread(target=handle, args=(sock,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        accepting.join()
        listener.close()
        for thread in threads:
            thread.join()
