"""What can be asked of a node over HTTP: one function for each kind, and the table of paths.

A handler blocks, runs in the door's pool and knows nothing of signatures. None is "not found".
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from convenio.core.encoding import parse_decimal
from convenio.core.errors import ConflictError, MalformedError
from convenio.core.mirrorwire import (
    INFO_TYPE,
    MAX_ADD_CHECKPOINT_BYTES,
    SIZE_TYPE,
    Package,
    PackageReader,
    UploadHeader,
    format_size,
    parse_add_checkpoint,
)
from convenio.core.note import Ed25519Verifier
from convenio.core.tiles import ENTRIES, parse_tile_path
from convenio.peer.limits import MAX_CHUNK_BYTES, MAX_ENTRIES_BYTES
from convenio.peer.service import BlobRef, Chunk, LogRef, PartnerService, Progress, Stored, Who

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_RANGE = re.compile(rb"bytes=(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17})?", re.ASCII)
_CHUNK_QUERY = re.compile(rb"offset=([0-9]{1,19})&size=([0-9]{1,19})", re.ASCII)
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_FOREVER: Final = "public, max-age=31536000, immutable"
_BRIEF: Final = "no-cache"
_UNPACK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it. query, range: raw, may be empty."""

    service: PartnerService
    who: Who
    path: dict[str, str]
    query: bytes
    range: bytes
    content: bytes = b""
    encoding: str = "identity"

    @property
    def known(self) -> Ed25519Verifier:
        if self.who is None:
            raise RuntimeError("the door let a stranger through")
        return self.who

    def hash(self, name: str) -> str:
        if not _HASH.fullmatch(self.path[name]):
            raise MalformedError("http.target")
        return self.path[name]

    @property
    def blob(self) -> BlobRef:
        return BlobRef(self.hash("ch"), self.hash("c"))


@dataclass(frozen=True, slots=True)
class Reply:
    """blob: a blob and its size, whose whole content follows; too large to be held here."""

    status: int
    content: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    blob: tuple[BlobRef, int] | None = None


Handler = Callable[[Call], Reply | None]


def text(status: int, line: str) -> Reply:
    fields = {"content-type": _TEXT, "cache-control": "no-store"}
    return Reply(status, line.encode() + b"\n", fields)


NOT_FOUND: Final = text(404, "not found")


def _healthz(call: Call) -> Reply:
    return text(200, "ok") if call.service.healthy() else text(503, "unavailable")


def _checkpoint(call: Call, *, mirror: bool) -> Reply | None:
    return _found(
        call.service.checkpoint(call.who, LogRef(call.hash("log"), mirror)), _TEXT, _BRIEF
    )


def _tile(call: Call, *, mirror: bool) -> Reply | None:
    level, index, width = parse_tile_path("tile/" + call.path["tile"])
    log = LogRef(call.hash("log"), mirror)
    if level == ENTRIES:
        found = call.service.bundle(call.who, log, index, width)
    else:
        found = call.service.tile(call.who, log, level, index, width)
    return _found(found, _BYTES, _FOREVER)


def _charter(call: Call) -> Reply | None:
    return _found(call.service.charter(call.who, call.hash("ch")), _TEXT, _BRIEF)


def _found(content: bytes | None, media: str, cache: str) -> Reply | None:
    if content is None:
        return None
    return Reply(200, content, {"content-type": media, "cache-control": cache})


def _add_checkpoint(call: Call) -> Reply | None:
    """Status codes of C2SP tlog-witness, add-checkpoint."""
    request = parse_add_checkpoint(_plain(call))
    try:
        lines = call.service.add_checkpoint(call.known, request)
    except ConflictError as error:
        size = error.parameters.get("size")
        if not isinstance(size, int):
            raise
        return Reply(409, format_size(size), {"content-type": SIZE_TYPE})
    return None if lines is None else Reply(200, lines, {"content-type": _TEXT})


def _add_entries(call: Call) -> Reply | None:
    """Status codes of C2SP tlog-mirror, add-entries.

    What does not read as a package ends the request like its end would: what came before counts.
    """
    parts, count = _parts(call), 0
    header = next(parts, None)
    if not isinstance(header, UploadHeader):
        raise MalformedError("http.entries")

    def packages() -> Iterator[Package]:
        nonlocal count
        for part in parts:
            if isinstance(part, Package):
                count += 1
                yield part

    result = call.service.add_entries(call.known, header, packages())
    if result is None:
        return None
    if isinstance(result, Stored):
        return Reply(200, result.lines, {"content-type": _TEXT, "accept-encoding": "gzip"})
    if isinstance(result, Progress) and not count:
        raise MalformedError("http.entries")
    status = 202 if isinstance(result, Progress) else 409
    fields = {"content-type": INFO_TYPE, "accept-encoding": "gzip"}
    return Reply(status, result.info.encode(), fields)


