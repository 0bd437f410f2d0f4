"""Checkpoints: what a log commits to, as the text of a signed note (C2SP tlog-checkpoint v1.0.0).

Who must have signed is not decided here: see `policy` for files and `note.verify_note` for keys.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from convenio.core.encoding import parse_base64, parse_decimal
from convenio.core.errors import MalformedError
from convenio.core.merkle import HASH
from convenio.core.note import Note, parse_note

MAX_ORIGIN_BYTES: Final = 255  # what a 0x06 cosignature can hold
MAX_CHECKPOINT_BYTES: Final = 128 * 1024  # more than 16 ML-DSA-44 cosignatures


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's state. origin: the log's name. root: 32 bytes. extensions: lines we never write."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The text that is signed: what was understood, written again."""
        root = base64.b64encode(self.root).decode()
        lines = (self.origin, str(self.size), root, *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


def parse_checkpoint_text(text: bytes, *, allow_extensions: bool = False) -> Checkpoint:
    """The checkpoint that a note's text writes; `.text()` gives `text` again.

    allow_extensions: a foreign log's extension lines are kept, not refused. A 0x06 cosignature does
    not cover them, so our own logs have none.
    Raises:  MalformedError: checkpoint.not_text · checkpoint.lines · checkpoint.origin ·
             checkpoint.size · checkpoint.root · checkpoint.extension.
    """
    try:
        origin, size, root, *rest = text.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("checkpoint.not_text") from error
    except ValueError as error:
        raise MalformedError("checkpoint.lines") from error
    if not text.endswith(b"\n"):
        raise MalformedError("checkpoint.lines")
    if rest and (not allow_extensions or not all(rest)):
        raise MalformedError("checkpoint.extension")
    raw = parse_base64(root.encode(), "checkpoint.root")
    if len(raw) != HASH:
        raise MalformedError("checkpoint.root")
    return Checkpoint(
        check_origin(origin), parse_decimal(size.encode(), "checkpoint.size"), raw, tuple(rest)
    )


def check_origin(origin: str) -> str:
    """`origin`, if it may name a log: 1 to 255 bytes, no control characters.

    Raises:  MalformedError: checkpoint.origin.
    """
    if not 1 <= len(origin.encode()) <= MAX_ORIGIN_BYTES or min(origin) < " ":
        raise MalformedError("checkpoint.origin")
    return origin


def parse_signed_checkpoint(
    data: bytes, *, allow_extensions: bool = False
) -> tuple[Checkpoint, Note]:
    """The checkpoint in a signed note, and the note; no signature is checked yet.

    Raises:  MalformedError: note.* · checkpoint.*
    """
    note = parse_note(data, MAX_CHECKPOINT_BYTES)
    return parse_checkpoint_text(note.text, allow_extensions=allow_extensions), note
