"""What one node answers another, and the values that pass between them, on either side.

`Partner` gives these values to whoever asks; the node that is asked implements `PartnerService`
and its HTTP shell (`convenio.api`) writes them down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from convenio.core.mirrorwire import AddCheckpoint, MirrorInfo, Package, UploadHeader
from convenio.core.note import Ed25519Verifier

Who = Ed25519Verifier | None
"""The node key that signed the request, as `PartnerService.node_key` gave it; None: a stranger."""


@dataclass(frozen=True, slots=True)
class Stored:
    """200: all up to upload_end is durable. lines: the mirror's cosignatures, signature lines."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """202: some packages are durable, more are needed."""

    info: MirrorInfo


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """409: the upload does not fit where the mirror stands."""

    info: MirrorInfo


@dataclass(frozen=True, slots=True)
class BlobHeld:
    """A blob, as one caller is told of it.

    offset: bytes of it that the caller itself has brought, 0 if it brings nothing. size: of the
    whole blob, if the caller may read it and it is here, else None.
    """

    offset: int
    size: int | None


@dataclass(frozen=True, slots=True)
class LogRef:
    """A log that is served: of our own, or our mirror of another's. name: SHA-256 of its origin."""

    name: str
    mirror: bool


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A blob by its channel and its own hash, both hex."""

    ch: str
    c: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a blob of `total` bytes, from `offset` on; never empty, never past the end."""

    offset: int
    total: int
    content: bytes


class PartnerService(Protocol):
    """What the node answers its partners. Called from several threads at once; may block.

    None means: nothing here for `who`, which is the same answer whether the thing does not exist
    or `who` may not know of it; the caller gets the uniform 404. To a stranger every other error
    but UnavailableError becomes that 404 too. For a known node MalformedError becomes 400,
    SignatureError 403, other UnverifiedError 422, RefusedError 403 (429 when its code begins with
    "quota."), UnavailableError 503; the code is sent along.
    """

    def node_key(self, keyid: str) -> Ed25519Verifier | None:
        """The node key with that keyid (`httpsig.keyid_of`), of any party in any channel.

        Does not block: it is asked before anything is known of the caller.
        """

    def healthy(self) -> bool:
        """Whether the node can serve at all."""

    def checkpoint(self, who: Who, log: LogRef) -> bytes | None:
        """The newest published checkpoint; a mirror's carries our cosignature."""

    def tile(self, who: Who, log: LogRef, level: int, index: int, width: int) -> bytes | None:
        """A tile of hashes, `width` x 32 bytes, within the newest published checkpoint."""

    def bundle(self, who: Who, log: LogRef, index: int, width: int) -> bytes | None:
        """The entries below a level 0 tile, within the newest published checkpoint."""

    def charter(self, who: Who, ch: str) -> bytes | None:
        """The charter note of a channel."""

    def add_checkpoint(self, who: Ed25519Verifier, request: AddCheckpoint) -> bytes | None:
        """Makes the checkpoint pending, durably; gives cosignature lines, mostly none (b"").

        None: the origin is not one that `who` may feed.
        Raises:  ConflictError with the parameter `size`, when `old` is not our newest pending
                 size; SignatureError, no trusted signature; ProofError, no proof of growth.
        """

    def add_entries(
        self, who: Ed25519Verifier, header: UploadHeader, packages: Iterator[Package]
    ) -> Stored | Progress | Elsewhere | None:
        """Takes packages in order, each proven and stored before the next is read.

        `packages` ends early when the request does, and raises nothing: with all stored the
        answer is Stored, else Progress. None: the origin is not one that `who` may feed.
        Raises:  UnverifiedError, a package does not prove, or nothing was ever pending.
        """

    def blob_held(self, who: Who, blob: BlobRef) -> BlobHeld | None:
        """What `who` has brought of a blob and what of it it may read; None: it may do neither.

        What others have brought shows only in `size`, and only to those who may read it: the
        answer to all others is the same whether it is here or not. The same holds for every
        answer to `blob_write`.
        """

    def blob_read(self, who: Who, blob: BlobRef, start: int, size: int) -> bytes | None:
        """`size` bytes of a complete blob from `start`, fewer at its end."""

    def blob_write(self, who: Ed25519Verifier, blob: BlobRef, chunk: Chunk) -> int | None:
        """Appends a chunk to what `who` has brought; gives how much that is now, durable once it is
        the total.

        Raises:  ConflictError with the parameter `offset`, when it has not brought as much.
        """
