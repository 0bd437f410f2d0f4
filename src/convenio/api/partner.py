"""The partner-facing HTTP of a node: parse, ask one service, answer (docs/spec/http.md).

Who asks is known by a signature over the request, never by address or certificate; who has none
gets what is public, and for everything else one uniform 404. All paths are compared as raw bytes,
the authority is the configured one: the Host header decides nothing. Blocking services run in a
bounded pool of threads, and no body is held that is not from a known node.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from convenio.api.handlers import NOT_FOUND, TABLE, Call, Handler, Reply, text
from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
    UnverifiedError,
)
from convenio.core.httpsig import (
    NonceCache,
    RequestSignature,
    Target,
    check_request,
    check_target,
    content_digest,
    parse_base_url,
    parse_request,
    sign_response,
)
from convenio.core.note import Ed25519Signer, Ed25519Verifier
from convenio.peer.limits import MAX_CHUNK_BYTES
from convenio.peer.service import BlobRef, PartnerService, Who

_T = TypeVar("_T")
_STRANGER_THREADS: Final = 2
_log = logging.getLogger("convenio.partner")


@dataclass(frozen=True, slots=True)
class PartnerApiConfig:
    """url: this node's base URL as its partners have it. signer: our node key.

    threads: for blocking services; strangers have two of their own, so they hold up nobody else.
    max_nonces: remembered for each partner's key.
    """

    url: str
    signer: Ed25519Signer
    clock: Callable[[], int]
    threads: int = 8
    max_nonces: int = 20_000


@dataclass(frozen=True, slots=True)
class _Caller:
    """A known node and the signature it asks with."""

    key: Ed25519Verifier
    signed: RequestSignature


def partner_app(service: PartnerService, config: PartnerApiConfig) -> Starlette:
    """The application that `serve_partner` serves below the path of `config.url`."""
    door = _Door(service, config)
    prefix = parse_base_url(config.url).path
    routes = [
        Route(prefix + path, door.endpoint(handler, max_bytes), methods=[method])
        for method, path, handler, max_bytes in TABLE
    ]

    async def refuse(_request: Request, _error: Exception) -> Response:
        return _response(NOT_FOUND)

    app = Starlette(
        routes=routes, exception_handlers={404: refuse, 405: refuse}, lifespan=door.lifespan
    )
    app.router.redirect_slashes = False  # its redirects are made of the Host header
    return app


class _Door:
    """Admits, reads, runs the handler in the pool, signs. Lives on one event loop."""

    def __init__(self, service: PartnerService, config: PartnerApiConfig) -> None:
        self._service = service
        self._config = config
        self._authority = parse_base_url(config.url).authority
        self._nonces = NonceCache(config.max_nonces)
        self._uploads: dict[Ed25519Verifier, asyncio.Lock] = {}
        self._pools: tuple[ThreadPoolExecutor, ...] = ()

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        names = (("partner", self._config.threads), ("stranger", _STRANGER_THREADS))
        self._pools = tuple(ThreadPoolExecutor(threads, name) for name, threads in names)
        try:
            yield
        finally:
            # After this no service is running, so the node may close what services use.
            for pool in self._pools:
                pool.shutdown(wait=True, cancel_futures=True)

    def endpoint(
        self, handler: Handler, max_bytes: int
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await self._serve(request, handler, max_bytes)

        return serve

    async def _serve(self, request: Request, handler: Handler, max_bytes: int) -> Response:
        """(1) Who asks? (2) Strangers bring nothing. (3) Read and run. (4) Sign."""
        try:
            caller = self._admit(request)  # (1)
        except UnavailableError as error:
            return _response(text(429, error.code))  # only a known key comes so far
        except ConvenioError as error:
            _log.info("partner.refused", extra={"code": error.code})
            return _response(NOT_FOUND)
        if max_bytes and caller is None:  # (2)
            return _response(NOT_FOUND)
        try:
            reply = await self._run(request, caller, handler, max_bytes)  # (3)
        except ConvenioError as error:
            reply = _error_reply(error, caller)
        except ClientDisconnect:
            reply = None  # nobody will read it
        return self._sealed(request, caller, reply or NOT_FOUND)  # (4)

    def _admit(self, request: Request) -> _Caller | None:
        scope = request.scope
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        target = check_target(Target(scope["method"], self._authority, path, query))
        signed = parse_request(scope["headers"])
        if signed is None:
            return None
        now = self._config.clock()
        key = _signer(signed, target, self._service.node_keys(signed.keyid), now)
        self._nonces.take(signed, key, now)
        return _Caller(key, signed)

    async def _run(
        self, request: Request, caller: _Caller | None, handler: Handler, max_bytes: int
    ) -> Reply | None:
        query = request.scope["query_string"]
        asked = request.headers.get("range", "").encode("latin-1")
        if caller is None:
            call = Call(self._service, None, request.path_params, query, asked)
            return await self._in_pool(call.who, handler, call)
        # A known node brings one body at a time: what it holds of our memory and threads is
        # bounded, and it can shut out nobody but itself.
        async with self._turn(caller, max_bytes):
            content = await _read(request, caller.signed.digest, max_bytes)
            encoding, path = caller.signed.encoding, request.path_params
            call = Call(self._service, caller.key, path, query, asked, content, encoding)
            return await self._in_pool(call.who, handler, call)

    def _turn(self, caller: _Caller, max_bytes: int) -> asyncio.Lock:
        return self._uploads.setdefault(caller.key, asyncio.Lock()) if max_bytes else asyncio.Lock()

    async def _in_pool(self, who: Who, work: Callable[..., _T], *given: object) -> _T:
        pool = self._pools[who is None]
        return await asyncio.get_running_loop().run_in_executor(pool, work, *given)

    def _sealed(self, request: Request, caller: _Caller | None, reply: Reply) -> Response:
        headed = request.method == "HEAD"
        extra: dict[str, str] = {}
        if caller is not None:
            # The content of an answer to HEAD is empty, whatever length it tells; and a blob is
            # named by the hash that its digest would be.
            digest = content_digest(b"" if headed else reply.content)
            if reply.blob and not headed:
                digest = bytes.fromhex(reply.blob[0].c)
            asked, now = caller.signed.signature, self._config.clock()
            signed = sign_response(reply.status, digest, asked, self._config.signer, now)
            extra = signed.fields() | {"cache-control": "no-store"}
        if reply.blob and not headed:
            fields = reply.fields | extra
            who = caller.key if caller else None
            return StreamingResponse(self._blob(who, reply.blob), reply.status, fields)
        return _response(reply, extra)

    async def _blob(self, who: Who, blob: tuple[BlobRef, int]) -> AsyncIterator[bytes]:
        ref, size = blob
        for start in range(0, size, MAX_CHUNK_BYTES):
            read = self._service.blob_read
            part = await self._in_pool(who, read, who, ref, start, MAX_CHUNK_BYTES)
            if not part:
                raise RuntimeError("the blob went away while it was sent")
            yield part


def _signer(
    signed: RequestSignature, target: Target, keys: Sequence[Ed25519Verifier], now: int
) -> Ed25519Verifier:
    """Whose of these keys the signature is by.  Raises:  as `check_request` · http.unknown_key."""
    wrong: UnverifiedError = UnverifiedError("http.unknown_key", key=signed.keyid)
    for key in keys:
        try:
            check_request(signed, target, key, now)
        except SignatureError as error:
            wrong = error
        else:
            return key
    raise wrong


async def _read(request: Request, digest: bytes, max_bytes: int) -> bytes:
    """The content of a request, once it is whole and what was signed."""
    if int(request.headers.get("content-length", "0")) > max_bytes:
        raise RefusedError("http.too_long", max_bytes=max_bytes)
    content, hashed = bytearray(), hashlib.sha256()
    async for chunk in request.stream():
        content += chunk
        hashed.update(chunk)
        if len(content) > max_bytes:
            raise RefusedError("http.too_long", max_bytes=max_bytes)
    if hashed.digest() != digest:
        raise MalformedError("http.wrong_digest")
    return bytes(content)


def _response(reply: Reply, extra: dict[str, str] | None = None) -> Response:
    return Response(reply.content, reply.status, reply.fields | (extra or {}))


_STATUS: Final[tuple[tuple[type[ConvenioError], int], ...]] = (
    (MalformedError, 400),
    (SignatureError, 403),
    (UnverifiedError, 422),
    (RefusedError, 403),
    (ConflictError, 503),  # those with a meaning for the caller are answered by their handler
    (UnavailableError, 503),
)


def _error_reply(error: ConvenioError, caller: _Caller | None) -> Reply:
    if caller is None and not isinstance(error, UnavailableError):
        return NOT_FOUND
    _log.info("partner.error", extra={"code": error.code})
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if error.code == "http.too_long":
        status = 413
    if error.code.startswith("quota."):
        status = 429
    return text(status, error.code)
