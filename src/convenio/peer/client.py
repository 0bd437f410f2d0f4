"""What a node asks of its partner's node: the calls of docs/spec/http.md, signed both ways.

Admission and transport only. What comes back is verified by whoever asked: a checkpoint by its
signatures, a tile by its root, a blob by its name. Nothing is retried here; every call may be
repeated without harm.
"""

from __future__ import annotations

import email.utils
import hashlib
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from convenio.core.encoding import parse_decimal
from convenio.core.errors import (
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
    UnverifiedError,
)
from convenio.core.httpsig import (
    MAX_SKEW_S,
    NONCE_BYTES,
    Target,
    check_response,
    content_digest,
    parse_base_url,
    parse_response,
    sign_request,
)
from convenio.core.note import Ed25519Signer, Ed25519Verifier
from convenio.peer.wire import Answer, Limits, Wire

MAX_CHECKPOINT_BYTES: Final = 64 * 1024
MAX_TILE_BYTES: Final = 256 * 32
MAX_BUNDLE_BYTES: Final = 256 * (2 + 65_535)
MAX_CHARTER_BYTES: Final = 1024 * 1024
MAX_CHUNK_BYTES: Final = 1024 * 1024
MAX_ENTRIES_BYTES: Final = 24 * 1024 * 1024
MAX_REPLY_BYTES: Final = 64 * 1024

_CODE = re.compile(rb"[a-z0-9_.]{1,64}\n", re.ASCII)
_SIZE_TYPE: Final = b"text/x.tlog.size"
_INFO_TYPE: Final = b"text/x.tlog.mirror-info"
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Conflict:
    """The partner is elsewhere: it holds `size` (entries of a log, or bytes of a blob)."""

    size: int


