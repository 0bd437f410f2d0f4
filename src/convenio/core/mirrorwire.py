"""What a log's owner sends a mirror and what it answers (C2SP tlog-mirror, commit 5ba5ee8).

`add-checkpoint` is one small text. `add-entries` is a header and a stream of packages, each of up
to 256 entries with the proof that they belong to the tree, so a mirror can check and store a
package before it has read the next. This module reads and writes bytes; which answer a state
deserves is `node`'s question.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from convenio.core.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    MAX_ORIGIN_BYTES,
    Checkpoint,
    check_origin,
    parse_signed_checkpoint,
)
from convenio.core.encoding import MAX_SIZE, parse_base64, parse_decimal
from convenio.core.errors import MalformedError
from convenio.core.merkle import (
    HASH,
    MAX_PROOF,
    Reader,
    RightEdge,
    check_subtree,
    format_hashes,
    leaf_hash,
    parse_hashes,
    subtree_proof,
)
from convenio.core.note import Note
from convenio.core.tiles import MAX_ENTRY_BYTES, WIDTH, format_bundle

ENTRIES_TYPE: Final = "application/octet-stream"
SIZE_TYPE: Final = "text/x.tlog.size"
INFO_TYPE: Final = "text/x.tlog.mirror-info"
MAX_PACKAGES: Final = 32  # that a client sends in one request; a mirror takes any number
MAX_ADD_CHECKPOINT_BYTES: Final = MAX_CHECKPOINT_BYTES + 4096
MAX_HEADER_BYTES: Final = 2 + MAX_ORIGIN_BYTES + 8 + 8 + 2 + 65_535
MAX_PACKAGE_BYTES: Final = WIDTH * (2 + MAX_ENTRY_BYTES) + 1 + MAX_PROOF * HASH
MAX_INFO_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The body of `add-checkpoint`: a newer checkpoint and the proof that it extends `old` leaves.

    note: the signed checkpoint as it came; its signatures are not checked here.
    """

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: Note

    @classmethod
    def of(cls, old: int, proof: Sequence[bytes], signed: bytes) -> AddCheckpoint:
        """The request that offers the signed checkpoint `signed`."""
        return cls(old, tuple(proof), *parse_signed_checkpoint(signed))

    def encode(self) -> bytes:
        return b"old %d\n" % self.old + format_hashes(self.proof) + b"\n" + self.note.encode()


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """The request that `data` writes.

    Raises:  MalformedError: mirrorwire.too_long · mirrorwire.add_checkpoint ·
             mirrorwire.old_size, above the checkpoint's · note.* · checkpoint.*
    Source:  C2SP tlog-witness, add-checkpoint.
    """
    if len(data) > MAX_ADD_CHECKPOINT_BYTES:
        raise MalformedError("mirrorwire.too_long", max_bytes=MAX_ADD_CHECKPOINT_BYTES)
    head, blank, signed = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if not blank or not first.startswith(b"old "):
        raise MalformedError("mirrorwire.add_checkpoint")
    old = parse_decimal(first.removeprefix(b"old "), "mirrorwire.add_checkpoint")
    request = AddCheckpoint.of(old, parse_hashes(lines, "mirrorwire.add_checkpoint"), signed)
    if old > request.checkpoint.size:
        raise MalformedError("mirrorwire.old_size", size=request.checkpoint.size)
    return request


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """The head of `add-entries`: entries [start, end) of the tree of `end` leaves are to follow."""

    origin: str
    start: int
    end: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        origin = self.origin.encode()
        return b"".join(
            (
                len(origin).to_bytes(2, "big") + origin,
                self.start.to_bytes(8, "big") + self.end.to_bytes(8, "big"),
                len(self.ticket).to_bytes(2, "big") + self.ticket,
            )
        )


@dataclass(frozen=True, slots=True)
class Package:
    """Entries from index `start` on, and the proof that their bundle so far is in the tree.

    entries: 1 to 256, within one bundle. proof: at most 63 hashes, deepest first.
    """

    start: int
    entries: tuple[bytes, ...]
    proof: tuple[bytes, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.entries)

    @property
    def bundle_start(self) -> int:
        """Where the subtree starts that the proof is about; leaves before `start` are known."""
        return self.start - self.start % WIDTH

    def encode(self) -> bytes:
        count = bytes([len(self.proof)])
        return format_bundle(self.entries) + count + b"".join(self.proof)


def make_package(start: int, entries: Sequence[bytes], size: int, reader: Reader) -> Package:
    """The package of `entries` from index `start`, proven into the tree of `size` leaves."""
    first, end = start - start % WIDTH, start + len(entries)
    return Package(start, tuple(entries), tuple(subtree_proof(first, end, size, reader)))