def _parts(call: Call) -> Iterator[UploadHeader | Package]:
    reader = PackageReader()
    with contextlib.suppress(MalformedError, zlib.error):
        for chunk in _unpacked(call.content, call.encoding):
            yield from reader.feed(chunk)


def _unpacked(content: bytes, encoding: str) -> Iterator[bytes]:
    """The content in chunks, at most `MAX_ENTRIES_BYTES` of it, however small it was packed."""
    unpacker = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    total = 0
    for at in range(0, len(content), _UNPACK_BYTES):
        packed = content[at : at + _UNPACK_BYTES]
        while packed and total < MAX_ENTRIES_BYTES:
            chunk, packed = packed, b""
            if unpacker:
                chunk = unpacker.decompress(chunk, _UNPACK_BYTES)
                packed = unpacker.unconsumed_tail
            total += len(chunk)
            yield chunk


def _blob_head(call: Call) -> Reply | None:
    held = call.service.blob_held(call.who, call.blob)
    if held is None:
        return None
    fields = {"upload-offset": str(held.offset), "cache-control": "no-store"}
    if held.size is not None:
        size = str(held.size)
        fields |= {"upload-length": size, "content-length": size, "accept-ranges": "bytes"}
    return Reply(200, b"", fields)


def _blob_get(call: Call) -> Reply | None:
    """The whole blob, or at most `MAX_CHUNK_BYTES` of the range asked for.

    Never cached: a body can be erased.
    """
    held = call.service.blob_held(call.who, call.blob)
    if held is None or held.size is None:
        return None
    size, start, end = held.size, 0, held.size
    fields = {"content-type": _BYTES, "cache-control": "no-store", "accept-ranges": "bytes"}
    if asked := _RANGE.fullmatch(call.range):
        start = int(asked[1])
        end = min(size, int(asked[2]) + 1 if asked[2] else size, start + MAX_CHUNK_BYTES)
        if start >= end:
            return Reply(416, b"", fields | {"content-range": f"bytes */{size}"})
        fields["content-range"] = f"bytes {start}-{end - 1}/{size}"
    elif size > MAX_CHUNK_BYTES:
        return Reply(200, b"", fields | {"content-length": str(size)}, (call.blob, size))
    content = call.service.blob_read(call.who, call.blob, start, end - start)
    if content is None or len(content) != end - start:
        return None
    return Reply(206 if asked else 200, content, fields)


def _blob_put(call: Call) -> Reply | None:
    asked = _CHUNK_QUERY.fullmatch(call.query)
    if not asked:
        raise MalformedError("http.target")
    offset, total = (parse_decimal(number, "http.target") for number in asked.groups())
    chunk = _plain(call)
    if not chunk or offset + len(chunk) > total:
        raise MalformedError("http.chunk")
    try:
        held = call.service.blob_write(call.known, call.blob, Chunk(offset, total, chunk))
    except ConflictError as error:
        if "offset" not in error.parameters:
            raise
        return Reply(409, b"", {"upload-offset": str(error.parameters["offset"])})
    return None if held is None else Reply(204, b"", {"upload-offset": str(held)})


def _plain(call: Call) -> bytes:
    if call.encoding != "identity":
        raise MalformedError("http.encoding")
    return call.content


TABLE: Final[tuple[tuple[str, str, Handler, int], ...]] = (
    # The last column bounds the body, as sent; 0 is none, and open to strangers.
    ("GET", "/healthz", _healthz, 0),
    ("GET", "/log/{log}/checkpoint", partial(_checkpoint, mirror=False), 0),
    ("GET", "/log/{log}/tile/{tile:path}", partial(_tile, mirror=False), 0),
    ("GET", "/mirror/{log}/checkpoint", partial(_checkpoint, mirror=True), 0),
    ("GET", "/mirror/{log}/tile/{tile:path}", partial(_tile, mirror=True), 0),
    ("POST", "/mirror/add-checkpoint", _add_checkpoint, MAX_ADD_CHECKPOINT_BYTES),
    ("POST", "/mirror/add-entries", _add_entries, MAX_ENTRIES_BYTES),
    ("GET", "/charter/{ch}", _charter, 0),
    ("HEAD", "/blob/{ch}/{c}", _blob_head, 0),
    ("GET", "/blob/{ch}/{c}", _blob_get, 0),
    ("PUT", "/blob/{ch}/{c}", _blob_put, MAX_CHUNK_BYTES),
)