@dataclass(frozen=True, slots=True)
class Done:
    """All entries are durable at the partner; lines: its cosignatures, as signature lines."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """The partner's mirror stands elsewhere. info: body of type text/x.tlog.mirror-info.

    progress: it took entries (202); else it took none (409).
    """

    info: bytes
    progress: bool


@dataclass(frozen=True, slots=True)
class BlobState:
    """How much of a blob the partner holds. size: its whole size, None while not complete."""

    offset: int
    size: int | None


@dataclass(frozen=True, slots=True)
class PartnerConfig:
    """Who is asked and how it is recognised.

    url: base URL of the partner's node. tls_pin: SHA-256 of its certificate's DER; empty for a
    certificate of a public authority. key: its node key; None asks as a stranger, for public
    channels only, and takes unsigned answers.
    """

    url: str
    tls_pin: bytes = b""
    key: Ed25519Verifier | None = None
    limits: Limits = field(default_factory=Limits)


class Partner:
    """One partner's node. Safe from any thread; every call returns or raises within its time.

    signer: our node key, used whenever the partner's key is known. clock: seconds UTC.
    rng: n random bytes.

    Raises, from every call:
        UnavailableError: peer.resolve · peer.connect · peer.timeout · peer.closed · peer.status ·
            peer.stranger, it does not know us, or a clock is wrong (`skew_s`).
        MalformedError: peer.http · peer.too_long · peer.redirect · peer.content · http.*.
        UnverifiedError: peer.digest; SignatureError: peer.unsigned · peer.tls_pin · http.*.
        RefusedError: peer.refused, with `status` and, if it said so, its `reason`.
    """

    def __init__(
        self,
        config: PartnerConfig,
        signer: Ed25519Signer | None,
        clock: Callable[[], int],
        rng: Callable[[int], bytes],
    ) -> None:
        if config.key is not None and signer is None:
            raise RuntimeError("a partner's answers are signed to signed requests only")
        self._base = parse_base_url(config.url)
        self._key = config.key
        self._signer = signer
        self._clock = clock
        self._rng = rng
        self._wire = Wire(self._base, config.tls_pin, config.limits)

    def close(self) -> None:
        """Closes idle connections; the object may still be used."""
        self._wire.close()

    def add_checkpoint(self, body: bytes) -> Conflict | None:
        """None when the partner's mirror took the checkpoint as pending; else what it has.

        body: an add-checkpoint request (core.mirrorwire).
        """
        answer = self._ask("POST", "/mirror/add-checkpoint", content=body)
        if answer.status == 409:
            _need_type(answer, _SIZE_TYPE)
            return Conflict(_number_line(answer.content))
        _expect(answer, 200)
        return None

    def add_entries(self, body: bytes, *, compress: bool = True) -> Done | Moved:
        """Uploads entry packages; `Done` only when all up to upload_end are durable there.

        body: an add-entries request (core.mirrorwire), at most `MAX_ENTRIES_BYTES`.
        """
        if len(body) > MAX_ENTRIES_BYTES:
            raise RuntimeError("too much for one request; send fewer packages")
        encoding = "gzip" if compress else "identity"
        content = _gzip(body) if compress else body
        answer = self._ask("POST", "/mirror/add-entries", content=content, encoding=encoding)
        if answer.status in (202, 409):
            _need_type(answer, _INFO_TYPE)
            return Moved(answer.content, answer.status == 202)
        _expect(answer, 200)
        return Done(answer.content)

    def get_checkpoint(self, origin: str, *, mirror: bool = False) -> bytes | None:
        """The newest checkpoint of a log, of the partner's own or as it mirrors it; None: none."""
        return self._get(f"{_log(origin, mirror)}/checkpoint", MAX_CHECKPOINT_BYTES)

    def get_tile(self, origin: str, tile_path: str, *, mirror: bool = False) -> bytes | None:
        """A tile or an entry bundle.  tile_path: as core.tiles writes it, "tile/0/000.p/5"."""
        cap = MAX_BUNDLE_BYTES if tile_path.startswith("tile/entries/") else MAX_TILE_BYTES
        return self._get(f"{_log(origin, mirror)}/{tile_path}", cap)

    def get_charter(self, ch: str) -> bytes | None:
        """The charter of a channel."""
        return self._get(f"/charter/{ch}", MAX_CHARTER_BYTES)

    def blob_state(self, ch: str, c: str) -> BlobState | None:
        """How much of blob `c` the partner holds; None: it wants nothing of it from us."""
        answer = self._ask("HEAD", f"/blob/{ch}/{c}")
        if answer.status == 404:
            return None
        _expect(answer, 200)
        offset = _field_number(answer, b"upload-offset")
        size = answer.field(b"upload-length")
        return BlobState(offset, None if size is None else parse_decimal(size, "peer.content"))

    def put_blob_chunk(
        self, ch: str, c: str, offset: int, total: int, chunk: bytes
    ) -> BlobState | Conflict:
        """What the partner holds after it took `chunk` at `offset`, or what it has instead.

        chunk: at most `MAX_CHUNK_BYTES`, not empty. total: size of the whole blob, bytes.
        """
        if not 0 < len(chunk) <= MAX_CHUNK_BYTES:
            raise RuntimeError("a chunk is 1 byte to 1 MiB")
        query = f"offset={offset}&size={total}"
        answer = self._ask("PUT", f"/blob/{ch}/{c}", query=query, content=chunk)
        held = _field_number(answer, b"upload-offset") if answer.status in (204, 409) else 0
        if answer.status == 409:
            return Conflict(held)
        _expect(answer, 204)
        return BlobState(held, total if held == total else None)

    def get_blob_range(self, ch: str, c: str, start: int, end: int) -> bytes | None:
        """Bytes [start, end) of blob `c`, fewer at its end; at most `MAX_CHUNK_BYTES`."""
        if not 0 <= start < end <= start + MAX_CHUNK_BYTES:
            raise RuntimeError("a range is 1 byte to 1 MiB")
        asked = {"range": f"bytes={start}-{end - 1}"}
        answer = self._ask("GET", f"/blob/{ch}/{c}", fields=asked, max_bytes=MAX_CHUNK_BYTES)
        if answer.status == 404:
            return None
        _expect(answer, 206)
        shown = answer.field(b"content-range") or b""
        last = start + len(answer.content) - 1
        if (
            not answer.content
            or last >= end
            or not shown.startswith(b"bytes %d-%d/" % (start, last))
        ):
            raise MalformedError("peer.content")
        return answer.content

    def _get(self, path: str, max_bytes: int) -> bytes | None:
        answer = self._ask("GET", path, max_bytes=max_bytes)
        if answer.status == 404:
            return None
        _expect(answer, 200)
        return answer.content

    def _ask(  # noqa: PLR0913 -- the parts of a request
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        content: bytes = b"",
        encoding: str = "identity",
        fields: dict[str, str] | None = None,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> Answer:
        """The partner's answer, if it is its own and no failure of its own making.

        (1) sign, (2) exchange, (3) what is not signed says at most "later", (4) verify, (5) a
        signed status that no call expects is raised here.
        """
        target = Target(method, self._base.authority, self._base.path + path, query)
        own, signature = self._signed(target, content, encoding)  # (1)
        whole = target.path + (f"?{query}" if query else "")
        answer = self._wire.exchange(method, whole, own | (fields or {}), content, max_bytes)  # (2)
        if self._key is None:
            _check_status(answer)
            return answer
        signed = parse_response(answer.fields)
        if signed is None:  # (3)
            raise self._unsigned(answer)
        check_response(signed, answer.status, signature, self._key)  # (4)
        if content_digest(answer.content) != signed.digest:
            raise UnverifiedError("peer.digest")
        _check_status(answer)  # (5)
        return answer

    def _signed(
        self, target: Target, content: bytes, encoding: str
    ) -> tuple[dict[str, str], bytes]:
        if self._key is None or self._signer is None:
            return {"content-encoding": encoding} if encoding != "identity" else {}, b""
        nonce = self._rng(NONCE_BYTES)
        digest = content_digest(content)
        signed = sign_request(
            target, digest, encoding, self._signer, created=self._clock(), nonce=nonce
        )
        return signed.fields(), signed.signature

    def _unsigned(self, answer: Answer) -> Exception:
        if answer.status == 404:
            skew_s = self._skew_s(answer)
            off = {"skew_s": skew_s} if abs(skew_s) > MAX_SKEW_S else {}
            return UnavailableError("peer.stranger", **off)
        if answer.status >= 500 or answer.status in _LATER:
            return UnavailableError("peer.status", status=answer.status)
        return SignatureError("peer.unsigned", status=answer.status)

    def _skew_s(self, answer: Answer) -> int:
        """How far the partner's clock is ahead of ours, by its own unsigned word; a hint only."""
        try:
            date = email.utils.parsedate_to_datetime((answer.field(b"date") or b"").decode())
            return int(date.timestamp()) - self._clock()
        except (ValueError, TypeError, OverflowError):
            return 0


def _log(origin: str, mirror: bool) -> str:
    name = hashlib.sha256(origin.encode()).hexdigest()
    return f"/{'mirror' if mirror else 'log'}/{name}"


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(body) + packer.flush()


def _check_status(answer: Answer) -> None:
    """Raises for a status that no call expects. 2xx, 404 and 409 are the calls' own."""
    status = answer.status
    if 300 <= status < 400:
        raise MalformedError("peer.redirect", status=status)
    if status >= 500 or status in _LATER:
        raise UnavailableError("peer.status", status=status)
    if status in (400, 401, 403, 405, 410, 411, 413, 415, 416, 422):
        reason = answer.content[:-1].decode() if _CODE.fullmatch(answer.content) else ""
        raise RefusedError("peer.refused", status=status, reason=reason)


def _expect(answer: Answer, status: int) -> None:
    if answer.status == 404:
        raise RefusedError("peer.refused", status=404, reason="")
    if answer.status != status:
        raise MalformedError("peer.content", status=answer.status)


def _need_type(answer: Answer, wanted: bytes) -> None:
    if answer.field(b"content-type") != wanted:
        raise MalformedError("peer.content", status=answer.status)


def _number_line(content: bytes) -> int:
    if not content.endswith(b"\n"):
        raise MalformedError("peer.content")
    return parse_decimal(content[:-1], "peer.content")


def _field_number(answer: Answer, name: bytes) -> int:
    return parse_decimal(answer.field(name) or b"", "peer.content")