def package_ranges(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The canonical packages of [start, end), each as the half-open range of its entries."""
    while start < end:
        cut = min(end, start - start % WIDTH + WIDTH)
        yield start, cut
        start = cut


def check_package(package: Package, before: RightEdge, size: int, root: bytes) -> list[bytes]:
    """The leaf hashes of the package's entries, once they are proven to be in the tree.

    before: the edge of the leaves [bundle_start, start) that the mirror already holds.
    Raises:  ProofError, as `merkle.check_subtree`.
    Source:  C2SP tlog-mirror, add-entries, Processing.
    """
    if before.size != package.start - package.bundle_start:
        raise RuntimeError("not the edge of the leaves before this package")
    leaves = [leaf_hash(entry) for entry in package.entries]
    found = before.extend(leaves).root()
    check_subtree(package.bundle_start, package.end, found, size, root, package.proof)
    return leaves


class PackageReader:
    """Reads an `add-entries` body as it arrives, in chunks cut anywhere.

    Holds what it was last fed and at most one package (16.8 MB) besides. Nothing it yields is
    checked against a tree. After an error it reads no further.
    """

    def __init__(self) -> None:
        self.header: UploadHeader | None = None
        self.next = 0
        self._held = bytearray()
        self._parts = self._read()

    @property
    def complete(self) -> bool:
        """Whether every package that the header announces has been yielded."""
        return self.header is not None and self.next == self.header.end

    def feed(self, chunk: bytes) -> Iterator[UploadHeader | Package]:
        """The header, once, and the packages that this chunk completes, in order.

        To be iterated to its end, or not fed again.
        Raises:  MalformedError: mirrorwire.header · mirrorwire.proof_too_long ·
                 mirrorwire.excess, bytes after the last package · checkpoint.origin.
        """
        self._held += chunk
        while (part := next(self._parts, None)) is not None:
            yield part

    def _read(self) -> Generator[UploadHeader | Package | None]:
        self.header = yield from self._read_header()
        yield self.header
        self.next = self.header.start
        for start, end in package_ranges(self.header.start, self.header.end):
            package = yield from self._read_package(start, end)
            self.next = end
            yield package
        while not self._held:
            yield None
        raise MalformedError("mirrorwire.excess")

    def _read_header(self) -> Generator[None, None, UploadHeader]:
        size = yield from self._number(2)
        if not 1 <= size <= MAX_ORIGIN_BYTES:
            raise MalformedError("mirrorwire.header")
        raw = yield from self._take(size)
        start = yield from self._number(8)
        end = yield from self._number(8)
        ticket = yield from self._take((yield from self._number(2)))
        if not start <= end <= MAX_SIZE:
            raise MalformedError("mirrorwire.header")
        try:
            return UploadHeader(check_origin(raw.decode("utf-8")), start, end, ticket)
        except UnicodeDecodeError as error:
            raise MalformedError("mirrorwire.header") from error

    def _read_package(self, start: int, end: int) -> Generator[None, None, Package]:
        entries = []
        for _ in range(start, end):
            entries.append((yield from self._take((yield from self._number(2)))))
        count = yield from self._number(1)
        if count > MAX_PROOF:
            raise MalformedError("mirrorwire.proof_too_long", max_hashes=MAX_PROOF)
        raw = yield from self._take(count * HASH)
        proof = tuple(raw[at : at + HASH] for at in range(0, len(raw), HASH))
        return Package(start, tuple(entries), proof)

    def _number(self, width: int) -> Generator[None, None, int]:
        return int.from_bytes((yield from self._take(width)), "big")

    def _take(self, count: int) -> Generator[None, None, bytes]:
        while len(self._held) < count:
            yield None
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken


@dataclass(frozen=True, slots=True)
class MirrorInfo:
    """Where a mirror stands: the size it will accept, the next entry it lacks, its ticket."""

    size: int
    next_entry: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        return b"%d\n%d\n%b\n" % (self.size, self.next_entry, base64.b64encode(self.ticket))


def parse_mirror_info(data: bytes) -> MirrorInfo:
    """The state that a 202 or 409 answer writes.

    Raises:  MalformedError: mirrorwire.info.
    """
    lines = data.split(b"\n")
    if len(lines) != 4 or lines[3] or len(data) > MAX_INFO_BYTES:
        raise MalformedError("mirrorwire.info")
    size, next_entry = (parse_decimal(line, "mirrorwire.info") for line in lines[:2])
    ticket = parse_base64(lines[2], "mirrorwire.info")
    if len(ticket) > 65_535:
        raise MalformedError("mirrorwire.info")
    return MirrorInfo(size, next_entry, ticket)


def format_size(size: int) -> bytes:
    """The body of a 409 answer to `add-checkpoint`: the size the other side holds."""
    return b"%d\n" % size


def parse_size(data: bytes) -> int:
    """The size that a 409 answer writes.  Raises:  MalformedError: mirrorwire.size."""
    if not data.endswith(b"\n"):
        raise MalformedError("mirrorwire.size")
    return parse_decimal(data[:-1], "mirrorwire.size")
