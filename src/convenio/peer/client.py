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

from convenio.core.encoding import parse_decimal, parse_hex
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
from convenio.core.mirrorwire import (
    ENTRIES_TYPE,
    INFO_TYPE,
    SIZE_TYPE,
    parse_mirror_info,
    parse_size,
)
from convenio.core.note import Ed25519Signer, Ed25519Verifier
from convenio.core.tiles import ENTRIES, tile_path
from convenio.peer.limits import (
    MAX_BUNDLE_BYTES,
    MAX_CHARTER_BYTES,
    MAX_CHECKPOINT_BYTES,
    MAX_CHUNK_BYTES,
    MAX_ENTRIES_BYTES,
    MAX_REPLY_BYTES,
    MAX_TILE_BYTES,
)
from convenio.peer.service import BlobHeld, Elsewhere, Progress, Stored
from convenio.peer.wire import Answer, Limits, Wire

_CODE = re.compile(rb"[a-z]{1,30}\.[a-z][a-z0-9_]{0,60}\n", re.ASCII)
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What we said does not follow on what the partner has: `size` entries, or bytes of a blob."""

    size: int


@dataclass(frozen=True, slots=True)
class PartnerConfig:
    """Who is asked and how it is recognised.

    url: base URL of the partner's node. tls: SHA-256 of its certificate's DER, hex; empty for a
    certificate of a public authority. key: its node key; None asks as a stranger, for public
    channels only, and takes unsigned answers. via: base URL of another place to connect to, if the
    node has moved; it still knows itself by `url`, and whoever answers must have its key.
    """

    url: str
    tls: str = ""
    key: Ed25519Verifier | None = None
    limits: Limits = field(default_factory=Limits)
    via: str = ""


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
        pin = parse_hex(config.tls, 32, "peer.tls") if config.tls else b""
        reached = parse_base_url(config.via) if config.via else self._base
        self._wire = Wire(reached, pin, config.limits)

    def close(self) -> None:
        """Closes idle connections; the object may still be used."""
        self._wire.close()

    def add_checkpoint(self, body: bytes) -> Conflict | None:
        """None when the partner's mirror took the checkpoint as pending; else what it has.

        body: an add-checkpoint request (core.mirrorwire).
        """
        answer = self._ask("POST", "/mirror/add-checkpoint", content=body)
        if answer.status == 409:
            _need_type(answer, SIZE_TYPE)
            return Conflict(parse_size(answer.content))
        _expect(answer, 200)
        return None

    def add_entries(self, body: bytes, *, compress: bool = True) -> Stored | Progress | Elsewhere:
        """Uploads entry packages; `Stored` only when all up to upload_end are durable there.

        body: an add-entries request (core.mirrorwire), at most `MAX_ENTRIES_BYTES`.
        """
        if len(body) > MAX_ENTRIES_BYTES:
            raise RuntimeError("too much for one request; send fewer packages")
        encoding = "gzip" if compress else "identity"
        content = _gzip(body) if compress else body
        answer = self._ask("POST", "/mirror/add-entries", content=content, encoding=encoding)
        if answer.status in (202, 409):
            _need_type(answer, INFO_TYPE)
            info = parse_mirror_info(answer.content)
            return Progress(info) if answer.status == 202 else Elsewhere(info)
        _expect(answer, 200)
        return Stored(answer.content)

    def get_checkpoint(self, origin: str, *, mirror: bool = False) -> bytes | None:
        """The newest checkpoint of a log, of the partner's own or as it mirrors it; None: none."""
        return self._get(f"{_log(origin, mirror)}/checkpoint", MAX_CHECKPOINT_BYTES)

    def get_tile(
        self, origin: str, level: int, index: int, width: int, *, mirror: bool = False
    ) -> bytes | None:
        """A tile of hashes; its length is not checked here."""
        path = tile_path(level, index, width)
        return self._get(f"{_log(origin, mirror)}/{path}", MAX_TILE_BYTES)

    def get_bundle(
        self, origin: str, index: int, width: int, *, mirror: bool = False
    ) -> bytes | None:
        """The entries below a level 0 tile."""
        path = tile_path(ENTRIES, index, width)
        return self._get(f"{_log(origin, mirror)}/{path}", MAX_BUNDLE_BYTES)

    def get_charter(self, ch: str) -> bytes | None:
        """The charter of a channel."""
        return self._get(f"/charter/{ch}", MAX_CHARTER_BYTES)

    def blob_held(self, ch: str, c: str) -> BlobHeld | None:
        """What the partner has of blob `c` from us, and its size if it is ours to read.

        None: it wants nothing of it from us and has nothing of it for us.
        """
        answer = self._ask("HEAD", f"/blob/{ch}/{c}")
        if answer.status == 404:
            return None
        _expect(answer, 200)
        offset = _field_number(answer, b"upload-offset")
        size = answer.field(b"upload-length")
        return BlobHeld(offset, None if size is None else parse_decimal(size, "peer.content"))

    def put_blob_chunk(
        self, ch: str, c: str, offset: int, total: int, chunk: bytes
    ) -> BlobHeld | Conflict:
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
        return BlobHeld(held, total if held == total else None)

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
        own |= {"content-type": ENTRIES_TYPE} if content else {}
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
            return UnavailableError("peer.status", status=answer.status, reason="")
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
    reason = answer.content[:-1].decode() if _CODE.fullmatch(answer.content) else ""
    if 300 <= status < 400:
        raise MalformedError("peer.redirect", status=status)
    if status >= 500 or status in _LATER:
        raise UnavailableError("peer.status", status=status, reason=reason)
    if status >= 400 and status not in (404, 409):
        raise RefusedError("peer.refused", status=status, reason=reason)


def _expect(answer: Answer, status: int) -> None:
    if answer.status == 404:
        raise RefusedError("peer.refused", status=404, reason="")
    if answer.status != status:
        raise MalformedError("peer.content", status=answer.status)


def _need_type(answer: Answer, wanted: str) -> None:
    if answer.field(b"content-type") != wanted.encode():
        raise MalformedError("peer.content", status=answer.status)


def _field_number(answer: Answer, name: bytes) -> int:
    return parse_decimal(answer.field(name) or b"", "peer.content")
